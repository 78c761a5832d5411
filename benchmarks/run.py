"""Measure d2lhelpers, d2lzh and PyTorch side by side, and write RESULTS.md and costs.png: `make bench`.

The contenders take turns in one run, so that what else the machine does hits all alike; each number is a median of
five after one to warm up. Without PyTorch the rest is measured.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import loky
from matplotlib.figure import Figure

HERE = Path(__file__).resolve().parent
REPEATS = 5
LENET_REPEATS = 9  # its epoch is the shortest, and noise hits it most
CORES = loky.cpu_count(only_physical_cores=True)
PYTORCH = ("eager", "channels-last", "compile")
# The learning rates are low, so that rounding does not grow into losses that cannot be compared.
LENET = {"name": "LeNet + BN", "side": 28, "batch": 256, "lr": 1.0}
NETWORKS = (
    {**LENET, "train_size": 60_000, "test_size": 10_000},
    {"name": "VGG-11 ÷ 8", "side": 224, "batch": 64, "train_size": 4 * 64, "test_size": 64, "lr": 0.0005},
    {"name": "NiN", "side": 224, "batch": 64, "train_size": 2 * 64, "test_size": 64, "lr": 0.001},
    {"name": "GoogLeNet", "side": 96, "batch": 64, "train_size": 4 * 64, "test_size": 64, "lr": 0.001},
)
TARGETS = {  # network -> how many times as fast as d2lzh and as PyTorch's eager mode; bfloat16 against float32
    "LeNet + BN": (1.8, 0.7, None),
    "VGG-11 ÷ 8": (2.2, 1.5, None),
    "NiN": (1.7, 1.05, 1.5),
    "GoogLeNet": (1.6, 1.0, None),
}


class Worker:
    """One contender in a process of its own, waiting for tasks."""

    def __init__(self, name, folder, **environment):
        self.extra = {"folder": folder} if name in PYTORCH else {}
        script = "pytorch.py" if name in PYTORCH else "worker.py"
        self.process = subprocess.Popen(
            [sys.executable, HERE / script, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def ask(self, do, **task):
        """Return what the worker answers to a task."""
        print(json.dumps({"do": do, **task}), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def train(self, task, seed=0):
        return self.ask("train", **task, seed=seed, **self.extra)

    def epoch(self, task):
        return self.ask("epoch", **task)["seconds"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def median(values):
    return statistics.median(list(values))


def repeat(measure, *arguments):
    """Return the median of what some calls return, after one to warm up."""
    return median([measure(*arguments) for _ in range(REPEATS + 1)][1:])


def table(head, rows):
    """Return a Markdown table."""
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)] + [""]


def networks(workers, folder):
    """Return network -> contender -> list of answers, and network -> multiplications of one image."""
    results, macs = {}, {}
    for task in NETWORKS:
        repeats = LENET_REPEATS if task["side"] == 28 else REPEATS
        for seed in range(repeats):
            setup = {key: task[key] for key in ("name", "side", "train_size")}
            macs[task["name"]] = workers["d2lhelpers"].ask("export", seed=seed, folder=folder, **setup)["macs"]
        sizes = {key: min(task[key], task["batch"] + task[key] % task["batch"]) for key in ("train_size", "test_size")}
        for worker in workers.values():
            worker.train({**task, **sizes})  # to warm up: batches of all sizes that will come
        runs = {name: [] for name in workers}
        for seed in range(repeats):
            for name, worker in workers.items():
                runs[name].append(worker.train(task, seed))
                print(f"{task['name']:12} {name:14} {runs[name][-1]}", flush=True)
        results[task["name"]] = runs
    return results, macs


def same_losses(ours, theirs):
    """Whether two contenders' losses differ by no more than the seeds do: paired, at 95 %, and 0.01 for rounding."""
    differences = [one["loss"] - other["loss"] for one, other in zip(ours, theirs, strict=True)]
    student = 2.31 if len(differences) > REPEATS else 2.78  # of 8 and of 4 degrees of freedom
    noise = student * statistics.stdev(differences) / len(differences) ** 0.5
    return abs(statistics.mean(differences)) <= noise + 0.01


def report_networks(results):
    """Return the lines about all contenders, and the targets."""
    names = list(next(iter(results.values())))
    rows, losses, peaks, verdicts = [], [], [], []
    for network, runs in results.items():
        seconds = {name: median(run["seconds"] for run in runs[name]) for name in names}
        ours = seconds["d2lhelpers"]
        rows.append([network, *(f"{seconds[name]:.2f} ({seconds[name] / ours:.2f})" for name in names)])
        peaks.append([network, *(f"{median(run['peak_mb'] for run in runs[name]):,.0f}" for name in names)])
        cells = []
        for name in names:
            mark = "" if same_losses(runs["d2lhelpers"], runs[name]) else " (differs)"
            cells.append(f"{statistics.mean(run['loss'] for run in runs[name]):.3f}{mark}")
        losses.append([network, *cells])
        against = (("d2lzh", seconds["d2lzh"] / ours), ("eager", seconds.get("eager", 0) / ours))
        against = (*against, ("bfloat16", ours / seconds.get("bfloat16", float("inf"))))
        for (other, ratio), target in zip(against, TARGETS[network], strict=True):
            if target and other in seconds:
                comparison = "bfloat16 against float32" if other == "bfloat16" else f"against {other}"
                verdicts.append([f"{network}, {comparison}", f"{target} ×", f"{ratio:.2f} ×", verdict(ratio >= target)])
    lines = ["## Training", ""]
    lines += ["Seconds, and in brackets how many times as long as d2lhelpers took.", ""]
    lines += table(["", *names], rows)
    for task in NETWORKS:
        text = "- {name}: {train_size:,} images of {side} × {side} in batches of {batch}, and {test_size:,} to test."
        lines.append(text.format(**task))
    lines += [
        "",
        "Mean training loss of all seeds; all start from the same weights, in the same order of images, but",
    ]
    lines += ["draw other numbers for dropout. *Differs* marks more than the seeds explain.", ""]
    lines += table(["", *names], losses)
    lines += ["Peak memory of the process, in MB; d2lzh has four more for its DataLoader.", ""]
    lines += table(["", *names], peaks)
    return lines, verdicts


def verdict(met):
    return "met" if met else "**not met**"


def pipeline(workers, results):
    """Return the lines about loading, and the target."""
    speeds, names = [], [name for name in ("d2lzh", "d2lhelpers", "eager") if name in workers]
    for side, images in ((28, 6400), (96, 1600), (224, 640)):
        for name in names:
            workers[name].ask("load", side=side, images=images, **workers[name].extra)
        runs = {name: [] for name in names}
        for _ in range(REPEATS):
            for name in names:
                answer = workers[name].ask("load", side=side, images=images, **workers[name].extra)
                runs[name].append(answer["speed"])
        speeds.append([f"{side} × {side}", *(f"{median(runs[name]):,.0f}" for name in names)])
    vgg = NETWORKS[1]
    step = median(run["seconds"] for run in results[vgg["name"]]["d2lhelpers"])
    share = vgg["train_size"] / median(runs["d2lhelpers"]) / step
    lines = ["## Input", "", "Images a second of the input alone, in batches of 64.", "", *table(["", *names], speeds)]
    return lines, [["input, share of VGG's training at 224", "≤ 3 %", f"{share:.1%}", verdict(share <= 0.03)]]


def batch_norms(worker):
    """Return the targets about chapter 1's layers: the time of a LeNet step, not compiled."""
    task = {**LENET, "train_size": 2560, "test_size": 1}
    names, runs = ("BN by autograd", "BN with its own backward", "LeNet + BN"), {}
    for turn in range(REPEATS + 1):
        for name in names:
            seconds = worker.ask("train", **{**task, "name": name}, seed=0, hybridize=False)["seconds"]
            runs.setdefault(name, []).extend([seconds] if turn else [])
    own = median(runs[names[2]])
    rows = []
    for name, target in zip(names[:2], (4, 2), strict=True):
        ratio = median(runs[name]) / own
        rows.append(
            [
                f"{name}, LeNet's step against nn.BatchNorm's",
                f"≤ {target} ×",
                f"{ratio:.1f} ×",
                verdict(ratio <= target),
            ]
        )
    return rows


def first_step(name, folder):
    """Return how many seconds pass from the start of Python to the end of LeNet's first step."""
    begin = time.perf_counter()
    worker = Worker(name, folder)
    worker.train({**LENET, "train_size": 256, "test_size": 1})
    seconds = time.perf_counter() - begin
    worker.stop()
    return seconds


def start_python(module):
    """Return how many seconds Python takes to import a module."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - begin


def start_lab(command):
    """Return how many seconds JupyterLab takes until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [part.format(port=port) for part in command]
    begin = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen(command, cwd=HERE.parent, **quiet)
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1).close()
            break
        except OSError:
            time.sleep(0.02)
    seconds = time.perf_counter() - begin
    os.killpg(process.pid, 15)
    process.wait()
    return seconds


def starts(workers, folder):
    """Return the lines about what one waits for before anything is computed."""
    root = ["--allow-root"] if os.getuid() == 0 else []
    alone = [".venv/bin/jupyter-lab", "--no-browser", "--port={port}", "--ServerApp.root_dir=notebooks", *root]
    rows = {"`summary` of VGG-11": repeat(lambda: workers["d2lhelpers"].ask("summary")["seconds"])}
    for name in ("mxnet", "d2lhelpers", "d2lzh"):
        rows[f"`import {name}`"] = repeat(start_python, name)
    for name in [name for name in ("d2lzh", "d2lhelpers", "eager") if name in workers]:
        rows[f"from the start of Python to the end of LeNet's first step, {name}"] = repeat(first_step, name, folder)
    rows["JupyterLab until it answers"] = repeat(start_lab, alone)
    rows["the same by `make lab`"] = repeat(start_lab, ["make", "lab", "BROWSER=none", "PORT={port}"])
    return ["## Starting", "", *table(["", "seconds"], [(name, f"{value:.2f}") for name, value in rows.items()])]


def roofline(results, macs, rates):
    """Return the lines about what the machine could do."""
    limit = max(rates.values())
    rows = []
    for task in NETWORKS:
        # forward, and gradients of data and weights: three products, each of multiplications and additions
        operations = 6 * macs[task["name"]] * task["train_size"] + 2 * macs[task["name"]] * task["test_size"]
        cells = []
        for name, runs in results[task["name"]].items():
            if name != "bfloat16":  # whose limit is another
                cells.append(f"{operations / median(run['seconds'] for run in runs) / limit:.0%}")
        rows.append([task["name"], f"{macs[task['name']]:,}", *cells])
    names = [name for name in next(iter(results.values())) if name != "bfloat16"]
    text = ", ".join(f"{rate / 1e9:,.0f} by {name}" for name, rate in rates.items())
    return [
        "## How far from the machine's limit",
        "",
        f"A product of two 4096 × 4096 matrices in single precision does {text} (billions of operations a second).",
        "Of the faster one, training does the following share, counting 6 operations for each multiplication of the",
        "forward pass (2 for the test images).",
        "",
        *table(["", "multiplications an image", *names], rows),
    ]


def growth(worker, folder):
    """Return four measurements: per batch size, per number of images, per side, and per network and threads."""
    lenet = {**LENET, "test_size": 1}
    vgg = {**NETWORKS[1], "train_size": 256, "test_size": 1}
    per_batch, per_size, per_side, threads = {}, {}, {}, {}
    for batch in (1, 4, 16, 64, 256, 1024):
        images = min(batch * 40, 8192)
        per_batch[batch] = 1e6 * worker.epoch({**lenet, "batch": batch, "train_size": images}) / images
    for images in (3_840, 7_680, 15_360, 30_720, 59_904):
        per_size[images] = 1e6 * worker.epoch({**lenet, "train_size": images}) / images
    for side in (32, 64, 96, 128, 160, 192, 224):
        per_side[side] = 1e3 * worker.epoch({**vgg, "side": side}) / 256
    for count in sorted({1, CORES}):
        alone = Worker("d2lhelpers", folder, OMP_NUM_THREADS=str(count))
        for task in NETWORKS:
            size = 15_360 if task["side"] == 28 else 128
            threads.setdefault(task["name"], {})[count] = alone.epoch({**task, "train_size": size, "test_size": 1})
        alone.stop()
    print("growth is measured", flush=True)
    return per_batch, per_size, per_side, threads


def draw_growth(per_batch, per_size, per_side, threads):
    """Save the four panels as costs.png."""
    from d2lhelpers.plotting import BLUE, GREEN, ORANGE, RED  # now, as it sets the threads of all processes to come

    figure = Figure(figsize=(9, 6.4), layout="constrained", dpi=110)
    batch_ax, size_ax, side_ax, thread_ax = figure.subplots(2, 2).flat
    for ax, values, color, title, label in (
        (batch_ax, per_batch, BLUE, "LeNet + BN: the larger the batch, the less an image costs", "images in a batch"),
        (size_ax, per_size, GREEN, "LeNet + BN: more images cost the same each", "training images"),
    ):
        ax.plot(list(values), list(values.values()), "o-", color=color)
        ax.set(xscale="log", ylim=(0, 1.1 * max(values.values())), xlabel=label, ylabel="µs an image")
        ax.set_title(title, fontsize="medium")
        ax.set_xticks(list(values), [f"{value:,}" for value in values])
        ax.minorticks_off()
    batch_ax.set(yscale="log", ylim=(10, 2 * max(per_batch.values())))
    pixels = [side**2 for side in per_side]
    side_ax.plot(pixels, list(per_side.values()), "o-", color=ORANGE)
    side_ax.plot([0, pixels[-1]], [0, per_side[224]], "--", color="gray", linewidth=1)
    side_ax.set(ylim=(0, None), xlabel="side of the image (axis: pixels)", ylabel="ms an image")
    side_ax.set_xticks(pixels, [str(side) for side in per_side], fontsize="small")
    side_ax.set_title("VGG-11 ÷ 8: the pixels, and a fixed cost", fontsize="medium")
    speedups = [times[1] / times[max(times)] for times in threads.values()]
    thread_ax.bar(list(threads), speedups, color=BLUE)
    thread_ax.axhline(1, color="gray", linewidth=1)
    thread_ax.axhline(CORES, color=RED, linewidth=1, linestyle="--")
    thread_ax.set(ylabel=f"speed with {CORES} threads / with 1")
    thread_ax.set_title("Threads: the dashed line would be perfect", fontsize="medium")
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "costs.png", metadata={"Software": None})


def report_growth(per_batch, per_size, per_side, threads):
    """Return the lines about how cost grows."""
    gains = ", ".join(f"{name} {times[1] / times[max(times)]:.2f}" for name, times in threads.items())
    first, *_, last = per_size.values()
    return [
        "## As work grows",
        "",
        "![Time of an image against batch size, number of images, image size; gain from threads](costs.png)",
        "",
        f"- Batch: an image alone costs {per_batch[1] / per_batch[256]:.0f} times as much as one of 256, because",
        f"  each step has a fixed cost of about {per_batch[1] / 1000:.1f} ms. In a batch of 1,024 it costs",
        f"  {per_batch[1024] / per_batch[256]:.2f} times as much.",
        f"- Number of images: {first:.0f} µs each of {min(per_size):,}, {last:.0f} µs each of {max(per_size):,}.",
        f"- Image size: {per_side[32]:.1f} ms for 32 × 32, {per_side[224]:.1f} ms for 224 × 224. What does not",
        "  depend on the pixels is mostly the second dense layer: 16.8 million weights, to be updated at every step.",
        f"- Threads, {CORES} against 1: {gains} times as fast.",
        "",
        "Nothing grows faster than the work.",
        "",
    ]


def processor():
    """Return the name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def main():
    """Measure everything and write the two files."""
    begin = time.monotonic()
    packages, names = ["mxnet", "d2lzh", "numpy"], ["d2lzh", "d2lhelpers"]
    if importlib.util.find_spec("torch"):
        packages.append("torch")
        names.extend(PYTORCH)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    with tempfile.TemporaryDirectory() as folder:
        workers = {name: Worker(name, folder) for name in names}
        if workers["d2lhelpers"].ask("has_bfloat16")["answer"]:
            workers["bfloat16"] = Worker("bfloat16", folder)
        results, macs = networks(workers, folder)
        training, targets = report_networks(results)
        loading, load_target = pipeline(workers, results)
        targets += load_target + batch_norms(workers["d2lhelpers"])
        matrices = {"MXNet": "d2lhelpers", "PyTorch": "eager"}
        rates = {name: workers[key].ask("matrix_rate")["rate"] for name, key in matrices.items() if key in workers}
        panels = growth(workers["d2lhelpers"], folder)
        starting = starts(workers, folder)
        for worker in workers.values():
            worker.stop()
    draw_growth(*panels)
    minutes = (time.monotonic() - begin) / 60
    lines = [
        "# Measurements",
        "",
        f"By `make bench`, in {minutes:.0f} minutes, on {processor()}, {CORES} of {os.cpu_count()} cores; Python",
        f"{platform.python_version()}, {versions}. Numbers are medians of {REPEATS} (LeNet: {LENET_REPEATS}) after",
        "one to warm up; the contenders take turns. Read the ratios: seconds depend on the machine and its other work.",
        "",
        "- *d2lzh* runs as in the book: its `train_ch5`, a DataLoader with four workers, and MXNet's own settings.",
        "- *d2lhelpers* is this project; *bfloat16* the same with `dtype='bfloat16'`.",
        "- *eager*, *channels-last* and *compile* are PyTorch on images in memory; the time to compile is left out.",
        "",
        "## Targets",
        "",
        *table(["", "target", "measured", ""], targets),
    ]
    lines += training + loading + starting + roofline(results, macs, rates) + report_growth(*panels)
    (HERE / "RESULTS.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
