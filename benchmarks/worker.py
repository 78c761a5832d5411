"""Train a little on request, the way one contender does it: a line of JSON in, a line of JSON out.

python benchmarks/worker.py d2lzh|d2lhelpers

`run.py` starts one process for each contender, because MXNet fixes its number of threads when it is loaded: d2lzh runs
with MXNet's own settings, as the book does, and d2lhelpers asks for a thread on every core.
"""

import contextlib
import io
import json
import re
import sys
import time

if sys.argv[1] == "d2lzh":
    import d2lzh  # before d2lhelpers, which would set the number of threads

import d2lhelpers as d2l
from mxnet import gluon, init, nd
from mxnet.gluon.data.vision import transforms

BN, VGG = d2l.definitions("01_batch_norm"), d2l.definitions("02_vgg")
HE = init.MSRAPrelu(factor_type="in", slope=0)
# name -> a function that makes the network, and its initial weights
NETWORKS = {
    "LeNet with batch norm": (lambda: BN.lenet(BN.gluon_norm), init.Xavier()),
    "VGG-11 ÷ 8": (lambda: VGG.vgg(VGG.slim(VGG.VGG_11)), HE),
    "NiN": (d2l.definitions("03_nin").nin, HE),
    "GoogLeNet": (d2l.definitions("04_googlenet").googlenet, HE),
}


def book_batches(images, labels, side, batch, shuffle):
    """Return the DataLoader that `d2lzh.load_data_fashion_mnist` builds, on images that need no download."""
    steps = [transforms.Resize(side)] if side != 28 else []
    steps = transforms.Compose([*steps, transforms.ToTensor()])
    pixels = gluon.data.ArrayDataset(nd.array(images[..., None], dtype="uint8"), labels)
    return gluon.data.DataLoader(pixels.transform_first(steps), batch, shuffle=shuffle, num_workers=4)


def measure(name, side, batch, train_size, test_size, lr):
    """Train for one epoch and test; return the seconds that it took, and the training loss."""
    make, weights = NETWORKS[name]
    data, net = d2l.load_arrays(), make()
    d2l.set_seed(0)
    net.initialize(weights, ctx=d2l.try_gpu())
    net(nd.zeros((1, 1, side, side), ctx=d2l.try_gpu()))  # draws all weights now, before any dropout draws numbers
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr})
    if sys.argv[1] == "d2lzh":
        train_iter = book_batches(data.train_images[:train_size], data.train_labels[:train_size], side, batch, True)
        test_iter = book_batches(data.test_images[:test_size], data.test_labels[:test_size], side, batch, False)
        train = d2lzh.train_ch5
    else:
        train_iter, test_iter = d2l.load_data_fashion_mnist(
            batch, side if side != 28 else None, train_size=train_size, test_size=test_size
        )
        train = d2l.train_ch5
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        train(net, train_iter, test_iter, batch, trainer, d2l.try_gpu(), 1)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "loss": float(re.search(r"loss ([\d.]+)", printed.getvalue())[1])}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(measure(**json.loads(line))), flush=True)
