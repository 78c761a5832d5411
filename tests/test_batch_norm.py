"""The layers of chapter 1 against MXNet's own, on more inputs than the chapter shows."""

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.chapters import batch_norm as CHAPTER
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn

SHAPES = [(64, 10), (5, 1), (256, 120), (8, 3, 6, 6), (2, 7, 1, 5), (256, 6, 24, 24)]
LAYERS = [CHAPTER.BatchNorm, CHAPTER.FastBatchNorm]
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)


def run(layer, X, head, steps=3):
    """Run a few steps forward and backward; return all that can be compared."""
    channels = X.shape[1]
    layer.initialize(ctx=X.context)
    layer.gamma.set_data(nd.arange(1, channels + 1) / channels)
    layer.beta.set_data(nd.arange(channels))
    X.attach_grad()
    for _ in range(steps):
        with autograd.record():
            Y = layer(X)
        Y.backward(head)
    nd.waitall()
    arrays = {"output": Y, "X": X.grad, "gamma": layer.gamma.grad(), "beta": layer.beta.grad()}
    arrays |= {"mean": layer.running_mean.data(), "var": layer.running_var.data(), "prediction": layer(X)}
    return {name: array.asnumpy() for name, array in arrays.items()}


@each_layer
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("momentum", [0, 0.9])
def test_equals_gluon(layer, shape, momentum):
    random = np.random.default_rng(0)
    X, head = nd.array(random.normal(-2, 3, shape)), nd.array(random.normal(size=shape))
    ours = run(layer(shape[1], len(shape), momentum=momentum), X, head)
    theirs = run(nn.BatchNorm(in_channels=shape[1], momentum=momentum), X, head)
    for name, expected in theirs.items():
        assert abs(ours[name] - expected).max() < 1e-4 * abs(expected).max(), name


@each_layer
def test_variance_is_the_biased_one(layer):
    X = nd.array([[1.0], [3.0]])
    net = layer(1, 2, momentum=0)
    net.initialize()
    with autograd.record():
        net(X)
    assert (net.running_mean.data().asscalar(), net.running_var.data().asscalar()) == (2, 1)


@each_layer
def test_works_on_one_device_only(layer, one_device_only):
    net = CHAPTER.lenet(layer)
    net.initialize(init.Xavier(), ctx=mx.cpu(1))
    X = nd.random.normal(shape=(4, 1, 28, 28), ctx=mx.cpu(1))
    with autograd.record():
        loss = net(X).sum()
    loss.backward()
    gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1}).step(4)
    nd.waitall()
    assert net(X).context == mx.cpu(1)
    assert {p.list_ctx()[0] for p in net.collect_params().values()} == {mx.cpu(1)}


@each_layer
def test_frozen_scale_and_shift(layer):
    d2l.set_seed(0)
    net = CHAPTER.lenet(layer)
    net.initialize(init.Xavier())
    net.collect_params(".*gamma|.*beta").setattr("grad_req", "null")
    X = nd.random.normal(shape=(16, 1, 28, 28))
    net(X)
    before = {name: p.data().asnumpy() for name, p in net.collect_params().items()}
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1.0})
    for _ in range(3):
        with autograd.record():
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), nd.arange(16) % 10)
        loss.backward()
        trainer.step(16)
    for name, parameter in net.collect_params().items():
        moved = (parameter.data().asnumpy() != before[name]).any()
        if name.endswith("gamma"):
            assert (parameter.data().asnumpy() == 1).all()
        elif name.endswith("beta"):
            assert (parameter.data().asnumpy() == 0).all()
        elif not name.endswith("bias") or name == net[-1].bias.name:  # one before batch norm has only rounding to learn
            assert moved, name


def test_wrong_number_of_axes():
    net = CHAPTER.BatchNorm(3, num_dims=4)
    net.initialize()
    with pytest.raises(AssertionError, match="expects 4 axes, not 2"):
        net(nd.ones((2, 3)))


@each_layer
def test_reestimated_averages_are_the_means_over_the_data(layer):
    net = nn.Sequential()
    net.add(layer(3, 2))
    net.initialize()
    batches = [(nd.random.normal(i, 1 + i, shape=(n, 3)), None) for i, n in enumerate((8, 8, 4))]
    CHAPTER.reestimate(net, batches)
    mean = sum(len(X) * X.asnumpy().mean(axis=0) for X, _ in batches) / 20
    var = sum(len(X) * X.asnumpy().var(axis=0) for X, _ in batches) / 20
    np.testing.assert_allclose(net[0].running_mean.data().asnumpy(), mean, rtol=1e-4)
    np.testing.assert_allclose(net[0].running_var.data().asnumpy(), var, rtol=1e-4)
