"""Train and evaluate classifiers: the loops of d2lzh, with less waiting for the device and a live picture."""

import contextlib
import math
import operator
import time
from collections import deque
from dataclasses import dataclass, field

from IPython import get_ipython

from .plotting import LiveCurves
from .runtime import mx
from .summary import can_trace

autograd, gluon = mx.autograd, mx.gluon

BATCHES_AHEAD = 2  # queued on the device: enough to keep it busy, few enough to stop soon
POINTS_AN_EPOCH = 20  # of the live curves
NOT_FINITE = "The loss is no longer a finite number: training diverged. Try a learning rate ten times smaller."


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


class _Queue(deque):
    """Results that the device has yet to compute; waits for an old one before the queue grows too long."""

    def push(self, array):
        self.append(array)
        if len(self) > BATCHES_AHEAD:
            self.popleft().wait_to_read()


class _Scorer:
    """Computes (sum of the losses, number of right answers) of a batch, compiled where that can be done.

    Compiled, network, loss and score are one graph on the network's own parameters; `net` itself stays as it is.
    """

    def __init__(self, net, loss, hybridize):
        self.net, self.loss, self.hybridize, self.score = net, loss, hybridize, None

    def __call__(self, X, y):
        if self.score is None:  # types and shapes are known from the first batch on
            with autograd.pause():
                self.net(X[:1])  # settles the shapes that parameters take from their first input
            self.score = self._graph(X, y) if self.hybridize and can_trace(self.net) else self._eager
        return self.score(X, y)

    def _eager(self, X, y):
        logits = self.net(X)
        return self.loss(logits, y).sum(), _count_right(logits, y)

    def _graph(self, X, y):
        data, label = mx.sym.var("input_batch", dtype=X.dtype), mx.sym.var("input_label", dtype=y.dtype)
        outputs = mx.sym.Group(self._eager(data, label))
        graph = gluon.SymbolBlock(outputs, [data, label], params=self.net.collect_params())
        graph.hybridize(static_alloc=True, static_shape=True)
        return graph


def _count_right(logits, y):
    return (logits.argmax(axis=1) == y.astype("float32")).sum()


def _batches(data_iter, ctx):
    for X, y in data_iter:
        yield X.as_in_context(ctx or X.context), y.as_in_context(ctx or X.context)


def _accuracy(data_iter, correct, ctx):
    """Return the share of right answers, where `correct` counts them in a batch (X, y)."""
    total, images, queue = 0, 0, _Queue()
    for X, y in _batches(data_iter, ctx):
        total, images = total + correct(X, y), images + len(y)
        queue.push(total)
    return float(total.asscalar()) / images


def evaluate_accuracy(data_iter, net, ctx=None):
    """Return the share of images that the network classifies correctly, in prediction mode.

    Args:
        data_iter (Iterable[tuple[NDArray, NDArray]]): batches of images, and of labels of shape (batch,).
        net (mxnet.gluon.Block): an initialised network that returns logits of shape (batch, classes).
        ctx (mxnet.Context, optional): where the network's parameters are; by default where each batch already is.

    Returns:
        float: accuracy from 0 to 1.

    Source: `d2lzh.evaluate_accuracy`, which waits for the device at every batch.
    """
    return _accuracy(data_iter, lambda X, y: _count_right(net(X), y), ctx)


class _Progress:
    """What one call of `train` has measured: partly in the history, partly still on the device; and its display."""

    def __init__(self, num_epochs, ctx, verbose):
        self.history, self.num_epochs = History(), num_epochs
        self.queue, self.pending = _Queue(), []
        self.window = self.epoch = (0, 0, 0)  # sums of loss, right answers, images; of the epoch: as far as fetched
        self.images, self.start = 0, time.monotonic()
        self.epoch_start = self.start
        notebook = type(get_ipython()).__name__ == "ZMQInteractiveShell"
        self.curves = LiveCurves(num_epochs) if verbose and notebook else None
        self.print = print if verbose and not notebook else lambda _: None
        self.print(f"training on {ctx}")

    def add_batch(self, done, loss, correct, count):
        """Take the sums of a batch; `done` counts epochs, this batch included."""
        self.window = tuple(map(operator.add, self.window, (loss, correct, count)))
        self.images += count
        self.queue.push(self.window[0])
        points = len(self.history.steps) + len(self.pending)
        if done == int(done) or done * POINTS_AN_EPOCH >= points + 1:
            self.pending.append((done, *self.window))
            self.window = (0, 0, 0)
        if self.curves and self.curves.due():
            self.fetch()
            elapsed = time.monotonic() - self.start
            left = elapsed * (self.num_epochs / done - 1)
            self.draw(done, f"epoch {math.ceil(done)} of {self.num_epochs} · {self.speed()} · {left:.0f} s left")

    def fetch(self):
        """Bring what is pending from the device into the history; FloatingPointError when the loss is not finite."""
        for done, loss, correct, count in self.pending:
            loss, correct = float(loss.asscalar()), float(correct.asscalar())
            self.history.steps.append((done, loss / count, correct / count))
            self.epoch = tuple(map(operator.add, self.epoch, (loss, correct, count)))
        self.pending.clear()
        if not math.isfinite(self.epoch[0]):
            raise FloatingPointError

    def end_epoch(self, test_acc):
        """Write the epoch into the history and show it."""
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
        print(reason)
        if done:
            self.draw(done, reason)

    def speed(self):
        return f"{self.images / (time.monotonic() - self.start):,.0f} images/s"

    def draw(self, done, text):
        if self.curves:
            self.curves.draw(self.history, done / self.num_epochs, text)


def train(train_iter, test_iter, net, loss, trainer, ctx, num_epochs, *, batch_size=None, hybridize=True, verbose=True):
    """Train a classifier, test it after every epoch, and return what was measured.

    In a notebook the curves are drawn while they grow; elsewhere every epoch prints one line. The stop button (or
    Ctrl-C) and a loss that is no longer finite end the training early; the network is kept as it is then.

    Args:
        train_iter (Iterable[tuple[NDArray, NDArray]]): batches of images, and of labels (batch,); has a length.
        test_iter (Iterable[tuple[NDArray, NDArray]]): the same, for testing.
        net (mxnet.gluon.Block): an initialised network that returns logits of shape (batch, classes).
        loss (callable): (logits, labels) → loss of each image.
        trainer (mxnet.gluon.Trainer): updates the network's parameters.
        ctx (mxnet.Context): the device on which the parameters are.
        num_epochs (int): passes over the training images.
        batch_size (int, optional): what the summed gradient is divided by; by default the size of each batch.
        hybridize (bool): whether to compile a network that consists of hybrid blocks; `net` itself is not changed.
            With False its Python code runs at every step, and its hooks are called.
        verbose (bool): whether to show anything.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Source: `d2lzh.train`, with the same first seven arguments.
    """
    progress, score, done = _Progress(num_epochs, ctx, verbose), _Scorer(net, loss, hybridize), 0
    try:
        for epoch in range(num_epochs):
            for i, (X, y) in enumerate(_batches(train_iter, ctx), 1):
                with autograd.record():
                    batch_loss, correct = score(X, y)
                batch_loss.backward()
                trainer.step(batch_size or len(y))
                done = epoch + i / len(train_iter)
                progress.add_batch(done, batch_loss, correct, len(y))
            progress.end_epoch(_accuracy(test_iter, lambda X, y: score(X, y)[1], ctx))
        progress.draw(done, f"{num_epochs} epochs in {time.monotonic() - progress.start:.0f} s · {progress.speed()}")
    except KeyboardInterrupt:
        progress.stop(done, f"Stopped by hand after {done:.1f} of {num_epochs} epochs; the network keeps its weights.")
    except FloatingPointError:
        progress.stop(done, NOT_FINITE)
    return progress.history


def train_ch5(net, train_iter, test_iter, batch_size, trainer, ctx, num_epochs, *, hybridize=True, verbose=True):
    """Train a classifier with softmax cross-entropy loss.

    The summed gradient is divided by `batch_size` even for the last, smaller batch of an epoch, as d2lzh does: given
    the weight of a full one, that batch costs accuracy at large learning rates.

    Args:
        net (mxnet.gluon.Block): an initialised network that returns logits of shape (batch, classes).
        train_iter (Iterable[tuple[NDArray, NDArray]]): batches of images, and of labels (batch,); has a length.
        test_iter (Iterable[tuple[NDArray, NDArray]]): the same, for testing.
        batch_size (int): images in a full batch.
        trainer (mxnet.gluon.Trainer): updates the network's parameters.
        ctx (mxnet.Context): the device on which the parameters are.
        num_epochs (int): passes over the training images.
        hybridize (bool): see `train`.
        verbose (bool): see `train`.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Source: `d2lzh.train_ch5`, with the same seven arguments.
    """
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    options = {"batch_size": batch_size, "hybridize": hybridize, "verbose": verbose}
    return train(train_iter, test_iter, net, loss, trainer, ctx, num_epochs, **options)
