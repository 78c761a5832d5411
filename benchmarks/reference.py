"""Train a chapter's networks at full size, for the results in README.md and docs/results.md.

python benchmarks/reference.py vgg

Every finished epoch is kept in runs/reference, and every finished run in benchmarks/reference/<chapter>.json: stop
whenever you like, and start again to go on. A run that is in the file is not repeated.
"""

import argparse
import json
import statistics
from functools import partial
from pathlib import Path

import d2lhelpers as d2l
from d2lhelpers.chapters import batch_norm, googlenet, nin, vgg
from d2lhelpers.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ("loss", "train_acc", "test_acc", "seconds")
SEEDS = {"batch_norm": (0, 1, 2), "vgg": (0,), "nin": (0,), "googlenet": (0,)}


def lenet(norm=batch_norm.gluon_norm, frozen=False):
    """Return chapter 1's network, with γ and β frozen or not."""
    net = batch_norm.lenet(norm)
    if frozen:
        batch_norm.freeze_scale_and_shift(net)
    return net


LENET = {"lr": 1.0, "batch_size": 256, "num_epochs": 5}
VGG = {"lr": 0.05, "batch_size": 128, "num_epochs": 2, "resize": 224}
NIN = {"lr": 0.1, "batch_size": 128, "num_epochs": 1, "resize": 224}
RUNS = {  # chapter -> name of a run -> a function that makes the network, and how `d2l.fit` trains it
    "batch_norm": {
        "hand-written, momentum 0": (lambda: lenet(partial(batch_norm.FastBatchNorm, momentum=0)), LENET),
        "nn.BatchNorm": (lenet, LENET),
        "nn.BatchNorm, lr 1.5": (lenet, {**LENET, "lr": 1.5}),
        "nn.BatchNorm, γ and β frozen": (lambda: lenet(frozen=True), LENET),
        "no batch norm, 1 epoch": (batch_norm.lenet, {**LENET, "num_epochs": 1}),
    },
    "vgg": {"VGG-11 ÷ 8, 224": (lambda: vgg.vgg(vgg.slim(vgg.VGG_11)), VGG)},
    "nin": {"NiN, 224": (nin.nin, NIN)},
    "googlenet": {"GoogLeNet, 96": (googlenet.googlenet, {**NIN, "resize": 96})},
}


def train(net, settings, seed, folder):
    """Train, going on after the last epoch in the folder; return what was measured, or None when stopped."""
    history = d2l.fit(net, **settings, seed=seed, callbacks=[d2l.Checkpoint(folder)])
    if history.stopped:
        return None
    result = {measure: getattr(history, measure) for measure in MEASURED}
    if any("running_mean" in name for name in net.collect_params()):
        train_iter, test_iter = d2l.load_data_fashion_mnist(settings["batch_size"], settings.get("resize"))
        batch_norm.reestimate(net, train_iter)
        result["test_acc_reestimated"] = d2l.evaluate_accuracy(test_iter, net)
    return result


def keep(path, results):
    """Write all results of a chapter to its file."""
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.write_text(text))


def report(results):
    """Print the medians over the seeds: of the last epoch, and of an epoch's mean time."""
    for name, runs in results.items():
        columns = {measure: [run[measure][-1] for run in runs.values()] for measure in MEASURED[:-1]}
        columns["re-estimated"] = [run.get("test_acc_reestimated", float("nan")) for run in runs.values()]
        columns["seconds"] = [statistics.mean(run["seconds"]) for run in runs.values()]
        print(f"{name}:", ", ".join(f"{key} {statistics.median(column):.3f}" for key, column in columns.items()))


def main():
    """Compute what is missing, and print all results."""
    parser = argparse.ArgumentParser(description="Full-size runs of a chapter; go on where they were stopped.")
    parser.add_argument("chapter", choices=RUNS)
    chapter = parser.parse_args().chapter
    path = ROOT / "benchmarks" / "reference" / f"{chapter}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for number, (name, (make_net, settings)) in enumerate(RUNS[chapter].items()):
        for seed in SEEDS[chapter]:
            if str(seed) in results.setdefault(name, {}):
                continue
            print(f"{name}, seed {seed}")
            result = train(make_net(), settings, seed, ROOT / "runs" / "reference" / f"{chapter}-{number}-{seed}")
            if result is None:
                return
            results[name][str(seed)] = result
            keep(path, results)
    report(results)


if __name__ == "__main__":
    main()
