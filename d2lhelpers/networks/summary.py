"""Layer tables: output shapes, parameters and multiply-accumulates (MACs) of a network."""

import contextlib
import html
import math
from dataclasses import dataclass

from ..arguments import check_network, check_shape, reason_of
from ..runtime import mx
from .graph import blocks_of, can_trace, infer_shapes, is_settled, name_of, record_calls


@dataclass(frozen=True)
class Layer:
    """One row of a summary: the output's shape without the batch axis, this row's own parameters, MACs for one image.

    Where there are several outputs, `output_shape` is a tuple of shapes.
    """

    name: str
    output_shape: tuple
    trainable: int
    frozen: int
    macs: int

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
        """Multiply-accumulates of all convolutions and dense layers for one image."""
        return sum(layer.macs for layer in self.layers)

    def _cells(self):
        rows = [("layer", "output", "parameters", "not trained", "MACs")]
        for layer in self.layers:
            several = bool(layer.output_shape) and isinstance(layer.output_shape[0], tuple)
            outputs = layer.output_shape if several else (layer.output_shape,)
            shape = ", ".join(" × ".join(map(str, output)) for output in outputs)
            rows.append((layer.name, shape, f"{layer.params:,}", f"{layer.frozen:,}", f"{layer.macs:,}"))
        rows.append(("total", "", f"{self.total_params:,}", f"{self.frozen_params:,}", f"{self.total_macs:,}"))
        return rows

    def __str__(self):
        """Return the table as aligned text."""
        rows = self._cells()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(pairs))
            for pairs in (list(zip(row, widths, strict=True)) for row in rows)
        ]
        rule = "─" * len(lines[0])
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


def _macs(block, weight_shape, input_shape, output_shape):
    """Return the MACs of one convolution or dense layer for one image: every weight is used once a position.

    The positions of a transposed convolution are those of its input.
    """
    settings = getattr(block, "_kwargs", {})
    if isinstance(block, mx.gluon.nn.Dense):
        positions = output_shape[1:-1]
    elif "kernel" in settings:
        shape = input_shape if "Transpose" in type(block).__name__ else output_shape
        positions = [side for axis, side in zip(settings["layout"], shape, strict=True) if axis in "DHW"]
    else:
        return 0
    return math.prod(positions) * math.prod(weight_shape)


def _trace(net, input_shape):
    """Return (block, number of inputs, shapes of inputs and outputs) of each call, and the shapes of parameters."""
    calls = [(block, len(data), data + outputs) for block, data, outputs in record_calls(net, mx.sym.var("data"))]
    shapes, weights = infer_shapes([symbol for *_, symbols in calls for symbol in symbols], input_shape)
    shapes = iter(shapes)
    return [(block, count, [next(shapes) for _ in symbols]) for block, count, symbols in calls], weights


def _run(net, input_shape):
    """Return the same by running the network on zeros."""
    device = next((p.list_ctx()[0] for p in net.collect_params().values()), mx.cpu())
    try:
        with contextlib.redirect_stdout(None):  # MXNet prints the arguments before it raises
            calls = record_calls(net, mx.nd.zeros(input_shape, ctx=device))
    except (mx.base.MXNetError, AssertionError, ValueError, TypeError) as error:
        raise ValueError(f"input_shape is {input_shape}, which this network cannot take: {reason_of(error)}") from error
    weights = {name: parameter.shape for name, parameter in net.collect_params().items()}
    return [(block, len(data), [a.shape for a in data + outputs]) for block, data, outputs in calls], weights


def summary(net, input_shape):
    """Return shapes, parameters and MACs of a network, layer by layer.

    Args:
        net (mxnet.gluon.Block): the network. Made of hybrid blocks, it is only traced: it need not be initialised and
            no weight is allocated (VGG-11 would take half a gigabyte). With a hand-written `Block` inside, it must be
            initialised and is run once, in prediction mode, on zeros.
        input_shape (tuple[int, ...]): shape of a batch, such as (1, 1, 28, 28); the table leaves the batch axis out.

    Returns:
        Summary: one row for each child of the network, with everything inside that child counted in; a single row where
        the network has parameters of its own.

    Raises:
        ValueError: the input is too small for the network, or has the wrong number of axes; or an argument is none of
            the above.
        RuntimeError: the network has a hand-written `Block` and is not initialised.
    """
    check_network("net", net)
    check_shape("input_shape", input_shape)
    input_shape = tuple(input_shape)
    try:
        calls, weights = _trace(net, input_shape) if can_trace(net) else _run(net, input_shape)
    except ValueError:
        if not is_settled(net):
            raise
        calls, weights = _run(net, input_shape)  # symbols can do less than arrays: they do not broadcast
    rows = [net] if net._reg_params else list(dict.fromkeys(net._children.values())) or [net]
    owner = {id(inner): i for i, child in enumerate(rows) for inner in blocks_of(child)}
    counted = set()
    table = [{"name": name_of(child), "output_shape": (), "trainable": 0, "frozen": 0, "macs": 0} for child in rows]
    for block, count, shapes in calls:
        if id(block) not in owner:
            continue
        row = table[owner[id(block)]]
        # Hooks fire on the way out: the last one in a row is that of the child itself, with the shapes to show.
        outputs = tuple(shape[1:] for shape in shapes[count:])
        row["output_shape"] = outputs if len(outputs) > 1 else outputs[0]
        for parameter in block._reg_params.values():
            if parameter.name not in counted:
                counted.add(parameter.name)
                row["frozen" if parameter.grad_req == "null" else "trainable"] += math.prod(weights[parameter.name])
        if "weight" in block._reg_params:
            row["macs"] += _macs(block, weights[block.weight.name], shapes[0], shapes[count])
    return Summary(tuple(Layer(**row) for row in table))
