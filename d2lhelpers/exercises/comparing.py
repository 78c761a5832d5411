"""What checks compare with: conversions that say what is wrong with a value, and references in float64."""

import contextlib
import json
import numbers
from unittest import mock

import numpy as np

from ..graph import infer_shapes
from ..runtime import mx
from .judging import NotYet, shorten

RANDOM = np.random.default_rng()  # never seeded: an answer that is right for some numbers only is found out


def expect(holds, message):
    """Raise `NotYet` with the message unless `holds`."""
    if not holds:
        raise NotYet(message)


def expect_callable(*answers):
    """Raise `NotYet` unless every answer is a function or a class."""
    for answer in answers:
        good = callable(answer) and not isinstance(answer, mx.gluon.Block)
        expect(good, f"Hand over the function or class itself, without calling it; this is a {_kind(answer)}.")


def _kind(value):
    if value is None:
        return "None (is there a return?)"
    if isinstance(value, (mx.nd.NDArray, np.ndarray)):
        return f"{type(value).__name__} of shape {value.shape}"
    return f"{type(value).__name__}, {shorten(repr(value), 60)}" if np.isscalar(value) else type(value).__name__


def to_number(value, what):
    """Return a number as a float.

    Args:
        value (object): a real number, or an array with one element.
        what (str): names it in messages, such as `largest_lr(norm)`.

    Raises:
        NotYet: it is something else, or not finite.
    """
    if isinstance(value, (mx.nd.NDArray, np.ndarray)) and value.size == 1:
        value = value.reshape(-1)[0]
        value = value.asscalar() if isinstance(value, mx.nd.NDArray) else value.item()
    good = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    expect(good, f"{what} must be a number; it is {_kind(value)}.")
    expect(np.isfinite(float(value)), f"{what} is {float(value)}, which is not a finite number.")
    return float(value)


def to_array(value, shape, what):
    """Return an array as float64.

    Args:
        value (NDArray | numpy.ndarray): of this shape.
        shape (tuple[int, ...]): looked at before the numbers are: they may not fit into memory.
        what (str): names it in messages.

    Raises:
        NotYet: it is something else, or has another shape, or holds NaN or infinity.
    """
    arrays = (mx.nd.NDArray, np.ndarray)
    expect(isinstance(value, arrays), f"{what} must be an array; it is {_kind(value)}.")
    expect(value.shape == tuple(shape), f"{what} must have the shape {tuple(shape)}; it has {value.shape}.")
    value = value.asnumpy() if isinstance(value, mx.nd.NDArray) else value
    expect(value.dtype.kind in "fiub", f"{what} must hold numbers; its dtype is {value.dtype}.")
    value = value.astype(np.float64)
    expect(np.isfinite(value).all(), f"{what} holds NaN or infinity. Is something divided by zero?")
    return value


@contextlib.contextmanager
def replaced(function, **names):
    """Give a learner's function other values for global names, such as a training that costs nothing."""
    expect(hasattr(function, "__globals__"), "Write it as a function, with def.")
    with mock.patch.dict(function.__globals__, names):
        yield


def same(value, expected, tolerance=1e-5):
    """Tell whether two arrays differ by less than `tolerance` of the largest expected value."""
    return bool(np.abs(value - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-12))


def expect_same(answer, wanted, mistakes, otherwise, tolerance=1e-5):
    """Raise `NotYet` unless an answer is the wanted one.

    Args:
        answer (float | numpy.ndarray): has the shape of `wanted`.
        wanted (float | numpy.ndarray): what is right.
        mistakes (iterable[tuple]): (what comes out of a mistake, what to say then); those of other shapes are skipped.
        otherwise (str): what to say when it is none of them.
        tolerance (float): see `same`.
    """
    if same(answer, wanted, tolerance):
        return
    for wrong, message in mistakes:
        expect(np.shape(wrong) != np.shape(wanted) or not same(answer, wrong, tolerance), message)
    raise NotYet(otherwise)


def operators(net, input_shape):
    """Return what a network does with an image, step by step, without running it.

    Returns:
        list[tuple[str, tuple]]: in order, such as ("conv 3×3", (96, 12, 12)); reshaping is left out.
    """
    whole = net(mx.sym.var("data"))
    nodes = [node for node in json.loads(whole.tojson())["nodes"] if node["op"] not in ("null", "Flatten", "Reshape")]
    if not nodes:
        return []
    internals = whole.get_internals()
    shapes, _ = infer_shapes([internals[f"{node['name']}_output"] for node in nodes], input_shape)
    return [(_operator_name(node), shape[1:]) for node, shape in zip(nodes, shapes, strict=True)]


def _operator_name(node):
    operator, attributes = node["op"], node.get("attrs", {})
    if operator == "Convolution":
        return "conv " + attributes["kernel"].strip("()").replace(", ", "×")
    if operator == "Pooling":
        return f"{'global' if attributes.get('global_pool') == 'True' else attributes['pool_type']} pool"
    if operator == "Activation":
        return attributes["act_type"]
    return {"FullyConnected": "dense", "BatchNorm": "norm"}.get(operator, operator.lower())


def copy_parameters(source, target):
    """Give a network the numbers of another one with the same parameters in the same order.

    Raises:
        NotYet: their shapes differ.
    """
    ours, theirs = list(source.collect_params().values()), list(target.collect_params().values())
    shapes = [parameter.shape for parameter in theirs]
    expected = [parameter.shape for parameter in ours]
    message = f"The parameters should have the shapes {shorten(expected)}; they have {shorten(shapes)}."
    expect(shapes == expected, message)
    for parameter, values in zip(theirs, ours, strict=True):
        parameter.set_data(values.data())


def draw_parameters(net):
    """Give an initialised network random numbers with which each of its layers makes a difference."""
    ranges = {"gamma": (0.5, 1.5), "beta": (0, 1), "mean": (-0.5, 0.5), "var": (0.5, 2)}
    for name, parameter in net.collect_params(".*(gamma|beta|mean|var)").items():
        parameter.set_data(mx.nd.array(RANDOM.uniform(*ranges[name.rpartition("_")[2]], parameter.shape)))
