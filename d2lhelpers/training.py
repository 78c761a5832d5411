"""Train and evaluate classifiers: the loops of d2lzh, with less waiting for the device and a live picture."""

import contextlib
import re
from pathlib import Path

import numpy as np

from .checkpoint import Checkpoint
from .data import ImageBatches, load_data_fashion_mnist
from .graph import can_trace
from .history import Progress, Queue, number
from .precision import check_dtype, to_bfloat16
from .runtime import mx, release_memory, try_gpu
from .seeds import seed_epoch, set_seed, shift_seed
from .team import ALONE, Team
from .validation import (
    check_batch,
    check_batches,
    check_is_network,
    check_labels,
    check_logits,
    check_network,
    check_number,
    check_training,
    check_values,
    check_whole_number,
)

autograd, gluon = mx.autograd, mx.gluon

NOT_FINITE = "The loss is no longer a finite number: training diverged. Try a learning rate ten times smaller."


class _Scorer:
    """Computes (sum of the losses, number of right answers) of a batch, compiled where that can be done.

    Compiled, network, loss and score are one graph on the network's own parameters; `net` itself stays as it is.
    """

    def __init__(self, net, loss, hybridize, dtype):
        self.net, self.loss, self.hybridize, self.dtype, self.score = net, loss, hybridize, dtype, None

    def __call__(self, X, y):
        if self.score is None:  # types are known from the first batch on
            self.score = self._graph(X, y) if self.hybridize else self._eager
        return self.score(X, y)

    def _eager(self, X, y):
        return self._judge(self.net(X), y)

    def _judge(self, logits, y):
        return self.loss(logits, y).sum(), _count_correct(logits, y)

    def _graph(self, X, y):
        data, label = mx.sym.var("input_batch", dtype=X.dtype), mx.sym.var("input_label", dtype=y.dtype)
        logits = self.net(data)
        if self.dtype == "bfloat16":
            logits = to_bfloat16(logits, data)
        outputs = mx.sym.Group(self._judge(logits, label))
        graph = gluon.SymbolBlock(outputs, [data, label], params=self.net.collect_params())
        graph.hybridize(static_alloc=True, static_shape=True)
        return graph


def _count_correct(logits, y):
    return (logits.argmax(axis=1) == y.astype("float32")).sum()


def _devices(ctx):
    return list(ctx) if isinstance(ctx, (list, tuple)) else [ctx]


def _batches(name, data_iter, net, ctx):
    """Yield each batch as a list of its parts (X, y), one for each device; ValueError at a batch that is wrong."""
    classes, devices = None, _devices(ctx)
    for batch in data_iter:
        X, y = check_batch(name, batch)
        if len(X) < len(devices):
            raise ValueError(
                f"{name} gave a batch of {len(X)}, which cannot be split among {len(devices)} devices: choose a "
                "batch_size that leaves no such rest, or fewer devices."
            )
        if len(devices) == 1:
            parts = [[array.as_in_context(devices[0] or array.context) for array in (X, y)]]
        else:
            split = [gluon.utils.split_and_load(array, devices, even_split=False) for array in (X, y)]
            parts = list(zip(*split, strict=True))
        if classes is None:
            classes = check_logits(net, parts[0][0])  # also settles the shapes that parameters take from their input
            if isinstance(data_iter, ImageBatches):
                check_labels(name, data_iter.labels, classes)
        if not isinstance(data_iter, ImageBatches):  # whose pixels are finite, and whose labels have been checked
            check_values(name, X, y, classes)
        yield parts
    if classes is None:
        raise ValueError(f"{name} has no batches: at least one is needed.")


def _total(arrays):
    """Return the sum of numbers that lie on several devices, on the first of them."""
    first, *rest = arrays
    return mx.nd.add_n(first, *(array.as_in_context(first.context) for array in rest)) if rest else first


def _accuracy(name, data_iter, net, correct, ctx, team=ALONE):
    """Return the share of right answers, where `correct` counts them in a batch (X, y)."""
    total, images, queue = 0, 0, Queue()
    for parts in _batches(name, data_iter, net, ctx):
        team.tick()
        total = total + _total([correct(X, y) for X, y in parts])
        images += sum(len(y) for _, y in parts)
        queue.push(total)
    total, images = map(number, team.sum(total, images))
    return total / images


def evaluate_accuracy(data_iter, net, ctx=None):
    """Return the share of images that the network classifies correctly, in prediction mode.

    Args:
        data_iter (Iterable[tuple[NDArray, NDArray]]): batches of images, and of labels of shape (batch,).
        net (mxnet.gluon.Block): an initialised network that returns logits of shape (batch, classes).
        ctx (mxnet.Context | list[mxnet.Context], optional): where the network's parameters are; a batch is split among
            several devices. By default where each batch already is.

    Returns:
        float: accuracy from 0 to 1.

    Raises:
        ValueError: an argument or a batch is not as described.

    Source: `d2lzh.evaluate_accuracy`, which waits for the device at every batch.
    """
    check_network(net, _devices(ctx))
    return _accuracy("data_iter", data_iter, net, lambda X, y: _count_correct(net(X), y), ctx)


def confusion_matrix(data_iter, net, ctx=None):
    """Count which classes the network takes for which, in prediction mode.

    Args:
        data_iter (Iterable[tuple[NDArray, NDArray]]): see `evaluate_accuracy`.
        net (mxnet.gluon.Block): see `evaluate_accuracy`.
        ctx (mxnet.Context | list[mxnet.Context], optional): see `evaluate_accuracy`.

    Returns:
        numpy.ndarray: int counts of shape (true class, predicted class).

    Raises:
        ValueError: an argument or a batch is not as described.
    """
    check_network(net, _devices(ctx))
    counts = 0
    for parts in _batches("data_iter", data_iter, net, ctx):
        for X, y in parts:
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
    checkpoint=None,
    seed=0,
    kvstore=None,
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
        ctx (mxnet.Context | list[mxnet.Context]): where the parameters are; a batch is split among several devices.
        num_epochs (int): passes over the training images.
        batch_size (int, optional): what the summed gradient is divided by; by default the size of each batch.
        hybridize (bool): whether to compile a network and a loss that consist of hybrid blocks; `net` itself is not
            changed. With False its Python code runs at every step, and its hooks are called.
        dtype (str): `bfloat16` computes the convolutions with 8 significant bits, on a CPU that has instructions for
            it. The parameters, and `net` itself, stay in `float32`.
        checkpoint (str | pathlib.Path, optional): a folder. After each epoch the training is kept there; the same call
            goes on after the last of them, and ends as if it had never been stopped.
        seed (int): with `checkpoint`, decides what is random in each epoch after the first, such as dropout.
        kvstore (str, optional): `dist_sync` trains in several processes, which meet by MXNet's parameter server. Each
            works on its share of every batch; `batch_size` is that of one of them. The history is of all.
        verbose (bool): whether to show anything.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Raises:
        ValueError: an argument or a batch is not as described, this network or this device cannot compute in `dtype`,
            or the checkpoint cannot be used.
        MemoryError: the device's memory is too small.

    Source: `d2lzh.train`, with the same first seven arguments.
    """
    check_training(net, loss, trainer, _devices(ctx), num_epochs, batch_size)
    check_batches("train_iter", train_iter)
    check_batches("test_iter", test_iter)
    hybridize = hybridize and can_trace(net) and isinstance(loss, gluon.HybridBlock)
    check_dtype(dtype, _devices(ctx), hybridize)
    release_memory()
    with contextlib.ExitStack() as stack:
        team = stack.enter_context(Team(kvstore, _devices(ctx)) if kvstore else ALONE)
        train_iter, test_iter = team.share(train_iter), team.share(test_iter)
        progress = Progress(num_epochs, ctx, verbose and team.rank == 0, team)
        keeper, score, done = None, _Scorer(net, loss, hybridize, dtype), 0
        if checkpoint:
            run = {
                "batches an epoch": len(train_iter),
                "batch size": batch_size,
                "seed": seed,
                "D2L_SEED": shift_seed(0),
                "dtype": dtype,
                "workers": team.size,
            }
            folder = Path(checkpoint, f"worker-{team.rank}") if kvstore else checkpoint
            keeper = stack.enter_context(Checkpoint(folder, net, trainer, **run))
            progress.go_on(keeper.restore(ctx, team.smallest(keeper.newest())))
            done = len(progress.history.loss)
        try:
            for epoch in range(len(progress.history.loss), num_epochs):
                if keeper:
                    if epoch:  # the first one begins as it would without a checkpoint
                        seed_epoch(seed, epoch)
                    if isinstance(train_iter, ImageBatches):
                        train_iter.epoch = epoch  # its order has a seed of its own
                for i, parts in enumerate(_batches("train_iter", train_iter, net, ctx), 1):
                    team.tick()
                    team.join(net)
                    with autograd.record():
                        results = [score(X, y) for X, y in parts]
                    losses, corrects = zip(*results, strict=True)
                    autograd.backward(list(losses))
                    team.add_gradients()
                    count = sum(len(y) for _, y in parts)
                    trainer.step(team.size * (batch_size or count))
                    done = epoch + i / len(train_iter)
                    progress.add_batch(done, _total(losses), _total(corrects), count)
                team.average_statistics()
                progress.end_epoch(_accuracy("test_iter", test_iter, net, lambda X, y: score(X, y)[1], ctx, team))
                if keeper:
                    keeper.save(progress.history)
            epochs = "1 epoch" if num_epochs == 1 else f"{num_epochs} epochs"
            progress.draw(done, f"{epochs} in {sum(progress.history.seconds):.0f} s · {progress.speed()}")
        except KeyboardInterrupt:
            progress.stop(
                done, f"Stopped by hand after {done:.1f} of {num_epochs} epochs; the network keeps its weights."
            )
        except FloatingPointError:
            progress.stop(done, NOT_FINITE)
        except mx.base.MXNetError as error:
            if not re.search("out of memory|Failed to allocate", str(error), re.IGNORECASE):
                raise
            raise MemoryError(
                f"{ctx} has too little memory for this network and its batches: choose a smaller batch_size or resize, "
                "or start again with D2L_BUDGET=cpu."
            ) from error
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
        ctx (mxnet.Context | list[mxnet.Context]): where the parameters are, see `train`.
        num_epochs (int): passes over the training images.
        **options: `hybridize`, `dtype`, `checkpoint`, `seed`, `kvstore` and `verbose`, see `train`.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Raises:
        ValueError: an argument or a batch is not as described, or see `train`.
        MemoryError: the device's memory is too small.

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
        **options: `hybridize`, `dtype`, `checkpoint`, `kvstore` and `verbose`, see `train`.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Raises:
        ValueError: an argument is not as described, or see `train`.
        FileNotFoundError: `D2L_DATA` is set but the files are not there.
        MemoryError: the device's memory is too small.
    """
    ctx = ctx or try_gpu()
    check_number("lr", lr, 0)
    check_number("momentum", momentum, 0, 1)
    check_whole_number("num_epochs", num_epochs)
    check_is_network(net)
    set_seed(seed)
    net.initialize(initializer or mx.init.Xavier(), ctx=ctx, force_reinit=True)
    sizes = {"train_size": train_size, "test_size": test_size}
    batches = load_data_fashion_mnist(batch_size, resize, **sizes, seed=seed, ctx=ctx)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr, "momentum": momentum})
    return train_ch5(net, *batches, batch_size, trainer, ctx, num_epochs, seed=seed, **options)
