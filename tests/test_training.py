"""Training and evaluation: the same results as d2lzh, and what else is promised."""

import gc
import random
import re
import weakref
from unittest.mock import Mock

import d2lhelpers as d2l
import d2lzh
import matplotlib.figure
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.chapters.batch_norm import lenet
from d2lhelpers.chapters.vgg import vgg
from d2lhelpers.data import ImageBatches
from d2lhelpers.training import live, run
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn


def batches(n=70, batch_size=16, **options):
    """Easy images: the class is the row that is bright. The last batch is smaller."""
    labels = np.arange(n, dtype=np.int32) % 10
    images = np.zeros((n, 10, 10), dtype=np.uint8)
    images[np.arange(n), labels] = 255
    return ImageBatches(images, labels, batch_size, **options)


def network(norm=nn.BatchNorm, ctx=None):
    d2l.set_seed(0)
    net = nn.Sequential()
    net.add(nn.Conv2D(4, 3), norm(), nn.Activation("relu"), nn.Dense(10))
    ctx = ctx or d2l.try_gpu()
    net.initialize(ctx=ctx)
    net(nd.zeros((1, 1, 10, 10), ctx=ctx))  # draws the weights now, so that the seed decides them
    return net


def sgd(net, lr=0.1):
    return gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr})


def fit(net, num_epochs=2, lr=0.1, ctx=None, **options):
    ctx = ctx or d2l.try_gpu()
    data = batches(ctx=ctx)
    return d2l.train_ch5(net, data, data, 16, sgd(net, lr), ctx, num_epochs, **options)


def parameters(net):
    return [parameter.data().asnumpy() for parameter in net.collect_params().values()]


def assert_same_parameters(net, other):
    for ours, theirs in zip(parameters(net), parameters(other), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


class Scale(nn.Block):
    """A hand-written block, which cannot be traced."""

    def forward(self, X):
        assert X.shape
        return X * 1


@pytest.mark.parametrize("norm", [nn.BatchNorm, Scale])
def test_same_weights_as_d2lzh(norm, capsys):
    ours, theirs, ctx = network(norm), network(norm), d2l.try_gpu()
    history = fit(ours)
    d2lzh.train_ch5(theirs, batches(), batches(), 16, sgd(theirs), ctx, 2)
    assert_same_parameters(ours, theirs)
    lines = capsys.readouterr().out.splitlines()
    without_time = [line.partition(", time")[0] for line in lines]
    assert without_time[:3] == without_time[3:]
    assert [len(v) for v in (history.loss, history.train_acc, history.test_acc, history.seconds)] == [2] * 4


def test_train_divides_by_each_batch_as_d2lzh_does(capsys):
    ours, theirs, ctx = network(), network(), d2l.try_gpu()
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    d2l.train(batches(), batches(), ours, loss, sgd(ours), ctx, 1)
    d2lzh.train(batches(), batches(), theirs, loss, sgd(theirs), ctx, 1)
    assert_same_parameters(ours, theirs)


def test_a_loss_may_be_any_function():
    ours, theirs = network(), network()
    for net, loss in (
        (ours, lambda logits, y: -nd.pick(nd.log_softmax(logits), y)),
        (theirs, gluon.loss.SoftmaxCrossEntropyLoss()),
    ):
        d2l.train(batches(), batches(), net, loss, sgd(net), d2l.try_gpu(), 1, verbose=False)
    assert_same_parameters(ours, theirs)


def test_last_small_batch_counts_less_in_train_ch5():
    nominal, weighed = network(), network()
    fit(nominal, 1, verbose=False)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    d2l.train(batches(), batches(), weighed, loss, sgd(weighed), d2l.try_gpu(), 1, verbose=False)
    assert abs(parameters(nominal)[0] - parameters(weighed)[0]).max() > 1e-5


class Same(nn.Block):
    """Changes nothing; hand-written, so that a network with it is not compiled."""

    def forward(self, X):
        return X


def hand_written():
    net = network()
    net.add(Same())
    return net


def test_compiled_and_step_by_step_agree():
    compiled, eager = network(), hand_written()
    histories = [fit(net, verbose=False) for net in (compiled, eager)]
    assert_same_parameters(compiled, eager)
    np.testing.assert_allclose(histories[0].loss, histories[1].loss, rtol=1e-4)


def test_a_network_is_compiled_with_memory_planned_ahead(monkeypatch):
    asked = []
    hybridize = gluon.SymbolBlock.hybridize
    monkeypatch.setattr(gluon.SymbolBlock, "hybridize", lambda self, **how: asked.append(how) or hybridize(self, **how))
    fit(network(), 4, verbose=False)
    assert asked == [{"static_alloc": True, "static_shape": True}]
    fit(hand_written(), 4, verbose=False)
    assert len(asked) == 1


def test_a_hybrid_block_that_needs_numbers_trains_uncompiled():
    class Rows(nn.HybridBlock):
        def hybrid_forward(self, F, X):
            return X.reshape((X.shape[0], -1))

    net = network(Rows)
    fit(net, 1, verbose=False)
    assert (parameters(net)[-1] != parameters(network(Rows))[-1]).any()


def test_the_network_itself_is_not_compiled():
    net = network()
    fit(net, 1, verbose=False)
    seen = []
    net[0].register_forward_hook(lambda *_: seen.append(1))
    ctx = d2l.try_gpu()
    first, second = net(nd.zeros((1, 1, 10, 10), ctx=ctx)), net(nd.ones((1, 1, 10, 10), ctx=ctx))
    assert seen == [1, 1]
    assert (first.asnumpy() != second.asnumpy()).any()


def test_an_earlier_network_takes_no_memory():
    earlier = network()
    fit(earlier, 1, verbose=False)
    still_there = weakref.ref(earlier)
    gc.disable()  # Python may look for circles at any time, or not for long
    try:
        del earlier
        assert still_there()
        fit(network(), 1, verbose=False)
        assert not still_there()
    finally:
        gc.enable()


class Noisy(nn.Block):
    """Works on symbols too, yet must not be traced: a graph would keep the branch of the moment."""

    def forward(self, X):
        return X * 0 if autograd.is_training() else X


def test_hand_written_block_is_never_frozen_into_a_graph():
    net = network(Noisy)
    fit(net, 1, verbose=False)
    assert (parameters(net)[0] == parameters(network(Noisy))[0]).all()  # no gradient came through


def test_frozen_parameters_stay():
    net = network()
    net.collect_params(".*gamma|.*beta").setattr("grad_req", "null")
    start = parameters(net)
    fit(net, verbose=False)
    changed = [bool((a != b).any()) for a, b in zip(parameters(net), start, strict=False)]
    names = [name.split("_", 1)[1] for name in net.collect_params()]
    assert {name for name, moved in zip(names, changed, strict=True) if not moved} == {"gamma", "beta"}


def inside(forward, *layers):
    """A network of the usual layers, with others behind them that `forward` takes beside their input."""

    class Made(nn.HybridBlock):
        def hybrid_forward(self, F, X):
            return forward(list(self._children.values()), X)

    made, net = Made(), network()
    for layer in layers:
        made.register_child(layer)
    net.add(made)
    made.initialize(ctx=d2l.try_gpu(), force_reinit=True)
    return net


def split(layers, X):
    return {"both": layers[0](X), "rest": [X, X]}


def join(layers, X):
    outputs = layers[0](X)
    return outputs["both"] + outputs["rest"][1]


@pytest.mark.parametrize("traced", [True, False])
def test_several_outputs_inside_a_network(traced):
    net = inside(join, inside(split, nn.Dense(10))[-1])
    if not traced:
        net.add(Same())
    assert len(fit(net, verbose=False).loss) == 2


def test_a_layer_that_is_left_out_at_times():
    calls = []

    def forward(layers, X):
        calls.append(X.shape)  # which makes it one that needs numbers
        return X if autograd.is_training() and len(calls) % 2 else X + layers[0](X)

    net = inside(forward, nn.Dense(10))
    assert len(fit(net, verbose=False).loss) == 2


def test_a_layer_that_is_never_used_and_frozen():
    net = inside(lambda layers, X: X, nn.Dense(10, in_units=3))
    net[-1].collect_params().setattr("grad_req", "null")
    assert len(fit(net, verbose=False).loss) == 2


OTHERS = {
    "of MXNet's NumPy interface": lambda X, y: (X.as_np_ndarray(), y.as_np_ndarray()),
    "bool": lambda X, y: (X, y.astype(bool)),
    "uint8": lambda X, y: (X, y.astype("uint8")),
    "float64": lambda X, y: (X, y.astype("float64")),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_batches_of_other_types(kind):
    usual = [(X, y % 2) for X, y in batches()]
    losses, accuracies = [], []
    for data in (usual, [OTHERS[kind](X, y) for X, y in usual]):
        net = network()
        losses.append(d2l.train_ch5(net, data, data, 16, sgd(net), d2l.try_gpu(), 1, verbose=False).loss)
        accuracies.append(d2l.evaluate_accuracy(data, net))
    assert losses[0] == pytest.approx(losses[1])
    assert accuracies[0] == accuracies[1]


def dropout():
    net = network()
    net.add(nn.Dropout(0.5))
    return net


def test_what_was_iterated_over_before_changes_nothing():
    def loss(*warm_up):
        data = batches(ctx=d2l.try_gpu(), shuffle=True)
        for _ in warm_up:
            next(iter(data))
        return d2l.train_ch5(net := network(), data, data, 16, sgd(net), d2l.try_gpu(), 2, verbose=False).loss

    assert loss() == pytest.approx(loss(1, 2, 3), rel=1e-6)


def test_a_training_leaves_the_generators_of_numpy_and_python_alone(tmp_path):
    def state():
        kind, keys, *position = np.random.get_state()
        return kind, keys.tobytes(), position, random.getstate()

    net = dropout()
    before = state()
    fit(net, verbose=False, callbacks=[d2l.Checkpoint(tmp_path)])
    assert state() == before


@pytest.mark.parametrize("num_epochs", [1, 3])
def test_a_checkpoint_changes_nothing(tmp_path, num_epochs):
    plain, kept = dropout(), dropout()
    losses = []
    for net, callbacks in ((plain, []), (kept, [d2l.Checkpoint(tmp_path)])):
        d2l.set_seed(3)
        losses.append(fit(net, num_epochs, verbose=False, callbacks=callbacks).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert_same_parameters(plain, kept)


def test_two_trainings_draw_different_numbers():
    first, second = (fit(dropout(), verbose=False).loss for _ in range(2))  # seeded alike
    assert first == pytest.approx(second, rel=1e-6)
    net = dropout()
    first = fit(net, verbose=False).loss
    ours, theirs = nd.random.uniform(shape=3).asnumpy(), None
    d2l.set_seed(0)
    theirs = nd.random.uniform(shape=3).asnumpy()
    assert (ours != theirs).all(), "a training leaves MXNet's generator further on, and not where it began"


def test_history():
    history = fit(network(), 3, verbose=False)
    assert history.train_acc[-1] > 0.9
    assert history.steps[-1][0] == 3
    assert [point[0] for point in history.steps] == sorted(point[0] for point in history.steps)
    assert not history.stopped


def test_history_has_about_twenty_points_an_epoch():
    data, net = batches(700, 4), network()
    history = d2l.train_ch5(net, data, batches(), 4, sgd(net), d2l.try_gpu(), 2, verbose=False)
    assert 38 <= len(history.steps) <= 42


class Longer(list):
    """Batches of which the last is more than the length says, as those of Gluon's DataLoader that roll over."""

    def __len__(self):
        return super().__len__() - 1


def test_every_batch_counts_in_its_own_epoch():
    net, data = network(), Longer(batches(340))
    trainer = sgd(net, lr=0)  # so that all epochs measure the same
    history = d2l.train_ch5(net, data, batches(), 16, trainer, d2l.try_gpu(), 3, verbose=False)
    assert history.loss == pytest.approx([history.loss[0]] * 3, rel=1e-5)


def test_diverging_run_stops_with_advice(capsys):
    net = network()
    history = fit(net, 5, lr=1e38)
    assert len(history.loss) < 5
    assert "learning rate ten times smaller" in history.stopped
    assert history.stopped in capsys.readouterr().out


def test_without_verbose_nothing_is_printed(capsys):
    assert fit(network(), 5, lr=1e38, verbose=False).stopped
    assert not capsys.readouterr().out


class Stopping:
    """Batches with a stop button pressed in the second epoch."""

    def __init__(self):
        self.epochs = 0

    def __len__(self):
        return 5

    def __iter__(self):
        self.epochs += 1
        for i, batch in enumerate(batches()):
            if self.epochs == 2 and i == 2:
                raise KeyboardInterrupt
            yield batch


def test_stop_button_keeps_network_and_history(capsys):
    net = network()
    history = d2l.train_ch5(net, Stopping(), batches(), 16, sgd(net), d2l.try_gpu(), 5)
    assert len(history.test_acc) == 1
    assert history.steps[-1][0] == pytest.approx(1.4)
    assert "after 1.4 of 5 epochs" in history.stopped
    assert d2l.evaluate_accuracy(batches(), net) > 0


def failing(message):
    """A loss that fails in a training, and not when it is tried before."""

    def loss(logits, labels):
        if autograd.is_training():
            raise mx.base.MXNetError(message)
        return gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels)

    return loss


@pytest.mark.parametrize(
    "message",
    [
        "src/storage/./pooled_storage_manager.h:161: cudaMalloc retry failed: out of memory",
        "src/storage/./cpu_device_storage.h:68: Failed to allocate CPU Memory",
    ],
)
def test_too_little_memory_is_said_with_what_to_do(message):
    """MXNet's two messages; this machine has no GPU, and more memory than a test should take."""

    net, data, loss = network(), batches(), failing(message)
    with pytest.raises(MemoryError, match=r"cpu\(\d\) has too little memory .* smaller batch_size .* D2L_BUDGET=cpu"):
        d2l.train(data, data, net, loss, sgd(net), d2l.try_gpu(), 1, verbose=False)


def test_other_errors_of_mxnet_stay_what_they_are():
    net, data, loss = network(), batches(), failing("another")
    with pytest.raises(mx.base.MXNetError, match="another"):
        d2l.train(data, data, net, loss, sgd(net), d2l.try_gpu(), 1, verbose=False)


def test_evaluate_accuracy_as_d2lzh():
    net = network()
    fit(net, 1, verbose=False)
    theirs = d2lzh.evaluate_accuracy(batches(), net, d2l.try_gpu())
    assert d2l.evaluate_accuracy(batches(), net) == pytest.approx(theirs)


@pytest.mark.parametrize("norm", [nn.BatchNorm, Scale])
def test_everything_stays_on_its_device(norm, one_device_only):
    net = network(norm, mx.cpu(1))
    history = fit(net, ctx=mx.cpu(1), verbose=False)
    assert history.train_acc
    assert d2l.evaluate_accuracy(batches(), net, mx.cpu(1)) == pytest.approx(history.test_acc[-1])


def test_the_guard_for_devices_works(one_device_only):
    with pytest.raises(AssertionError, match="operands on"):
        nd.ones(2, ctx=mx.cpu(0)) + nd.ones(2, ctx=mx.cpu(1))


class Handle:
    def __init__(self, shown):
        self.shown = shown

    def update(self, bundle, **options):
        self.shown.append(bundle)


def test_live_curves_are_one_display_with_constant_text(monkeypatch, capsys):
    shown = []

    def display(bundle, **options):
        assert options["raw"]
        shown.append(bundle)
        return Handle(shown)

    monkeypatch.setattr(live, "display", display)
    monkeypatch.setattr(run, "get_ipython", type("ZMQInteractiveShell", (), {}))
    monkeypatch.setattr(live.LiveCurves, "due", lambda self: True)
    drawn, draw = [], live.LiveCurves.draw
    monkeypatch.setattr(live.LiveCurves, "draw", lambda self, *what: drawn.append(what) or draw(self, *what))
    fit(network())
    _, shares, texts = zip(*drawn, strict=True)
    assert list(shares) == sorted(shares) and shares[-1] == 1
    assert all(re.fullmatch(r"epoch \d of \d · [\d,]+ images/s · \d+ s left", text) for text in texts[:-1])
    assert len(shown) > 5
    assert {bundle["text/plain"] for bundle in shown} == {"<training curves>"}
    assert all(bundle["image/png"].startswith(b"\x89PNG") for bundle in shown)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("reason", ["latex could not be found", "the display is closed"])
def test_curves_that_cannot_be_drawn_end_no_training(reason, monkeypatch, capsys):
    monkeypatch.setattr(run, "get_ipython", type("ZMQInteractiveShell", (), {}))
    monkeypatch.setattr(live.LiveCurves, "due", lambda self: True)
    monkeypatch.setattr(live, "display", Mock(side_effect=OSError("the display is closed")))
    if "latex" in reason:
        monkeypatch.setenv("PATH", "")
        monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    history = fit(network())
    said = rf"The training curves cannot be drawn \(.*{reason}\); the training goes on without them\.\n"
    assert re.fullmatch(said, capsys.readouterr().out)
    assert len(history.test_acc) == 2 and not history.stopped


def test_figures():
    history = fit(network(), verbose=False)
    images, labels = next(iter(batches()))
    names = d2l.get_fashion_mnist_labels(labels.asnumpy())
    for figure, panels in (
        (d2l.plot_histories({"a": history, "b": history}), 3),
        (d2l.plot_distributions({"row": {"a": np.ones(5), "b": np.arange(5)}}), 2),
        (d2l.plot_shared_statistics(), 2),
        (d2l.plot_shared_statistics("layer norm", "group norm", "convolution"), 3),
        (d2l.plot_batch_norm(np.arange(9), gamma=2, beta=1), 3),
        (d2l.show_fashion_mnist(images[:4], names), 4),
    ):
        assert isinstance(figure, matplotlib.figure.Figure)
        assert len(figure.axes) == panels


def test_d2lzh_draws_again():
    d2l.set_figsize((3, 2))
    d2lzh.semilogy([1, 2], [1, 10], "x", "y")
    assert d2l.plt.rcParams["figure.figsize"] == [3.5, 2.5]
    d2l.plt.close("all")


def quick_fit(net, **options):
    settings = {"lr": 0.1, "batch_size": 32, "num_epochs": 1, "train_size": 64, "test_size": 32, "verbose": False}
    return d2l.fit(net, **settings | options)


def test_fit_is_repeatable_and_draws_new_weights():
    net, other = (vgg(((1, 2),)) for _ in range(2))
    first, again, elsewhere = quick_fit(net), quick_fit(net), quick_fit(other)
    assert np.allclose(first.loss, again.loss, rtol=1e-3)
    assert np.allclose(first.loss, elsewhere.loss, rtol=1e-3)
    assert not np.allclose(first.loss, quick_fit(net, seed=1).loss, rtol=1e-3)


def test_fit_equals_the_steps_it_stands_for():
    net, other = lenet(), lenet()
    history = quick_fit(net, momentum=0.5, initializer=mx.init.Normal(0.1), resize=32)
    ctx = d2l.try_gpu()
    d2l.set_seed(0)
    other.initialize(mx.init.Normal(0.1), ctx=ctx)
    data = d2l.load_data_fashion_mnist(32, 32, train_size=64, test_size=32)
    trainer = gluon.Trainer(other.collect_params(), "sgd", {"learning_rate": 0.1, "momentum": 0.5})
    expected = d2l.train_ch5(other, *data, 32, trainer, ctx, 1, verbose=False)
    assert np.allclose(history.loss, expected.loss, rtol=1e-3)
    assert_same_parameters(net, other)
