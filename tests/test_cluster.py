"""Training in several processes: the same as in one, and no waiting for one that is gone."""

import collections
import importlib.util
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.data import ImageBatches
from d2lhelpers.training import Callback
from mxnet import gluon, nd
from mxnet.gluon import nn

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
scale = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scale)

SIZES = {"train_size": 643, "test_size": 101, "lr": 0.1, "seed": 3}

WORK = """
import sys
sys.path.insert(0, {tests!r})
import os, d2lhelpers as d2l, test_cluster
net = test_cluster.network({norm})
callbacks = [d2l.Checkpoint({checkpoint!r})] if {checkpoint!r} else []
options = dict(callbacks=[*callbacks, d2l.Cluster("dist_sync")], **test_cluster.SIZES)
history = d2l.fit(net, batch_size=32, num_epochs={epochs}, **options)
net.save_parameters({folder!r} + "/worker-" + os.environ["DMLC_WORKER_ID"])
print("loss", history.loss, "accuracy", history.test_acc, "steps", len(history.steps), flush=True)
"""


def network(norm=False):
    net = nn.Sequential()
    net.add(nn.Conv2D(16, 5, strides=3), nn.Conv2D(32, 3))  # wide enough for oneDNN's own order of weights
    if norm:
        net.add(nn.BatchNorm())
    net.add(nn.Activation("relu"), nn.Dense(10))
    return net


class Processes:
    """A scheduler, a server and two workers on the loopback interface."""

    def __init__(self, folder, norm=False, epochs=2, checkpoint=None, workers=2):
        code = textwrap.dedent(WORK).format(
            tests=os.path.dirname(__file__), folder=str(folder), norm=norm, epochs=epochs, checkpoint=checkpoint
        )
        processes = scale.start(
            [sys.executable, "-c", code],
            workers,
            environment={"OMP_NUM_THREADS": "1", "D2L_PATIENCE": "10"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.all = list(processes.values())
        self.workers = self.all[2:]

    def outputs(self, timeout=120):
        """Wait for the workers; return what they printed."""
        return [worker.communicate(timeout=timeout)[0] for worker in self.workers]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.all:
            process.kill()
            process.wait()


def test_two_workers_compute_what_one_process_does(tmp_path):
    with Processes(tmp_path) as processes:
        outputs = processes.outputs()
    assert [worker.returncode for worker in processes.workers] == [0, 0], outputs
    one, two = (nd.load(str(tmp_path / f"worker-{i}")) for i in range(2))
    alone = network()
    # the two leave out the odd image of an epoch
    data = d2l.load_arrays()
    ours = ImageBatches(data.train_images[:643], data.train_labels[:643], 64, shuffle=True, seed=3)

    class Even:
        epoch = 0

        def __len__(self):
            return len(ours)

        def __iter__(self):
            for X, y in ours:
                yield X[: len(X) // 2 * 2], y[: len(X) // 2 * 2]

    d2l.set_seed(3)
    alone.initialize(mx.init.Xavier())
    test_iter = ImageBatches(data.test_images[:101], data.test_labels[:101], 64)
    trainer = gluon.Trainer(alone.collect_params(), "sgd", {"learning_rate": 0.1})
    history = d2l.train_ch5(alone, Even(), test_iter, 64, trainer, mx.cpu(), 2, verbose=False)
    for name, parameter in alone._collect_params_with_prefix().items():
        assert np.array_equal(one[name].asnumpy(), two[name].asnumpy())
        np.testing.assert_allclose(one[name].asnumpy(), parameter.data().asnumpy(), rtol=1e-4, atol=1e-5)
    reports = [re.search(r"loss \[(.*)\] accuracy \[(.*)\] steps (\d+)", output).groups() for output in outputs]
    assert reports[0] == reports[1]
    losses, accuracies = ([float(number) for number in text.split(",")] for text in reports[0][:2])
    assert losses == pytest.approx(history.loss, rel=1e-4)
    assert accuracies == pytest.approx(history.test_acc, abs=1e-6)
    assert sorted("epoch 1" in output for output in outputs) == [False, True], "one worker draws"


def test_moving_averages_agree_too(tmp_path):
    with Processes(tmp_path, norm=True) as processes:
        outputs = processes.outputs()
    assert [worker.returncode for worker in processes.workers] == [0, 0], outputs
    one, two = (nd.load(str(tmp_path / f"worker-{i}")) for i in range(2))
    assert any("running" in name for name in one)
    assert all(np.array_equal(one[name].asnumpy(), two[name].asnumpy()) for name in one)


def test_a_worker_that_dies_ends_the_run_which_then_goes_on(tmp_path):
    checkpoint = tmp_path / "kept"
    with Processes(tmp_path, epochs=500, checkpoint=str(checkpoint)) as processes:
        deadline = time.monotonic() + 60
        while len(list(checkpoint.glob("worker-?/epoch-*.json"))) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        processes.workers[1].send_signal(signal.SIGKILL)
        output = processes.workers[0].communicate(timeout=60)[0]
        assert processes.workers[0].returncode == 1
        assert "no batch was finished for 10 seconds, so another process of the training must be gone" in output
        assert "Start all of them again" in output
    kept = max(int(path.stem[-5:]) for path in checkpoint.glob("worker-0/epoch-*.json"))
    with Processes(tmp_path, epochs=kept + 2, checkpoint=str(checkpoint)) as processes:
        outputs = processes.outputs()
    assert [worker.returncode for worker in processes.workers] == [0, 0], outputs
    assert any("going on after epoch" in output for output in outputs)
    one, two = (nd.load(str(tmp_path / f"worker-{i}")) for i in range(2))
    assert all(np.array_equal(one[name].asnumpy(), two[name].asnumpy()) for name in one)


@pytest.mark.parametrize("n", [1, 7, 64, 65, 100, 643])
@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("shuffle", [True, False])
def test_shares_are_disjoint_and_as_many(n, workers, shuffle):
    images, labels = np.zeros((n, 2, 2), np.uint8), np.arange(n)
    data = ImageBatches(images, labels, 16, shuffle=shuffle, seed=1)
    shares = [data.share(rank, workers) for rank in range(workers)]
    seen = [[y.asnumpy() for _, y in share] for share in shares]
    together = np.concatenate([np.concatenate([[], *batches]) for batches in seen])
    assert len(set(together)) == len(together)
    if shuffle:
        assert len(together) == n // workers * workers
        assert len({tuple(map(len, batches)) for batches in seen}) == 1, "as many images in each step"
        assert all(len(share) == len(batches) for share, batches in zip(shares, seen, strict=True))
    else:
        assert sorted(together) == list(range(n))


@pytest.mark.parametrize("kvstore", ["device", "dist_async", None])
def test_another_kind_of_store_is_refused(kvstore):
    with pytest.raises(ValueError, match=f"kvstore is {kvstore!r}; it must be 'dist_sync'"):
        d2l.Cluster(kvstore)


def test_without_a_cluster_it_is_refused(monkeypatch):
    monkeypatch.setenv("DMLC_ROLE", "")
    with pytest.raises(ValueError, match="has no DMLC_ROLE=worker: start the training with `make scale`"):
        d2l.fit(network(), batch_size=32, num_epochs=1, callbacks=[d2l.Cluster()], **SIZES)


def test_patience_must_be_a_number(monkeypatch):
    monkeypatch.setenv("DMLC_ROLE", "worker")
    monkeypatch.setenv("D2L_PATIENCE", "a minute")
    with pytest.raises(ValueError, match="D2L_PATIENCE is 'a minute'; it must be a number of seconds"):
        d2l.fit(network(), batch_size=32, num_epochs=1, callbacks=[d2l.Cluster()], **SIZES)


def test_callbacks_hear_of_every_batch_of_training_and_testing():
    class Counter(Callback):
        heard = collections.Counter()

        def batch_begin(self, run):
            self.heard[run.epoch] += 1

    counter = Counter()
    sizes = {"train_size": 64, "test_size": 128}
    d2l.fit(network(), batch_size=32, num_epochs=2, lr=0.1, **sizes, callbacks=[counter], verbose=False)
    assert counter.heard == {0: 2 + 4, 1: 2 + 4}


def test_two_devices_compute_what_one_does():
    def run(ctx):
        d2l.set_seed(0)
        net = network()
        net.initialize(mx.init.Xavier(), ctx=ctx)
        data = d2l.load_data_fashion_mnist(64, train_size=643, test_size=101)
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01, "momentum": 0.9})
        history = d2l.train_ch5(net, *data, 64, trainer, ctx, 3, verbose=False)
        return net, history

    (one, expected), (two, history) = run(mx.cpu(0)), run([mx.cpu(0), mx.cpu(1)])
    assert history.loss == pytest.approx(expected.loss, rel=1e-5)
    assert history.test_acc == expected.test_acc
    for ours, theirs in zip(two.collect_params().values(), one.collect_params().values(), strict=True):
        for device in (mx.cpu(0), mx.cpu(1)):
            np.testing.assert_allclose(ours.data(device).asnumpy(), theirs.data().asnumpy(), rtol=1e-4, atol=1e-5)


def test_fit_takes_several_devices():
    settings = {"lr": 0.01, "batch_size": 64, "num_epochs": 1, "train_size": 640, "test_size": 128, "verbose": False}
    devices, net = [mx.cpu(0), mx.cpu(1)], network()
    history = d2l.fit(net, ctx=devices, **settings)
    assert history.loss == pytest.approx(d2l.fit(network(), ctx=mx.cpu(0), **settings).loss, rel=1e-5)
    assert net[0].weight.list_ctx() == devices


def test_a_rest_too_small_to_be_split_is_said():
    net = network()
    devices = [mx.cpu(0), mx.cpu(1)]
    net.initialize(ctx=devices)
    data = d2l.load_data_fashion_mnist(32, train_size=33, test_size=32)
    trainer = gluon.Trainer(net.collect_params(), "sgd")
    with pytest.raises(ValueError, match="train_iter gave a batch of 1, which cannot be split among 2 devices"):
        d2l.train_ch5(net, *data, 32, trainer, devices, 1, verbose=False)
