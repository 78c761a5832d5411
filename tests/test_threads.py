"""How many threads there are: as the environment says, else one for each core that is free."""

import os
import subprocess
import sys

import loky
import pytest
from d2lhelpers import environment
from d2lhelpers.threads import WINDOW, Threads

CORES = loky.cpu_count(only_physical_cores=True)
NAMES = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_MAX_ACTIVE_LEVELS", "LOKY_MAX_CPU_COUNT")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "MXNET_", "LOKY_"))}


def run(code, **variables):
    """Return what a fresh process prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=CLEAN | variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("variables", "count", "fixed"),
    [
        ({}, CORES, False),
        ({"OMP_NUM_THREADS": "3"}, 3, True),
        ({"OMP_NUM_THREADS": " 3 "}, 3, True),
        ({"OMP_NUM_THREADS": "4,2"}, 4, True),  # for teams inside of teams
        ({"OMP_NUM_THREADS": ""}, CORES, False),
        ({"OMP_THREAD_LIMIT": "1"}, 1, False),
        ({"OMP_NUM_THREADS": "3", "OMP_THREAD_LIMIT": "2"}, 2, True),
        ({"OMP_NUM_THREADS": "3", "OMP_DYNAMIC": "TRUE"}, 3, True),
        ({"OMP_MAX_ACTIVE_LEVELS": "0"}, 1, False),
        ({"LOKY_MAX_CPU_COUNT": "1"}, 1, False),
        ({"MXNET_CPU_WORKER_NTHREADS": "2"}, CORES, True),
    ],
)
def test_the_environment_is_obeyed(monkeypatch, capsys, variables, count, fixed):
    for name in (*NAMES, "MXNET_CPU_WORKER_NTHREADS", "OMP_DYNAMIC"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment.count_threads() == (count, fixed)
    assert "OMP_DYNAMIC" not in os.environ
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "MXNET_CPU_WORKER_NTHREADS"])
@pytest.mark.parametrize("value", ["all", "auto", "2.5", "0", "-1", "99999999999"])
def test_junk_is_ignored_with_a_sentence(monkeypatch, capsys, name, value):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv(name, value)
    assert environment.count_threads() == (CORES, False)
    assert capsys.readouterr().out == (
        f"{name} is {value!r} and is ignored: it must be a whole number of threads, such as 2.\n"
    )


def test_mxnet_runs_whatever_the_environment_says():
    junk = dict.fromkeys((*NAMES[:2], NAMES[3], "MXNET_CPU_WORKER_NTHREADS", "MXNET_OMP_MAX_THREADS"), "junk")
    code = "import d2lhelpers, os; print(d2lhelpers.try_gpu()); print('OMP_NUM_THREADS' in os.environ)"
    *sentences, device, inherited = run(code, **junk, OMP_DYNAMIC="TRUE").splitlines()
    assert len(sentences) == len(junk) and all("is ignored" in sentence for sentence in sentences)
    assert (device, inherited) == ("cpu(0)", "False")  # a process that this one starts chooses for itself


@pytest.mark.parametrize(
    ("most", "free", "count"),
    [(2, 1.9, 2), (2, 1.6, 1), (2, 1.0, 1), (2, 0.2, 1), (8, 7.9, 8), (8, 7.2, 7), (8, 0, 1), (4, 8.0, 4)],
)
def test_a_thread_for_each_free_core(monkeypatch, most, free, count):
    module, used, clock = sys.modules["d2lhelpers.threads"], [], [0.0]
    monkeypatch.setattr(module, "_use", used.append)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "_available", lambda: free * clock[0])
    threads = Threads(most, adapts=True)
    threads.adapt()
    assert used == [most]  # at first all, and no change before it has looked for long enough
    clock[0] += WINDOW
    threads.adapt()
    assert threads.count == count and used == [most] + ([count] if count != most else [])


@pytest.mark.parametrize("hidden", [PermissionError, FileNotFoundError])
def test_where_the_system_does_not_count_nothing_is_adapted(monkeypatch, hidden):
    module = sys.modules["d2lhelpers.threads"]

    def refuse(percpu):
        raise hidden

    monkeypatch.setattr(module.psutil, "cpu_times", refuse)
    monkeypatch.setattr(module, "_use", pytest.fail)
    threads = Threads(2, module._can_adapt())
    threads.adapt()
    assert (threads.adapts, threads.count) == (False, 2)


# An operator that was first called with few threads and then with more would write beyond its memory.
CHANGES = """
import d2lhelpers as d2l
from d2lhelpers import threads
from d2lhelpers.chapters import batch_norm, googlenet, nin, vgg

class Change(d2l.training.Callback):
    def batch_begin(self, run):
        if counts:
            self.calls = getattr(self, "calls", 0) + 1
            threads._use(counts[self.calls % len(counts)])

networks = (
    (lambda: batch_norm.lenet(batch_norm.gluon_norm), None),
    (lambda: vgg.vgg(vgg.slim(vgg.VGG_11)), 32), (nin.nin, 96), (googlenet.googlenet, 32),
)
settings = {"lr": 0.01, "batch_size": 16, "num_epochs": 2, "train_size": 72, "test_size": 40, "verbose": False}
for make, side in networks:
    losses = []
    for counts in ([], [1, 2, 4]):
        losses.append(d2l.fit(make(), resize=side, **settings, callbacks=[Change()]).loss)
    assert all(abs(a - b) < 1e-3 * a for a, b in zip(*losses, strict=True)), losses
"""


def test_the_number_of_threads_changes_in_the_middle_of_a_training():
    run(CHANGES)


@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_a_training_leaves_a_busy_core_to_others():
    code = """
import subprocess, sys, time
import d2lhelpers as d2l
from d2lhelpers.chapters.batch_norm import gluon_norm, lenet
from d2lhelpers.threads import threads

competitors = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(threads.most)]
try:
    end = time.monotonic() + 60
    while threads.count == threads.most:
        assert time.monotonic() < end
        d2l.fit(lenet(gluon_norm), lr=0.1, batch_size=256, num_epochs=1, train_size=5120, test_size=256, verbose=False)
finally:
    for competitor in competitors:
        competitor.kill()
"""
    run(code)
