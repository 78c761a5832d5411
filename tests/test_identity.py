"""What makes a training the one that was kept: whatever changes its result, and nothing else."""

import functools
import os
import shutil
from pathlib import Path

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers import files
from d2lhelpers.data import ImageBatches
from d2lhelpers.training import Callback
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn
from test_refusals import following, snapshot

SIZES = {"train_size": 64, "test_size": 32}
SOFTMAX = gluon.loss.SoftmaxCrossEntropyLoss


def scaled(factor):
    return nn.HybridLambda(lambda F, X: X * factor)


def own(code="X * self.factor + self.shift", factor=0.5, shift=0.1):
    """A layer of the learner's own, defined as a notebook's cell does it."""
    cell = (
        f"class Own(nn.HybridBlock):\n    shift = {shift}\n    def hybrid_forward(self, F, X):\n        return {code}"
    )
    namespace = {"nn": nn, "__name__": "__main__", "other": 1}
    exec(cell, namespace)
    block = namespace["Own"]()
    block.factor = factor
    return block


def network(*more, act="relu", rate=0.5, kernel=3, momentum=0.9, middle=None, block=own, norm=nn.BatchNorm):
    net = nn.Sequential()
    net.add(nn.Conv2D(2, kernel), norm(momentum=momentum), nn.Activation(act), nn.Dropout(rate))
    net.add(middle or scaled(2), block(), nn.Dense(10), *more)
    return net


def drawn(shared=False):
    """A network whose weights are drawn at once, as their shapes are given."""
    net = nn.Sequential()
    net.add(nn.Dense(10, in_units=784), nn.Dense(10, in_units=10, weight_initializer="zeros"))
    net.add(nn.Dense(10, in_units=10, weight_initializer="zeros", params=net[1].params if shared else None))
    return net


def data(batch_size=32, resize=None, change=lambda iterators: None, **options):
    iterators = d2l.load_data_fashion_mnist(batch_size, resize, **SIZES | options)
    change(iterators)
    return iterators


def by_hand(logits, y):
    return -nd.pick(nd.log_softmax(logits), y)


class Doubled(gluon.loss.SoftmaxCrossEntropyLoss):
    def hybrid_forward(self, F, logits, y, sample_weight=None):
        return 2 * super().hybrid_forward(F, logits, y)


DEVICES = (mx.cpu(),)
FACTOR = functools.partial(mx.lr_scheduler.FactorScheduler, step=3, factor=0.5, base_lr=0.1)


class Training:
    """All that a notebook holds for a training: its cell may be called again."""

    def __init__(
        self,
        net=network,
        initializer=init.Xavier,
        loss=SOFTMAX,
        optimizer="sgd",
        scheduler=FACTOR,
        data=data,
        devices=DEVICES,
        seed=0,
        batch_size=32,
        prepare=lambda net: None,
        trains=".*",
        compression=None,
        **options,
    ):
        d2l.set_seed(seed)
        self.net, self.loss, self.data = net(), loss(), data()
        self.net.initialize(initializer(), ctx=list(devices))
        prepare(self.net)
        options = {"lr_scheduler": scheduler(), **({"momentum": 0.9} if optimizer == "sgd" else {}), **options}
        parameters = self.net.collect_params(trains)
        self.trainer = gluon.Trainer(parameters, optimizer, options, compression_params=compression)
        self.devices, self.batch_size = list(devices), batch_size

    def __call__(self, folder, num_epochs=2, callbacks=(), verbose=False):
        return d2l.train(
            *self.data,
            self.net,
            self.loss,
            self.trainer,
            self.devices,
            num_epochs,
            batch_size=self.batch_size,
            callbacks=[d2l.Checkpoint(folder), *callbacks],
            verbose=verbose,
        )


def values(net):
    return [parameter.data().asnumpy() for parameter in net.collect_params().values()]


def assert_same(ours, theirs):
    for a, b in zip(values(ours), values(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def multiply(parameters, attribute):
    return lambda net: net.collect_params(parameters).setattr(attribute, 0.5)


def reverse(name):
    """Give the same images, or labels, in another order."""

    def change(iterators):
        setattr(iterators[0], name, getattr(iterators[0], name)[::-1])

    return change


def other_test(**options):
    def change():
        train_iter, _ = data()
        return train_iter, data(**options)[1]

    return change


def net(**changes):
    return {"net": functools.partial(network, **changes)}


OTHER = {
    "activation": (net(act="sigmoid"), "act_type of layer 2 was relu, here it is sigmoid"),
    "dropout": (net(rate=0.2), "rate of layer 3 was 0.5, here it is 0.2"),
    "kernel": (net(kernel=5), r"kernel of layer 0 was \[3, 3\], here it is \[5, 5\]"),
    "momentum of averages": (net(momentum=0.5), "momentum of layer 1 was 0.9, here it is 0.5"),
    "another layer": (net(middle=nn.Flatten()), "layer 4 was HybridLambda, here it is Flatten"),
    "one layer more": ({"net": lambda: network(nn.Dense(10))}, "layer 7 was missing, here it is Dense"),
    "code of a lambda": (
        net(middle=nn.HybridLambda(lambda F, X: X + 2)),
        r"func of layer 4 was <lambda> \(code .*, here it is <lambda> \(code",
    ),
    "what a lambda refers to": (net(middle=scaled(3)), r"func of layer 4 was <lambda> \(code"),
    "code of a block": (
        net(block=lambda: own("X * self.factor - self.shift")),
        "Own.hybrid_forward of layer 5 was hyb",
    ),
    "number in a block": (net(block=lambda: own(factor=0.4)), "factor of layer 5 was 0.5, here it is 0.4"),
    "number in a class": (net(block=lambda: own(shift=0.2)), "Own.shift of layer 5 was 0.1, here it is 0.2"),
    "hook": (
        {"prepare": lambda net: net[2].register_forward_hook(lambda block, inputs, output: None)},
        r"0 of hooks of layer 2 was missing, here it is <lambda> \(code",
    ),
    "loss": ({"loss": Doubled}, "loss was SoftmaxCrossEntropyLoss, here it is Doubled"),
    "weight of the loss": ({"loss": lambda: SOFTMAX(weight=2)}, "weight of loss was None, here it is 2"),
    "axis of the loss": ({"loss": lambda: SOFTMAX(axis=1)}, "axis of loss was -1, here it is 1"),
    "kind of logits": (
        {"loss": lambda: SOFTMAX(from_logits=True)},
        "from_logits of loss was False, here it is True",
    ),
    "function as loss": ({"loss": lambda: by_hand}, r"loss was SoftmaxCrossEntropyLoss, here it is by_hand \(code"),
    "optimizer": ({"optimizer": "adam"}, "optimizer was SGD, here it is Adam"),
    "momentum": ({"momentum": 0.5}, "momentum of optimizer was 0.9, here it is 0.5"),
    "weight decay": ({"wd": 0.1}, "wd of optimizer was 0.0, here it is 0.1"),
    "clipping": ({"clip_gradient": 1}, "clip_gradient of optimizer was None, here it is 1"),
    "no scheduler": ({"scheduler": lambda: None}, "lr_scheduler of optimizer was FactorScheduler, here it is None"),
    "scheduler": (
        {"scheduler": lambda: mx.lr_scheduler.PolyScheduler(9, base_lr=0.1)},
        "lr_scheduler of optimizer was FactorScheduler, here it is PolyScheduler",
    ),
    "factor": (
        {"scheduler": lambda: FACTOR(factor=0.9)},
        "factor of lr_scheduler of optimizer was 0.5, here it is 0.9",
    ),
    "learning rate": (
        {"scheduler": lambda: FACTOR(base_lr=0.2)},
        "base_lr of lr_scheduler of optimizer was 0.1, here it is 0.2",
    ),
    "updates before": ({"begin_num_update": 5}, "begin_num_update of optimizer was 0, here it is 5"),
    "rate of one parameter": (
        {"prepare": multiply(".*conv.*weight", "lr_mult")},
        "lr_mult of parameter 0.weight was 1.0, here it is 0.5",
    ),
    "decay of one parameter": (
        {"prepare": multiply(".*conv.*bias", "wd_mult")},
        "wd_mult of parameter 0.bias was 1.0, here it is 0.5",
    ),
    "frozen": (
        {"prepare": lambda net: net.collect_params(".*gamma").setattr("grad_req", "null")},
        "grad_req of parameter 1.gamma was write, here it is null",
    ),
    "not trained": ({"trains": ".*weight"}, "trainer of parameter 0.bias was True, here it is False"),
    "compression": (
        {"compression": {"type": "2bit", "threshold": 0.5}},
        "type of compression of gradients was missing, here it is 2bit",
    ),
    "initializer": ({"initializer": init.Normal}, "beginning of parameter 0.weight was Xavier, here it is Normal"),
    "its size": (
        {"initializer": lambda: init.Xavier(magnitude=2)},
        "magnitude of beginning of parameter 0.weight was 3.0, here it is 2.0",
    ),
    "images": ({"data": lambda: data(change=reverse("images"))}, "images of train_iter was uint8 of shape"),
    "labels": ({"data": lambda: data(change=reverse("labels"))}, "labels of train_iter was int32 of shape"),
    "fewer images": (
        {"data": lambda: data(train_size=63)},
        r"images of train_iter was .*\(64, 28, 28\) .*\(63, 28, 28\)",
    ),
    "size of the images": ({"data": lambda: data(resize=20)}, r"resize of train_iter was None, here it is \[20, 20\]"),
    "seed": ({"data": lambda: data(seed=1)}, "seed of train_iter was 0, here it is 1"),
    "order": (
        {"data": lambda: data(change=lambda iterators: setattr(iterators[0], "shuffle", False))},
        "shuffle of train_iter was True, here it is False",
    ),
    "images a batch": ({"data": lambda: data(16)}, "batch_size of train_iter was 32, here it is 16"),
    "what a step is divided by": ({"batch_size": None}, "batch_size was 32, here it is None"),
    "images to test with": ({"data": other_test(test_size=31)}, r"images of test_iter was .*\(32, 28, 28\)"),
    "size to test with": ({"data": other_test(resize=20)}, r"resize of test_iter was None, here it is \[20, 20\]"),
    "other batches": ({"data": lambda: map(list, data())}, "0 of 0 of train_iter was missing, here it is float32 of"),
    "devices": ({"devices": (mx.cpu(0), mx.cpu(1))}, "number of devices was 1, here it is 2"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    Training()(folder, 1)
    return folder


@pytest.mark.parametrize("name", OTHER)
def test_another_training_is_refused_by_name(name, kept):
    changes, words = OTHER[name]
    other = Training(**changes)
    d2l.set_seed(5)
    expected = following()
    d2l.set_seed(5)
    before = snapshot(other.net, kept)
    with pytest.raises(ValueError, match=f"is of another training: ({words})"):
        other(kept)
    assert snapshot(other.net, kept) == before
    assert following() == expected


class Listens(Callback):
    pass


def with_other_names():
    nn.Dense(3)
    return network()


SAME = {
    "once more": {},
    "names that count layers": {"net": with_other_names},
    "compiled": {"prepare": lambda net: net[0].hybridize()},
    "a block defined again": net(block=lambda: own("X * self.factor + (self.shift)")),
    "batches to test with": {"data": other_test(batch_size=8)},
    "iterated before": {"data": lambda: data(change=lambda iterators: [list(one) for one in iterators])},
    "another device": {"devices": (mx.cpu(1),)},
    "numbers of NumPy": {"momentum": np.float64(0.9)},
    "the initializer prints": {"initializer": lambda: init.Xavier().set_verbosity(True)},
}


@pytest.mark.parametrize("name", SAME)
def test_what_changes_nothing_is_no_other_training(name, kept, tmp_path, capsys):
    folder = shutil.copytree(kept, tmp_path / "kept")
    assert len(Training(**SAME[name])(folder, 2, [Listens()], verbose=True).loss) == 2
    assert "going on after epoch 1" in capsys.readouterr().out


FIT = {
    "learning rate": ({"lr": 0.2}, "lr of optimizer was 0.1, here it is 0.2"),
    "momentum": ({"momentum": 0.5}, "momentum of optimizer was 0.0, here it is 0.5"),
    "seed": ({"seed": 1}, "seed of train_iter was 0, here it is 1"),
    "initializer": ({"initializer": init.Normal(0.1)}, "initializer was Xavier, here it is Normal"),
    "images a batch": ({"batch_size": 16}, "batch_size was 32, here it is 16"),
    "size": ({"resize": 20}, r"resize of train_iter was None, here it is \[20, 20\]"),
    "images": ({"train_size": 63}, "images of train_iter was"),
    "images to test with": ({"test_size": 31}, "images of test_iter was"),
    "of a layer": (
        {"net": lambda: network(norm=functools.partial(nn.BatchNorm, gamma_initializer="zeros"))},
        "beginning",
    ),
}


def fit(folder, num_epochs, net=network, **options):
    options = {"lr": 0.1, "batch_size": 32, "verbose": False, **SIZES, **options}
    found = net()
    return found, d2l.fit(found, num_epochs=num_epochs, callbacks=[d2l.Checkpoint(folder)], **options)


@pytest.mark.parametrize("name", FIT)
def test_fit_of_another_training_is_refused_by_name(name, tmp_path):
    changes, words = FIT[name]
    fit(tmp_path, 1)
    before = snapshot(network(), tmp_path)[1]
    with pytest.raises(ValueError, match=f"is of another training: ({words})"):
        fit(tmp_path, 2, **changes)
    assert snapshot(network(), tmp_path)[1] == before


def settled():
    made = network()
    made.initialize(init.Normal(1))
    made(nd.zeros((1, 1, 28, 28)))
    return made


@pytest.mark.parametrize("changes", [{"net": settled}, {"initializer": "xavier"}, {"lr": np.float64(0.1)}])
def test_fit_goes_on(changes, tmp_path):
    whole, _ = fit(tmp_path / "whole", 2)
    fit(tmp_path / "parts", 1)
    assert_same(fit(tmp_path / "parts", 2, **changes)[0], whole)


# The same network again, in the same process


@pytest.fixture
def whole(tmp_path):
    training = Training()
    training(tmp_path / "whole", 4)
    return training


class StopsByHand(Callback):
    """Presses the stop button in the middle of the third epoch, after the scheduler has changed the learning rate."""

    def backward_end(self, run):
        if run.epoch == 2 and run.batch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("callbacks", [(), [StopsByHand()]], ids=["ended", "stopped by hand"])
def test_the_same_cell_goes_on_in_the_same_process(callbacks, whole, tmp_path):
    training = Training()
    training(tmp_path / "parts", 3 if callbacks else 2, callbacks)
    training(tmp_path / "parts", 4)
    assert training.trainer.learning_rate == whole.trainer.learning_rate < 0.1
    assert_same(training.net, whole.net)
    with pytest.warns(UserWarning, match="already initialized"):
        with_new_trainer = Training(net=lambda: training.net)
    assert len(with_new_trainer(tmp_path / "parts", 5).loss) == 5


class Counts(nn.Block):
    """Remembers what has passed, as who wants to look at it does."""

    calls = 0

    def forward(self, X):
        self.calls, self.seen = self.calls + 1, X
        return X


@pytest.mark.parametrize("mode", [autograd.predict_mode, autograd.train_mode])
def test_what_layers_remember_is_no_setting(mode, tmp_path):
    """In the mode to train, a batch norm remembers averages."""
    training = Training(net=lambda: network(Counts()))
    training(tmp_path, 1)
    with autograd.record(), mode():
        loss = training.net(next(iter(training.data[0]))[0]).sum()
    loss.backward()
    assert len(training(tmp_path, 2).loss) == 2


def draw_anew(training):
    training.net.initialize(init.Normal(1), force_reinit=True)


def train_elsewhere(training):
    training("elsewhere", 1)


@pytest.mark.parametrize("spoil", [draw_anew, train_elsewhere])
def test_weights_that_are_neither_the_first_nor_the_last_are_refused(spoil, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training = Training()
    training("parts", 2)
    spoil(training)
    with pytest.raises(ValueError, match="beginning of parameter 0.weight was Xavier, here it is float32 of shape"):
        training("parts", 4)


def test_another_training_that_has_taken_the_folder_meanwhile_is_seen(tmp_path):
    training = Training()
    training(tmp_path / "parts", 2)
    shutil.rmtree(tmp_path / "parts")
    Training(scheduler=lambda: FACTOR(base_lr=0.2))(tmp_path / "parts", 2)
    with pytest.raises(ValueError, match="base_lr of lr_scheduler of optimizer was 0.2, here it is 0.05"):
        training(tmp_path / "parts", 3)


def test_a_new_learning_rate_between_two_calls_is_refused(tmp_path):
    training = Training(scheduler=lambda: None, learning_rate=0.1)
    training(tmp_path, 1)
    training.trainer.set_learning_rate(0.2)
    with pytest.raises(ValueError, match="lr of optimizer was 0.1, here it is 0.2"):
        training(tmp_path, 2)


def test_a_learning_rate_that_a_callback_changes_goes_on(tmp_path):
    class Halves(Callback):
        def epoch_end(self, run):
            run.trainer.set_learning_rate(run.trainer.learning_rate / 2)

    options = {"scheduler": lambda: None, "learning_rate": 0.1}
    whole = Training(**options)
    whole(tmp_path / "whole", 4, [Halves()])
    Training(**options)(tmp_path / "parts", 2, [Halves()])
    parts = Training(**options)
    parts(tmp_path / "parts", 4, [Halves()])
    assert parts.trainer.learning_rate == whole.trainer.learning_rate == 0.1 / 16
    assert_same(parts.net, whole.net)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, r"beginning of parameter 0.weight was float32 of shape \(10, 784\) with checksum"),
        ({"net": lambda: drawn(shared=True)}, "path of parameter 2.weight was 2.weight, here it is 1.weight"),
    ],
)
def test_weights_that_are_drawn_already(changes, words, tmp_path):
    Training(net=drawn)(tmp_path, 1)
    Training(net=drawn)(tmp_path, 2)
    with pytest.raises(ValueError, match=f"is of another training: {words}"):
        Training(**{"net": drawn, **changes})(tmp_path, 3)


def test_a_layer_less_is_refused(tmp_path):
    Training(net=lambda: network(nn.Dense(10)))(tmp_path, 1)
    with pytest.raises(ValueError, match="layer 7 was Dense, here it is missing"):
        Training()(tmp_path, 2)


def loader(shuffle=False, scale=1.0, workers=1):
    train_iter, _ = data()
    dataset = gluon.data.ArrayDataset(train_iter.images[:, None].astype("float32"), train_iter.labels)
    dataset = dataset.transform_first(lambda image: image * scale)
    return gluon.data.DataLoader(dataset, 32, shuffle=shuffle, num_workers=workers, thread_pool=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shuffle": True}, "sampler of batch_sampler of train_iter was SequentialSampler, here it is RandomSampler"),
        ({"scale": 0.5}, r"fn of fn of dataset of train_iter was <lambda> \(code"),
    ],
)
def test_batches_of_gluon(changes, words, tmp_path):
    def training(**options):
        return Training(data=lambda: [loader(**options), loader()])

    training()(tmp_path, 1)
    training(workers=2)(tmp_path, 2)
    with pytest.raises(ValueError, match=f"is of another training: {words}"):
        training(**changes)(tmp_path, 3)


def test_a_set_has_another_order_in_each_process(tmp_path):
    def chosen(*numbers):
        numbers = frozenset(numbers)
        return Training(net=lambda: network(middle=nn.HybridLambda(lambda F, X: X * (3 in numbers))))

    assert list(frozenset([0, 8])) != list(frozenset([8, 0]))
    chosen(0, 8)(tmp_path, 1)
    chosen(8, 0)(tmp_path, 2)
    with pytest.raises(ValueError, match=r"func of layer 4 was <lambda> \(code"):
        chosen(0, 3)(tmp_path, 3)


class Noisy(ImageBatches):
    """Batches of the learner's own, with a setting of their own."""

    noise = 0.1


def test_batches_of_ones_own(tmp_path, monkeypatch):
    def own_data():
        train_iter, test_iter = data()
        train_iter.__class__ = Noisy
        return train_iter, test_iter

    Training(data=own_data)(tmp_path, 1)
    monkeypatch.setattr(Noisy, "noise", 0.2)
    with pytest.raises(ValueError, match="Noisy.noise of train_iter was 0.1, here it is 0.2"):
        Training(data=own_data)(tmp_path, 2)


# Folders in which nothing can be kept


@pytest.mark.parametrize("folder", [5, None, b"runs", "", "~no-such-user/runs", ["runs"]])
def test_what_is_no_path_is_refused(folder):
    with pytest.raises(ValueError, match="^folder is .*; it must be the path of a folder.$"):
        d2l.Checkpoint(folder)


def a_file(root):
    (root / "file").write_text("")
    return root / "file"


def below_a_file(root):
    return a_file(root) / "runs" / "vgg"


def a_link_to_nowhere(root):
    (root / "link").symlink_to(root / "nowhere")
    return root / "link"


UNUSABLE = {
    "a file": (a_file, "file is no folder"),
    "below a file": (below_a_file, "file is no folder"),
    "a link to nowhere": (a_link_to_nowhere, "link is no folder"),
    "a name too long": (lambda root: root / ("a" * 300), "File name too long"),
    "no name": (lambda root: root / "a\0b", "null byte"),
    "read-only": (lambda root: root, "nothing may be written into"),
    "below a read-only one": (lambda root: root / "runs" / "vgg", "nothing may be written into"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_folder_is_refused_before_anything_is_done(name, tmp_path, monkeypatch):
    make, words = UNUSABLE[name]
    folder = make(tmp_path)
    if "read-only" in name:  # which none is for root, who may run the tests
        access = os.access
        monkeypatch.setattr(files.os, "access", lambda path, mode: Path(path) != tmp_path and access(path, mode))
    before = snapshot(network(), tmp_path)
    with pytest.raises(ValueError, match=f"^No checkpoint can be kept in .*{words}.*Name another folder.$"):
        fit(folder, 1)
    assert snapshot(network(), tmp_path) == before
