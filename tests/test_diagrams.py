"""Networks as graphs, and the diagrams made of them."""

import collections

import d2lhelpers as d2l
import pytest
from d2lhelpers.chapters import batch_norm as LENET
from d2lhelpers.chapters import googlenet as GOOGLENET
from d2lhelpers.chapters import nin as NIN
from d2lhelpers.chapters import vgg as VGG
from d2lhelpers.drawing.diagrams import TEXT
from d2lhelpers.drawing.style import ORANGE
from d2lhelpers.exercises.comparing import operators
from d2lhelpers.networks.graph import trace
from matplotlib.colors import to_rgba
from mxnet.gluon import nn
from test_summary import Halves, Joined


def boxes(net, input_shape):
    """Return the two lines of every box of a diagram, in the order in which they are drawn."""
    texts = d2l.plot_network(net, input_shape).axes[0].texts
    lines = [text.get_text() for text in in_boxes(texts)]
    return list(zip(lines[::2], lines[1::2], strict=True))


def in_boxes(texts):
    """Return those of a diagram's texts that are in its boxes, two in each."""
    return [text for text in texts if text.get_fontsize() == TEXT and text.get_text()[:6] not in ("", "input ")]


def test_a_chain():
    assert boxes(LENET.lenet(LENET.gluon_norm), (1, 1, 28, 28))[:4] == [
        ("5×5 conv", "6 × 24 × 24"),
        ("batch norm + sigmoid", "6 × 24 × 24"),
        ("2×2 max-pool / 2", "6 × 12 × 12"),
        ("5×5 conv", "16 × 8 × 8"),
    ]


def test_every_layer_has_its_box_and_shape():
    drawn = boxes(VGG.vgg(VGG.VGG_11), (1, 1, 224, 224))
    assert len(drawn) == 8 + 5 + 3 + 2
    assert drawn[0] == ("3×3 conv + relu", "64 × 224 × 224")
    assert drawn[-2:] == [("dropout 0.5", "4096"), ("dense", "10")]
    assert boxes(NIN.nin(), (1, 1, 224, 224))[-2:] == [("global mean-pool", "10 × 1 × 1"), ("flatten", "10")]


def test_a_block_with_a_forward_of_its_own_is_one_box():
    drawn = boxes(GOOGLENET.googlenet(), (1, 1, 96, 96))
    assert [shape for label, shape in drawn if label == "Inception"] == [
        *("256 × 12 × 12", "480 × 12 × 12", "512 × 6 × 6", "512 × 6 × 6", "512 × 6 × 6"),
        *("528 × 6 × 6", "832 × 6 × 6", "832 × 3 × 3", "1024 × 3 × 3"),
    ]


def test_the_forward_of_the_network_itself_is_taken_apart():
    nodes = trace(GOOGLENET.Inception(64, (96, 128), (16, 32), 32, nn.BatchNorm), (1, 192, 12, 12))
    *_, last = nodes
    assert (last.operator, last.block, last.shape) == ("Concat", None, (256, 12, 12))
    assert [parent.shape[0] for parent in last.parents] == [64, 128, 32, 32]
    assert sum(not node.parents for node in nodes) == 4  # four paths start at the input
    assert boxes(GOOGLENET.Inception(64, (96, 128), (16, 32), 32), (1, 192, 12, 12)) == [
        *(("1×1 conv + relu", f"{channels} × 12 × 12") for channels in (64, 96)),
        ("3×3 conv + relu", "128 × 12 × 12"),
        ("1×1 conv + relu", "16 × 12 × 12"),
        ("5×5 conv + relu", "32 × 12 × 12"),
        ("3×3 max-pool", "192 × 12 × 12"),
        ("1×1 conv + relu", "32 × 12 × 12"),
        ("concatenate channels", "256 × 12 × 12"),
    ]


class Residual(nn.HybridBlock):
    """Adds its input to a convolution of it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(1, 3, padding=1)

    def hybrid_forward(self, F, X):
        return F.relu(self.conv(X) + X)


def test_operators_of_the_forward_are_nodes():
    nodes = trace(Residual(), (1, 1, 8, 8))
    assert [node.operator for node in nodes] == ["Convolution", "elemwise_add", "relu"]
    assert [len(node.parents) for node in nodes] == [0, 2, 1]
    assert nodes[1].parents == [nodes[0], None]  # the convolution, and the network's input


def test_what_skips_boxes_goes_round_them():
    ax = d2l.plot_network(Residual(), (1, 1, 8, 8)).axes[0]
    right = [max(line.get_xdata()) > 1.36 / 2 for line in ax.lines]
    assert right == [False, False, True, False]


class Chained(nn.HybridBlock):
    """A layer, and operators after it."""

    def __init__(self, *layers):
        super().__init__()
        self.path = nn.HybridSequential()
        self.path.add(*layers)

    def hybrid_forward(self, F, X):
        return F.exp(F.negative(self.path(X)))


def test_a_chain_that_ends_in_operators():
    assert boxes(Chained(nn.Dense(5)), (1, 3)) == [("dense", "5"), ("negative", "5"), ("exp", "5")]


class Same(nn.HybridBlock):
    """Changes nothing."""

    def hybrid_forward(self, F, X):
        return X


def test_a_block_that_changes_nothing_is_not_drawn():
    assert boxes(Chained(Same(), nn.Dense(5), Same()), (1, 3)) == [("dense", "5"), ("negative", "5"), ("exp", "5")]


@pytest.mark.parametrize("layers", [(), [nn.Dense(4, in_units=4)] * 2, [nn.Activation("relu"), Same()] * 2])
def test_no_layers_or_one_used_twice(layers):
    net = nn.HybridSequential()
    net.add(*layers)
    with pytest.raises(ValueError, match="has no layer, or uses one twice; to draw it, give each place a layer"):
        d2l.plot_network(net, (1, 4))


def test_a_block_with_several_outputs():
    """Drawn by itself, as one box, and looked into by the checks."""
    nodes = trace(Joined(Halves()), (1, 2, 8, 8))
    assert [(node.operator, node.shape) for node in nodes] == [
        ("Convolution", (6, 8, 8)),
        ("SliceChannel", (3, 8, 8)),
        ("Convolution", (3, 8, 8)),
        ("Concat", (6, 8, 8)),
    ]
    assert nodes[3].parents == [nodes[1], nodes[2]]
    assert trace(Halves(), (1, 2, 8, 8))[0].shape == (1, 8, 8)
    assert boxes(Joined(Halves()), (1, 2, 8, 8))[1] == ("Halves", "3 × 8 × 8")
    names = [name for name, _ in operators(Joined(Halves()), (1, 2, 8, 8))]
    assert names == ["conv 1×1", "slicechannel", "conv 3×3", "concat"]


class Forks(nn.HybridBlock):
    """A stem, and twice two paths side by side."""

    def __init__(self):
        super().__init__()
        for _ in range(5):
            self.register_child(nn.Conv2D(4, 1))

    def hybrid_forward(self, F, X):
        stem, *paths = self._children.values()
        X = stem(X)
        for left, right in (paths[:2], paths[2:]):
            X = F.concat(left(X), right(X), dim=1)
        return X


def test_several_networks_with_titles():
    figure = d2l.plot_network({"one": LENET.lenet(), "two": LENET.lenet()}, (1, 1, 28, 28))
    assert {"one", "two"} <= {text.get_text() for text in figure.axes[0].texts}


def test_boxes_do_not_overlap():
    for net, shape in (
        (VGG.vgg(VGG.VGG_11), (1, 1, 224, 224)),
        (GOOGLENET.Inception(64, (96, 128), (16, 32), 32), (1, 192, 12, 12)),
        (Forks(), (1, 1, 8, 8)),
    ):
        texts = d2l.plot_network(net, shape).axes[0].texts
        places = [text.get_position() for text in in_boxes(texts)[::2]]
        for i, (x, y) in enumerate(places):
            assert all(abs(x - u) > 1.36 or abs(y - v) > 0.4 for u, v in places[:i])


def test_labels_fit_into_their_boxes():
    figure = d2l.plot_network({"AlexNet": VGG.alexnet(), "NiN": NIN.nin(nn.BatchNorm)}, (1, 1, 224, 224))
    figure.canvas.draw()
    for text in in_boxes(figure.axes[0].texts):
        assert text.get_window_extent().width / figure.dpi < 1.36, text.get_text()


def test_the_input_is_clear_of_its_arrows():
    for net, shape in ((GOOGLENET.googlenet(), (1, 1, 96, 96)), (Residual(), (1, 1, 8, 8))):
        figure = d2l.plot_network(net, shape)
        figure.canvas.draw()
        (ax,) = figure.axes
        label = next(text for text in ax.texts if text.get_text().startswith("input ")).get_window_extent()
        arrow = max(max(line.get_path().transformed(ax.transData).vertices[:, 1]) for line in ax.lines)
        assert arrow + 0.02 * figure.dpi < label.y0 < label.y1 < figure.bbox.height


def test_from_a_single_box_on_to_the_next_column():
    net, block = nn.HybridSequential(), nn.HybridSequential()
    block.add(nn.Conv2D(2, 1), nn.Conv2D(2, 1))
    net.add(nn.Conv2D(2, 1), block)
    tail, turn, *_ = d2l.plot_network(net, (1, 1, 8, 8)).axes[0].lines[1].get_ydata()
    assert turn < tail


def test_hand_written_block():
    net = LENET.lenet(LENET.BatchNorm)
    with pytest.raises(ValueError, match="hand-written Block .* hides its graph"):
        d2l.plot_network(net, (1, 1, 28, 28))


def test_input_that_does_not_fit():
    with pytest.raises(ValueError, match="input_shape is .* which this network cannot take"):
        d2l.plot_network(VGG.vgg(VGG.VGG_11), (1, 1, 16, 16))


def test_the_network_at_a_pixel_joins_every_circle_with_every_other():
    (ax,) = d2l.plot_pixel_network().axes
    circles = [line for line in ax.lines if line.get_marker() == "o"]
    assert [len(column.get_xdata()) for column in circles] == [4, 4, 4]
    assert len(ax.lines) - len(circles) == 2 * 4 + 4 * 4 + 4 * 4 + 4
    sizes = collections.Counter(patch.get_width() for patch in ax.patches)
    assert sizes == {8: 1 + 4, 3: 3, 1: 1}  # the picture and the maps of four channels, the windows, the pixel
    convolutions = [text.get_text() for text in ax.texts if "conv" in text.get_text()]
    assert convolutions == ["3 × 3\nconv", "1 × 1\nconv", "1 × 1\nconv"]


@pytest.mark.parametrize(
    ("kind", "label", "marked"),  # (image, feature or channel)
    [
        ("dense layer", "features", [(n, 1) for n in range(4)]),
        ("convolution", "channels", [(n, 1) for n in range(4)]),
        ("layer norm", "channels", [(0, c) for c in range(4)]),
        ("group norm", "channels", [(0, 0), (0, 1)]),
    ],
)
def test_the_numbers_that_share_a_mean_are_marked(kind, label, marked):
    step, numbers = (1, 1) if kind == "dense layer" else (1.25, 9)
    (ax,) = d2l.plot_shared_statistics(kind).axes
    assert ax.get_title().removeprefix("batch norm, ").startswith(kind) and ax.get_xlabel().startswith(label)
    places = collections.Counter()
    for patch in ax.patches:
        if patch.get_facecolor() == to_rgba(ORANGE):
            places[3 - int(patch.get_y() / step + 1e-6), int(patch.get_x() / step + 1e-6)] += 1
    assert places == dict.fromkeys(marked, numbers)
