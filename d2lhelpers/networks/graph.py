"""Look into a network without running it: its layers, what feeds what, and the shapes in between."""

import contextlib
import itertools
import json
import re
from dataclasses import dataclass

from ..arguments import reason_of
from ..language import say
from ..runtime import mx

nn = mx.gluon.nn
SEQUENTIALS = (nn.Sequential, nn.HybridSequential)


def blocks_of(net):
    """Return the network and all blocks inside it, each once, in the order of `apply`: the network itself last."""
    found = {}
    net.apply(lambda block: found.setdefault(id(block), block))
    return list(found.values())


def is_hybrid(net):
    """Tell whether the network is made of `HybridBlock`s and plain `nn.Sequential`s only."""
    return all(isinstance(block, mx.gluon.HybridBlock) or type(block) is nn.Sequential for block in blocks_of(net))


def can_trace(net):
    """Tell whether the network's graph can be had without running it, and so be compiled as a whole.

    That is when it is hybrid, and its code works on symbols. Any other `Block` may look at numbers or at
    `autograd.is_training()` in its `forward`, which a graph would freeze.
    """
    if not is_hybrid(net):
        return False
    try:
        net(mx.sym.var("data"))
    except Exception:  # whatever its code raises where it gets no numbers, such as X.shape
        return False
    return True


def is_settled(net):
    """Tell whether all parameters of a network have values: none is to be drawn once the shapes are known."""
    return all(parameter._data is not None for parameter in net.collect_params().values())


def flatten(values):
    """Return the symbols or arrays in what a block takes or gives: one, or several in whatever is nested."""
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, (list, tuple)) or isinstance(values, mx.sym.Symbol) and len(values) > 1:
        return [part for value in values for part in flatten(value)]
    return [values] if isinstance(values, (mx.sym.Symbol, mx.nd.NDArray)) else []


def record_calls(net, data):
    """Call the network on a symbol or an array; return (block, inputs, outputs) of each block, as they finish."""
    calls = []

    def note(block, inputs, outputs):
        inputs, outputs = flatten(inputs), flatten(outputs)
        # Before its parameters have a shape, Gluon calls a block with symbols to find out; that is no call of its own.
        if isinstance(data, mx.sym.Symbol) or not any(isinstance(output, mx.sym.Symbol) for output in outputs):
            calls.append((block, inputs, outputs))

    blocks = blocks_of(net)
    handles = [block.register_forward_hook(note) for block in blocks]
    active = [block for block in blocks if getattr(block, "_active", False)]
    for block in active:
        block._active = False  # compiled, it would not call the blocks inside
    try:
        with mx.autograd.pause():
            net(data)
    finally:
        for block in active:
            block._active = True
        for handle in handles:
            handle.detach()
    return calls


def infer_shapes(symbols, input_shape, **others):
    """Return the shape of each symbol, and of the parameters they depend on by name; nothing is allocated.

    The input is the variable `data`, beside `others`; ValueError where the network cannot take this shape.
    """
    group = mx.sym.Group(symbols)
    try:
        with contextlib.redirect_stdout(None):  # MXNet prints the arguments before it raises
            arguments, shapes, auxiliary = group.infer_shape(data=input_shape, **others)
    except mx.base.MXNetError as error:
        sentence = "input_shape is {shape}, which this network cannot take: {reason}"
        raise ValueError(say(sentence, shape=input_shape, reason=reason_of(error))) from error
    parameters = dict(zip(group.list_arguments(), arguments, strict=True))
    parameters.update(zip(group.list_auxiliary_states(), auxiliary, strict=True))
    return shapes, parameters


def shapes_by_node(whole, input_shape):
    """Return the shapes of what each node of a graph puts out, by the name of the node."""
    internals = whole.get_internals()
    shapes, _ = infer_shapes([internals], input_shape)
    found = {}
    for name, shape in zip(internals.list_outputs(), shapes, strict=True):
        found.setdefault(re.sub(r"_output\d*$", "", name), []).append(shape)
    return found


def layers_of(block):
    """Return the layers of a block in order, its `Sequential`s taken apart; any other block counts as one."""
    if type(block) not in SEQUENTIALS:
        return [block]
    return [layer for child in block._children.values() for layer in layers_of(child)]


def name_of(block):
    """Name a block by its class and what tells two of a class apart; a `Sequential` by the layers that matter in it.

    Such as `Conv2D 3×3`, `Activation relu` or `2 × Conv2D 3×3, MaxPool2D 2×2`.
    """
    name = type(block).__name__
    if type(block) in SEQUENTIALS:
        minor = (nn.Activation, nn.BatchNorm, nn.Dropout)
        names = [name_of(layer) for layer in layers_of(block) if not isinstance(layer, minor)]
        counted = [(inner, len(list(same))) for inner, same in itertools.groupby(names)]
        return ", ".join(inner if count == 1 else f"{count} × {inner}" for inner, count in counted) or name
    if isinstance(block, nn.Activation):
        return f"{name} {block._act_type}"
    if isinstance(block, (nn.Conv2D, nn.MaxPool2D, nn.AvgPool2D)):
        return f"{name} {'×'.join(map(str, block._kwargs['kernel']))}"
    return name


@dataclass
class Node:
    """A layer in the graph of a network.

    Attributes:
        block: the layer, or None for an operator that a `forward` calls by itself.
        operator: MXNet's name of what makes its output, such as `Concat`.
        child: number of the network's child that it is in, or None.
        shape: of its (first) output, without the batch axis.
        parents: the nodes that feed it, and None for the network's input beside them; empty for what takes that alone.
    """

    block: object
    operator: str
    child: int | None
    shape: tuple
    parents: list


def trace(net, input_shape):
    """Return the layers of a network as a graph, without running or allocating it: each `Node` after its parents.

    The network's own `forward` and its `Sequential`s are taken apart; any other block inside is one node. ValueError
    where the network has a hand-written `Block`, has no layer, uses one twice, or cannot take such an input.
    """
    if not can_trace(net):
        sentence = say(
            "a hand-written Block inside the network, or code that needs numbers, hides its graph; to draw it, use "
            "HybridBlocks that work on symbols."
        )
        raise ValueError(sentence)
    child_of = {id(layer): i for i, child in enumerate(net._children.values()) for layer in layers_of(child)}
    calls = record_calls(net, mx.sym.var("data"))
    if not calls[-1][2]:
        sentence = say("the network returns no array, and so has no graph; to draw it, return one in its forward.")
        raise ValueError(sentence)
    whole = mx.sym.Group(calls[-1][2])
    entries = json.loads(whole.tojson())["nodes"]
    inputs = {entry["name"]: [entries[index]["name"] for index, *_ in entry["inputs"]] for entry in entries}
    operators = {entry["name"]: entry["op"] for entry in entries if entry["op"] != "null"}

    shown, stands_for = {}, {}  # name of an operator -> what is shown in its place; -> the operator at whose place
    for block, data, outputs in calls:
        sources = list(dict.fromkeys(source.name for source in data))
        names = [output.name for output in outputs if output.name not in sources]
        if id(block) in child_of and names:  # a block that changes nothing has no operator
            shown[names[0]] = (block, operators.get(names[0]), child_of[id(block)], sources)
            stands_for.update(dict.fromkeys(names, names[0]))
            inside = names
            while inside:
                name = inside.pop()
                if name not in sources and operators.pop(name, None):
                    inside += inputs[name]
    for name, operator in operators.items():  # those that a `forward` calls by itself
        shown[name] = (None, operator, None, list(dict.fromkeys(inputs[name])))

    names = [entry["name"] for entry in entries if entry["name"] in shown]
    if not names or len(set(names)) < len(names):
        sentence = say("the network has no layer, or uses one twice; to draw it, give each place a layer of its own.")
        raise ValueError(sentence)
    shapes, nodes = shapes_by_node(whole, input_shape), {}
    for name in names:
        block, operator, child, sources = shown[name]
        sources = [stands_for.get(source, source) for source in sources]
        parents = [nodes.get(source) for source in sources if source in nodes or source == "data"]
        nodes[name] = Node(block, operator, child, shapes[name][0][1:], parents if any(parents) else [])
    return list(nodes.values())
