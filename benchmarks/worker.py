"""Do tasks in MXNet, as one contender does them: a line of JSON in, a line of JSON out.

python benchmarks/worker.py d2lzh|d2lhelpers FOLDER

`run.py` starts a process for each contender, because MXNet fixes its number of threads when it is loaded: d2lzh runs
with MXNet's own settings, as the book does, and d2lhelpers asks for a thread on every core.
"""

import contextlib
import io
import json
import re
import sys
import time
from pathlib import Path

if sys.argv[1] == "d2lzh":
    import d2lzh  # before d2lhelpers, which would set the number of threads

import d2lhelpers as d2l
import numpy as np
from d2lhelpers.chapters import batch_norm, googlenet, nin, vgg
from d2lhelpers.runtime import release_memory
from mxnet import cpu, gluon, init, nd, sym
from mxnet.gluon.data.vision import transforms
from mxnet.name import NameManager

CONTENDER, FOLDER = sys.argv[1], Path(sys.argv[2])
HE = init.MSRAPrelu(factor_type="in", slope=0)
NETWORKS = {  # name -> a function that makes the network, and what draws its weights
    "LeNet + BN": (lambda: batch_norm.lenet(batch_norm.gluon_norm), init.Xavier()),
    "VGG-11 ÷ 8": (lambda: vgg.vgg(vgg.slim(vgg.VGG_11)), HE),
    "NiN": (nin.nin, HE),
    "GoogLeNet": (googlenet.googlenet, HE),
}


def network(task, seed):
    """Return the network with the weights that the seed draws."""
    make, weights = NETWORKS[task["name"]]
    with NameManager():  # numbers the layers from 0, so that their weights have the same names each time
        net = make()
    d2l.set_seed(seed)
    net.initialize(weights, ctx=cpu())
    net(nd.zeros((1, 1, task["side"], task["side"])))  # draws all weights now, before any dropout draws numbers
    return net


def ordered(data):
    """Return images and labels in the order of the first epoch."""
    order = np.random.default_rng((data.seed, 0)).permutation(len(data.images)) if data.shuffle else slice(None)
    return data.images[order], data.labels[order]


def loader(data):
    """Return the batches of `d2lzh.load_data_fashion_mnist`, but of these images in this order."""
    images, labels = ordered(data)
    steps = transforms.Compose([*([transforms.Resize(data.resize)] if data.resize else []), transforms.ToTensor()])
    pixels = gluon.data.ArrayDataset(nd.array(images[..., None], dtype="uint8"), labels).transform_first(steps)
    return gluon.data.DataLoader(pixels, data.batch_size, num_workers=4)


def batches(task, seed):
    """Return training and test batches; the training images come in the same order for all contenders."""
    resize = None if task["side"] == 28 else task["side"]
    sizes = {"train_size": task["train_size"], "test_size": task["test_size"]}
    parts = d2l.load_data_fashion_mnist(task["batch"], resize, **sizes, seed=seed, ctx=cpu())
    return [loader(part) for part in parts] if CONTENDER == "d2lzh" else parts


def train(task, seed):
    """Train for one epoch and test; return the seconds that it took, and the training loss."""
    release_memory()  # of the network before
    net, data = network(task, seed), batches(task, seed)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": task["lr"]})
    train_ch5 = d2lzh.train_ch5 if CONTENDER == "d2lzh" else d2l.train_ch5
    nd.waitall()  # the weights are drawn
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        train_ch5(net, *data, task["batch"], trainer, cpu(), 1)
    nd.waitall()
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "loss": float(re.search(r"loss ([\d.]+)", printed.getvalue())[1])}


def load(side, images):
    """Go through the training images once without a network; return images a second."""
    train_iter, _ = batches({"side": side, "batch": 64, "train_size": images, "test_size": 64}, seed=0)
    begin = time.perf_counter()
    for X, _ in train_iter:
        X.wait_to_read()
    return images / (time.perf_counter() - begin)


def export(task, seed):
    """Write what training begins with, for PyTorch: the network's graph, its weights, the images in their order."""
    net = network(task, seed)
    net(sym.var("data")).save(str(FOLDER / "graph.json"))
    arrays = {parameter.name: parameter.data().asnumpy() for parameter in net.collect_params().values()}
    for name, part in zip(("train", "test"), batches(task, seed), strict=True):
        arrays[f"{name}_images"], arrays[f"{name}_labels"] = ordered(part)
    np.savez(FOLDER / "arrays.npz", **arrays)


TASKS = {"train": train, "load": load, "export": export}

if __name__ == "__main__":
    for line in sys.stdin:
        do, *arguments = json.loads(line)
        print(json.dumps(TASKS[do](*arguments)), flush=True)
