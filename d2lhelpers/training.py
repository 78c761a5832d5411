"""Train and evaluate classifiers: the loops of d2lzh, with less waiting for the device and a live picture."""

import time

import numpy as np

from .data import load_data_fashion_mnist
from .graph import can_trace
from .history import Progress, Queue
from .precision import check_dtype, to_bfloat16
from .runtime import mx, set_seed, try_gpu

autograd, gluon = mx.autograd, mx.gluon

NOT_FINITE = "The loss is no longer a finite number: training diverged. Try a learning rate ten times smaller."


class _Scorer:
    """Computes (sum of the losses, number of right answers) of a batch, compiled where that can be done.

    Compiled, network, loss and score are one graph on the network's own parameters; `net` itself stays as it is.
    """

    def __init__(self, net, loss, hybridize, dtype):
        self.net, self.loss, self.hybridize, self.dtype, self.score = net, loss, hybridize, dtype, None

    def __call__(self, X, y):
        if self.score is None:  # types and shapes are known from the first batch on
            with autograd.pause():
                self.net(X[:1])  # settles the shapes that parameters take from their first input
            self.score = self._graph(X, y) if self.hybridize and can_trace(self.net) else self._eager
        return self.score(X, y)

    def _eager(self, X, y):
        return self._judge(self.net(X), y)

    def _judge(self, logits, y):
        return self.loss(logits, y).sum(), _count_right(logits, y)

    def _graph(self, X, y):
        data, label = mx.sym.var("input_batch", dtype=X.dtype), mx.sym.var("input_label", dtype=y.dtype)
        logits = self.net(data)
        if self.dtype == "bfloat16":
            logits = to_bfloat16(logits, data)
        outputs = mx.sym.Group(self._judge(logits, label))
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
    total, images, queue = 0, 0, Queue()
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


def confusion_matrix(data_iter, net, ctx=None):
    """Count which classes the network takes for which, in prediction mode.

    Args:
        data_iter (Iterable[tuple[NDArray, NDArray]]): see `evaluate_accuracy`.
        net (mxnet.gluon.Block): see `evaluate_accuracy`.
        ctx (mxnet.Context, optional): see `evaluate_accuracy`.

    Returns:
        numpy.ndarray: int counts of shape (true class, predicted class).
    """
    counts = 0
    for X, y in _batches(data_iter, ctx):
        logits = net(X).asnumpy()
        classes = np.arange(logits.shape[1])
        guesses = logits.argmax(axis=1)[:, None] == classes
        counts += (y.asnumpy()[:, None] == classes).astype(int).T @ guesses.astype(int)
    return counts


def train(
    train_iter,
    test_iter,
    net,
    loss,
    trainer,
    ctx,
    num_epochs,
    *,
    batch_size=None,
    hybridize=True,
    dtype="float32",
    verbose=True,
):
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
        dtype (str): `bfloat16` computes the convolutions with 8 significant bits, on a CPU that has instructions for
            it. The parameters, and `net` itself, stay in `float32`.
        verbose (bool): whether to show anything.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Raises:
        ValueError: this network or this device cannot compute in `dtype`.

    Source: `d2lzh.train`, with the same first seven arguments.
    """
    check_dtype(dtype, net, ctx, hybridize)
    progress, score, done = Progress(num_epochs, ctx, verbose), _Scorer(net, loss, hybridize, dtype), 0
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
        epochs = "1 epoch" if num_epochs == 1 else f"{num_epochs} epochs"
        progress.draw(done, f"{epochs} in {time.monotonic() - progress.start:.0f} s · {progress.speed()}")
    except KeyboardInterrupt:
        progress.stop(done, f"Stopped by hand after {done:.1f} of {num_epochs} epochs; the network keeps its weights.")
    except FloatingPointError:
        progress.stop(done, NOT_FINITE)
    return progress.history


def train_ch5(net, train_iter, test_iter, batch_size, trainer, ctx, num_epochs, **options):
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
        **options: `hybridize`, `dtype` and `verbose`, see `train`.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Source: `d2lzh.train_ch5`, with the same seven arguments.
    """
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    return train(train_iter, test_iter, net, loss, trainer, ctx, num_epochs, batch_size=batch_size, **options)


def fit(
    net,
    *,
    lr,
    batch_size,
    num_epochs,
    resize=None,
    train_size=None,
    test_size=None,
    momentum=0.0,
    initializer=None,
    seed=0,
    ctx=None,
    **options,
):
    """Draw new weights for a classifier and train it on Fashion-MNIST with stochastic gradient descent.

    Weights, dropout and the order of the images follow from the seed.

    Args:
        net (mxnet.gluon.Block): a network that returns logits of shape (batch, 10).
        lr (float): learning rate.
        batch_size (int): images in a batch.
        num_epochs (int): passes over the training images.
        resize (int, optional): side of the images, in pixels; 28 as published without it.
        train_size (int, optional): how many training images to use; all 60,000 without it.
        test_size (int, optional): how many test images to use; all 10,000 without it.
        momentum (float): share of the last step that the next one repeats.
        initializer (mxnet.initializer.Initializer, optional): draws the weights, by default `Xavier()`.
        seed (int): decides all that is random.
        ctx (mxnet.Context, optional): the device, by default `try_gpu()`.
        **options: `hybridize`, `dtype` and `verbose`, see `train`.

    Returns:
        History: losses, accuracies and times of each finished epoch.
    """
    ctx = ctx or try_gpu()
    set_seed(seed)
    net.initialize(initializer or mx.init.Xavier(), ctx=ctx, force_reinit=True)
    sizes = {"train_size": train_size, "test_size": test_size}
    batches = load_data_fashion_mnist(batch_size, resize, **sizes, seed=seed, ctx=ctx)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr, "momentum": momentum})
    return train_ch5(net, *batches, batch_size, trainer, ctx, num_epochs, **options)
