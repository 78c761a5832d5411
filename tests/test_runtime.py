"""Device, threads, budget, seed, and what is said when MXNet cannot be loaded."""

import ctypes
import os
import shutil
import subprocess
import sys

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers import runtime
from mxnet import nd


@pytest.fixture
def fresh(monkeypatch):
    monkeypatch.delenv("D2L_DEVICE", raising=False)
    monkeypatch.delenv("D2L_BUDGET", raising=False)
    monkeypatch.delenv("D2L_SEED", raising=False)
    runtime._choose_device.cache_clear()
    yield monkeypatch
    runtime._choose_device.cache_clear()


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
@pytest.mark.parametrize("place", ["lib", "site-packages/nvidia/cuda_runtime/lib"])
def test_cuda_libraries_of_conda_and_of_pypi_are_loaded_for_everybody(monkeypatch, tmp_path, place):
    symbol, folder = f"d2l_test_{place[:3]}", tmp_path / place
    folder.mkdir(parents=True)
    source = tmp_path / "cuda.c"
    source.write_text(f"int {symbol}(void) {{ return 42; }}")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "libcudart.so.11.0", source], check=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    assert not hasattr(ctypes.CDLL(None), symbol)
    runtime._preload_cuda()
    assert getattr(ctypes.CDLL(None), symbol)() == 42


@pytest.mark.parametrize(
    ("name", "context"), [("cpu", mx.cpu()), ("cpu(1)", mx.cpu(1)), ("gpu", mx.gpu()), ("gpu(2)", mx.gpu(2))]
)
def test_device_names(name, context):
    assert runtime.parse_device(name) == context


@pytest.mark.parametrize("name", ["tpu", "cpu1", "cpu(-1)", "gpu()", "cpu(1)x"])
def test_wrong_device_name(fresh, name):
    fresh.setenv("D2L_DEVICE", name)
    with pytest.raises(ValueError, match="D2L_DEVICE is .* it must be cpu, gpu"):
        d2l.try_gpu()


def test_device_from_the_environment(fresh):
    fresh.setenv("D2L_DEVICE", "cpu(1)")
    assert d2l.try_gpu() == mx.cpu(1)


def test_wanted_gpu_that_is_not_there(fresh):
    fresh.setattr(runtime, "_run_kernel", refuse("no kernel image is available"))
    fresh.setenv("D2L_DEVICE", "gpu")
    with pytest.raises(RuntimeError, match="D2L_DEVICE is 'gpu' but that device cannot compute: no kernel image"):
        d2l.try_gpu()


# what MXNet says on an H200
NO_KERNEL = """Traceback (most recent call last):
  File "../src/operator/contrib/../tensor/./../mxnet_op.h", line 1120
Name: Check failed: err == cudaSuccess (209 vs. 0) : mxnet_generic_kernel ErrStr:no kernel image is available for \
execution on the device"""


def refuse(reason):
    def probe(device):
        raise mx.base.MXNetError(reason)

    return probe


def test_gpu_that_runs_kernels_is_used(fresh):
    fresh.setattr(mx.context, "num_gpus", lambda: 1)
    fresh.setattr(runtime, "_run_kernel", lambda device: None)
    assert d2l.try_gpu() == mx.gpu()
    assert d2l.budget() == "gpu"


def test_gpu_newer_than_the_wheel_gives_the_cpu_and_one_line(fresh, capsys):
    fresh.setattr(mx.context, "num_gpus", lambda: 1)
    fresh.setattr(runtime, "_run_kernel", refuse(NO_KERNEL))
    assert (d2l.try_gpu(), d2l.try_gpu()) == (mx.cpu(), mx.cpu())
    assert capsys.readouterr().out == (
        "This MXNet computes on GPUs of compute capability 5.0 to 8.9, but not on this GPU, "
        "so the CPU is used: no kernel image is available for execution on the device\n"
    )


def test_the_probe_runs_a_kernel():
    runtime._run_kernel(mx.cpu())
    with pytest.raises(mx.base.MXNetError):
        runtime._run_kernel(mx.gpu(99))


@pytest.mark.parametrize("name", ["latin-1", "ascii", "utf-8"])
def test_a_terminal_that_lacks_some_characters(name):
    """It shows others in their place."""
    command = [sys.executable, "-c", "import d2lhelpers; print('\\u00b7 \\u25cf')"]
    shown = subprocess.run(command, env=os.environ | {"PYTHONIOENCODING": name}, capture_output=True, check=True)
    assert shown.stdout.strip() == "· ●".encode(name, "replace")


STOPPED = """
import d2lhelpers as d2l
from d2lhelpers.chapters.batch_norm import FastBatchNorm, lenet

class Stop(d2l.training.Callback):
    batches = 0

    def batch_begin(self, run):
        self.batches += 1
        if self.batches == 12:
            raise KeyboardInterrupt

settings = {"lr": 1.0, "batch_size": 256, "num_epochs": 1, "train_size": 8192, "test_size": 256}
d2l.fit(lenet(FastBatchNorm), **settings, callbacks=[Stop()])
"""


def test_python_ends_though_steps_of_a_hand_written_gradient_are_queued():
    assert subprocess.run([sys.executable, "-c", STOPPED], timeout=60).returncode == 0


def test_budget(fresh):
    assert d2l.budget() == "cpu"
    fresh.setenv("D2L_BUDGET", "smoke")
    assert d2l.by_budget(smoke=1, cpu=2, gpu=3) == 1
    fresh.setenv("D2L_BUDGET", "huge")
    with pytest.raises(ValueError, match="D2L_BUDGET is 'huge'; it must be one of smoke, cpu, gpu"):
        d2l.budget()


def test_a_claim_is_silent_where_it_holds(fresh, capsys):
    d2l.claim("it trains to 0.80", True)
    d2l.claim("it trains to 0.80", np.float32(1) > 0)
    fresh.setenv("D2L_BUDGET", "smoke")
    d2l.claim("it trains to 0.80", False)
    assert capsys.readouterr().out == ""
    for budget in ("cpu", "gpu"):
        fresh.setenv("D2L_BUDGET", budget)
        d2l.claim("it trains to 0.80", np.nan > 1)
        assert capsys.readouterr().out == "Unlike in the text: it is not so here that it trains to 0.80.\n"


def test_seed_repeats_weights():
    draws = []
    for seed in (1, 1, 2):
        d2l.set_seed(seed)
        draws.append(nd.random.normal(shape=4).asnumpy().tolist())
    assert draws[0] == draws[1] != draws[2]


def test_d2l_seed_is_added_to_every_seed(fresh):
    def numbers():
        d2l.set_seed(2**32 - 2)
        batches, _ = d2l.load_data_fashion_mnist(8, train_size=64, test_size=8, seed=3)
        return nd.random.normal(shape=4).asnumpy().tolist(), next(iter(batches))[1].asnumpy().tolist(), batches.seed

    plain = numbers()
    fresh.setenv("D2L_SEED", "5")
    moved = numbers()
    assert moved[2] == 8 and moved == numbers()
    assert moved[0] != plain[0] and moved[1] != plain[1]

    fresh.setenv("D2L_SEED", "-1")
    with pytest.raises(ValueError, match="D2L_SEED is '-1'; it must be a whole number from 0"):
        d2l.set_seed(0)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ModuleNotFoundError("No module named 'mxnet'", name="mxnet"), "make lab"),
        (OSError("libquadmath.so.0: cannot open shared object file"), "apt-get install libquadmath0"),
        (OSError("libgomp.so.1: cannot open shared object file"), "apt-get install libgomp1"),
        (OSError("libcuda.so.1: cannot open shared object file"), "make env EXTRA=cpu"),
        (ImportError("numpy.core.multiarray failed to import"), "make clean env"),
    ],
)
def test_why_mxnet_cannot_be_loaded(error, remedy):
    sentence = runtime._explain_import_failure(error)
    assert remedy in sentence
    assert "\n" not in sentence
