"""A network computes in training what its Python code computes, compiled or not."""

import d2lhelpers as d2l
import numpy as np
import pytest
from d2lhelpers.chapters import batch_norm, googlenet, nin, vgg
from d2lhelpers.data import ImageBatches
from d2lhelpers.training import Callback
from d2lhelpers.training.compiled import Scorer
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn


def batches(n=70):
    """Easy images: the class is the row that is bright. The last batch is smaller."""
    labels = np.arange(n, dtype=np.int32) % 10
    images = np.zeros((n, 10, 10), dtype=np.uint8)
    images[np.arange(n), labels] = 255
    return ImageBatches(images, labels, 16, ctx=d2l.try_gpu())


class Same(nn.Block):
    """Changes nothing; hand-written, so that a network with it is never compiled."""

    def forward(self, X):
        return X


def network(block, compiled=True):
    d2l.set_seed(0)
    net, ctx = nn.Sequential(), d2l.try_gpu()
    net.add(nn.Conv2D(4, 3), nn.Activation("relu"), block, nn.Dense(10))
    if not compiled:
        net.add(Same())
    net.initialize(ctx=ctx)
    net(nd.zeros((3, 1, 10, 10), ctx=ctx))  # draws the weights now, so that the seed decides them
    return net


def train(net, num_epochs=2, lr=0.1, loss=None, callbacks=()):
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr})
    loss, options = loss or gluon.loss.SoftmaxCrossEntropyLoss(), {"callbacks": callbacks, "verbose": False}
    return d2l.train(batches(), batches(), net, loss, trainer, d2l.try_gpu(), num_epochs, **options)


def is_compiled(net, shape=(4, 1, 10, 10)):
    score, ctx = Scorer(net, gluon.loss.SoftmaxCrossEntropyLoss()), d2l.try_gpu()
    X, y = nd.random.uniform(shape=shape, ctx=ctx), nd.arange(shape[0], ctx=ctx).astype("int32")
    net(X)  # settles the shapes
    score(X, y)
    return score.compiles


class OnlyInPrediction(nn.HybridBlock):
    def hybrid_forward(self, F, X):
        return X * 0 if autograd.is_training() else X


class WithoutTheFirst(nn.HybridBlock):
    def hybrid_forward(self, F, X):
        return X - X[0]


class ByLength(nn.HybridBlock):
    def hybrid_forward(self, F, X):
        return X * len(X)


class ByKind(nn.HybridBlock):
    def hybrid_forward(self, F, X):
        return X * 2 if F is nd else X


class Counting(nn.HybridBlock):
    calls = 0

    def hybrid_forward(self, F, X):
        self.calls += 1
        return X


class CountingBelow(Counting):
    """Counts in the class above."""

    def hybrid_forward(self, F, X):
        return super().hybrid_forward(F, X)


class Scaled(nn.HybridBlock):
    def hybrid_forward(self, F, X):
        return X * 2


class CountingAbove(Scaled):
    """Counts where the class above only computes."""

    calls = 0

    def hybrid_forward(self, F, X):
        self.calls += 1
        return X


class Keeping(nn.HybridBlock):
    """Shows its owner what has passed."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def hybrid_forward(self, F, X):
        self.seen.append(X)
        return X


class SqueezeAndExcitation(nn.HybridBlock):
    def hybrid_forward(self, F, X):
        return X * F.sigmoid(F.mean(X, axis=(2, 3), keepdims=True))


class Excited(nn.HybridBlock):
    """Multiplies arrays whose shapes differ, which symbols refuse."""

    def hybrid_forward(self, F, X):
        weight = F.sigmoid(F.mean(X, axis=(2, 3)))
        return X * weight.reshape((-1, 4, 1, 1))


class Normed(nn.HybridBlock):
    def hybrid_forward(self, F, X):
        flat = F.flatten(X)
        return flat / (flat.norm(axis=1).reshape(-1, 1) + 1)


OWN = {
    "another computation in prediction": OnlyInPrediction,
    "the first image": WithoutTheFirst,
    "the number of images": ByLength,
    "the kind of arrays": ByKind,
    "a product that is broadcast": Excited,
    "squeeze and excitation": SqueezeAndExcitation,
    "a norm": Normed,
    "a function": lambda: nn.HybridLambda(lambda F, X: X * 0.5 if autograd.is_training() else X),
}


@pytest.mark.parametrize("kind", OWN)
def test_it_trains_as_if_it_were_not_compiled(kind):
    ours, theirs = network(OWN[kind]()), network(OWN[kind](), compiled=False)
    histories = [train(net) for net in (ours, theirs)]
    assert histories[0].loss == pytest.approx(histories[1].loss, rel=1e-4)
    assert histories[0].test_acc == histories[1].test_acc


@pytest.mark.parametrize("kind", [Counting, CountingBelow, CountingAbove])
def test_what_code_counts_is_counted_at_every_step(kind):
    counting = kind()
    assert not is_compiled(network(counting))
    train(network(counting), 1)
    assert counting.calls >= 2 * len(batches())


def test_what_code_keeps_is_kept_at_every_step():
    keeping = Keeping()
    train(network(keeping), 1)
    assert len([X for X in keeping.seen if isinstance(X, nd.NDArray)]) >= 2 * len(batches())


def test_history_and_evaluate_accuracy_agree():
    net = network(OnlyInPrediction())
    assert train(net).test_acc[-1] == d2l.evaluate_accuracy(batches(), net)


@pytest.mark.parametrize("kind", ["a product that is broadcast", "squeeze and excitation", "a norm"])
def test_the_table_of_a_network_that_symbols_refuse(kind):
    table = d2l.summary(network(OWN[kind]()), (1, 1, 10, 10))
    assert table.layers[-1].output_shape == (10,)


class Change(Callback):
    """Gives a dropout another rate after the first epoch."""

    def epoch_end(self, run):
        run.net[2]._rate = 0.999


def test_a_rate_that_changes_is_followed():
    net = network(nn.Dropout(0.0))
    losses = train(net, lr=0, callbacks=[Change()]).loss
    assert abs(losses[1] - losses[0]) > 0.01
    assert train(network(nn.Dropout(0.0)), lr=0).loss == pytest.approx([losses[0]] * 2)


def test_hooks_are_called():
    net, seen = network(nn.Activation("relu")), []
    net[0].register_forward_hook(lambda *_: seen.append(1))
    train(net, 1)
    assert len(seen) >= 2 * len(batches())


def test_a_loss_that_looks_at_numbers():
    class Smoothed(gluon.loss.Loss):
        def __init__(self):
            super().__init__(None, 0)

        def hybrid_forward(self, F, logits, labels):
            return -F.pick(F.log_softmax(logits), labels) / logits.shape[1]

    ours, theirs = network(nn.Activation("relu")), network(nn.Activation("relu"), compiled=False)
    histories = [train(net, loss=Smoothed()) for net in (ours, theirs)]
    assert histories[0].loss == pytest.approx(histories[1].loss, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "side"),
    [
        (lambda: batch_norm.lenet(batch_norm.gluon_norm), 28),
        (lambda: vgg.vgg(vgg.slim(vgg.VGG_11)), 32),
        (lambda: nin.nin(nn.BatchNorm, ratio=8), 96),
        (lambda: googlenet.googlenet(nn.BatchNorm, ratio=8), 48),
    ],
    ids=("lenet", "vgg", "nin", "googlenet"),
)
def test_the_networks_of_the_chapters_are_compiled(make, side):
    net = make()
    net.initialize(ctx=d2l.try_gpu())
    assert is_compiled(net, (4, 1, side, side))


def test_comparing_leaves_the_moving_averages_alone():
    net = network(SqueezeAndExcitation())
    net.add(nn.BatchNorm())
    net[-1].initialize(ctx=d2l.try_gpu())
    assert isinstance(is_compiled(net), bool)
    assert (net[-1].running_mean.data() == 0).asnumpy().all() and (net[-1].running_var.data() == 1).asnumpy().all()
