"""Batches on their way to a network: split among devices, and refused in a sentence where something is wrong."""

import contextlib

import numpy as np

from ..arguments import check_device, check_network, describe, reason_of, refuse
from ..data import ImageBatches
from ..networks.graph import can_trace, flatten, infer_shapes, is_settled
from ..runtime import mx

gluon, nd = mx.gluon, mx.nd


def devices_of(ctx):
    """Return one device, or a list of them, as a list; refuse anything else, and a device that is listed twice."""
    devices = list(ctx) if isinstance(ctx, (list, tuple)) else [ctx]
    for device in devices:
        check_device("ctx", device)
    if len(set(devices)) < len(devices) or not devices:
        refuse("ctx", ctx, "a device, or a list of different ones")
    return devices


def check_initialised(net, devices):
    """Refuse a network that has no weights, or has them on other devices (None: any)."""
    check_network("net", net)
    for parameter in net.collect_params().values():
        try:
            found = parameter.list_ctx()
        except RuntimeError:
            raise ValueError(
                f"net is not initialised ({parameter.name} has no values): call net.initialize(ctx=d2l.try_gpu())."
            ) from None
        if None not in devices and set(found) != set(devices):
            ours, theirs = (listed[0] if len(listed) == 1 else listed for listed in (devices, found))
            raise ValueError(f"ctx is {ours}, but the network is on {theirs}: give the same to net.initialize.")


def trainable_parameters(net):
    """Return the parameters that have a gradient; refuse a network without any."""
    found = [parameter for parameter in net.collect_params().values() if parameter.grad_req != "null"]
    if not found:
        raise ValueError("net has no parameter to train: it has none at all, or every one has grad_req='null'.")
    return found


def check_iterator(name, data_iter):
    """Refuse what cannot be gone through batch by batch."""
    try:
        length = len(data_iter)
        if not isinstance(data_iter, ImageBatches):
            iter(data_iter)
    except TypeError:
        raise ValueError(
            f"{name} is {describe(data_iter)}; it must have a length and give batches (X, y), as those of "
            "load_data_fashion_mnist do."
        ) from None
    if not length:
        raise ValueError(f"{name} has no batches: at least one is needed.")


def _check_batch(name, batch):
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(a, nd.NDArray) for a in batch):
        raise ValueError(f"{name} gave {describe(batch)}; each batch must be a pair (X, y) of NDArrays.")
    X, y = batch
    if np.dtype(X.dtype).kind != "f":
        raise ValueError(f"{name} gave images of type {np.dtype(X.dtype)}; they must be float32: X.astype('float32').")
    if y.ndim != 1 or X.ndim < 2 or len(X) != len(y):
        raise ValueError(
            f"{name} gave images of shape {X.shape} with labels of shape {y.shape}; there must be one label for each "
            "image: shapes (batch, ...) and (batch,)."
        )
    return X, y


def check_labels(name, labels, classes):
    """Refuse labels that are no class: MXNet's loss would take the nearest one."""
    right = (labels >= 0) & (labels < classes) & (labels == np.floor(labels))
    if not right.all():
        raise ValueError(
            f"{name} gave the label {labels[~right][0]}; the network tells {classes} classes apart, so labels must be "
            f"whole numbers from 0 to {classes - 1}."
        )


def _check_pixels(name, X):
    pixels = X.asnumpy()
    if not np.isfinite(pixels).all():
        wrong = pixels[~np.isfinite(pixels)][0]
        raise ValueError(f"{name} gave a pixel that is {wrong}; all must be finite numbers.")


@contextlib.contextmanager
def _put_back(net):
    """Give the parameters of a network, afterwards, all that they have now: values, gradients, unknown shapes."""
    before = [(parameter, vars(parameter).copy()) for parameter in net.collect_params().values()]
    try:
        yield
    finally:
        for parameter, state in before:
            vars(parameter).clear()
            vars(parameter).update(state)


def _try(net, X):
    """Run the network on zeros, in prediction mode and with zeros for weights, which draws no random numbers."""
    with _put_back(net):
        for parameter in net.collect_params().values():
            parameter.initialize(mx.init.Zero(), ctx=X.context, force_reinit=True)
        output = net(nd.zeros_like(X))
        output.wait_to_read()
        return output.shape


def _shape_of_logits(net, X):
    with mx.autograd.pause(), contextlib.redirect_stdout(None):  # MXNet prints the arguments before it raises
        if can_trace(net):
            with contextlib.suppress(ValueError, mx.base.MXNetError):  # symbols can do less than arrays
                logits = flatten(net(mx.sym.var("data")))
                (shape, *_), _ = infer_shapes(logits, X.shape)
                logits[0].infer_type(data=X.dtype)
                return shape
        return net(X).shape if is_settled(net) else _try(net, X)


def count_classes(net, X):
    """Return how many classes the network tells apart in such images; refuse it where it cannot take them.

    It stays as it is: weights that have yet to be drawn are not drawn here.
    """
    try:
        shape = _shape_of_logits(net, X[:1])
        mx.nd.waitall()
    except (mx.base.MXNetError, AssertionError, ValueError, TypeError) as error:
        raise ValueError(
            f"net cannot take images of shape {X.shape} and type {np.dtype(X.dtype)}: {reason_of(error)}"
        ) from error
    if len(shape) != 2 or shape[0] != 1:
        raise ValueError(
            f"net turns images of shape {(1, *X.shape[1:])} into {shape}; it must give logits of shape (1, classes)."
        )
    return shape[1]


def check_images(net, **iterators):
    """Refuse, before anything is changed, a network that cannot take the images or tell apart the labels."""
    for name, data_iter in iterators.items():
        if isinstance(data_iter, ImageBatches):  # of others, the first batch has to be waited for
            settled = (p.list_ctx()[0] for p in net.collect_params().values() if p._data is not None)
            X = nd.zeros((1, *data_iter.image_shape), ctx=next(settled, data_iter.ctx))
            check_labels(name, data_iter.labels, count_classes(net, X))


def batches_of(name, data_iter, net, devices, epoch=None):
    """Yield each batch as a list of its parts (X, y), one for each device; refuse a batch that is wrong.

    A training, which has called `check_images`, counts its epochs from 0: `ImageBatches` give the order of that one.
    """
    first, ours = True, isinstance(data_iter, ImageBatches)
    checked = ours and epoch is not None  # by `check_images`, before the training
    for batch in data_iter.epoch(epoch) if checked else data_iter:
        X, y = _check_batch(name, batch)
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
        if first and not checked:
            classes = count_classes(net, parts[0][0])
            if ours:
                check_labels(name, data_iter.labels, classes)
        if not ours:  # whose pixels are finite
            check_labels(name, y.asnumpy(), classes)
            _check_pixels(name, X)
        if first and not is_settled(net):
            with mx.autograd.pause():
                net(parts[0][0][:1])  # draws the weights whose shapes follow from the input
        first = False
        yield parts
    if first:
        raise ValueError(f"{name} has no batches: at least one is needed.")
