"""What a training run has measured, and how it is shown while it runs."""

import contextlib
import math
import operator
import time
from collections import deque
from dataclasses import dataclass, field

from IPython import get_ipython

from .live import LiveCurves
from .runtime import mx

SECONDS_AHEAD = 0.25  # of work that may be queued on the device: so long does the stop button take
BATCHES_AHEAD = 2, 32  # whatever that time says: enough to keep the device busy, few enough to hold in memory
POINTS_AN_EPOCH = 20  # of the live curves


@dataclass
class History:
    """What a training run measured; lists have one entry an epoch unless said otherwise.

    Attributes:
        loss: mean training loss over the epoch.
        train_acc: training accuracy over the epoch, measured while the weights were changing, from 0 to 1.
        test_acc: test accuracy after the epoch, from 0 to 1.
        seconds: duration, the test included.
        steps: (epochs done, loss, accuracy) about twenty times an epoch, each a mean since the entry before.
        stopped: why training ended early; empty when it did not.
    """

    loss: list = field(default_factory=list)
    train_acc: list = field(default_factory=list)
    test_acc: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    stopped: str = ""


def number(value):
    """Return a number as one of Python, and bring it from the device if it is there."""
    return float(value.asscalar()) if isinstance(value, mx.nd.NDArray) else value


class Queue(deque):
    """Results that the device has yet to compute; waits where too much work is queued.

    It waits seldom and then for half of the queue: on two cores, each time that this thread wakes up between two
    batches it takes a core from the step, and all threads of the operator that runs then wait for that one.
    """

    def __init__(self):
        """Start the clock, and with the shortest queue."""
        super().__init__()
        self.limit, self.clock = BATCHES_AHEAD[0], time.perf_counter()

    def push(self, array):
        """Add the newest result."""
        self.append(array)
        if len(self) > self.limit:
            done = [self.popleft() for _ in range(len(self) // 2 or 1)]
            done[-1].wait_to_read()
            now = time.perf_counter()
            pace, self.clock = (now - self.clock) / len(done), now
            least, most = BATCHES_AHEAD
            self.limit = min(max(int(SECONDS_AHEAD / pace), least), most)


class Progress:
    """What one call of `train` has measured: partly in the history, partly still on the device; and its display."""

    def __init__(self, num_epochs, ctx, verbose, team):
        """Start the clock; with `verbose` also a display: curves in a notebook, lines of text elsewhere."""
        self.team, self.verbose = team, verbose
        self.history, self.num_epochs = History(), num_epochs
        self.queue, self.pending = Queue(), []
        self.window = []  # loss, right answers and images of the batches since the last point of the curves
        self.epoch = (0, 0, 0)  # their sums over the epoch, as far as fetched
        self.images, self.first, self.start = 0, 0, time.monotonic()
        self.epoch_start = self.start
        notebook = type(get_ipython()).__name__ == "ZMQInteractiveShell"
        self.curves = LiveCurves(num_epochs) if verbose and notebook else None
        self.print = print if verbose and not notebook else lambda _: None
        self.print(f"training on {ctx}")

    def go_on(self, history):
        """Take what an earlier call has measured, if there was one."""
        if history:
            self.history, self.first = history, len(history.loss)
            self.print(f"going on after epoch {self.first}")

    def add_batch(self, done, loss, correct, count):
        """Take the sums of a batch; `done` counts epochs, this batch included."""
        self.window.append((loss, correct, count))
        self.images += count * self.team.size
        self.queue.push(loss)
        points = len(self.history.steps) + len(self.pending)
        if done * POINTS_AN_EPOCH >= points + 1:
            self._add_point(done)
        if self.curves and self.curves.due():
            self.fetch()
            elapsed = time.monotonic() - self.start
            left = elapsed * (self.num_epochs - done) / (done - self.first)
            self.draw(done, f"epoch {math.ceil(done)} of {self.num_epochs} · {self.speed()} · {left:.0f} s left")

    def _add_point(self, done):
        losses, corrects, counts = zip(*self.window, strict=True)
        sums = self.team.sum(mx.nd.add_n(*losses), mx.nd.add_n(*corrects), sum(counts))
        self.pending.append((done, *sums))
        self.window = []

    def fetch(self):
        """Bring what is pending from the device into the history; FloatingPointError when the loss is not finite."""
        for done, *sums in self.pending:
            loss, correct, count = map(number, sums)
            self.history.steps.append((done, loss / count, correct / count))
            self.epoch = tuple(map(operator.add, self.epoch, (loss, correct, count)))
        self.pending.clear()
        if not math.isfinite(self.epoch[0]):
            raise FloatingPointError

    def end_epoch(self, test_acc):
        """Write the epoch into the history and show it."""
        if self.window:  # there were more batches than the iterator's length, or fewer
            self._add_point(len(self.history.loss) + 1)
        self.fetch()
        loss, correct, count = self.epoch
        now = time.monotonic()
        history, seconds = self.history, now - self.epoch_start
        self.epoch, self.epoch_start = (0, 0, 0), now
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

    def stop(self, done, reason):
        """Say why training ended early, and keep what had been measured."""
        self.history.stopped = reason
        with contextlib.suppress(FloatingPointError):
            self.fetch()
        if self.verbose:  # in a notebook too, where the curves alone would not say it
            print(reason)
        if done:
            self.draw(done, reason)

    def speed(self):
        """Say how many images have been trained per second so far, tests included."""
        return f"{self.images / (time.monotonic() - self.start):,.0f} images/s"

    def draw(self, done, text):
        """Draw the curves, if there are any, with `text` above the bar."""
        if self.curves:
            self.curves.draw(self.history, done / self.num_epochs, text)
