"""Time one epoch of LeNet with batch norm: `d2lhelpers` against d2lzh 1.0.0 as the book runs it, in one run.

python benchmarks/versus_d2lzh.py

Both train the same network on the same 60,000 images; d2lzh uses its own loop and its DataLoader with four workers.
"""

import contextlib
import io
import statistics
import time

import d2lhelpers as d2l
import d2lzh
from mxnet import gluon, init, nd
from mxnet.gluon.data import ArrayDataset, DataLoader
from mxnet.gluon.data.vision import transforms

BATCH_SIZE, REPEATS = 256, 3


def loaders():
    """Return what `d2lzh.load_data_fashion_mnist` builds, from images that need no download."""
    data = d2l.load_arrays()
    for images, labels, shuffle in (
        (data.train_images, data.train_labels, True),
        (data.test_images, data.test_labels, False),
    ):
        pixels = ArrayDataset(nd.array(images[..., None], dtype="uint8"), labels)
        first = pixels.transform_first(transforms.ToTensor())
        yield DataLoader(first, BATCH_SIZE, shuffle=shuffle, num_workers=4)


def epoch(train, train_iter, test_iter):
    """Return the seconds that one epoch takes, from a fresh network to its test accuracy."""
    chapter, ctx = d2l.definitions("01_batch_norm"), d2l.try_gpu()
    d2l.set_seed(0)
    net = chapter.lenet(chapter.gluon_norm)
    net.initialize(init.Xavier(), ctx=ctx)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1.0})
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        train(net, train_iter, test_iter, BATCH_SIZE, trainer, ctx, 1)
    return time.perf_counter() - start, printed.getvalue().splitlines()[-1]


def main():
    """Alternate between the two, and print medians and their ratio."""
    contenders = {
        "d2lzh": (d2lzh.train_ch5, *loaders()),
        "d2lhelpers": (d2l.train_ch5, *d2l.load_data_fashion_mnist(BATCH_SIZE)),
    }
    seconds = {name: [] for name in contenders}
    for _ in range(REPEATS):
        for name, contender in contenders.items():
            duration, line = epoch(*contender)
            seconds[name].append(duration)
            print(f"{name:10} {duration:6.1f} s   {line}")
    ours, theirs = (statistics.median(seconds[name]) for name in ("d2lhelpers", "d2lzh"))
    print(f"d2lhelpers takes {ours / theirs:.2f} of d2lzh's time")


if __name__ == "__main__":
    main()
