"""What makes a training the one that it is: by name, whatever changes its result."""

import functools
import re
import sys
import types
import zlib

import numpy as np

from ..data import ImageBatches
from ..language import say
from ..runtime import mx
from .compiled import instructions, nodes, own_classes

gluon = mx.gluon
PLAIN = (int, float, str, type(None), bytes, complex, range, slice)
SKIPPED = (gluon.Parameter, mx.Context, types.ModuleType)  # parameters are described beside the layers
LIBRARIES = {"mxnet", "numpy", *sys.stdlib_module_names}
MANY = 20  # parts of a container: more are summed up
UNIMPORTANT = {  # attributes that follow from others, or do not change the result
    gluon.Block: set(vars(gluon.HybridBlock(prefix=""))),  # such as its name and its compiled graph
    gluon.data.DataLoader: set("_num_workers _worker_pool _prefetch _thread_pool _timeout _iter _pin_memory".split()),
    ImageBatches: {"iterated", "matrices", "rank"},
    mx.init.Initializer: {"_verbose", "_print_func"},
    mx.optimizer.Optimizer: {"_all_index_update_counts", "_index_update_count", "param_dict"},
}
NOT_OF_TEST = {f"{name} of test_iter" for name in ("batch_size", "seed", "shuffle")}  # no matter for an accuracy


def _checksum(value):
    return f"{zlib.crc32(value if isinstance(value, np.ndarray) else repr(value).encode()):08x}"


def _function(function, seen):
    """Name a function, with a hash of its code and of the values that it refers to, unless it is a library's."""
    module = (function.__module__ or "").partition(".")[0] if isinstance(function, types.FunctionType) else "builtins"
    if module in LIBRARIES:
        return function.__name__
    steps = list(instructions(function.__code__))
    values = {step.argval: function.__globals__.get(step.argval) for step in steps if step.opname == "LOAD_GLOBAL"}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    values |= {name: cell.cell_contents for name, cell in cells if name != "__class__"}  # which is described anyway
    values |= {"defaults": function.__defaults__, "keywords": function.__kwdefaults__}
    steps = [(step.opname, *_parts("", step.argval, seen)) for step in steps]
    return f"{function.__name__} (code {_checksum((steps, *_parts('', values, seen)))})"


def _attributes(value):
    """Return what an object consists of: what it holds, and what its classes define unless they are a library's."""
    if isinstance(value, (functools.partial, types.MethodType)):
        return {name: getattr(value, name, None) for name in ("func", "args", "keywords", "__func__", "__self__")}
    found, kind = {}, value if isinstance(value, type) else type(value)
    for owner in own_classes(kind) if kind is not ImageBatches else ():
        for name, member in vars(owner).items():
            member = getattr(member, "__func__", None) or getattr(member, "fget", None) or member  # static, property
            is_code = isinstance(member, types.FunctionType) and name != "__init__"  # what that did is in the object
            if is_code or isinstance(member, PLAIN) and not name.startswith("__"):
                found[f"{owner.__name__}.{name}"] = member
    if isinstance(value, gluon.Block):
        found["hooks"] = [*value._forward_hooks.values(), *value._forward_pre_hooks.values()]
        found |= {"graph": nodes(value._cached_graph[1])} if isinstance(value, gluon.SymbolBlock) else {}
    if kind is not value and kind.__module__.partition(".")[0] not in sys.stdlib_module_names:
        left_out = {name for owner, names in UNIMPORTANT.items() if isinstance(value, owner) for name in names}
        found |= {name: held for name, held in getattr(value, "__dict__", {}).items() if name not in left_out}
    return found


def _parts(name, value, seen):
    """Yield (name, what it is) of a value and of all that it consists of; `seen` has what was named before."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, PLAIN):
        yield name, value if isinstance(value, PLAIN[:4]) and value == value else repr(value)  # nan is not itself
    elif isinstance(value, (list, tuple)) and len(value) <= MANY and all(isinstance(item, PLAIN) for item in value):
        yield name, [part for item in value for _, part in _parts("", item, seen)]
    elif id(value) in seen:
        yield name, f"the same as {seen[id(value)][0]}"
    elif not isinstance(value, SKIPPED):
        seen[id(value)] = name, value  # which keeps it: no other gets its number
        if isinstance(value, (mx.nd.NDArray, np.ndarray)):
            array = np.ascontiguousarray(value.asnumpy() if isinstance(value, mx.nd.NDArray) else value)
            yield name, f"{array.dtype} of shape {array.shape} with checksum {_checksum(array)}"
        elif isinstance(value, (types.FunctionType, types.BuiltinFunctionType, np.ufunc)):
            yield name, _function(value, seen)
        elif isinstance(value, (dict, list, tuple, set, frozenset)):
            items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value  # in whatever order
            items = value.items() if isinstance(value, dict) else enumerate(items)
            parts = [part for key, item in items for part in _parts(f"{key} of {name}", item, seen)]
            yield from parts if len(parts) <= MANY else [(name, f"{len(value)} parts, checksum {_checksum(parts)}")]
        else:
            yield name, (value if isinstance(value, type) else type(value)).__name__
            for key, child in value._children.items() if isinstance(value, gluon.Block) else ():
                yield from _parts(f"layer {key}" if name == "network" else f"{name}.{key}", child, seen)
            for key, held in _attributes(value).items():
                yield from _parts(name if key == "_kwargs" else f"{key.strip('_')} of {name}", held, seen)


def _parameters(run, seen):
    paths = {}
    for path, parameter in run.net._collect_params_with_prefix().items():
        name = f"parameter {path}"
        if run.initializer or parameter._data is None:
            start = parameter.init if run.initializer else parameter._deferred_init[0]
        else:  # a moving average is hardly what it began with by the end, and may have been estimated anew in between
            start = parameter.list_data()[0] if parameter._differentiable else None
        attributes = {
            "path": paths.setdefault(id(parameter), path),  # that of another where layers share it
            "shape": parameter.shape or (),
            "dtype": np.dtype(parameter.dtype).name,
            "grad_req": parameter.grad_req,
            "lr_mult": parameter.lr_mult,
            "wd_mult": parameter.wd_mult,
            "trainer": run.trainer is None or any(parameter is trained for trained in run.trainer._params),
            "beginning": getattr(parameter, "value", start),  # that of a constant, whose initializer has another name
        }
        yield from _parts(name, attributes, seen)


def identity(run):
    """Return, by name, whatever changes the result of a training; all of it can be JSON."""
    seen = {}
    found = dict([*_parts("network", run.net, seen), *_parameters(run, seen)])
    for name in ("initializer", "loss", "optimizer", "batch_size", "train_iter", "test_iter"):
        found |= _parts(name, getattr(run, name), seen)
    found |= {"number of batches": len(run.train_iter), "number of devices": len(run.devices)}
    found |= _parts("compression of gradients", run.trainer and run.trainer._compression_params, seen)
    return {name: value for name, value in found.items() if name not in NOT_OF_TEST}


def differs(kept, ours, worked):
    """Return the first difference between two identities as a sentence; None where they are of the same training.

    `worked` is the identity before and after that training was at work in this process. What it has changed is no
    difference: weights and optimizer as long as they are as it left them; else, such as what a layer counts, at all.
    """
    for name in [*ours, *sorted(kept, key=len)]:  # a thing before what it consists of
        was, now, before, after = (found.get(name, "missing") for found in (kept, ours, *worked))
        left = was == before != after and (now == after or not re.search("parameter|optimizer", name))
        fits = name.startswith("shape of parameter") and len(was) == len(now)  # 0 is a side that is not known yet
        if not (was == now or left or fits and all(a == b or 0 in (a, b) for a, b in zip(was, now, strict=True))):
            return say("{name} was {was}, here it is {now}", name=name, was=was, now=now)
    return None
