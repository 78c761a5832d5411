"""Train a chapter's networks at full size, for the results in README.md.

python benchmarks/reference.py batch_norm

Each finished run is added to benchmarks/reference/<chapter>.json at once. A run that is there is not repeated: stop
whenever you like, and start again to go on.
"""

import argparse
import dataclasses
import functools
import json
import statistics
from pathlib import Path

import d2lhelpers as d2l
from mxnet import gluon, init

RESULTS = Path(__file__).parent / "reference"
SEEDS = (0, 1, 2)


def batch_norm_run(norm, seed, lr=1.0, num_epochs=5, frozen=False):
    """Train LeNet with the given norm on all images; return its history, and its accuracy with fresh averages."""
    chapter, ctx = d2l.definitions("01_batch_norm"), d2l.try_gpu()
    d2l.set_seed(seed)
    net = chapter.lenet(norm)
    net.initialize(init.Xavier(), ctx=ctx)
    if frozen:
        net.collect_params(".*gamma|.*beta").setattr("grad_req", "null")
    train_iter, test_iter = d2l.load_data_fashion_mnist(256, seed=seed)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr})
    result = dataclasses.asdict(d2l.train_ch5(net, train_iter, test_iter, 256, trainer, ctx, num_epochs))
    del result["steps"]
    if norm:
        chapter.reestimate(net, train_iter)
        result["test_acc_reestimated"] = d2l.evaluate_accuracy(test_iter, net, ctx)
    return result


def batch_norm():
    """Return the runs of chapter 1, by name: functions of the seed."""
    chapter = d2l.definitions("01_batch_norm")
    own = functools.partial(chapter.FastBatchNorm, momentum=0)
    run = functools.partial
    return {
        "hand-written, momentum 0": run(batch_norm_run, own),
        "nn.BatchNorm": run(batch_norm_run, chapter.gluon_norm),
        "nn.BatchNorm, lr 1.5": run(batch_norm_run, chapter.gluon_norm, lr=1.5),
        "nn.BatchNorm, γ and β frozen": run(batch_norm_run, chapter.gluon_norm, frozen=True),
        "no batch norm, 1 epoch": run(batch_norm_run, None, num_epochs=1),
    }


CHAPTERS = {"batch_norm": batch_norm}


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
    for name, run in CHAPTERS[chapter]().items():
        for seed in map(str, SEEDS):
            if seed in results.setdefault(name, {}):
                continue
            print(f"{name}, seed {seed}")
            result = run(seed=int(seed))
            if result["stopped"]:
                return
            results[name][seed] = result
            path.parent.mkdir(exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
            partial.replace(path)
    report(results)


if __name__ == "__main__":
    main()
