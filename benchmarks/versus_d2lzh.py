"""Time one epoch of LeNet with batch norm: `d2lhelpers` against d2lzh 1.0.0 as the book runs it, in one run.

python benchmarks/versus_d2lzh.py

Both train the same network on the same 60,000 images; d2lzh uses its own loop and its DataLoader with four workers.
They alternate, each time in a fresh process: MXNet fixes its number of threads when it is loaded, and d2lhelpers asks
for more of them.
"""

import contextlib
import io
import statistics
import subprocess
import sys
import time

BATCH_SIZE, REPEATS = 256, 5


def loaders(data):
    """Return what `d2lzh.load_data_fashion_mnist` builds, from images that need no download."""
    from mxnet import nd
    from mxnet.gluon.data import ArrayDataset, DataLoader
    from mxnet.gluon.data.vision import transforms

    for images, labels, shuffle in (
        (data.train_images, data.train_labels, True),
        (data.test_images, data.test_labels, False),
    ):
        pixels = ArrayDataset(nd.array(images[..., None], dtype="uint8"), labels)
        first = pixels.transform_first(transforms.ToTensor())
        yield DataLoader(first, BATCH_SIZE, shuffle=shuffle, num_workers=4)


def time_epoch(name):
    """Print the seconds that an epoch takes, the test included, after one to warm up; and what it reached."""
    if name == "d2lzh":
        import d2lzh  # before d2lhelpers, so that MXNet is loaded with its own settings
    import d2lhelpers as d2l
    from mxnet import gluon, init

    chapter, ctx = d2l.definitions("01_batch_norm"), d2l.try_gpu()
    if name == "d2lzh":
        train, iterators = d2lzh.train_ch5, tuple(loaders(d2l.load_arrays()))
    else:
        train, iterators = d2l.train_ch5, d2l.load_data_fashion_mnist(BATCH_SIZE)
    for _ in range(2):
        d2l.set_seed(0)
        net = chapter.lenet(chapter.gluon_norm)
        net.initialize(init.Xavier(), ctx=ctx)
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1.0})
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            train(net, *iterators, BATCH_SIZE, trainer, ctx, 1)
        seconds = time.perf_counter() - start
    print(seconds, printed.getvalue().splitlines()[-1], sep="|")


def main():
    """Alternate between the two, and print medians and their ratio."""
    seconds = {"d2lzh": [], "d2lhelpers": []}
    for _ in range(REPEATS):
        for name, durations in seconds.items():
            command = [sys.executable, __file__, name]
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            duration, _, line = output.strip().partition("|")
            durations.append(float(duration))
            print(f"{name:10} {durations[-1]:6.1f} s   {line}", flush=True)
    theirs, ours = (statistics.median(durations) for durations in seconds.values())
    print(f"d2lhelpers takes {ours / theirs:.2f} of d2lzh's time")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        time_epoch(sys.argv[1])
    else:
        main()
