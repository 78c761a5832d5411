"""The layer table: exact counts, and nothing allocated for them."""

import json
import math
import subprocess
import sys

import d2lhelpers as d2l
import pytest
from d2lhelpers.chapters import vgg as VGG
from d2lhelpers.chapters.batch_norm import lenet
from d2lhelpers.chapters.googlenet import googlenet
from d2lhelpers.chapters.nin import nin
from mxnet import init, nd, sym
from mxnet.gluon import contrib, nn, rnn


@pytest.mark.parametrize(
    ("make", "side", "params", "macs"),
    [
        (lenet, 28, 44_426, 281_640),
        (VGG.alexnet, 224, 46_764_746, 938_146_176),
        (lambda: VGG.vgg(VGG.VGG_11), 224, 128_806_154, 7_547_232_256),
        (lambda: VGG.vgg(VGG.slim(VGG.VGG_11)), 224, 29_815_850, 148_881_408),
        (nin, 224, 1_992_166, 762_297_352),
        (googlenet, 96, 5_977_530, 276_066_304),
        (googlenet, 224, 5_977_530, 1_502_982_144),
    ],
)
def test_exact_counts(make, side, params, macs):
    table = d2l.summary(make(), (1, 1, side, side))
    assert (table.total_params, table.total_macs) == (params, macs)


def test_googlenet_has_a_relu_after_each_convolution():
    nodes = json.loads(googlenet()(sym.var("data")).tojson())["nodes"]
    fed = [nodes[node["inputs"][0][0]]["op"] for node in nodes if node.get("attrs", {}).get("act_type") == "relu"]
    assert fed == ["Convolution"] * 57  # the 1×1 convolution of stage 2 is one of them
    assert sum(node["op"] == "Convolution" for node in nodes) == 57


def shapes(net, side):
    return [row.output_shape for row in d2l.summary(net, (1, 1, side, side)).layers]


def test_shapes_row_by_row():
    assert shapes(VGG.vgg(VGG.VGG_11), 224) == [
        *((64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)),
        *((4096,), (4096,), (4096,), (4096,), (10,)),
    ]
    assert shapes(nin(), 224) == [
        *((96, 54, 54), (96, 26, 26), (256, 26, 26), (256, 12, 12), (384, 12, 12), (384, 5, 5), (384, 5, 5)),
        *((10, 5, 5), (10, 1, 1), (10,)),
    ]
    assert shapes(googlenet(), 96) == [(64, 24, 24), (192, 12, 12), (480, 6, 6), (832, 3, 3), (1024, 1, 1), (10,)]


def test_batch_size_changes_nothing():
    assert d2l.summary(lenet(), (64, 1, 28, 28)) == d2l.summary(lenet(), (1, 1, 28, 28))


def test_no_weight_is_allocated():
    code = """
import resource, d2lhelpers as d2l
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
from d2lhelpers.chapters.vgg import VGG_11, vgg
d2l.summary(vgg(VGG_11), (1, 1, 224, 224))
print(peak() - before)
"""
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(grown.stdout) < 50  # MB; the weights alone would take 515


def test_frozen_and_moving_parameters_are_counted_apart():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(6, 5), nn.BatchNorm(), nn.Dense(10))
    table = d2l.summary(net, (1, 1, 12, 12))
    assert (table.trainable_params, table.frozen_params) == (156 + 12 + 3850, 12)
    net[1].gamma.grad_req = "null"
    assert d2l.summary(net, (1, 1, 12, 12)).frozen_params == 18


class Doubled(nn.Block):
    """A hand-written block: looks at numbers, so it cannot be traced."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(3, flatten=False)

    def forward(self, X):
        assert X.shape
        return self.dense(X) * 2


def test_hand_written_block_is_run_once():
    net = nn.Sequential()
    net.add(nn.Dense(4, flatten=False), Doubled())
    with pytest.raises(RuntimeError, match="initialize"):
        d2l.summary(net, (1, 5, 2))
    net.initialize()
    table = d2l.summary(net, (1, 5, 2))
    assert [(row.output_shape, row.params, row.macs) for row in table.layers] == [((5, 4), 12, 40), ((5, 3), 15, 60)]


class Halves(nn.HybridBlock):
    """Gives two outputs."""

    def hybrid_forward(self, F, X):
        return F.split(X, num_outputs=2, axis=1)


class Joined(nn.HybridBlock):
    """Takes what `Halves` gives apart, and joins it again."""

    def __init__(self, halves):
        super().__init__()
        self.conv, self.halves, self.path = nn.Conv2D(6, 1), halves, nn.Conv2D(3, 3, padding=1)

    def hybrid_forward(self, F, X):
        left, right = self.halves(self.conv(X))
        return F.concat(left, self.path(right), dim=1)


def test_a_block_with_several_outputs():
    table = d2l.summary(Joined(Halves()), (1, 2, 8, 8))
    assert [row.output_shape for row in table.layers] == [(6, 8, 8), ((3, 8, 8), (3, 8, 8)), (3, 8, 8)]
    assert [row.macs for row in table.layers] == [2 * 6 * 64, 0, 3 * 3 * 9 * 64]
    assert "3 × 8 × 8, 3 × 8 × 8" in str(table)
    assert len(d2l.summary(Halves(), (1, 2, 8, 8)).layers) == 1


class Named(nn.HybridBlock):
    """Gives what it makes by name."""

    def hybrid_forward(self, F, X):
        return {"X": X + 1, "more": [X * 2, None]}


def test_a_block_with_named_outputs():
    assert d2l.summary(sequential(nn.Dense(3), Named()), (1, 5)).layers[1].output_shape == ((3,), (3,))


def convolution(F, X):
    """One that is no layer of its own."""
    return F.Convolution(X, F.ones((4, 2, 3)), no_bias=True, kernel=(3,), num_filter=4)


def convolve(net, shape):
    """Return MACs of a summary, and how often the convolution multiplies two numbers that are there."""
    table = d2l.summary(net, shape)
    net.initialize(init.One())
    return table.total_macs, float(net(nd.ones(shape)).sum().asscalar())


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.Conv2D(4, 3, layout="NCHW"), (1, 2, 8, 9)),
        (lambda: nn.Conv2D(4, 3, strides=2, groups=2), (1, 2, 8, 9)),
        (lambda: nn.Conv1D(4, 3), (1, 2, 8)),
        (lambda: nn.Conv3D(4, (1, 2, 3)), (1, 2, 4, 5, 6)),
        (lambda: nn.Conv2DTranspose(4, 3), (1, 2, 8, 9)),
        (lambda: nn.Conv2DTranspose(4, 3, strides=2), (1, 2, 8, 9)),
        (lambda: nn.Conv2DTranspose(4, 3, strides=2, groups=2, in_channels=2), (1, 2, 8, 9)),
        (lambda: nn.Conv1DTranspose(4, 3, strides=3), (1, 2, 8)),
        (lambda: nn.Conv3DTranspose(4, (1, 2, 3)), (1, 2, 4, 5, 6)),
        (lambda: nn.Dense(4, flatten=False), (1, 5, 6, 2)),
        (lambda: nn.HybridLambda(convolution), (1, 2, 8)),
    ],
)
def test_macs_are_the_products_that_are_added(layer, shape):
    """Of ones, a convolution without bias and padding adds up to how many there are."""
    net = nn.HybridSequential()
    net.add(layer())
    macs, products = convolve(net, shape)
    assert macs == products


def test_macs_where_channels_come_last():
    first, last = nn.HybridSequential(), nn.HybridSequential()
    first.add(nn.Conv2D(4, 3))
    last.add(nn.Conv2D(4, 3, layout="NHWC"))
    assert d2l.summary(first, (1, 2, 8, 9)).total_macs == d2l.summary(last, (1, 8, 9, 2)).total_macs


class Attention(nn.HybridBlock):
    """Multiplies by itself: with a weight of its own, and what its layers give."""

    def __init__(self, dots=True):
        super().__init__()
        self.query, self.key, self.dots = nn.Dense(4, flatten=False), nn.Dense(4, flatten=False), dots

    def hybrid_forward(self, F, X):
        scores = F.batch_dot(self.query(X), self.key(X), transpose_b=True) if self.dots else self.query(X) + self.key(X)
        weight = F.ones((2, 5 if self.dots else 4))
        return F.FullyConnected(scores, weight, no_bias=True, num_hidden=2, flatten=False)


class Weighted(nn.Block):
    """A hand-written dense layer."""

    def __init__(self):
        super().__init__()
        self.weight = self.params.get("weight", shape=(2, 6))

    def forward(self, X):
        return nd.dot(X, self.weight.data())


def sequential(*layers):
    net = nn.Sequential()
    net.add(*layers)
    net.initialize()
    return net


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: contrib.cnn.DeformableConvolution(4, kernel_size=(3, 3)), (1, 2, 8, 9)),
        (lambda: rnn.LSTM(4, input_size=2), (7, 1, 2)),
        (lambda: nn.HybridLambda(lambda F, X: F.dot(X, X, transpose_b=True)), (3, 4)),
        (lambda: nn.HybridLambda(lambda F, X: F.batch_dot(X, X, transpose_b=True)), (1, 3, 4)),
        (lambda: nn.HybridLambda(lambda F, X: F.linalg.gemm2(X, X, transpose_b=True)), (1, 3, 4)),
    ],
)
@pytest.mark.parametrize("beside", [(), (Doubled,)], ids=["traced", "beside a hand-written block"])
def test_macs_that_are_not_counted_are_named_and_not_left_out(layer, shape, beside):
    table = d2l.summary(sequential(layer(), nn.Dense(3), *(make() for make in beside)), shape)
    assert math.isnan(table.layers[0].macs) and math.isnan(table.total_macs)
    assert table.layers[1].macs > 0
    first, *_, last = [line for line in str(table).splitlines() if "not counted" in line]
    assert first.split()[0] == type(layer()).__name__
    assert last.startswith("total")


def test_macs_of_what_a_network_does_by_itself():
    assert [(row.name, row.macs) for row in d2l.summary(Attention(dots=False), (2, 5, 3)).layers] == [
        *(("Dense", 5 * 3 * 4), ("Dense", 5 * 3 * 4)),
        ("Attention", 5 * 4 * 2),
    ]
    assert str([row.macs for row in d2l.summary(Attention(), (1, 5, 3)).layers]) == "[60, 60, nan]"
    assert math.isnan(d2l.summary(sequential(Weighted(), nn.Dense(2)), (1, 2)).layers[0].macs)


def test_what_has_no_macs():
    net = sequential(nn.Embedding(6, 3), nn.BatchNorm(), nn.Activation("relu"), nn.LayerNorm(), Doubled())
    assert [row.macs for row in d2l.summary(net, (1, 4)).layers] == [0, 0, 0, 0, 4 * 3 * 3]


def test_a_network_of_another_type_and_a_shape_that_is_a_list():
    net = sequential(nn.Dense(4, flatten=False), Doubled())
    net.cast("float64")
    assert d2l.summary(net, [1, 5, 2]).total_macs == 100


class Rows(nn.HybridBlock):
    """Needs to know a shape, which a symbol does not have."""

    def hybrid_forward(self, F, X):
        return X.reshape((X.shape[0], -1))


def test_a_hybrid_block_that_needs_numbers_is_run_once():
    net = nn.HybridSequential()
    net.add(Rows(), nn.Dense(3))
    net.initialize()
    assert [row.output_shape for row in d2l.summary(net, (2, 1, 2, 2)).layers] == [(4,), (3,)]


@pytest.mark.parametrize("ran", [False, True])
def test_layers_inside_others_beside_a_hand_written_block(ran):
    inner, net = nn.HybridSequential(), nn.Sequential()
    inner.add(nn.Conv2D(4, 3, activation="relu"), nn.Dense(3))
    net.add(Doubled(), inner)
    net.initialize()
    if ran:
        net.hybridize()
        net(nd.zeros((1, 1, 8, 8)))
    assert [row.params for row in d2l.summary(net, (1, 1, 8, 8)).layers] == [27, 40 + 75]
    assert inner._active == ran


def test_parameters_of_a_network_with_children_and_its_own():
    table = d2l.summary(nn.Dense(10, activation="relu"), (1, 5))
    assert [(row.name, row.output_shape, row.params, row.macs) for row in table.layers] == [("Dense", (10,), 60, 50)]


class Spare(nn.HybridBlock):
    """Uses one layer twice and another one never."""

    def __init__(self):
        super().__init__()
        dense = nn.Dense(4, in_units=4)
        for layer in (dense, nn.Activation("relu"), dense, nn.Dense(9)):
            self.register_child(layer)

    def hybrid_forward(self, F, X):
        for layer in list(self._children.values())[:3]:
            X = layer(X)
        return X


def test_each_layer_has_one_row_however_often_it_is_used():
    table = d2l.summary(Spare(), (1, 4))
    assert [(row.output_shape, row.params) for row in table.layers] == [((4,), 20), ((4,), 0), ((), 0)]
    assert str(table).count("Dense") == 2


def test_shared_layer_counts_its_parameters_once_and_its_work_twice():
    net = nn.HybridSequential()
    dense = nn.Dense(4, in_units=4)
    net.add(dense, dense)
    table = d2l.summary(net, (1, 4))
    assert (table.total_params, table.total_macs) == (20, 32)


def test_input_that_does_not_fit(capsys):
    with pytest.raises(ValueError, match=r"input_shape is \(1, 1, 16, 16\), which this network cannot take"):
        d2l.summary(VGG.vgg(VGG.VGG_11), (1, 1, 16, 16))
    assert not capsys.readouterr().out


def test_input_that_does_not_fit_a_hand_written_block(capsys):
    net = nn.Sequential()
    net.add(Doubled(), nn.Conv2D(4, 3))
    net.initialize()
    with pytest.raises(ValueError, match=r"input_shape is \(1, 1, 2, 8\), which this network .*: .*kernel size"):
        d2l.summary(net, (1, 1, 2, 8))
    net(nd.zeros((1, 1, 8, 8)))
    with pytest.raises(ValueError, match=r"input_shape is \(1, 1, 8, 9\), which this network cannot take"):
        d2l.summary(net, (1, 1, 8, 9))
    assert not capsys.readouterr().out


def test_the_table_as_text_and_html():
    table = d2l.summary(lenet(), (1, 1, 28, 28))
    lines = str(table).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split() == ["total", "44,426", "0", "281,640"]
    assert table._repr_html_().count("<tr>") == len(table.layers) + 2


def test_rows_are_named_by_what_is_in_them():
    names = [row.name for row in d2l.summary(nin(nn.BatchNorm), (1, 1, 224, 224)).layers]
    assert names[0] == "Conv2D 11×11, 2 × Conv2D 1×1"
    assert names[1] == "MaxPool2D 3×3"
    names = [row.name for row in d2l.summary(googlenet(), (1, 1, 96, 96)).layers]
    assert names[3:] == ["5 × Inception, MaxPool2D 3×3", "2 × Inception, GlobalAvgPool2D", "Dense"]


def test_network_and_hooks_stay_as_they_were():
    net = lenet()
    net.initialize()
    d2l.summary(net, (1, 1, 28, 28))
    assert net(nd.zeros((2, 1, 28, 28))).shape == (2, 10)
    assert not any(block._forward_hooks for block in net)
