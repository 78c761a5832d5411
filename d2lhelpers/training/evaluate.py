"""How often a network is right."""

import numpy as np

from .batches import batches_of, check_initialised, check_iterator, devices_of
from .history import Queue, number, total


def count_correct(logits, y):
    """Return, as an array of one number (or a symbol), how many of the logits are largest at the label."""
    return (logits.argmax(axis=1) == y.astype("float32")).sum()


def accuracy(batches, correct, sum_up=lambda *numbers: numbers):
    """Return the share of right answers in batches of parts (X, y), where `correct(X, y)` counts them."""
    right, images, queue = 0, 0, Queue()
    for parts in batches:
        right = right + total([correct(X, y) for X, y in parts])
        images += sum(len(y) for _, y in parts)
        queue.push(right)
    right, images = map(number, sum_up(right, images))
    return right / images


def _parts(data_iter, net, ctx):
    devices = devices_of(ctx)
    check_initialised(net, devices)
    if not hasattr(data_iter, "__iter__"):
        check_iterator("data_iter", data_iter)
    return batches_of("data_iter", data_iter, net, devices)


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
    return accuracy(_parts(data_iter, net, ctx), lambda X, y: count_correct(net(X), y))


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
    counts = 0
    for parts in _parts(data_iter, net, ctx):
        for X, y in parts:
            logits = net(X).asnumpy()
            classes = np.arange(logits.shape[1])
            guesses = logits.argmax(axis=1)[:, None] == classes
            counts += (y.asnumpy()[:, None] == classes).astype(int).T @ guesses.astype(int)
    return counts
