"""Layer tables: output shapes, parameters and multiply-accumulates (MACs) of a network."""

import contextlib
import html
import json
import math
import re
from dataclasses import dataclass

from ..arguments import check_network, check_shape, reason_of
from ..language import columns, say, width
from ..runtime import mx
from .graph import blocks_of, can_trace, flatten, infer_shapes, is_hybrid, is_settled, name_of, record_calls

# Operators that multiply matrices as well, or may, and are not counted.
UNCOUNTED = re.compile("dot|matmul|gemm|trmm|trsm|syrk|einsum|rnn|conv|correlation|custom|foreach|_loop|_cond", re.I)


@dataclass(frozen=True)
class Layer:
    """One row of a summary: the output's shape without the batch axis, this row's own parameters, MACs for one image.

    Where there are several outputs, `output_shape` is a tuple of shapes; where MACs are not counted, `macs` is NaN.
    """

    name: str
    output_shape: tuple
    trainable: int
    frozen: int
    macs: int | float

    @property
    def params(self):
        """Trainable and non-trainable parameters together."""
        return self.trainable + self.frozen


@dataclass(frozen=True)
class Summary:
    """The layer table of a network; shows as a table, and its totals are numbers to compute with."""

    layers: tuple

    @property
    def trainable_params(self):
        """Parameters that training changes: those that have a gradient."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def frozen_params(self):
        """Parameters without a gradient: moving statistics, and whatever has `grad_req='null'`."""
        return sum(layer.frozen for layer in self.layers)

    @property
    def total_params(self):
        """All parameters, trainable or not."""
        return self.trainable_params + self.frozen_params

    @property
    def total_macs(self):
        """Multiply-accumulates for one image, see `summary`; NaN where those of a layer are not counted."""
        return sum(layer.macs for layer in self.layers)

    def _cells(self):
        heads = (say("layer"), say("output"), say("parameters"), say("not trained"), say("MACs"))
        rows = [tuple(map(str, heads))]
        for layer in self.layers:
            several = bool(layer.output_shape) and isinstance(layer.output_shape[0], tuple)
            outputs = layer.output_shape if several else (layer.output_shape,)
            shape = ", ".join(" × ".join(map(str, output)) for output in outputs)
            rows.append((layer.name, shape, layer.params, layer.frozen, layer.macs))
        rows.append((str(say("total")), "", self.total_params, self.frozen_params, self.total_macs))
        nan = str(say("not counted"))
        rows[1:] = [(*row[:2], *(f"{n:,}".replace("nan", nan) for n in row[2:])) for row in rows[1:]]
        return rows

    def __str__(self):
        """Return the table as aligned text."""
        lines = columns(self._cells(), left=2)
        rule = "─" * width(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    __repr__ = __str__

    def _repr_html_(self):
        head, *body = self._cells()

        def row(cells, tag):
            left, right = ' style="text-align: left"', ' style="text-align: right"'
            return "".join(f"<{tag}{left if i < 2 else right}>{html.escape(c)}</{tag}>" for i, c in enumerate(cells))

        lines = [f"<tr>{row(cells, 'td')}</tr>" for cells in body[:-1]]
        return (
            f"<table><thead><tr>{row(head, 'th')}</tr></thead><tbody>{''.join(lines)}</tbody>"
            f"<tfoot><tr>{row(body[-1], 'th')}</tr></tfoot></table>"
        )


def _traced_macs(block, shapes):
    """Return the MACs of a block on inputs of these shapes, by its graph.

    Each number of a convolution's or dense layer's output takes as many as a filter has weights, as does each number of
    a transposed convolution's input.
    """
    inputs = {f"data{i or ''}": shape for i, shape in enumerate(shapes)}
    whole = mx.sym.Group(flatten(block(*map(mx.sym.var, inputs)))).get_internals()
    graph, macs = json.loads(whole.tojson()), 0
    found, _ = infer_shapes([whole], inputs.pop("data"), **inputs)
    shape_of = {(node, output): shape for (node, output, _), shape in zip(graph["heads"], found, strict=True)}
    for number, node in enumerate(graph["nodes"]):
        if node["op"] in ("Convolution", "Deconvolution", "FullyConnected"):
            data, weight, *_ = (shape_of[source, output] for source, output, _ in node["inputs"])
            places = data if node["op"] == "Deconvolution" else shape_of[number, 0]
            macs += math.prod(places) * math.prod(weight[1:])
        elif UNCOUNTED.search(node["op"]):
            macs = math.nan
    return macs


def _macs(block, inputs):
    """Return the MACs of all calls of a block; `inputs` has the shapes of the inputs of each, by block.

    Of what cannot be traced, those of the blocks inside, if it has no matrix of its own to multiply with.
    """
    calls = inputs.pop(id(block), [])
    if is_hybrid(block):
        with contextlib.suppress(Exception):  # whatever its code raises where it gets no numbers
            return sum(_traced_macs(block, shapes) for shapes in calls)
    if calls and any(math.prod(p.shape) > max(p.shape) for p in block._reg_params.values()):
        return math.nan
    return sum(_macs(child, inputs) for child in dict.fromkeys(block._children.values()))


def _trace(net, input_shape):
    """Return (block, number of inputs, shapes of inputs and outputs) of each call, and the shapes of parameters."""
    calls = [(block, len(data), data + outputs) for block, data, outputs in record_calls(net, mx.sym.var("data"))]
    shapes, weights = infer_shapes([symbol for *_, symbols in calls for symbol in symbols], input_shape)
    shapes = iter(shapes)
    return [(block, count, [next(shapes) for _ in symbols]) for block, count, symbols in calls], weights


def _run(net, input_shape):
    """Return the same by running the network on zeros."""
    device, dtype = next(((p.list_ctx()[0], p.dtype) for p in net.collect_params().values()), (mx.cpu(), "float32"))
    try:
        with contextlib.redirect_stdout(None):  # MXNet prints the arguments before it raises
            calls = record_calls(net, mx.nd.zeros(input_shape, ctx=device, dtype=dtype))
    except (mx.base.MXNetError, AssertionError, ValueError, TypeError) as error:
        sentence = "input_shape is {shape}, which this network cannot take: {reason}"
        raise ValueError(say(sentence, shape=input_shape, reason=reason_of(error))) from error
    weights = {name: parameter.shape for name, parameter in net.collect_params().items()}
    return [(block, len(data), [a.shape for a in data + outputs]) for block, data, outputs in calls], weights


def summary(net, input_shape):
    """Return shapes, parameters and MACs of a network, layer by layer.

    MACs are counted for convolutions, transposed ones too, and dense layers; a bias, pooling, normalisation, an
    activation and an embedding have none. Where something else multiplies matrices, such as a recurrent layer, a
    deformable convolution, `dot`, or a hand-written `Block` with a matrix of its own, the row says "not counted", and
    so does the total: NaN.

    Args:
        net (mxnet.gluon.Block): the network. Made of hybrid blocks, it is only traced: it need not be initialised and
            no weight is allocated (VGG-11 would take half a gigabyte). With a hand-written `Block` inside, it must be
            initialised and is run once, in prediction mode, on zeros.
        input_shape (tuple[int, ...]): shape of a batch, such as (1, 1, 28, 28); the table leaves the batch axis out.

    Returns:
        Summary: one row for each child of the network, with everything inside that child counted in, and one more where
            the network's own code multiplies; a single row where the network has parameters of its own.

    Raises:
        ValueError: the input is too small for the network, or has the wrong number of axes; or an argument is none of
            the above.
        RuntimeError: the network has a hand-written `Block` and is not initialised.
    """
    check_network("net", net)
    input_shape = check_shape("input_shape", input_shape)
    try:
        calls, weights = _trace(net, input_shape) if can_trace(net) else _run(net, input_shape)
    except ValueError:
        if not is_settled(net):
            raise
        calls, weights = _run(net, input_shape)  # symbols can do less than arrays: they do not broadcast
    rows = [net] if net._reg_params else list(dict.fromkeys(net._children.values())) or [net]
    owner = {id(inner): i for i, child in enumerate(rows) for inner in blocks_of(child)}
    inputs, counted = {}, set()
    for block, count, shapes in calls:
        inputs.setdefault(id(block), []).append(shapes[:count])
    whole, macs = _macs(net, inputs.copy()), [_macs(child, inputs) for child in rows]
    if not (whole <= sum(macs) or math.isnan(sum(macs))):  # the network's own code multiplies as well
        rows.append(net)
        macs.append(whole - sum(macs))
    table = [
        {"name": name_of(child), "output_shape": (), "trainable": 0, "frozen": 0, "macs": n // input_shape[0]}
        for child, n in zip(rows, macs, strict=True)
    ]
    for block, count, shapes in calls:
        if id(block) not in owner:
            continue
        row = table[owner[id(block)]]
        # Hooks fire on the way out: the last one in a row is that of the child itself, with the shapes to show.
        outputs = tuple(shape[1:] for shape in shapes[count:])
        row["output_shape"] = outputs[0] if len(outputs) == 1 else outputs
        for parameter in block._reg_params.values():
            if parameter.name not in counted:
                counted.add(parameter.name)
                row["frozen" if parameter.grad_req == "null" else "trainable"] += math.prod(weights[parameter.name])
    return Summary(tuple(Layer(**row) for row in table))
