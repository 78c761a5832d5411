"""Measure d2lhelpers, d2lzh and PyTorch side by side, and write RESULTS.md: `make bench`.

The contenders take turns in one run, so that what else the machine does hits all alike; each number is a median of
five after one to warm up. Without PyTorch the rest is measured. `make bench ISA=AVX2` lets all of them use no wider
vector instructions than most laptops have, and writes RESULTS-AVX2.md.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, median, stdev

import loky

HERE = Path(__file__).resolve().parent
REPEATS = 5
STUDENT = 2.78  # Student's t at 95 % for so many: 4 degrees of freedom
PYTORCH = ("eager", "channels-last", "compile")
# The learning rates are low, so that rounding does not grow into losses that cannot be compared.
TASKS = (
    {"name": "LeNet + BN", "side": 28, "batch": 256, "train_size": 30_000, "test_size": 5000, "lr": 1.0},
    {"name": "VGG-11 ÷ 8", "side": 224, "batch": 64, "train_size": 256, "test_size": 64, "lr": 0.0005},
    {"name": "NiN", "side": 224, "batch": 64, "train_size": 128, "test_size": 64, "lr": 0.001},
    {"name": "GoogLeNet", "side": 96, "batch": 64, "train_size": 256, "test_size": 64, "lr": 0.001},
)
TARGETS = (  # what is measured, of whom, and how many times as much as d2lhelpers they are to take
    ("seconds", ("d2lzh",), 2.0),
    ("seconds", PYTORCH, 1.0),
    ("memory", PYTORCH, 0.67),
)
LIMITS = {  # what keeps oneDNN, OpenBLAS, MKL, PyTorch and what it compiles to some instructions
    "AVX2": {
        "DNNL_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "TORCHINDUCTOR_CPP_MARCH": "haswell",
        "TORCHINDUCTOR_CACHE_DIR": os.path.join(tempfile.gettempdir(), "torchinductor_avx2"),
    }
}


class Worker:
    """One contender in a process of its own, waiting for tasks."""

    def __init__(self, name, folder):
        script = HERE / ("pytorch.py" if name in PYTORCH else "worker.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, script, name, folder], **pipes)

    def ask(self, *task):
        """Return what the worker answers to a task."""
        print(json.dumps(task), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def train(self, task, seed):
        """Return the seconds and the loss of an epoch, and the most memory that it took (in MB; only on Linux)."""
        folder = Path("/proc", str(self.process.pid))
        if not folder.exists():
            return {**self.ask("train", task, seed), "memory": math.nan}
        (folder / "clear_refs").write_text("5")  # forget the peak so far
        answer = self.ask("train", task, seed)
        peak = re.search(r"VmHWM:\s+(\d+) kB", (folder / "status").read_text())[1]
        return {**answer, "memory": int(peak) / 1024}


def table(head, rows):
    """Return the lines of a Markdown table, whose first column has no name."""
    return ["| " + " | ".join(row) + " |" for row in (["", *head], ["---"] * (len(head) + 1), *rows)] + [""]


def take_turns(task, workers):
    """Return what each contender answers to a task of training, with one seed after the other."""
    runs = {name: [] for name in workers}
    for seed in range(REPEATS + 1):
        workers["d2lhelpers"].ask("export", task, seed)
        for name, worker in workers.items():
            runs[name].append(worker.train(task, seed))
            print(f"{task['name']:12} {name:14} {runs[name][-1]}", flush=True)
    return {name: answers[1:] for name, answers in runs.items()}


def show_loss(answers, ours):
    """Return a contender's mean loss, marked where it differs from ours by more than the seeds explain."""
    differences = [one["loss"] - other["loss"] for one, other in zip(answers, ours, strict=True)]
    noise = STUDENT * stdev(differences) / len(differences) ** 0.5
    mark = "" if abs(mean(differences)) <= noise + 0.01 else " (differs)"  # 0.01 for rounding
    return f"{mean(run['loss'] for run in answers):.3f}{mark}"


def least(found, names, target):
    """Return how many times as much as d2lhelpers the least of some others takes; in bold below the target."""
    measured = [name for name in names if name in found and not math.isnan(found[name])]
    name = min(measured, key=found.get, default=None)
    if name is None:
        return "–"
    ratio = found[name] / found["d2lhelpers"]
    return f"{ratio:.2f} ({name})" if ratio >= target else f"**{ratio:.2f}** ({name})"


def report_training(workers):
    """Return the lines about training."""
    targets, seconds, losses, memory = [], [], [], []
    for task in TASKS:
        network, runs = task["name"], take_turns(task, workers)
        found = {
            measure: {name: median(run[measure] for run in answers) for name, answers in runs.items()}
            for measure in ("seconds", "memory")
        }
        times, ours = found["seconds"], found["seconds"]["d2lhelpers"]
        targets.append([network, *(least(found[measure], names, target) for measure, names, target in TARGETS)])
        seconds.append([network, *(f"{time:.2f} ({time / ours:.2f})" for time in times.values())])
        losses.append([network, *(show_loss(answers, runs["d2lhelpers"]) for answers in runs.values())])
        memory.append([network, *(f"{size:,.0f}" for size in found["memory"].values())])
    text = "- {name}: {train_size:,} images of {side} × {side} in batches of {batch}, and {test_size:,} to test."
    heads = [f"{names[0] if len(names) == 1 else 'PyTorch'}, {measure}: {target}" for measure, names, target in TARGETS]
    lines = ["## Targets", "", "How many times as much as d2lhelpers the best of the others takes, and (in the head)"]
    lines += ["how many times that is to be; bold where it is less.", "", *table(heads, targets)]
    lines += ["## Training", "", "Seconds, and in brackets how many times as long as d2lhelpers took.", ""]
    lines += [*table(workers, seconds), *(text.format(**task) for task in TASKS), ""]
    lines += ["Mean training loss of all seeds. All start from the same weights, in the same order of images, but draw"]
    lines += ["other numbers for dropout. *Differs* marks more than the seeds explain.", "", *table(workers, losses)]
    lines += ["Peak memory of the process, in MB; d2lzh has four more for its DataLoader.", ""]
    return [*lines, *table(workers, memory)]


def report_busy(workers, folder):
    """Return the lines about a training that is not alone: beside a busy process, and beside another training."""
    task, rows = TASKS[0] | {"train_size": 10_240, "test_size": 1024}, []
    for name in ("d2lzh", "d2lhelpers", "eager"):
        if name not in workers:
            continue
        both, runs = (workers[name], Worker(name, folder)), []
        for seed in range(REPEATS + 1):
            workers["d2lhelpers"].ask("export", task, seed)
            quiet = both[0].ask("train", task, seed)["seconds"]
            with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as competitor:
                busy = both[0].ask("train", task, seed)["seconds"]
                competitor.kill()
            with ThreadPoolExecutor() as pool:  # each thread only waits for its worker
                pair = list(pool.map(lambda worker, seed=seed: worker.ask("train", task, seed)["seconds"], both))
            runs.append((quiet, busy, max(pair)))
        both[1].process.communicate()
        quiet, *others = map(median, zip(*runs[1:], strict=True))
        rows.append([name, f"{quiet:.2f}", *(f"{seconds:.2f} ({seconds / quiet:.2f})" for seconds in others)])
    lines = [
        "## Beside other work",
        "",
        f"Seconds for {task['name']} with {task['train_size']:,} images, and in brackets how",
    ]
    lines += ["many times as long as alone. Of two trainings side by side, the slower one counts.", ""]
    return [*lines, *table(["alone", "beside a busy process", "two side by side"], rows)]


def report_input(workers):
    """Return the lines about the input without a network."""
    rows, names = [], ("d2lzh", "d2lhelpers")
    for side, images in ((28, 6400), (96, 1600), (224, 640)):
        turns = [[workers[name].ask("load", side, images) for name in names] for _ in range(REPEATS + 1)]
        rows.append([f"{side} × {side}", *(f"{median(speeds):,.0f}" for speeds in zip(*turns[1:], strict=True))])
    return ["## Input", "", "Images a second of the input alone, in batches of 64.", "", *table(names, rows)]


def import_seconds(module):
    """Return how many seconds Python takes to start and import a module."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - begin


def report_imports():
    """Return the lines about what one waits for before anything is computed."""
    names = ("mxnet", "d2lhelpers", "d2lzh")
    turns = [[import_seconds(name) for name in names] for _ in range(REPEATS + 1)]
    medians = map(median, zip(*turns[1:], strict=True))
    rows = [[f"`import {name}`", f"{seconds:.2f}"] for name, seconds in zip(names, medians, strict=True)]
    return ["## Starting", "", *table(["seconds"], rows)]


def describe_processor(limit):
    """Return the processor's name and its widest vector instructions, where the system tells, and the limit to them."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor()
    facts = dict(re.findall(r"^(.+?)\s*: (.+)$", file.read_text(), re.MULTILINE))
    widest = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX"}
    found = next((name for flag, name in widest.items() if flag in facts.get("flags", "").split()), "no AVX")
    return f"{facts.get('model name', platform.machine())} ({found}{f', limited to {limit}' if limit else ''})"


def main():
    """Measure everything and write the file."""
    parser = argparse.ArgumentParser(description="Measure d2lhelpers, d2lzh and PyTorch side by side.")
    parser.add_argument("isa", nargs="?", choices=LIMITS, help="the widest vector instructions that may be used")
    isa = parser.parse_args().isa
    os.environ.update(LIMITS.get(isa, {}))
    begin, packages, names = time.monotonic(), ["mxnet", "d2lzh", "numpy"], ["d2lzh", "d2lhelpers"]
    if importlib.util.find_spec("torch"):
        packages.append("torch")
        names.extend(PYTORCH)
    starting = report_imports()
    with tempfile.TemporaryDirectory() as folder:
        workers = {name: Worker(name, folder) for name in names}
        lines = report_training(workers) + report_busy(workers, folder) + report_input(workers) + starting
        for worker in workers.values():
            worker.process.communicate()  # closes its input, and waits until it has ended
    cores = f"{loky.cpu_count(only_physical_cores=True)} of {os.cpu_count()} cores"
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    command = "make bench" + (f" ISA={isa}" if isa else "")
    head = [
        "# Measurements",
        "",
        f"- Processor: {describe_processor(isa)}, {cores}",
        f"- Versions: {', '.join([f'Python {platform.python_version()}', *versions])}",
        f"- Measured by `{command}` in {(time.monotonic() - begin) / 60:.0f} minutes: medians of {REPEATS} after one",
        "  to warm up; the contenders take turns. Read the ratios: seconds depend on the machine and its other work.",
        "- *d2lzh* runs as in the book: its `train_ch5`, a DataLoader with four workers, and MXNet's own settings.",
        "- *eager*, *channels-last* and *compile* are PyTorch on images in memory; the time to compile is left out.",
        "",
    ]
    (HERE / f"RESULTS{f'-{isa}' if isa else ''}.md").write_text("\n".join(head + lines), encoding="utf-8")


if __name__ == "__main__":
    main()
