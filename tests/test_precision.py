"""Training in bfloat16: as accurate, and nothing else in the process notices."""

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers import precision
from mxnet import nd
from mxnet.gluon import nn

able = pytest.mark.skipif(
    not precision.INSTRUCTIONS & precision.processor_flags(), reason="this processor has no bfloat16 instructions"
)


def network():
    net = nn.Sequential()
    net.add(nn.Conv2D(16, 5, activation="relu"), nn.BatchNorm(), nn.MaxPool2D(2))
    net.add(nn.Conv2D(32, 3, activation="relu"), nn.MaxPool2D(2), nn.Dropout(0.1), nn.Dense(10))
    return net


def fit(net, **options):
    sizes = {"train_size": 8192, "test_size": 2000}
    return d2l.fit(net, lr=0.03, batch_size=128, num_epochs=2, **sizes, verbose=False, **options)


def parameters(net):
    return [parameter.data().asnumpy() for parameter in net.collect_params().values()]


@able
@pytest.mark.parametrize("seed", [0, 1])
def test_accuracy_holds(seed):
    """The margins are over twice what six seeds differed by at most, on Fashion-MNIST and on its stand-in.

    With larger learning rates chance decides: two trainings that differ by a rounding part soon.
    """
    exact, rounded = fit(network(), seed=seed), fit(network(), seed=seed, dtype="bfloat16")
    assert exact.test_acc[-1] > 0.7
    assert abs(exact.train_acc[-1] - rounded.train_acc[-1]) < 0.01
    assert abs(exact.test_acc[-1] - rounded.test_acc[-1]) < 0.06
    assert np.allclose(exact.loss, rounded.loss, rtol=0.03)
    assert exact.loss != rounded.loss  # else nothing was rounded


@able
def test_nothing_leaks():
    X = nd.random.uniform(shape=(8, 1, 28, 28), ctx=d2l.try_gpu())
    before, other = network(), network()
    fit(before)
    other.initialize(ctx=d2l.try_gpu())
    answer = other(X).asnumpy()
    low, after = network(), network()
    fit(low, dtype="bfloat16")
    fit(after)
    assert all(np.dtype(parameter.dtype) == np.float32 for parameter in low.collect_params().values())
    assert low(X).dtype == np.float32
    assert np.array_equal(other(X).asnumpy(), answer)
    for one, two in zip(parameters(before), parameters(after), strict=True):
        assert np.allclose(one, two, rtol=1e-3, atol=1e-4)  # two threads do not always add in the same order


@able
def test_the_network_itself_answers_in_float32():
    net, exact = network(), network()
    fit(net, dtype="bfloat16")
    X = nd.random.uniform(shape=(8, 1, 28, 28), ctx=d2l.try_gpu())
    exact.initialize(ctx=d2l.try_gpu())
    exact(X)
    for ours, theirs in zip(net.collect_params().values(), exact.collect_params().values(), strict=True):
        theirs.set_data(ours.data())
    assert np.array_equal(net(X).asnumpy(), exact(X).asnumpy())


@pytest.mark.parametrize(
    ("dtype", "flags", "net", "options", "sentence"),
    [
        ("float16", {"avx512_bf16"}, network, {}, "dtype is 'float16'; it must be 'float32' or 'bfloat16'."),
        ("bfloat16", {"avx512f"}, network, {}, "needs a processor with amx_bf16 or avx512_bf16; this one would be"),
        ("bfloat16", {"amx_bf16"}, network, {"hybridize": False}, "needs a network that can be compiled"),
        ("bfloat16", {"amx_bf16"}, lambda: Written(), {}, "of hybrid blocks only"),
    ],
)
def test_refusals(monkeypatch, dtype, flags, net, options, sentence):
    monkeypatch.setattr(precision, "processor_flags", lambda: flags)
    with pytest.raises(ValueError, match=sentence) as caught:
        fit(net(), dtype=dtype, **options)
    assert "float32" in str(caught.value)


def test_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(precision, "processor_flags", lambda: {"avx512_bf16"})
    with pytest.raises(ValueError, match=r"is for processors, and the network is on gpu\(0\)"):
        precision.check_dtype("bfloat16", [mx.gpu()], True)


class Written(nn.Block):
    """A hand-written block, which cannot be compiled."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(10)

    def forward(self, X):
        return self.dense(X)
