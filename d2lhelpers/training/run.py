"""One call of `train`: what it works on, what it measures and shows, and what happens beside it."""

import math
import operator
import re
import time

from IPython import get_ipython

from ..arguments import refuse
from ..language import say
from ..runtime import mx, release_memory
from .batches import batches_of, check_images, check_iterator
from .history import History, Queue, number, total
from .live import LiveCurves

POINTS_AN_EPOCH = 20  # of the live curves
NOT_FINITE = say("The loss is no longer a finite number: training diverged. Try a learning rate ten times smaller.")


class Callback:
    """What happens beside a training. Whoever wants more than the loop does overrides one of these methods.

    Each gets the `Run`, whose attributes it may read and, before the first epoch, replace.
    """

    order = 1  # those with a smaller number come first

    def check(self, run):
        """Refuse, with a ValueError, what cannot work; nothing has been changed yet, nor is it here."""

    def train_begin(self, run):
        """Before the first epoch."""

    def batch_begin(self, run):
        """Before each batch, to train or to test; the shapes of all parameters are known."""

    def backward_end(self, run):
        """Between the backward pass and the step."""

    def epoch_end(self, run):
        """After the last step of an epoch, before the test."""

    def test_end(self, run):
        """After the test of an epoch, which is in the history now."""

    def train_end(self, run):
        """At the end, however it came; not where the training was refused."""


class Run:
    """The state of a training.

    Attributes:
        net, loss, optimizer, train_iter, test_iter, devices, num_epochs, batch_size: as given to `train`.
        initializer: what `fit` draws the weights with; None in `train`, which leaves them as they are.
        trainer: None before `fit` has drawn the weights.
        history: what has been measured, as far as it has been fetched from the device.
        epoch: number of the present epoch, from 0.
        rank, workers: the number of this process, from 0, and how many train together.
        sum_up: a function that returns the sums of some numbers over all of these.
        seed: what MXNet's random generators were last set to; None in the first epoch.
    """

    def __init__(
        self, net, loss, optimizer, train_iter, test_iter, devices, num_epochs, batch_size, callbacks, verbose
    ):
        """Take everything; nothing is changed."""
        self.net, self.loss, self.optimizer, self.initializer, self.trainer = net, loss, optimizer, None, None
        self.train_iter, self.test_iter, self.devices = train_iter, test_iter, devices
        self.num_epochs, self.batch_size, self.verbose = num_epochs, batch_size, verbose
        if not isinstance(callbacks, (list, tuple)) or not all(isinstance(one, Callback) for one in callbacks):
            refuse("callbacks", callbacks, "a list of callbacks, such as [d2l.Checkpoint(folder)]")
        self.callbacks = sorted(callbacks, key=lambda callback: callback.order)
        self.history, self.epoch, self.seed = History(), 0, None
        self.rank, self.workers, self.sum_up = 0, 1, lambda *numbers: numbers

    def check(self):
        """Refuse what can be known to be wrong before the first step."""
        check_iterator("train_iter", self.train_iter)
        check_iterator("test_iter", self.test_iter)
        check_images(self.net, self.loss, train_iter=self.train_iter, test_iter=self.test_iter)
        self.trigger("check")

    def trigger(self, event):
        """Let all callbacks know."""
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def __enter__(self):
        """Start the clock and the display: curves in a notebook, lines of text elsewhere."""
        release_memory()
        self.trigger("train_begin")
        self.done = self.first = len(self.history.loss)
        self.queue, self.pending = Queue(), []
        self.window = []  # loss, right answers and images of the batches since the last point of the curves
        self.sums = (0, 0, 0)  # of these over the epoch, as far as fetched
        self.batch = self.images = 0
        self.start = time.monotonic()
        self.epoch_start = self.start
        self.shows = self.verbose and self.rank == 0
        notebook = type(get_ipython()).__name__ == "ZMQInteractiveShell"
        self.curves = LiveCurves(self.num_epochs) if self.shows and notebook else None
        self.print = print if self.shows and not notebook else lambda _: None
        self.print(f"training on {self.devices[0] if len(self.devices) == 1 else self.devices}")
        if self.first:
            self.print(say("going on after epoch {epoch}", epoch=self.first))
        return self

    def __exit__(self, kind, error, _):
        """End the training, and the stop button, a loss that is not finite and a full device in a sentence."""
        try:
            if kind is None:
                epochs = "1 epoch" if self.num_epochs == 1 else f"{self.num_epochs} epochs"
                self.draw(f"{epochs} in {sum(self.history.seconds):.0f} s · {self.speed()}")
            elif kind is KeyboardInterrupt:
                sentence = "Stopped by hand after {done:.1f} of {count} epochs; the network keeps its weights."
                self.stop(say(sentence, done=self.done, count=self.num_epochs))
            elif kind is FloatingPointError:
                self.stop(NOT_FINITE)
            elif kind is mx.base.MXNetError and re.search("out of memory|failed to allocate", str(error).lower()):
                sentence = (
                    "{device} has too little memory for this network and its batches: choose a smaller batch_size or "
                    "resize, or start again with D2L_BUDGET=cpu."
                )
                raise MemoryError(say(sentence, device=self.devices[0])) from error
        finally:
            self.trigger("train_end")
        return kind in (KeyboardInterrupt, FloatingPointError)

    def batches(self, name):
        """Yield the batches of `train_iter` or `test_iter`, as lists of their parts (X, y) on the devices."""
        loss = self.loss if name == "train_iter" and not self.epoch else None
        for parts in batches_of(name, getattr(self, name), self.net, self.devices, self.epoch, loss):
            self.trigger("batch_begin")
            yield parts

    def add_batch(self, losses, corrects, count):
        """Take what each device has computed for a batch: sums of the losses, right answers; and its images."""
        loss, correct = total(losses), total(corrects)
        self.batch += 1
        self.done = self.epoch + self.batch / len(self.train_iter)
        self.window.append((loss, correct, count))
        self.images += count * self.workers
        self.queue.push(loss)
        if self.done * POINTS_AN_EPOCH >= len(self.history.steps) + len(self.pending) + 1:
            self._add_point(self.done)
        if self.curves and self.curves.due():
            self.fetch()
            left = (time.monotonic() - self.start) * (self.num_epochs - self.done) / (self.done - self.first)
            self.draw(f"epoch {math.ceil(self.done)} of {self.num_epochs} · {self.speed()} · {left:.0f} s left")

    def _add_point(self, done):
        losses, corrects, counts = zip(*self.window, strict=True)
        self.pending.append((done, *self.sum_up(mx.nd.add_n(*losses), mx.nd.add_n(*corrects), sum(counts))))
        self.window = []

    def fetch(self):
        """Bring what is pending from the device into the history; FloatingPointError when the loss is not finite."""
        for done, *sums in self.pending:
            loss, correct, count = map(number, sums)
            self.history.steps.append((done, loss / count, correct / count))
            self.sums = tuple(map(operator.add, self.sums, (loss, correct, count)))
        self.pending.clear()
        if not math.isfinite(self.sums[0]):
            raise FloatingPointError

    def end_epoch(self, test_acc):
        """Write the epoch into the history and show it."""
        if self.window:  # there were more batches than the iterator's length, or fewer
            self._add_point(self.epoch + 1)
        self.fetch()
        (loss, correct, count), now = self.sums, time.monotonic()
        seconds, self.epoch_start = now - self.epoch_start, now
        self.sums, self.batch, self.done = (0, 0, 0), 0, self.epoch + 1
        history = self.history
        for values, value in (
            (history.loss, loss / count),
            (history.train_acc, correct / count),
            (history.test_acc, test_acc),
            (history.seconds, seconds),
        ):
            values.append(value)
        self.print(
            f"epoch {len(history.loss)}, loss {loss / count:.4f}, train acc {correct / count:.3f}, "
            f"test acc {test_acc:.3f}, time {seconds:.1f} sec"
        )
        # MXNet cannot hand out where its random generators are, so as to store it: they are set to what they draw.
        self.seed = int(mx.nd.random.randint(0, 2**31 - 1, ctx=mx.cpu()).asscalar())
        mx.random.seed(self.seed)

    def stop(self, reason):
        """Say why training ended early, and keep what had been measured."""
        self.history.stopped = str(reason)
        try:
            self.fetch()
        except FloatingPointError:
            pass  # which is the reason
        if self.shows:  # in a notebook too, where the curves alone would not say it
            print(reason)
        if self.done:
            self.draw(reason.translated({}))  # figures are in English

    def speed(self):
        """Say how many images have been trained per second so far, tests included."""
        return f"{self.images / (time.monotonic() - self.start):,.0f} images/s"

    def draw(self, text):
        """Draw the curves, if there are any, with `text` above the bar."""
        if self.curves:
            self.curves.draw(self.history, self.done / self.num_epochs, text)
