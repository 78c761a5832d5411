"""Measure d2lhelpers against d2lzh, side by side in one run, and write RESULTS.md: `make bench`, about five minutes.

The contenders take turns, so that what else the machine does hits both alike; each number is a median of five.
"""

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import loky

HERE = Path(__file__).resolve().parent
CONTENDERS = ("d2lzh", "d2lhelpers")
EIGHT_BATCHES = {"batch": 64, "train_size": 512, "test_size": 64}
TASKS = (
    {"name": "LeNet with batch norm", "side": 28, "batch": 256, "train_size": 60_000, "test_size": 10_000, "lr": 1.0},
    {"name": "VGG-11 ÷ 8", "side": 224, **EIGHT_BATCHES, "lr": 0.05},
    {"name": "NiN", "side": 224, **EIGHT_BATCHES, "lr": 0.01},
    {"name": "GoogLeNet", "side": 96, **EIGHT_BATCHES, "lr": 0.01},
)
REPEATS = 5


class Worker:
    """One contender in a process of its own, waiting for tasks."""

    def __init__(self, name):
        command = [sys.executable, HERE / "worker.py", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, task):
        """Return what `worker.py` measures: seconds and loss."""
        print(json.dumps(task), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def measure_all():
    """Return seconds and losses: task → contender → measurement → list of five."""
    workers = {name: Worker(name) for name in CONTENDERS}
    results = {}
    for task in TASKS:
        for worker in workers.values():
            worker.measure(task)  # to warm up
        runs = {name: [] for name in CONTENDERS}
        for _ in range(REPEATS):
            for name, worker in workers.items():
                runs[name].append(worker.measure(task))
                print(f"{task['name']:22} {name:10} {runs[name][-1]}", flush=True)
        results[task["name"]] = runs
    for worker in workers.values():
        worker.process.stdin.close()
    return results


def processor():
    """Return the name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def report(results):
    """Return the text of RESULTS.md."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("mxnet", "d2lzh", "numpy"))
    lines = [
        "# Measurements",
        "",
        f"By `make bench` on {processor()}, {loky.cpu_count(only_physical_cores=True)} of {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, {versions}. Seconds are medians of {REPEATS}, after one to warm up; the "
        "two take turns. d2lzh runs as in the book: its `train_ch5`, a DataLoader with four workers, and MXNet's own "
        "settings. Read the ratio: seconds depend on the machine, and on what else it does.",
        "",
        "| | d2lzh, s | d2lhelpers, s | times as fast | lowest to highest | loss of d2lzh | of d2lhelpers |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, runs in results.items():
        theirs, ours = ([run["seconds"] for run in runs[name]] for name in CONTENDERS)
        ratios = sorted(a / b for a, b in zip(theirs, ours, strict=True))
        ratio = statistics.median(theirs) / statistics.median(ours)
        losses = (statistics.median(run["loss"] for run in runs[name]) for name in CONTENDERS)
        times = f"{statistics.median(theirs):.1f} | {statistics.median(ours):.1f} | **{ratio:.1f}**"
        spread = f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
        lines.append(f"| {task} | {times} | {spread} | {' | '.join(f'{loss:.3f}' for loss in losses)} |")
    lines.append("")
    for task in TASKS:
        work = "{train_size:,} images of {side} × {side} in batches of {batch}, and {test_size:,} to test".format(
            **task
        )
        lines.append(f"- {task['name']}: {work}.")
    lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    (HERE / "RESULTS.md").write_text(report(measure_all()), encoding="utf-8")
