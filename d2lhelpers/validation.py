"""Say in one sentence what is wrong with an argument: its name, its value, and what would be right."""

import contextlib
import math

import numpy as np

from .runtime import mx

gluon = mx.gluon


def is_whole_number(value, least=1):
    """Tell whether the value is a whole number of at least `least`."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= least


def check_whole_number(name, value, least=1, most=None):
    """Raise ValueError unless the value is a whole number within limits.

    Args:
        name (str): the argument's name.
        value: what was given.
        least (int): the smallest right value.
        most (int, optional): the largest one.
    """
    if not is_whole_number(value, least) or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} is {value!r}; it must be a whole number {limits}.")


def check_shape(name, value):
    """Raise ValueError unless the value is the shape of an array.

    Args:
        name (str): the argument's name.
        value: what was given.
    """
    if not isinstance(value, (tuple, list)) or not value or not all(is_whole_number(side) for side in value):
        raise ValueError(f"{name} is {value!r}; it must be a shape such as (1, 1, 28, 28).")


def check_number(name, value, least, below=math.inf):
    """Raise ValueError unless the value is a finite number within limits.

    Args:
        name (str): the argument's name.
        value: what was given.
        least (float): the smallest right value.
        below (float): what it must stay below.
    """
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not least <= value < below:
        limits = f"of at least {least}" + ("" if below == math.inf else f" and below {below}")
        raise ValueError(f"{name} is {value!r}; it must be a number {limits}.")


def check_device(name, value):
    """Raise ValueError unless the value is a device, or None.

    Args:
        name (str): the argument's name.
        value: what was given.
    """
    if value is not None and not isinstance(value, mx.Context):
        raise ValueError(f"{name} is {value!r}; it must be a device such as mx.cpu() or d2l.try_gpu().")


def check_images(images, labels):
    """Raise ValueError unless these are uint8 images with a label each.

    Args:
        images (numpy.ndarray): shape (n, height, width).
        labels (numpy.ndarray): whole numbers of shape (n,).
    """
    for name, array in (("images", images), ("labels", labels)):
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{name} is a {type(array).__name__}; it must be a NumPy array.")
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"images is {images.dtype} of shape {images.shape}; it must be uint8 of shape (n, height, width), with "
            "grey values from 0 to 255."
        )
    if not images.size:
        raise ValueError(f"images has shape {images.shape}, so there are no images; at least one is needed.")
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels is {labels.dtype} of shape {labels.shape}; it must be whole numbers of shape {images.shape[:1]}, "
            "one for each image."
        )


def check_is_network(net):
    """Raise ValueError unless the value is a network.

    Args:
        net: what was given.
    """
    if not isinstance(net, gluon.Block):
        raise ValueError(f"net is {_kind(net)}; it must be a Gluon block, such as nn.Sequential().")


def check_network(net, ctx):
    """Raise ValueError unless the network can compute on these devices.

    Args:
        net (mxnet.gluon.Block): what was given as a network.
        ctx (list[mxnet.Context | None]): what was given as devices; None for any.
    """
    check_is_network(net)
    for device in ctx:
        check_device("ctx", device)
    if len(set(ctx)) < len(ctx) or not ctx:
        raise ValueError(f"ctx is {ctx}; it must be a device, or a list of different ones.")
    for parameter in net.collect_params().values():
        try:
            devices = parameter.list_ctx()
        except RuntimeError:
            raise ValueError(
                f"net is not initialised ({parameter.name} has no values): call net.initialize(ctx=d2l.try_gpu())."
            ) from None
        if None not in ctx and set(devices) != set(ctx):
            raise ValueError(
                f"ctx is {_names(ctx)}, but the network is on {_names(devices)}: give the same to net.initialize."
            )


def check_training(net, loss, trainer, ctx, num_epochs, batch_size):
    """Raise ValueError unless these arguments of `train` can work together.

    Args:
        net (mxnet.gluon.Block): see `train`.
        loss (callable): see `train`.
        trainer (mxnet.gluon.Trainer): see `train`.
        ctx (list[mxnet.Context]): see `train`.
        num_epochs (int): see `train`.
        batch_size (int, optional): see `train`.
    """
    check_whole_number("num_epochs", num_epochs)
    if batch_size is not None:
        check_whole_number("batch_size", batch_size)
    check_network(net, ctx)
    if None in ctx:
        raise ValueError("ctx is None; it must be the device on which the network is, such as d2l.try_gpu().")
    if not callable(loss):
        raise ValueError(f"loss is {_kind(loss)}; it must be a loss such as gluon.loss.SoftmaxCrossEntropyLoss().")
    if not isinstance(trainer, gluon.Trainer):
        raise ValueError(f"trainer is {_kind(trainer)}; it must be gluon.Trainer(net.collect_params(), 'sgd', ...).")
    trainable = [parameter for parameter in net.collect_params().values() if parameter.grad_req != "null"]
    if not trainable:
        raise ValueError("net has no parameter to train: it has none at all, or every one has grad_req='null'.")
    if not {id(parameter) for parameter in trainable} & {id(parameter) for parameter in trainer._params}:
        raise ValueError("trainer is of another network: make it of net.collect_params().")


def check_batches(name, data_iter):
    """Raise ValueError unless this can be gone through batch by batch.

    Args:
        name (str): the argument's name.
        data_iter: what was given.
    """
    try:
        length = len(data_iter)
        iter(data_iter)
    except TypeError:
        raise ValueError(
            f"{name} is {_kind(data_iter)}; it must have a length and give batches (X, y), as those of "
            "load_data_fashion_mnist do."
        ) from None
    if not length:
        raise ValueError(f"{name} has no batches: at least one is needed.")


def check_batch(name, batch):
    """Return the images and labels of a batch; ValueError where they are none.

    Args:
        name (str): name of the argument that gave it.
        batch: what it gave.

    Returns:
        tuple[NDArray, NDArray]: images of shape (batch, ...), and labels of shape (batch,).
    """
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(a, mx.nd.NDArray) for a in batch):
        raise ValueError(f"{name} gave {_kind(batch)}; each batch must be a pair (X, y) of NDArrays.")
    X, y = batch
    if np.dtype(X.dtype).kind != "f":
        raise ValueError(f"{name} gave images of type {np.dtype(X.dtype)}; they must be float32: X.astype('float32').")
    if y.ndim != 1 or X.ndim < 2 or len(X) != len(y):
        raise ValueError(
            f"{name} gave images of shape {X.shape} with labels of shape {y.shape}; there must be one label for each "
            "image: shapes (batch, ...) and (batch,)."
        )
    return X, y


def check_values(name, X, y, classes):
    """Raise ValueError where pixels are not finite or labels are not those of classes.

    MXNet's loss would take the nearest class for a label that is out of range.

    Args:
        name (str): name of the argument that gave them.
        X (NDArray): images.
        y (NDArray): labels.
        classes (int): number of classes.
    """
    labels, pixels = y.asnumpy(), X.asnumpy()
    check_labels(name, labels, classes)
    if not np.isfinite(pixels).all():
        wrong = pixels[~np.isfinite(pixels)][0]
        raise ValueError(f"{name} gave a pixel that is {wrong}; all must be finite numbers.")


def check_labels(name, labels, classes):
    """Raise ValueError where a label is not a whole number from 0 to `classes` - 1.

    Args:
        name (str): name of the argument that gave them.
        labels (numpy.ndarray): the labels.
        classes (int): number of classes.
    """
    right = (labels >= 0) & (labels < classes) & (labels == np.floor(labels))
    if not right.all():
        raise ValueError(
            f"{name} gave the label {labels[~right][0]}; the network tells {classes} classes apart, so labels must be "
            f"whole numbers from 0 to {classes - 1}."
        )


def check_logits(net, X):
    """Return the number of classes that the network tells apart; ValueError where it cannot take such images.

    Args:
        net (mxnet.gluon.Block): a network.
        X (NDArray): a batch of images.

    Returns:
        int: the number of classes, which is the second side of its logits.
    """
    try:
        # MXNet prints the arguments before it raises
        with mx.autograd.pause(), contextlib.redirect_stdout(None):
            logits = net(X[:1])
            logits.wait_to_read()
    except (mx.base.MXNetError, AssertionError, ValueError, TypeError) as error:
        raise ValueError(
            f"net cannot take images of shape {X.shape} and type {np.dtype(X.dtype)}: {reason_of(error)}"
        ) from error
    if logits.ndim != 2 or len(logits) != 1:
        raise ValueError(
            f"net turns images of shape {X[:1].shape} into {logits.shape}; it must give logits of shape (1, classes)."
        )
    return logits.shape[1]


def check_named(name, value, what):
    """Raise ValueError unless the value is a dictionary with something in it.

    Args:
        name (str): the argument's name.
        value: what was given.
        what (str): what the dictionary is for, as key → value.
    """
    if not isinstance(value, dict) or not value:
        raise ValueError(
            f"{name} is {'empty' if isinstance(value, dict) else _kind(value)}; it must be a dictionary {what}."
        )


def check_same_names(name, dictionaries):
    """Raise ValueError unless all dictionaries in a dictionary have the same keys.

    Args:
        name (str): the argument's name.
        dictionaries (dict[str, dict]): what was given.
    """
    (first, expected), *rest = dictionaries.items()
    for key, dictionary in rest:
        if list(dictionary) != list(expected):
            raise ValueError(
                f"{name} has {', '.join(map(str, dictionary))} in {key!r}, but {', '.join(map(str, expected))} in "
                f"{first!r}; they must be the same."
            )


def check_numbers(name, values, shape=None):
    """Return finite numbers as an array; ValueError where they are none.

    Args:
        name (str): the argument's name, and where in it the numbers are.
        values (NDArray | numpy.ndarray | Sequence): what was given.
        shape (tuple[int | None, ...], optional): the right shape, with None for any length.

    Returns:
        numpy.ndarray: the numbers, of their own type.
    """
    array = values.asnumpy() if isinstance(values, mx.nd.NDArray) else np.asarray(values)
    if array.dtype.kind not in "biuf" or not array.size:
        raise ValueError(f"{name} is {_kind(values) if array.size else 'empty'}; it must be numbers.")
    if shape and (len(shape) != array.ndim or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True))):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} has shape {array.shape}; it must be ({wanted}).")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has a number that is {array[~np.isfinite(array)][0]}; all must be finite.")
    return array


def reason_of(error):
    """Return what an error of MXNet says, in one line and without where it happened.

    Args:
        error (Exception): any error.

    Returns:
        str: the reason, or the error's type where it says nothing.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    checks = [line.rpartition("Check failed: ")[2] for line in lines if "Check failed: " in line]
    return (checks or lines[-1:] or [type(error).__name__])[0]


def _kind(value):
    if value is None or isinstance(value, (str, int, float, tuple)) and len(repr(value)) <= 40:
        return repr(value)
    return f"a {type(value).__name__}"


def _names(devices):
    names = [str(device) for device in devices]
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"
