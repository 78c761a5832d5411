"""Refuse a wrong argument in one sentence: its name, its value, and what would be right."""

import math

import numpy as np

from .language import say
from .runtime import mx

gluon = mx.gluon
SHORT = 60  # characters of a value that are shown as they are
NUMPY = say(
    "d2lhelpers works with mx.nd, not with MXNet's NumPy interface: call npx.reset_np(), then make networks and arrays "
    "anew."
)


def describe(value):
    """Show a value where that is short; else name its type."""
    shown = (str, int, float, tuple, list, np.generic, mx.Context)
    if value is None or isinstance(value, shown) and len(repr(value)) <= SHORT and "\n" not in repr(value):
        return repr(value)
    if isinstance(value, type):
        return say("the class {name}", name=value.__name__)
    return say("a {kind}", kind=type(value).__name__)


def refuse(name, value, right, /, **values):
    """Raise ValueError: the argument `name` is `value`, and must be what `right` says, a template for `values`."""
    right = say(right, **values)
    raise ValueError(say("{name} is {value}; it must be {right}.", name=name, value=describe(value), right=right))


def reason_of(error):
    """Return what an error, such as one of MXNet, says, in one line and without where it happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    checks = [line.rpartition("Check failed: ")[2] for line in lines if "Check failed: " in line]
    return (checks or lines[-1:] or [type(error).__name__])[0]


def is_whole_number(value, least=1):
    """Tell whether the value is a whole number of at least `least`."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= least


def is_number(value):
    """Tell whether the value is a finite number."""
    numeric = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return numeric and bool(np.isfinite(value))


def check_whole_number(name, value, least=1, most=None):
    """Refuse what is no whole number from `least` to `most`."""
    if most is None and not is_whole_number(value, least):
        refuse(name, value, "a whole number of at least {least}", least=least)
    if most is not None and not (is_whole_number(value, least) and value <= most):
        refuse(name, value, "a whole number from {least} to {most}", least=least, most=most)


def check_number(name, value, least, below=math.inf):
    """Refuse what is no finite number of at least `least` and below `below`."""
    if not is_number(value) or not least <= value < below:
        if below == math.inf:
            refuse(name, value, "a number of at least {least}", least=least)
        refuse(name, value, "a number of at least {least} and below {below}", least=least, below=below)


def check_shape(name, value):
    """Return the shape of an array as a tuple; refuse what is none."""
    if not isinstance(value, (tuple, list)) or not value or not all(is_whole_number(side) for side in value):
        refuse(name, value, "a shape such as (1, 1, 28, 28)")
    return tuple(value)


def check_device(name, value):
    """Refuse what is neither a device nor None."""
    if value is not None and not isinstance(value, mx.Context):
        refuse(name, value, "a device such as mx.cpu() or d2l.try_gpu()")


def check_network(name, value):
    """Refuse what is no Gluon block, and one of MXNet's NumPy interface."""
    if not isinstance(value, gluon.Block):
        refuse(name, value, "a Gluon block, such as nn.Sequential()")
    operators, arrays = [], [p._data[0] for p in value.collect_params().values() if p._data]
    value.apply(lambda block: operators.append(getattr(block, "_op_name", None)))  # chosen when a layer is made
    made = "convolution" in operators or "deconvolution" in operators
    if mx.util.is_np_shape() or made or any(isinstance(array, mx.np.ndarray) for array in arrays):
        raise ValueError(NUMPY)


def check_named(name, value, what):
    """Refuse what is no dictionary with something in it; `what` says what it is for, as key → value."""
    if not isinstance(value, dict):
        refuse(name, value, "a dictionary {what}", what=what)
    if not value:
        raise ValueError(say("{name} is empty; it must be a dictionary {what}.", name=name, what=what))


def check_same_names(name, dictionaries):
    """Refuse dictionaries in a dictionary unless all of them have the same keys."""
    (first, expected), *rest = dictionaries.items()
    for key, dictionary in rest:
        if list(dictionary) != list(expected):
            names, others = (", ".join(map(str, keys)) for keys in (dictionary, expected))
            sentence = "{name} has {names} in {key!r}, but {others} in {first!r}; they must be the same."
            raise ValueError(say(sentence, name=name, names=names, key=key, others=others, first=first))


def as_numpy(value):
    """Return an array of MXNet, of either of its interfaces, as one of NumPy; all else as it is."""
    return value.asnumpy() if isinstance(value, mx.nd.NDArray) else value


def check_numbers(name, values, shape=None):
    """Return finite numbers as a NumPy array of their own type; refuse all else, and another shape (None: any side)."""
    array = np.asarray(as_numpy(values))
    if array.dtype.kind not in "biuf":
        refuse(name, values, "numbers")
    if not array.size:
        raise ValueError(say("{name} is empty; it must be numbers.", name=name))
    if shape and (len(shape) != array.ndim or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True))):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        sentence = say("{name} has shape {shape}; it must be ({wanted}).", name=name, shape=array.shape, wanted=wanted)
        raise ValueError(sentence)
    if not np.isfinite(array).all():
        wrong = array[~np.isfinite(array)][0]
        raise ValueError(say("{name} has a number that is {wrong}; all must be finite.", name=name, wrong=wrong))
    return array
