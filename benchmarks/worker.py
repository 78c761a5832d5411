"""Do tasks in MXNet, as one contender does them: a line of JSON in, a line of JSON out.

python benchmarks/worker.py d2lzh|d2lhelpers|bfloat16

`run.py` starts one process for each contender, because MXNet fixes its number of threads when it is loaded: d2lzh runs
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
from d2lhelpers.precision import INSTRUCTIONS, processor_flags
from memory import peak_mb, reset_peak
from mxnet import gluon, init, nd, sym
from mxnet.gluon.data.vision import transforms

CONTENDER = sys.argv[1]
BN, VGG = d2l.definitions("01_batch_norm"), d2l.definitions("02_vgg")
HE = init.MSRAPrelu(factor_type="in", slope=0)
# name -> a function that makes the network, its initial weights, and the side of the images it is made for
NETWORKS = {
    "LeNet + BN": (lambda: BN.lenet(BN.gluon_norm), init.Xavier(), 28),
    "VGG-11 ÷ 8": (lambda: VGG.vgg(VGG.slim(VGG.VGG_11)), HE, 224),
    "NiN": (d2l.definitions("03_nin").nin, HE, 224),
    "GoogLeNet": (d2l.definitions("04_googlenet").googlenet, HE, 96),
    "BN by autograd": (lambda: BN.lenet(BN.BatchNorm), init.Xavier(), 28),
    "BN with its own backward": (lambda: BN.lenet(BN.FastBatchNorm), init.Xavier(), 28),
}


def batches(side, batch, train_size, test_size, seed):
    """Return training and test batches, in the same order for all contenders."""
    resize = side if side != 28 else None
    ours = d2l.load_data_fashion_mnist(batch, resize, train_size=train_size, test_size=test_size, seed=seed)
    if CONTENDER != "d2lzh":
        return ours
    steps = transforms.Compose([*([transforms.Resize(side)] if resize else []), transforms.ToTensor()])
    loaders = []
    for part, order in zip(ours, (first_order(train_size, seed), np.arange(test_size)), strict=True):
        # what `d2lzh.load_data_fashion_mnist` builds, but of images that need no download
        pixels = gluon.data.ArrayDataset(nd.array(part.images[..., None], dtype="uint8"), part.labels)
        pixels = pixels.transform_first(steps)
        loaders.append(gluon.data.DataLoader(pixels, batch, sampler=order.tolist(), num_workers=4))
    return loaders


def first_order(train_size, seed):
    """Return the order of the training images in the first epoch."""
    return np.random.default_rng((seed, 0)).permutation(train_size)


def start(name, side, seed):
    """Return the network with the weights that the seed draws."""
    make, weights, _ = NETWORKS[name]
    net = make()
    d2l.set_seed(seed)
    net.initialize(weights, ctx=d2l.try_gpu())
    net(nd.zeros((1, 1, side, side), ctx=d2l.try_gpu()))  # draws all weights now, before any dropout draws numbers
    return net


def train(name, side, batch, train_size, test_size, lr, seed, **options):
    """Train for one epoch and test; return the seconds that it took, the training loss and the peak memory."""
    net, (train_iter, test_iter) = start(name, side, seed), batches(side, batch, train_size, test_size, seed)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr})
    if CONTENDER == "bfloat16":
        options["dtype"] = "bfloat16"
    train = d2lzh.train_ch5 if CONTENDER == "d2lzh" else d2l.train_ch5
    reset_peak()
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        train(net, train_iter, test_iter, batch, trainer, d2l.try_gpu(), 1, **options)
    nd.waitall()
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "loss": float(re.search(r"loss ([\d.]+)", printed.getvalue())[1]),
        "peak_mb": peak_mb(),
    }


def epoch(name, side, batch, train_size, test_size, lr):
    """Train for four epochs; return the median seconds of all but the first, in which the graph is compiled."""
    net, data = start(name, side, 0), batches(side, batch, train_size, test_size, 0)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr})
    history = d2l.train_ch5(net, *data, batch, trainer, d2l.try_gpu(), 4, verbose=False)
    return {"seconds": float(np.median(history.seconds[1:]))}


def has_bfloat16():
    """Return whether this processor has instructions for it."""
    return {"answer": bool(INSTRUCTIONS & processor_flags())}


def load(side, images):
    """Go through the training images once without a network; return images a second."""
    train_iter, _ = batches(side, 64, images, 64, seed=0)
    begin = time.perf_counter()
    for X, _ in train_iter:
        X.wait_to_read()
    return {"speed": images / (time.perf_counter() - begin)}


def export(name, side, train_size, seed, folder):
    """Write the network, its first weights and the order of the images, for contenders that have no MXNet."""
    net, data, folder = start(name, side, seed), d2l.load_arrays(), Path(folder)
    parameters = net.collect_params().values()
    graph = json.loads(net(sym.var("data")).tojson())
    number = {parameter.name: str(i) for i, parameter in enumerate(parameters)}
    for node in graph["nodes"]:  # a name has a number that grows with every network that is made
        node["name"] = number.get(node["name"], node["name"])
    (folder / f"{name}.json").write_text(json.dumps(graph))
    values = {number[parameter.name]: parameter.data().asnumpy() for parameter in parameters}
    np.savez(folder / f"{name} {seed}.npz", order=first_order(train_size, seed), **values)
    if not (folder / "data.npz").exists():
        np.savez(folder / "data.npz", **{key: value for key, value in data._asdict().items() if key != "source"})
    return {"macs": d2l.summary(net, (1, 1, side, side)).total_macs}


def matrix_rate(size=4096):
    """Return how many floating-point operations a second a product of two large matrices does."""
    a, b = nd.random.normal(shape=(size, size)), nd.random.normal(shape=(size, size))
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        nd.FullyConnected(a, b, num_hidden=size, no_bias=True).wait_to_read()
        times.append(time.perf_counter() - begin)
    return {"rate": 2 * size**3 / float(np.median(times[1:]))}


def summary():
    """Return how many seconds the table of VGG-11 takes."""
    net = VGG.vgg(VGG.VGG_11)
    begin = time.perf_counter()
    d2l.summary(net, (1, 1, 224, 224))
    return {"seconds": time.perf_counter() - begin}


TASKS = {task.__name__: task for task in (train, epoch, has_bfloat16, load, export, matrix_rate, summary)}

if __name__ == "__main__":
    for line in sys.stdin:
        task = json.loads(line)
        print(json.dumps(TASKS[task.pop("do")](**task)), flush=True)
