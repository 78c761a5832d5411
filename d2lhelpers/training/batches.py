"""Batches on their way to a network: split among devices, and refused in a sentence where something is wrong."""

import contextlib

import numpy as np

from ..arguments import check_device, check_network, describe, reason_of, refuse
from ..data import ImageBatches
from ..language import say
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
            sentence = "net is not initialised ({name} has no values): call net.initialize(ctx=d2l.try_gpu())."
            raise ValueError(say(sentence, name=parameter.name)) from None
        if None not in devices and set(found) != set(devices):
            ours, theirs = (listed[0] if len(listed) == 1 else listed for listed in (devices, found))
            sentence = "ctx is {ours}, but the network is on {theirs}: give the same to net.initialize."
            raise ValueError(say(sentence, ours=ours, theirs=theirs))


def trainable_parameters(net):
    """Return the parameters that have a gradient; refuse a network without any."""
    found = [parameter for parameter in net.collect_params().values() if parameter.grad_req != "null"]
    if not found:
        sentence = say("net has no parameter to train: it has none at all, or every one has grad_req='null'.")
        raise ValueError(sentence)
    return found


def check_iterator(name, data_iter):
    """Refuse what cannot be gone through batch by batch."""
    try:
        length = len(data_iter)
        if not isinstance(data_iter, ImageBatches):
            iter(data_iter)
    except TypeError:
        sentence = (
            "{name} is {value}; it must have a length and give batches (X, y), as those of load_data_fashion_mnist do."
        )
        raise ValueError(say(sentence, name=name, value=describe(data_iter))) from None
    if not length:
        _refuse_empty(name)


def _refuse_empty(name):
    raise ValueError(say("{name} has no batches: at least one is needed.", name=name))


class _Refused(ValueError):
    """Says all that is wrong already."""


def _single(output):
    """Return the array or symbol that a network gives; refuse several, and all else."""
    if isinstance(output, (nd.NDArray, mx.sym.Symbol)) and len(flatten(output)) == 1:
        return output
    count = len(flatten(output))
    found = "None" if output is None else say("a {kind}", kind=type(output).__name__)
    if count > 1:
        found = say("{count} outputs", count=count)
    sentence = "net returns {found}; it must return one array, the logits of shape (batch, classes)."
    raise _Refused(say(sentence, found=found))


def _check_batch(name, batch):
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(a, nd.NDArray) for a in batch):
        sentence = "{name} gave {value}; each batch must be a pair (X, y) of NDArrays."
        raise ValueError(say(sentence, name=name, value=describe(batch)))
    X, y = (array.as_nd_ndarray() for array in batch)  # some may be of MXNet's NumPy interface
    if X.dtype != np.float32:
        sentence = "{name} gave images of type {dtype}; they must be float32: X.astype('float32')."
        raise ValueError(say(sentence, name=name, dtype=np.dtype(X.dtype)))
    if y.ndim != 1 or X.ndim < 2 or len(X) != len(y):
        sentence = (
            "{name} gave images of shape {shape} with labels of shape {labels}; there must be one label for each "
            "image: shapes (batch, ...) and (batch,)."
        )
        raise ValueError(say(sentence, name=name, shape=X.shape, labels=y.shape))
    return X, y.astype("int32") if y.dtype == np.bool_ else y  # MXNet's losses take no bool


def check_labels(name, labels, classes):
    """Refuse labels that are no class: MXNet's loss would take the nearest one."""
    right = (labels >= 0) & (labels < classes) & (labels == np.floor(labels))
    if not right.all():
        sentence = (
            "{name} gave the label {label}; the network tells {classes} classes apart, so labels must be whole numbers "
            "from 0 to {most}."
        )
        raise ValueError(say(sentence, name=name, label=labels[~right][0], classes=classes, most=classes - 1))


def _check_pixels(name, X):
    pixels = X.asnumpy()
    if not np.isfinite(pixels).all():
        wrong = pixels[~np.isfinite(pixels)][0]
        raise ValueError(
            say("{name} gave a pixel that is {wrong}; all must be finite numbers.", name=name, wrong=wrong)
        )


@contextlib.contextmanager
def _zeroed(net, device):
    """Give the parameters of a network zeros, which takes no random numbers, and put all back: unknown shapes, too."""
    before = [(parameter, vars(parameter).copy()) for parameter in net.collect_params().values()]
    try:
        for parameter, _ in before:
            parameter.initialize(mx.init.Zero(), ctx=device, force_reinit=True)
        yield
    finally:
        for parameter, state in before:
            vars(parameter).clear()
            vars(parameter).update(state)


def _shape_of_logits(net, X):
    if can_trace(net):
        logits = _single(net(mx.sym.var("data")))
        with contextlib.suppress(ValueError, mx.base.MXNetError):  # symbols can do less than arrays
            (shape,), _ = infer_shapes([logits], X.shape)
            logits.infer_type(data=X.dtype)
            return shape
    if is_settled(net):
        return _single(net(X)).shape
    with _zeroed(net, X.context):
        logits = _single(net(nd.zeros_like(X)))
        logits.wait_to_read()
        return logits.shape


def _check_used(net, X):
    """Refuse a network that never uses what it is to train, or whose shape is not known: MXNet would at a step."""
    if can_trace(net):
        with mx.autograd.train_mode():  # in which a network may give other outputs
            used = _single(net(mx.sym.var("data"))).list_inputs()
    else:
        with _zeroed(net, X.context):
            with mx.autograd.record(train_mode=False):
                logits = net(nd.zeros_like(X))
            logits.backward()
            parameters = [parameter for parameter in net.collect_params().values() if parameter._data]
            used = [p.name for p in parameters if p.grad_req == "null" or p.data()._fresh_grad]
    idle = [p for name, p in net.collect_params().items() if name not in used]
    idle = [p.name for p in idle if p.grad_req != "null" or 0 in (p.shape or [0])]
    if idle:
        names = ", ".join(idle[:4])
        if len(idle) > 4:
            names = say("{names} and {count} more", names=names, count=len(idle) - 4)
        sentence = "net never uses {names}: call their layers in its forward, or leave them out."
        raise _Refused(say(sentence, names=names))


def count_classes(net, X, training=False):
    """Return how many classes the network tells apart in such images; refuse it where it cannot take them.

    It stays as it is: weights that have yet to be drawn are not drawn here.
    """
    for parameter in net.collect_params().values():
        name, dtype = parameter.name, np.dtype(parameter.dtype)
        if parameter.grad_req != "null" and dtype != np.float32:
            sentence = "net has {name} of type {dtype}; it must be float32, as images are: net.cast('float32')."
            raise ValueError(say(sentence, name=name, dtype=dtype))
    try:
        with mx.autograd.pause(), contextlib.redirect_stdout(None):  # MXNet prints the arguments before it raises
            shape = _shape_of_logits(net, X[:1])
            if training:
                _check_used(net, X[:1])
            mx.nd.waitall()
    except _Refused as error:
        raise ValueError(*error.args) from None
    except (mx.base.MXNetError, AssertionError, ValueError, TypeError) as error:
        sentence = "net cannot take images of shape {shape} and type {dtype}: {reason}"
        raise ValueError(say(sentence, shape=X.shape, dtype=np.dtype(X.dtype), reason=reason_of(error))) from error
    if len(shape) != 2 or shape[0] != 1:
        sentence = "net turns images of shape {images} into {shape}; it must give logits of shape (1, classes)."
        raise ValueError(say(sentence, images=(1, *X.shape[1:]), shape=shape))
    return shape[1]


def _check_loss(loss, classes, y):
    """Refuse a loss that is no number for each image; the logits are made up, as weights may have yet to be drawn."""
    logits = np.linspace(1, 2, len(y) * classes).reshape(len(y), classes)  # all differ, and could be probabilities
    logits = nd.array(logits / logits.sum(axis=1, keepdims=True), ctx=y.context)
    logits.attach_grad()
    try:
        with mx.autograd.record(train_mode=False), contextlib.redirect_stdout(None):
            losses = loss(logits, y)
        found = say("shape {shape}", shape=losses.shape) if isinstance(losses, nd.NDArray) else describe(losses)
        if isinstance(losses, nd.NDArray) and losses.size == len(y):
            with contextlib.suppress(mx.base.MXNetError):
                losses.backward()
            found = "NaN" if np.isnan(losses.asnumpy()).any() else not logits._fresh_grad and say("no gradient")
    except (mx.base.MXNetError, AssertionError, ValueError, TypeError) as error:
        sentence = "loss cannot take logits of shape {shape} and labels of shape {labels}: {reason}"
        raise ValueError(say(sentence, shape=logits.shape, labels=y.shape, reason=reason_of(error))) from error
    if found:
        sentence = (
            "loss returns {found}; it must return one number for each image, of shape ({count},), computed from the "
            "logits with MXNet's operators."
        )
        raise ValueError(say(sentence, found=found, count=len(y)))


def check_images(net, loss, **iterators):
    """Refuse, before anything is changed, a network and a loss that cannot take the images or the labels."""
    classes = {}  # of images of one shape, since looking at a deep network takes its time
    for name, data_iter in iterators.items():
        if isinstance(data_iter, ImageBatches):  # of others, the first batch has to be waited for
            settled = (p.list_ctx()[0] for p in net.collect_params().values() if p._data is not None)
            shape = data_iter.image_shape
            X = nd.zeros((1, *shape), ctx=next(settled, data_iter.ctx))
            if shape not in classes:
                classes[shape] = count_classes(net, X, training=name == "train_iter")
            check_labels(name, data_iter.labels, classes[shape])
            if name == "train_iter":
                y = nd.array(data_iter.labels[: data_iter.batch_size], ctx=X.context, dtype="int32")
                _check_loss(loss, classes[shape], y)


def batches_of(name, data_iter, net, devices, epoch=None, loss=None):
    """Yield each batch as a list of its parts (X, y), one for each device; refuse a batch that is wrong.

    A training, which has called `check_images`, counts its epochs from 0: `ImageBatches` give the order of that one.
    Before its first step, it gives the loss to be checked as well.
    """
    first, ours = True, isinstance(data_iter, ImageBatches)
    checked = ours and epoch is not None  # by `check_images`, before the training
    for batch in data_iter.epoch(epoch) if checked else data_iter:
        X, y = _check_batch(name, batch)
        if len(X) < len(devices):
            sentence = (
                "{name} gave a batch of {count}, which cannot be split among {devices} devices: choose a batch_size "
                "that leaves no such rest, or fewer devices."
            )
            raise ValueError(say(sentence, name=name, count=len(X), devices=len(devices)))
        if len(devices) == 1:
            parts = [[array.as_in_context(devices[0] or array.context) for array in (X, y)]]
        else:
            split = [gluon.utils.split_and_load(array, devices, even_split=False) for array in (X, y)]
            parts = list(zip(*split, strict=True))
        if first and not checked:
            classes = count_classes(net, parts[0][0], training=loss is not None)
            if ours:
                check_labels(name, data_iter.labels, classes)
        if not ours:  # whose pixels are finite
            check_labels(name, y.asnumpy(), classes)
            _check_pixels(name, X)
            if first and loss is not None:
                _check_loss(loss, classes, parts[0][1])
        if first and not is_settled(net):
            with mx.autograd.pause():
                net(parts[0][0][:1])  # draws the weights whose shapes follow from the input
        first = False
        yield parts
    if first:
        _refuse_empty(name)
