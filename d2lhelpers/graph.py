"""Look into a network without running it: its layers, what feeds what, and the shapes in between."""

import contextlib
import itertools
import json
from dataclasses import dataclass

from .runtime import mx
from .validation import reason_of

nn = mx.gluon.nn
SEQUENTIALS = (nn.Sequential, nn.HybridSequential)


def blocks_of(net):
    """Return the network and all blocks inside it, each once.

    Args:
        net (mxnet.gluon.Block): any network.

    Returns:
        list[mxnet.gluon.Block]: in the order in which `apply` visits them, the network itself last.
    """
    found = {}
    net.apply(lambda block: found.setdefault(id(block), block))
    return list(found.values())


def can_trace(net):
    """Tell whether the network's graph can be had without running it, and so be compiled as a whole.

    Args:
        net (mxnet.gluon.Block): any network.

    Returns:
        bool: True when it is made of `HybridBlock`s and plain `nn.Sequential`s only, whose code works on symbols. Any
        other `Block` may look at numbers or at `autograd.is_training()` in its `forward`, which a graph would freeze.
    """
    if not all(isinstance(block, mx.gluon.HybridBlock) or type(block) is nn.Sequential for block in blocks_of(net)):
        return False
    try:
        net(mx.sym.var("data"))
    except Exception:  # whatever its code raises where it gets no numbers, such as X.shape
        return False
    return True


def record_calls(net, data):
    """Call the network on some data and note what goes through its blocks.

    Args:
        net (mxnet.gluon.Block): any network.
        data (Symbol | NDArray): its input.

    Returns:
        list[tuple]: (block, input, output) for each block that was called, in the order in which they finish.
    """
    calls = []

    def note(block, inputs, output):
        # Before its parameters have a shape, Gluon calls a block with symbols to find out; that is no call of its own.
        if isinstance(data, mx.sym.Symbol) or not isinstance(output, mx.sym.Symbol):
            calls.append((block, inputs[0], output))

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


def infer_shapes(outputs, input_shape):
    """Return the shapes of symbols, and of the parameters they depend on; nothing is allocated.

    Args:
        outputs (list[Symbol]): symbols that depend on one input called `data`.
        input_shape (tuple[int, ...]): its shape.

    Returns:
        tuple[list[tuple], dict[str, tuple]]: a shape for each output, and for each parameter by its name.

    Raises:
        ValueError: the network cannot take such an input.
    """
    group = mx.sym.Group(outputs)
    try:
        with contextlib.redirect_stdout(None):  # MXNet prints the arguments before it raises
            arguments, output_shapes, auxiliary = group.infer_shape(data=input_shape)
    except mx.base.MXNetError as error:
        raise ValueError(f"input_shape is {input_shape}, which this network cannot take: {reason_of(error)}") from error
    parameters = dict(zip(group.list_arguments(), arguments, strict=True))
    parameters.update(zip(group.list_auxiliary_states(), auxiliary, strict=True))
    return output_shapes, parameters


def layers_of(block):
    """Return the layers of a block in order, its `Sequential`s taken apart.

    Args:
        block (mxnet.gluon.Block): a layer, a `Sequential`, or a block with a `forward` of its own, which counts as one.

    Returns:
        list[mxnet.gluon.Block]: at least one, unless the block is an empty `Sequential`.
    """
    if type(block) not in SEQUENTIALS:
        return [block]
    return [layer for child in block._children.values() for layer in layers_of(child)]


def name_of(block):
    """Name a block by its class and what tells two of a class apart; a `Sequential` by the layers that matter in it.

    Args:
        block (mxnet.gluon.Block): any block.

    Returns:
        str: such as `Conv2D 3×3`, `Activation relu` or `2 × Conv2D 3×3, MaxPool2D 2×2`.
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
        shape: of its output, without the batch axis.
        parents: the nodes that feed it, and None for the network's input beside them; empty for what takes that alone.
    """

    block: object
    operator: str
    child: int | None
    shape: tuple
    parents: list


def trace(net, input_shape):
    """Return the layers of a network as a graph, without running or allocating it.

    Args:
        net (mxnet.gluon.Block): a network of hybrid blocks and `Sequential`s. Its own `forward` and its `Sequential`s
            are taken apart; any other block inside is one node.
        input_shape (tuple[int, ...]): shape of a batch.

    Returns:
        list[Node]: every node after those that feed it.

    Raises:
        ValueError: the network has a hand-written `Block`, has no layer, uses one twice, or cannot take such an input.
    """
    if not can_trace(net):
        raise ValueError(
            "a hand-written Block inside the network, or code that needs numbers, hides its graph; to draw it, use "
            "HybridBlocks that work on symbols."
        )
    child_of = {id(layer): i for i, child in enumerate(net._children.values()) for layer in layers_of(child)}
    calls = record_calls(net, mx.sym.var("data"))
    whole = calls[-1][2]
    entries = json.loads(whole.tojson())["nodes"]
    inputs = {entry["name"]: [entries[index]["name"] for index, *_ in entry["inputs"]] for entry in entries}
    operators = {entry["name"]: entry["op"] for entry in entries if entry["op"] != "null"}

    shown = {}  # name of an operator -> what is shown in its place
    for block, data, output in calls:
        if id(block) in child_of and output.name != data.name:  # a block that changes nothing has no operator
            shown[output.name] = (block, operators.pop(output.name, None), child_of[id(block)], [data.name])
            inside = list(inputs[output.name])
            while inside:
                name = inside.pop()
                if name != data.name and operators.pop(name, None):
                    inside += inputs[name]
    for name, operator in operators.items():  # those that a `forward` calls by itself
        shown[name] = (None, operator, None, inputs[name])

    names = [entry["name"] for entry in entries if entry["name"] in shown]
    if not names or len(set(names)) < len(names):
        raise ValueError("the network has no layer, or uses one twice; to draw it, give each place a layer of its own.")
    internals = whole.get_internals()
    shapes, _ = infer_shapes([internals[f"{name}_output"] for name in names], input_shape)
    nodes = {}
    for name, shape in zip(names, shapes, strict=True):
        block, operator, child, sources = shown[name]
        parents = [nodes.get(source) for source in sources if source in nodes or source == "data"]
        nodes[name] = Node(block, operator, child, shape[1:], parents if any(parents) else [])
    return list(nodes.values())
