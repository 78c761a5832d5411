"""A call that is refused changes nothing: not the weights, not a file, not a random generator."""

import random

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.training import Callback
from mxnet import gluon, nd
from mxnet.gluon import nn

SIZES = {"train_size": 64, "test_size": 32}


class Same(nn.Block):
    """Hand-written, so that the network cannot be traced."""

    def forward(self, X):
        assert X.shape
        return X


class Spare(nn.HybridBlock):
    """Has a layer that it never uses."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Dense(3)

    def hybrid_forward(self, F, X):
        return X


def network(outputs=10, traced=True, spare=False):
    net = nn.Sequential()
    net.add(nn.Conv2D(3, 3), nn.BatchNorm(), nn.Dense(outputs), *([Spare()] if spare else []))
    if not traced:
        net.add(Same())
    return net


def snapshot(net, folder):
    """All that a refused call must leave as it is; MXNet's own generator can only be asked, see `following`."""
    weights = {}
    for name, parameter in net._collect_params_with_prefix().items():
        known = parameter._data is not None
        weights[name] = (parameter.shape, parameter.data().asnumpy().tobytes() if known else parameter._deferred_init)
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
    kind, keys, *position = np.random.get_state()
    return weights, files, sorted(folder.rglob("*")), (kind, keys.tobytes(), *position), random.getstate()


def following():
    """The next number of MXNet's generator."""
    return nd.random.uniform(shape=1).asscalar()


class Refuses(Callback):
    def check(self, run):
        raise ValueError("No.")


def fit(net, **options):
    settings = {"lr": 0.1, "batch_size": 8, "num_epochs": 1, "verbose": False, **SIZES}
    return d2l.fit(net, **settings | options)


REFUSED = {
    "lr": {"lr": -1},
    "momentum": {"momentum": 1},
    "batch_size": {"batch_size": 0},
    "num_epochs": {"num_epochs": 0},
    "resize": {"resize": 0},
    "train_size": {"train_size": 10**6},
    "batch larger than the data": {"batch_size": 65},
    "seed": {"seed": -1},
    "ctx": {"ctx": "gpu"},
    "initializer": {"initializer": "heavy"},
    "images too small": {"resize": 2},
    "too few classes": {"outputs": 5},
    "a callback": {"callbacks": [Refuses()]},
    "no cluster": {"callbacks": [d2l.Cluster()]},
    "another training's folder": {"kept": {"lr": 0.2}},
    "a damaged checkpoint": {"kept": {}, "damage": True},
}


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "hand-written"])
@pytest.mark.parametrize("trained", [True, False], ids=["trained", "fresh"])
@pytest.mark.parametrize("name", REFUSED)
def test_fit(name, trained, traced, tmp_path):
    options = dict(REFUSED[name])
    outputs, kept, damage = options.pop("outputs", 10), options.pop("kept", None), options.pop("damage", False)
    net, checkpoint = network(outputs, traced), d2l.Checkpoint(tmp_path / "kept")
    if kept is not None:
        fit(network(outputs, traced), callbacks=[checkpoint], **kept)
        options["callbacks"] = [checkpoint]
        if damage:
            next(tmp_path.rglob("*.params")).write_bytes(b"")
    if trained:
        net.initialize()
        net(nd.zeros((1, 1, 28, 28)))
    d2l.set_seed(5)
    expected = following()
    d2l.set_seed(5)
    before = snapshot(net, tmp_path)
    with pytest.raises(ValueError):
        fit(net, **options)
    assert snapshot(net, tmp_path) == before
    assert following() == expected


@pytest.mark.parametrize("name", "images classes labels-to-test-with callback batch_size layer loss".split())
@pytest.mark.parametrize("traced", [True, False], ids=["traced", "hand-written"])
def test_train_before_the_weights_are_drawn(name, traced, tmp_path):
    net = network(5 if name == "classes" else 10, traced, spare=name == "layer")
    net.initialize(mx.init.Xavier())
    train_iter, test_iter = d2l.load_data_fashion_mnist(8, 2 if name == "images" else None, **SIZES)
    if name == "labels-to-test-with":
        test_iter.labels = test_iter.labels + 5
    trainer = gluon.Trainer(net.collect_params(), "sgd")
    callbacks = [d2l.Checkpoint(tmp_path / "kept"), *([Refuses()] if name == "callback" else [])]
    d2l.set_seed(5)
    expected = following()
    d2l.set_seed(5)
    before = snapshot(net, tmp_path)
    loss = gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=name != "loss")
    options = {"batch_size": 0 if name == "batch_size" else 8, "callbacks": callbacks, "verbose": False}
    with pytest.raises(ValueError):
        d2l.train(train_iter, test_iter, net, loss, trainer, mx.cpu(), 1, **options)
    assert snapshot(net, tmp_path) == before
    assert following() == expected
