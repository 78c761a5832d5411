"""Diagrams: networks drawn from their own graph, and what batch norm averages over."""

import itertools

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from ..arguments import check_named, check_network, check_shape, refuse
from ..language import say
from ..networks.graph import layers_of, trace
from ..runtime import mx
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED

nn = mx.gluon.nn

WIDTH, HEIGHT = 1.36, 0.4  # of a box, in inches
TEXT = 8.64  # points of a figure with 100 dots an inch: 9 points on a page
GAP, COLUMN_GAP = 0.18, 0.32  # between two boxes, and between two columns
POOLS = (nn.MaxPool2D, nn.AvgPool2D, nn.GlobalAvgPool2D, nn.GlobalMaxPool2D)


def _colour(node):
    for kind, colour in (
        ((nn.Conv2D,), BLUE),
        (POOLS, RED),
        ((nn.Dense,), GREEN),
        ((nn.BatchNorm,), ORANGE),
        ((nn.Dropout, nn.Flatten, nn.Activation), GREY),
    ):
        if isinstance(node.block, kind):
            return colour
    return PURPLE if node.block else GREY


def _label(node):
    """Say in few words what a layer does."""
    block = node.block
    if block is None:
        return {"Concat": "concatenate channels"}.get(node.operator, node.operator)
    if isinstance(block, nn.Activation):
        return block._act_type
    if isinstance(block, (nn.Conv2D, *POOLS)):
        settings = block._kwargs
        kind = "conv" if isinstance(block, nn.Conv2D) else "max-pool" if "Max" in type(block).__name__ else "mean-pool"
        if settings.get("global_pool"):
            return f"global {kind}"
        stride = settings["stride"][0]
        return f"{'×'.join(map(str, settings['kernel']))} {kind}{f' / {stride}' if stride > 1 else ''}"
    names = {nn.Dense: "dense", nn.BatchNorm: "batch norm", nn.Flatten: "flatten"}
    if isinstance(block, nn.Dropout):
        return f"dropout {block._rate:g}"
    return names.get(type(block), type(block).__name__)


class _Box:
    """What is drawn as one: a layer, and the activation that follows it."""

    def __init__(self, node):
        """Start with the layer itself; `x` and `y` become the middle of the box, in inches."""
        self.nodes, self.x, self.y = [node], 0.0, 0.0

    @property
    def label(self):
        """All that happens in the box."""
        act = getattr(self.nodes[0].block, "act", None)
        names = [_label(node) for node in self.nodes] + ([act._act_type] if act else [])
        return " + ".join(names)

    @property
    def child(self):
        """The network's child that the layer is in."""
        return self.nodes[0].child

    def draw(self, ax):
        """Draw the box where it has been placed."""
        colour = _colour(self.nodes[0])
        style = {"boxstyle": "round,pad=0,rounding_size=0.06", "linewidth": 1, "edgecolor": colour}
        low = (self.x - WIDTH / 2, self.y - HEIGHT / 2)
        ax.add_patch(FancyBboxPatch(low, WIDTH, HEIGHT, facecolor="white", **style))
        ax.add_patch(FancyBboxPatch(low, WIDTH, HEIGHT, facecolor=colour, alpha=0.2, **style))
        text = {"ha": "center", "va": "center", "color": "black"}
        ax.text(self.x, self.y + 0.08, self.label, fontsize=TEXT, **text)
        ax.text(self.x, self.y - 0.11, " × ".join(map(str, self.nodes[-1].shape)), fontsize=TEXT, **text)


def _boxes(nodes):
    """Return the boxes of a graph, and for each the boxes that feed it; None is the input beside them."""
    box_of, feeds = {id(None): None}, {}
    consumers = [id(parent) for node in nodes for parent in node.parents]
    for node in nodes:
        if isinstance(node.block, nn.Activation) and node.parents and consumers.count(id(node.parents[0])) == 1:
            box = box_of[id(node)] = box_of[id(node.parents[0])]
            box.nodes.append(node)
            continue
        box = box_of[id(node)] = _Box(node)
        feeds[box] = [box_of[id(parent)] for parent in node.parents]
    return feeds


def _stack(feeds, net, left):
    """Place a chain of boxes in columns, a new one where a block of several layers begins; return the frames."""
    children, x, y, frames = list(net._children.values()), left, 0.0, []
    for child, group in itertools.groupby(feeds, key=lambda box: box.child):
        group = list(group)
        framed = child is not None and len(group) > 1 and len(layers_of(children[child])) > 1
        if framed and y:
            x, y = x + WIDTH + COLUMN_GAP, 0.0
        for box in group:
            box.x, box.y, y = x, y, y - HEIGHT - GAP
        if framed:
            frames.append(group)
            y -= GAP / 2
    return frames


def _spread(feeds, left):
    """Place boxes deeper than what feeds them and below its middle, or in a new lane where another box is already."""
    lanes, depth = {}, {}
    for box, parents in feeds.items():
        above = [parent for parent in parents if parent]
        depth[box] = max((depth[parent] + 1 for parent in above), default=0)
        lane = sum(lanes[parent] for parent in above) / max(len(above), 1)
        if any(depth[other] == depth[box] and abs(lanes[other] - lane) < 1 for other in lanes):
            lane = int(max(lanes.values())) + 1
        lanes[box] = lane
        box.x, box.y = left + lane * (WIDTH + COLUMN_GAP), -depth[box] * (HEIGHT + GAP + 0.1)


def _arrow(ax, *points):
    """Draw a line through the points, with a head at the last."""
    style = {"color": "#555555", "linewidth": 0.8}
    ax.plot(*zip(*points, strict=True), **style)
    ax.annotate("", points[-1], points[-2], arrowprops={"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, **style})


def _connect(ax, box, feeds, entry):
    """Draw the arrows into a box: from those that feed it, or from the input of the network at (x, y) = `entry`."""
    head, side = (box.x, box.y + HEIGHT / 2), max(other.x for other in feeds) + WIDTH / 2 + 0.08
    bend = head[1] + 0.12
    for parent in feeds[box] or [None]:
        tail = (parent.x, parent.y - HEIGHT / 2) if parent else entry
        down, turn = (tail[0], tail[1] - 0.16) if parent else (head[0], entry[1])
        if parent and parent.y <= box.y:  # on to the next column
            middle, below = (parent.x + box.x) / 2, tail[1] - 0.15
            turns = ((tail[0], below), (middle, below), (middle, head[1] + 0.18), (head[0], head[1] + 0.18))
        elif any(abs(other.x - down) < WIDTH / 2 and box.y < other.y < tail[1] for other in feeds):  # round the others
            turns = ((tail[0], turn), (side, turn), (side, bend), (head[0], bend))
        elif parent:
            turns = ((tail[0], bend), (head[0], bend))
        else:
            turns = ((head[0], turn),)
        _arrow(ax, tail, *turns, head)


def _frame(ax, boxes):
    top, bottom = boxes[0].y + HEIGHT / 2 + 0.08, boxes[-1].y - HEIGHT / 2 - 0.08
    style = {"boxstyle": "round,pad=0,rounding_size=0.1", "facecolor": "#f4f4f4", "edgecolor": "#bbbbbb", "zorder": 0}
    ax.add_patch(FancyBboxPatch((boxes[0].x - WIDTH / 2 - 0.08, bottom), WIDTH + 0.16, top - bottom, **style))


def plot_network(nets, input_shape):
    """Draw networks, layer by layer, from top to bottom.

    A `Sequential` inside a network gets a frame and a column of its own. The `forward` of the network itself is taken
    apart, with its paths side by side; a block inside that has a `forward` of its own is one box.

    Args:
        nets (mxnet.gluon.Block | dict[str, mxnet.gluon.Block]): a network, or several, each with a title. They are not
            run and need not be initialised; none may contain a hand-written `Block`.
        input_shape (tuple[int, ...]): shape of a batch.

    Returns:
        Figure: each box names a layer, its stride behind a slash where it is not 1, the activation that follows, and
        the shape of the output.

    Raises:
        ValueError: there is no network, it has a hand-written `Block`, has no layer, uses one twice, or cannot take
        such an input.
    """
    nets = nets if isinstance(nets, dict) else {"": nets}
    check_named("nets", nets, say("title → network"))
    input_shape = check_shape("input_shape", input_shape)
    figure = Figure(dpi=100)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    left, low, top = 0.0, 0.0, HEIGHT / 2 + 0.28
    text = {"ha": "center", "va": "bottom"}
    for title, net in nets.items():
        check_network("net", net)
        feeds = _boxes(trace(net, input_shape))
        if all(len(parents) == 1 for parents in list(feeds.values())[1:]):
            for boxes in _stack(feeds, net, left):
                _frame(ax, boxes)
        else:
            _spread(feeds, left)
        right = max(box.x for box in feeds)
        first = [box.x for box, parents in feeds.items() if not parents]
        entry = ((min(first) + max(first)) / 2, top - 0.01)
        for box in feeds:
            _connect(ax, box, feeds, entry)
            box.draw(ax)
        ax.text(entry[0], top + 0.012, f"input {' × '.join(map(str, input_shape[1:]))}", fontsize=TEXT, **text)
        ax.text((left + right) / 2, top + 0.2, title, fontsize="medium", **text)
        low, left = min(low, *(box.y for box in feeds)), right + WIDTH + 0.5
    right += WIDTH / 2 + 0.12
    low, top = low - HEIGHT / 2 - 0.25, top + (0.45 if any(nets) else 0.15)
    ax.set(xlim=(-WIDTH / 2 - 0.12, right), ylim=(low, top))
    figure.set_size_inches(right + WIDTH / 2 + 0.12, top - low)
    return figure


SHARED = {  # the title, and whether the numbers of image n and channel c share the mean in question
    "dense layer": ("batch norm, dense layer: one mean per feature", lambda n, c: c == 1),
    "convolution": ("batch norm, convolution: one mean per channel", lambda n, c: c == 1),
    "layer norm": ("layer norm: one mean per image", lambda n, c: n == 0),
    "group norm": ("group norm: one mean per image and group", lambda n, c: n == 0 and c < 2),
}


def plot_shared_statistics(*kinds):
    """Draw which numbers share one mean and one variance when they are normalised.

    Args:
        *kinds (str): "dense layer" and "convolution", which are batch norm's, and the default; "layer norm" and
            "group norm", after a convolution.

    Returns:
        Figure: for each kind, the (batch, feature) matrix or the (batch, channel, height, width) stack of feature maps,
        with the numbers that share a mean marked.

    Raises:
        ValueError: a kind is another.
    """
    kinds = kinds or ("dense layer", "convolution")
    for kind in kinds:
        if kind not in SHARED:
            refuse(say("a kind"), kind, "one of: {kinds}", kinds=", ".join(SHARED))
    figure = Figure(figsize=(3.8 * len(kinds), 2.9), layout="constrained")
    for ax, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        title, shares = SHARED[kind]
        # a feature is one number, a channel 3 × 3
        columns, side, step, size = (5, 1, 1, 0.9) if kind == "dense layer" else (4, 3, 1.25, 1 / 3)
        for n, c, h, w in np.ndindex(4, columns, side, side):
            face = ORANGE if shares(n, c) else "#eef3f7"
            corner = (c * step + w / side, (3 - n) * step + h / side)
            ax.add_patch(Rectangle(corner, size, size, facecolor=face, edgecolor="#555555", linewidth=0.6))
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel("features" if kind == "dense layer" else "channels, each height × width pixels")
        ax.set_ylabel("images of the batch")
        ax.set(xticks=[], yticks=[], aspect="equal")
        ax.spines[:].set_visible(False)
        ax.autoscale_view()
    return figure


def plot_pixel_network():
    """Draw what NiN puts in the place of a convolution: a small network that slides over the picture.

    Returns:
        Figure: from left to right, a picture with the window at one pixel, and dashed at two others; the channels of
            this pixel, as circles, after a 3 × 3 convolution and after two of 1 × 1; the maps of the last channels.
    """
    figure = Figure(figsize=(7.8, 2.6), layout="constrained")
    ax = figure.subplots()
    side, heights = 8, (1, 3, 5, 7)
    for left, bottom in [(0, 0), *((22.5 + 0.5 * i, 1.5 - 0.5 * i) for i in range(4))]:
        ax.add_patch(Rectangle((left, bottom), side, side, facecolor="#eef3f7", edgecolor="#555555", linewidth=0.6))
    for x, y, style in ((2, 3, "-"), (0, 5, ":"), (5, 0, ":")):
        ax.add_patch(Rectangle((x, y), 3, 3, fill=False, edgecolor=ORANGE, linewidth=2, linestyle=style))
    ax.add_patch(Rectangle((27, 4), 1, 1, facecolor=ORANGE))
    columns = {11: "3 × 3\nconv", 15: "1 × 1\nconv", 19: "1 × 1\nconv"}
    places = [[(5, 3), (5, 6)], *([(x, y) for y in heights] for x in columns), [(27, 4.5)]]
    for before, after in itertools.pairwise(places):
        for start, end in itertools.product(before, after):
            ax.plot(*zip(start, end, strict=True), color="#999999", linewidth=0.6, zorder=1)
    for x, name in columns.items():
        ax.plot([x] * 4, heights, "o", markersize=11, color=ORANGE, markeredgecolor="#555555", zorder=2)
        ax.text(x, -0.4, name, ha="center", va="top")
    ax.text(4, -0.4, "input", ha="center", va="top")
    ax.text(27.5, -0.4, "output, a map\nfor each channel", ha="center", va="top")
    ax.set(xlim=(-0.2, 32.2), ylim=(-2.4, 9.7), aspect="equal")
    ax.set_axis_off()
    return figure
