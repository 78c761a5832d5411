"""What checks compare with: conversions that say what is wrong with a value, and references in float64."""

import contextlib
import functools
import importlib
import inspect
import json
import numbers
import sys
from unittest import mock

import numpy as np

from ..arguments import as_numpy
from ..data import load_data_fashion_mnist
from ..language import say
from ..networks.graph import flatten, shapes_by_node
from ..runtime import mx
from ..training import evaluate_accuracy
from .judging import NotYet, shorten

RANDOM = np.random.default_rng()  # never seeded: an answer that is right for some numbers only is found out


_own = {}


def chapter(name):
    """Return the module of a chapter, imported a second time for the checks alone: learners may change the other."""
    package = __name__.partition(".")[0]
    with mock.patch.dict(sys.modules, _own):
        module = importlib.import_module(f"{package}.chapters.{name}")
        _own.update((key, found) for key, found in sys.modules.items() if key.startswith(f"{package}.chapters"))
    vars(sys.modules[package]).pop("chapters", None)  # which the import has bound there
    return module


def expect(holds, sentence, /, **values):
    """Raise `NotYet` with a sentence unless `holds`: a template for the values, or what `say` has made."""
    if not holds:
        raise NotYet(say(sentence, **values))


def expect_callable(*answers):
    """Raise `NotYet` unless every answer is a function or a class."""
    for answer in answers:
        good = callable(answer) and not isinstance(answer, mx.gluon.Block)
        sentence = "Hand over the function or class itself, without calling it; this is a {kind}."
        expect(good, sentence, kind=_kind(answer))


def _kind(value):
    if value is None:
        return say("None (is there a return?)")
    kind = type(value).__name__
    if isinstance(value, (mx.nd.NDArray, np.ndarray)):
        return say("{kind} of shape {shape}", kind=kind, shape=value.shape)
    return f"{kind}, {shorten(repr(value), 60)}" if np.isscalar(value) else kind


def to_number(value, what):
    """Return a number as a float.

    Args:
        value (object): a real number, or an array with one element.
        what (str | Sentence): names it in messages, such as `largest_lr(norm)`.

    Raises:
        NotYet: it is something else, or not finite.
    """
    if isinstance(value, (mx.nd.NDArray, np.ndarray)) and value.size == 1:
        value = as_numpy(value).item()
    good = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    expect(good, "{what} must be a number; it is {kind}.", what=what, kind=_kind(value))
    value = float(value)
    expect(np.isfinite(value), "{what} is {value}, which is not a finite number.", what=what, value=value)
    return value


def to_array(value, shape, what):
    """Return an array as float64.

    Args:
        value (NDArray | numpy.ndarray): of this shape.
        shape (tuple[int, ...]): looked at before the numbers are: they may not fit into memory.
        what (str | Sentence): names it in messages.

    Raises:
        NotYet: it is something else, or has another shape, or holds NaN or infinity.
    """
    arrays = (mx.nd.NDArray, np.ndarray)
    expect(isinstance(value, arrays), "{what} must be an array; it is {kind}.", what=what, kind=_kind(value))
    sentence = "{what} must have the shape {wanted}; it has {shape}."
    expect(value.shape == tuple(shape), sentence, what=what, wanted=tuple(shape), shape=value.shape)
    value = as_numpy(value)
    sentence = "{what} must hold numbers; its dtype is {dtype}."
    expect(value.dtype.kind in "fiub", sentence, what=what, dtype=value.dtype)
    value = value.astype(np.float64)
    expect(np.isfinite(value).all(), "{what} holds NaN or infinity. Is something divided by zero?", what=what)
    return value


def globals_of(function):
    """Return the global names of a learner's function, whatever decorators are around it."""
    inner = inspect.unwrap(getattr(function, "func", function))
    inner = inner if hasattr(inner, "__globals__") else type(inner).__call__
    return getattr(inner, "__globals__", {})


@contextlib.contextmanager
def replaced(function, **names):
    """Give a learner's function other values for global names, such as a training that costs nothing."""
    with mock.patch.dict(globals_of(function), names):
        yield


def expect_choice(guess, choices):
    """Return which of the words a guess is, in upper or lower case."""
    words = {word.lower(): word for word in choices}
    found = words.get(guess.strip().lower()) if isinstance(guess, str) else None
    listed = functools.reduce(lambda one, other: say("{one} or {other}", one=one, other=other), map(repr, choices))
    expect(found, "Your guess must be {choices}; it is {guess}.", choices=listed, guess=shorten(repr(guess), 60))
    return found


def same(value, expected, tolerance=1e-5):
    """Tell whether two arrays differ by less than `tolerance` of the largest expected value."""
    return bool(np.abs(value - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-12))


def expect_same(answer, wanted, mistakes, otherwise, tolerance=1e-5):
    """Raise `NotYet` unless an answer is the wanted one.

    Args:
        answer (float | numpy.ndarray): has the shape of `wanted`.
        wanted (float | numpy.ndarray): what is right.
        mistakes (iterable[tuple]): (what comes out of a mistake, what to say then); those of other shapes are skipped.
        otherwise (Sentence): what to say when it is none of them.
        tolerance (float): see `same`.
    """
    if same(answer, wanted, tolerance):
        return
    for wrong, message in mistakes:
        expect(np.shape(wrong) != np.shape(wanted) or not same(answer, wrong, tolerance), message)
    rounded = np.ndim(wanted) == 0 and tolerance and same(answer, wanted, 0.01)
    expect(not rounded, "{otherwise} It is close: if it is rounded, return it as it is.", otherwise=otherwise)
    raise NotYet(otherwise)


def accuracy_of(net, device, least):
    """Return a network's accuracy on some test images, and a sentence that sets it beside what is asked for."""
    _, test_iter = load_data_fashion_mnist(128, test_size=2048, ctx=device)
    accuracy = evaluate_accuracy(test_iter, net)
    sentence = "It gets {accuracy:.1%} of the test images right, and {least:.0%} are asked for."
    return accuracy, say(sentence, accuracy=accuracy, least=least)


def _graph(net):
    """Return the symbol of a network, and its nodes that compute something."""
    try:
        whole = mx.sym.Group(flatten(net(mx.sym.var("data"))))
    except AssertionError as error:
        if "NDArray" not in str(error):
            raise
        sentence = say(
            "This check looks at the network without running it, and your forward works on NDArrays only. "
            "Use layers of nn, such as nn.Activation, instead of functions of nd."
        )
        raise NotYet(sentence) from error
    nodes = json.loads(whole.tojson())["nodes"]
    return whole, [node for node in nodes if node["op"] not in ("null", "Flatten", "Reshape")]


def operators(net, input_shape):
    """Return what a network does with an image, step by step, without running it.

    Returns:
        list[tuple[str, tuple]]: in order, such as ("conv 3×3", (96, 12, 12)); reshaping is left out.
    """
    whole, nodes = _graph(net)
    if not nodes:
        return []
    shapes = shapes_by_node(whole, input_shape)
    return [(_operator_name(node), shapes[node["name"]][0][1:]) for node in nodes]


OPTIONS = {
    "Convolution": ("kernel", "stride", "pad", "dilate", "num_group"),
    "Pooling": ("kernel", "stride", "pad", "pool_type", "pooling_convention"),
    "Dropout": ("p",),
    "BatchNorm": ("eps", "momentum", "fix_gamma", "use_global_stats"),
}


def expect_same_options(net, reference, what, kinds=tuple(OPTIONS)):
    """Raise `NotYet` unless the layers of two networks have the same stride, padding, dropout … in the same order."""
    ours, theirs = ([node for node in _graph(network)[1] if node["op"] in kinds] for network in (net, reference))
    for node, wanted in zip(ours, theirs, strict=False):
        for option in OPTIONS[wanted["op"]]:
            given, right = (entry.get("attrs", {}).get(option) for entry in (node, wanted))
            sentence = "In {what}, a {layer} has another {option} than it should: {given}."
            expect(given == right, sentence, what=what, layer=_operator_name(node), option=option, given=given)


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

    A convolution of the target may lack its bias, as it should in front of batch norm. The source's is then set to 0.

    Raises:
        NotYet: their shapes differ, or what is trained.
    """
    ours, theirs = list(source.collect_params().values()), list(target.collect_params().values())
    biases = [parameter for parameter in ours if "conv" in parameter.name and parameter.name.endswith("bias")]
    if len(theirs) == len(ours) - len(biases):
        for bias in biases:
            bias.set_data(bias.data() * 0)
        ours = [parameter for parameter in ours if parameter not in biases]
    sentence = "There should be {wanted} arrays of parameters; there are {count}."
    expect(len(ours) == len(theirs), sentence, wanted=len(ours), count=len(theirs))
    for parameter, values in zip(theirs, ours, strict=True):
        name, shape = parameter.name, parameter.shape
        sentence = "The parameter {name} has the shape {shape}, and it should have {wanted}."
        expect(shape == values.shape, sentence, name=name, shape=shape, wanted=values.shape)
        expect(parameter.grad_req == values.grad_req, "The parameter {name} is frozen, or should be.", name=name)
        parameter.set_data(values.data())


def draw_parameters(net):
    """Give an initialised network random numbers with which each of its layers makes a difference."""
    ranges = {"gamma": (0.5, 1.5), "beta": (0, 1), "mean": (-0.5, 0.5), "var": (0.5, 2)}
    for name, parameter in net.collect_params(".*(gamma|beta|mean|var)").items():
        parameter.set_data(mx.nd.array(RANDOM.uniform(*ranges[name.rpartition("_")[2]], parameter.shape)))
