"""Train a chapter's networks at full size, for the results in README.md.

python benchmarks/reference.py vgg

Every finished epoch is kept in runs/reference, and every finished run in benchmarks/reference/<chapter>.json: stop
whenever you like, and start again to go on. A run that is in the file is not repeated.
"""

import argparse
import dataclasses
import functools
import json
import statistics
from pathlib import Path

import d2lhelpers as d2l

ROOT = Path(__file__).resolve().parent.parent
RESULTS, EPOCHS = ROOT / "benchmarks" / "reference", ROOT / "runs" / "reference"
MEASURED = ("loss", "train_acc", "test_acc", "seconds")


@dataclasses.dataclass
class Run:
    """A network and how it is trained: with plain SGD, from Xavier's weights, on all images."""

    make_net: callable
    lr: float
    batch_size: int
    num_epochs: int
    resize: int | None = None
    seeds: tuple = (0,)
    prepare: callable = lambda net: None
    finish: callable = lambda net: {}


def write(path, value):
    """Write JSON to a file, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    partial.replace(path)


def train(run, seed, kept):
    """Train, going on after the last epoch in the folder `kept`; return what was measured, or None when stopped."""
    net = run.make_net()
    run.prepare(net)
    settings = {"lr": run.lr, "batch_size": run.batch_size, "resize": run.resize, "num_epochs": run.num_epochs}
    history = d2l.fit(net, **settings, seed=seed, checkpoint=kept)
    if history.stopped:
        return None
    result = {measure: getattr(history, measure) for measure in MEASURED}
    return result | run.finish(net)


def batch_norm():
    """Return the runs of chapter 1, by name."""
    chapter = d2l.definitions("01_batch_norm")

    def reestimate(net):
        train_iter, test_iter = d2l.load_data_fashion_mnist(256)
        chapter.reestimate(net, train_iter)
        return {"test_acc_reestimated": d2l.evaluate_accuracy(test_iter, net)}

    def lenet(norm, lr=1.0, num_epochs=5, **options):
        make_net = functools.partial(chapter.lenet, norm)
        return Run(make_net, lr, 256, num_epochs, seeds=(0, 1, 2), **options)

    own = functools.partial(chapter.FastBatchNorm, momentum=0)
    return {
        "hand-written, momentum 0": lenet(own, finish=reestimate),
        "nn.BatchNorm": lenet(chapter.gluon_norm, finish=reestimate),
        "nn.BatchNorm, lr 1.5": lenet(chapter.gluon_norm, lr=1.5, finish=reestimate),
        "nn.BatchNorm, γ and β frozen": lenet(
            chapter.gluon_norm, prepare=chapter.freeze_scale_and_shift, finish=reestimate
        ),
        "no batch norm, 1 epoch": lenet(None, num_epochs=1),
    }


def vgg():
    """Return the run of chapter 2."""
    chapter = d2l.definitions("02_vgg")
    return {"VGG-11 ÷ 8, 224": Run(lambda: chapter.vgg(chapter.slim(chapter.VGG_11)), 0.05, 128, 2, 224)}


def nin():
    """Return the run of chapter 3."""
    return {"NiN, 224": Run(d2l.definitions("03_nin").nin, 0.1, 128, 1, 224)}


def googlenet():
    """Return the run of chapter 4."""
    return {"GoogLeNet, 96": Run(d2l.definitions("04_googlenet").googlenet, 0.1, 128, 1, 96)}


CHAPTERS = {"batch_norm": batch_norm, "vgg": vgg, "nin": nin, "googlenet": googlenet}


def report(results):
    """Print the median over the seeds of each run's last epoch."""
    columns = ("loss", "train_acc", "test_acc", "best test_acc", "test_acc re-estimated", "seconds an epoch")
    print("| run | " + " | ".join(columns) + " | seeds |\n|" + "---|" * (len(columns) + 2))
    for name, runs in results.items():
        values = [
            (
                *(r[measure][-1] for measure in ("loss", "train_acc", "test_acc")),
                max(r["test_acc"]),
                r.get("test_acc_reestimated", float("nan")),
                statistics.mean(r["seconds"]),
            )
            for r in runs.values()
        ]
        medians = [statistics.median(column) for column in zip(*values, strict=True)]
        print(f"| {name} | " + " | ".join(f"{median:.3f}" for median in medians) + f" | {len(runs)} |")


def main():
    """Compute what is missing, and print the table."""
    parser = argparse.ArgumentParser(description="Full-size runs of a chapter; go on where they were stopped.")
    parser.add_argument("chapter", choices=CHAPTERS)
    chapter = parser.parse_args().chapter
    if d2l.load_arrays().source != "Fashion-MNIST":
        parser.error("the reference runs need Fashion-MNIST itself: run `make data` when online, or set D2L_DATA.")
    path = RESULTS / f"{chapter}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for number, (name, run) in enumerate(CHAPTERS[chapter]().items()):
        for seed in run.seeds:
            if str(seed) in results.setdefault(name, {}):
                continue
            print(f"{name}, seed {seed}")
            result = train(run, seed, EPOCHS / f"{chapter}-{number}-{seed}")
            if result is None:
                return
            results[name][str(seed)] = result
            write(path, results)
    report(results)


if __name__ == "__main__":
    main()
