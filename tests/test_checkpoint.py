"""Checkpoints: a training that is killed, at whatever moment, ends as if it had not been."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.training import checkpoint
from mxnet import gluon, init, nd
from mxnet.gluon import nn

SIZES = {"train_size": 640, "test_size": 100}


def network(units=16):
    net = nn.Sequential()
    net.add(nn.Conv2D(4, 5, strides=2), nn.BatchNorm(), nn.Activation("relu"), nn.Dropout(0.3), nn.Dense(units))
    net.add(nn.Dense(10))
    return net


def fit(folder, num_epochs, *, net=None, momentum=0.9, lr=0.1, **options):
    net = net or network()
    options = {**SIZES, "verbose": False, **options}
    history = d2l.fit(
        net,
        lr=lr,
        batch_size=64,
        num_epochs=num_epochs,
        momentum=momentum,
        callbacks=[d2l.Checkpoint(folder)],
        **options,
    )
    return net, history


def values(net):
    return [parameter.data().asnumpy() for parameter in net.collect_params().values()]


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def test_goes_on_where_it_was_and_measures_the_same(tmp_path):
    whole, expected = fit(tmp_path / "whole", 4)
    fit(tmp_path / "parts", 1)
    fit(tmp_path / "parts", 3)
    net, history = fit(tmp_path / "parts", 4)
    assert history.loss == pytest.approx(expected.loss, rel=1e-4)
    assert history.test_acc == pytest.approx(expected.test_acc, abs=0.02)
    assert [done for done, *_ in history.steps] == [done for done, *_ in expected.steps]
    for ours, theirs in zip(values(net), values(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_a_finished_training_is_only_loaded(tmp_path):
    net, history = fit(tmp_path, 2)
    before = files(tmp_path)
    again, repeated = fit(tmp_path, 2)
    assert repeated == history
    assert all(np.array_equal(a, b) for a, b in zip(values(net), values(again), strict=True))
    assert files(tmp_path) == before


def test_the_last_two_epochs_are_kept_and_nothing_is_pickled(tmp_path):
    fit(tmp_path, 4)
    names = sorted(files(tmp_path))
    assert names == [f"epoch-0000{n}.{suffix}" for n in (3, 4) for suffix in ("json", "params", "states")]
    other = network()
    other.load_parameters(str(tmp_path / "epoch-00004.params"))
    record = json.loads((tmp_path / "epoch-00004.json").read_text())
    assert record["format"] == checkpoint.FORMAT
    assert len(record["history"]["loss"]) == 4
    assert not any(content.startswith(b"\x80") for content in files(tmp_path).values())


def train(folder, num_epochs, optimizer="sgd", lr=0.1, kind=lambda batches: batches):
    """Train with an optimizer of one's own, and with batches that are in a `kind` of container."""
    d2l.set_seed(0)
    net = network()
    net.initialize(init.Xavier(), ctx=d2l.try_gpu())
    trainer = gluon.Trainer(net.collect_params(), optimizer, {"learning_rate": lr})
    batches = map(kind, d2l.load_data_fashion_mnist(64, **SIZES))
    d2l.train_ch5(
        net, *batches, 64, trainer, d2l.try_gpu(), num_epochs, callbacks=[d2l.Checkpoint(folder)], verbose=False
    )
    return values(net)


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "sgd", "nag", "adagrad"])
def test_optimizers(tmp_path, optimizer):
    whole = train(tmp_path / "whole", 3, optimizer, 0.01)
    train(tmp_path / "parts", 2, optimizer, 0.01)
    for ours, theirs in zip(train(tmp_path / "parts", 3, optimizer, 0.01), whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("layers", [9, 10, 11, 99])
def test_names_that_count_layers_may_be_in_another_order(tmp_path, layers):
    """dense9 and dense10 are sorted otherwise than dense1 and dense2, and so the trainer numbers them otherwise."""

    def numbered(first):
        net = nn.Sequential()
        net.add(nn.Dense(16, prefix=f"dense{first}_"), nn.Dense(10, prefix=f"dense{first + 1}_"))
        return net

    whole, _ = fit(tmp_path / "whole", 3, net=numbered(1))
    fit(tmp_path / "parts", 2, net=numbered(1))
    net, _ = fit(tmp_path / "parts", 3, net=numbered(layers))
    for ours, theirs in zip(values(net), values(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_batches_of_another_kind(tmp_path):
    whole = train(tmp_path / "whole", 2, kind=list)
    train(tmp_path / "parts", 1, kind=list)
    for ours, theirs in zip(train(tmp_path / "parts", 2, kind=list), whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("update_on_kvstore", [None, False])
def test_several_devices(tmp_path, update_on_kvstore):
    """Only their moving averages are not compared: each device has its own, and the mean is kept."""
    devices = [mx.cpu(0), mx.cpu(1)]

    def weights(folder, num_epochs):
        d2l.set_seed(0)
        net = network()
        net.initialize(init.Xavier(), ctx=devices)
        options = {"learning_rate": 0.01}
        trainer = gluon.Trainer(net.collect_params(), "adam", options, update_on_kvstore=update_on_kvstore)
        batches = d2l.load_data_fashion_mnist(64, **SIZES)
        d2l.train_ch5(
            net, *batches, 64, trainer, devices, num_epochs, callbacks=[d2l.Checkpoint(folder)], verbose=False
        )
        return [weight.list_data() for weight in net.collect_params(".*weight").values()]

    whole = weights(tmp_path / "whole", 4)
    weights(tmp_path / "parts", 2)
    for ours, theirs in zip(weights(tmp_path / "parts", 4), whole, strict=True):
        for array in ours:
            np.testing.assert_allclose(array.asnumpy(), theirs[0].asnumpy(), rtol=2e-3, atol=1e-4)


def test_each_state_is_copied_once(tmp_path, monkeypatch):
    fit(tmp_path, 1)
    copies, copy = [], nd.NDArray.copy
    monkeypatch.setattr(nd.NDArray, "copy", lambda array: copies.append(1) or copy(array))
    net, _ = fit(tmp_path, 1)
    assert len(copies) <= len(values(net))


def test_numbers_may_be_of_numpy(tmp_path):
    numbers = {"lr": np.float32(0.1), "seed": np.int64(1)}
    fit(tmp_path, 1, **numbers)
    assert len(fit(tmp_path, 2, **numbers)[1].loss) == 2


# Refusals


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit(path, **changes):
    record = json.loads(path.read_text())
    record.pop("sha256")
    path.write_text(json.dumps(checkpoint._signed({**record, **changes})))


LAST = "epoch-00002"
REFUSALS = {
    "a bit of the parameters": (lambda f: damage(f / f"{LAST}.params"), {}, "damaged .epoch-00002.params is another."),
    "a bit of the optimizer": (lambda f: damage(f / f"{LAST}.states"), {}, "damaged .epoch-00002.states is another."),
    "a bit of the record": (lambda f: damage(f / f"{LAST}.json"), {}, "is damaged"),
    "half of the record": (lambda f: os.truncate(f / f"{LAST}.json", 300), {}, r"is damaged \(no JSON\)"),
    "no parameters": (lambda f: (f / f"{LAST}.params").unlink(), {}, "epoch-00002.params is missing"),
    "no optimizer": (lambda f: (f / f"{LAST}.states").unlink(), {}, "epoch-00002.states is missing"),
    "foreign": (lambda f: (f / f"{LAST}.json").write_text('{"a": 1}'), {}, "was not written by d2lhelpers"),
    "a list": (lambda f: (f / f"{LAST}.json").write_text("[1]"), {}, "was not written by d2lhelpers"),
    "another format": (lambda f: edit(f / f"{LAST}.json", format=9), {}, "has format 9, and this version .* reads 4"),
    "another training": (None, {"lr": 0.2}, "is of another training: lr of optimizer was 0.1, here it is 0.2"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_fit_is_refused_in_a_sentence_and_not_touched(tmp_path, name):
    spoil, options, sentence = REFUSALS[name]
    fit(tmp_path, 2)
    if spoil:
        spoil(tmp_path)
    before = files(tmp_path)
    with pytest.raises(ValueError, match=sentence) as caught:
        fit(tmp_path, 3, **options)
    assert "\n" not in str(caught.value)
    assert "give another folder" in str(caught.value)
    assert files(tmp_path) == before


def test_a_folder_in_use_is_refused(tmp_path):
    class Nested:
        """Starts the same training while one is running."""

        def __init__(self, inner):
            self.inner = inner

        def __len__(self):
            return len(self.inner)

        def __iter__(self):
            with pytest.raises(ValueError, match="which another training uses now"):
                fit(tmp_path, 1)
            yield from self.inner

    net = network()
    net.initialize(ctx=d2l.try_gpu())
    train_iter, test_iter = d2l.load_data_fashion_mnist(64, **SIZES)
    trainer = gluon.Trainer(net.collect_params(), "sgd")
    d2l.train_ch5(
        net,
        Nested(train_iter),
        test_iter,
        64,
        trainer,
        d2l.try_gpu(),
        1,
        callbacks=[d2l.Checkpoint(tmp_path)],
        verbose=False,
    )
    assert f"{LAST[:-1]}1.json" in files(tmp_path)


def test_a_full_disk_is_said_and_training_goes_on(tmp_path, monkeypatch, capsys):
    fit(tmp_path, 1)
    before = files(tmp_path)
    monkeypatch.setattr(nd, "save", lambda *_: (_ for _ in ()).throw(OSError("No space left on device")))
    _, history = fit(tmp_path, 2)
    assert len(history.loss) == 2
    assert "Epoch 2 could not be kept" in capsys.readouterr().out
    assert {name: content for name, content in files(tmp_path).items() if "00001" in name} == before
    monkeypatch.undo()
    assert len(fit(tmp_path, 3)[1].loss) == 3


# kill -9

RUN = """
import sys
sys.path.insert(0, {tests!r})
import d2lhelpers as d2l
from test_checkpoint import network
net = network()
d2l.fit(net, lr=.1, batch_size=64, num_epochs=6, momentum=.9, train_size=640, test_size=100,
        callbacks=[d2l.Checkpoint({folder!r})])
net.save_parameters({folder!r} + ".end")
"""


def start(folder):
    """Train six epochs in a process of its own, on one thread."""
    code = textwrap.dedent(RUN).format(tests=os.path.dirname(__file__), folder=str(folder))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)


def test_killed_at_any_moment_it_ends_with_the_same_bits(tmp_path):
    process = start(tmp_path / "whole")
    begin = time.monotonic()
    output = process.communicate()[0]
    seconds = time.monotonic() - begin
    assert process.returncode == 0
    assert "epoch 6" in output
    random = np.random.default_rng(0)
    for turn in range(2):
        folder, kills = tmp_path / f"killed {turn}", 0
        while True:
            process = start(folder)
            try:
                process.wait(timeout=seconds * random.uniform(0.5, 1.2) if kills < 3 else None)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
        assert process.returncode == 0
        end, expected = (nd.load(f"{path}.end") for path in (folder, tmp_path / "whole"))
        assert all(np.array_equal(end[name].asnumpy(), expected[name].asnumpy()) for name in expected)


@pytest.mark.parametrize("suffix", [".params", ".states", ".json"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_it_writes(tmp_path, monkeypatch, suffix, moment):
    """Stop before or after one of the three files gets its name: what a kill at that moment leaves."""
    whole, expected = fit(tmp_path / "whole", 3)
    folder, replace = tmp_path / "killed", os.replace

    def killed(path, target):
        hit = target.name == f"epoch-00002{suffix}"
        if not (hit and moment == "before"):
            replace(path, target)
        if hit:
            shutil.copytree(folder, tmp_path / "left")

    monkeypatch.setattr(os, "replace", killed)
    fit(folder, 2)
    monkeypatch.undo()
    left = tmp_path / "left"
    assert "epoch-00001.json" in files(left)
    net, history = fit(left, 3)
    assert history.loss == pytest.approx(expected.loss, rel=1e-4)
    for ours, theirs in zip(values(net), values(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
