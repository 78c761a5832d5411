"""Fashion-MNIST, or its stand-in, in memory, and batches made of it."""

import copy
import functools
import io
import math
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import standin
from .download import FILES, cache_folder, download, read_file
from .runtime import mx, try_gpu
from .seeds import shift_seed
from .validation import check_device, check_images, check_whole_number


class FashionMNIST(NamedTuple):
    """The data set in memory, read-only: images are uint8 of shape (n, 28, 28), labels int32 of shape (n,)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str


def _read_folder(folder):
    arrays = {name: read_file(folder / file, sha256, shape) for name, (file, sha256, shape) in FILES.items()}
    for name in ("train_labels", "test_labels"):
        arrays[name] = arrays[name].astype(np.int32)
        arrays[name].flags.writeable = False  # `_load` hands the same arrays to all
    return FashionMNIST(**arrays, source="Fashion-MNIST")


def _standin(reason):
    """Return the drawn garments, from the cache where they have been drawn before, and say so."""
    path = cache_folder("fashion-mnist-standin") / f"v{standin.STANDIN_VERSION}.npz"
    try:
        with np.load(path) as cached:
            arrays = [cached[name] for name in FILES]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        arrays = standin.draw()
        content, partial = io.BytesIO(), path.with_name(f"{path.stem}.{os.getpid()}.npz")
        np.savez(content, **dict(zip(FILES, arrays, strict=True)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content.getbuffer())
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            print(f"The drawn garments could not be kept for the next time ({error}).")
    for array in arrays:
        array.flags.writeable = False
    print(f"{reason}. Using drawn stand-in garments of the same ten classes instead of Fashion-MNIST.")
    return FashionMNIST(*arrays, source="stand-in")


@functools.lru_cache(maxsize=2)
def _load(root, data, offline):
    if root is None and data == "standin":
        return _standin("D2L_DATA is 'standin'")
    if root is None and data:
        try:
            return _read_folder(Path(data).expanduser())
        except (OSError, ValueError) as error:
            files = ", ".join(file for file, *_ in FILES.values())
            raise FileNotFoundError(
                f"D2L_DATA is {data!r}, but {error}; it must be a folder with the four files {files}, or 'standin', "
                "or not be set."
            ) from error
    folder = Path(root).expanduser() if root else cache_folder("fashion-mnist")
    try:
        return _read_folder(folder)
    except (OSError, ValueError):
        if offline:
            return _standin("D2L_OFFLINE is set and Fashion-MNIST is not in the cache")
    try:
        download(folder)
    except (OSError, ValueError) as error:
        return _standin(f"{error}. Set D2L_DATA to a folder with the files, or run `make data` when online")
    return _read_folder(folder)


def load_arrays(root=None):
    """Return Fashion-MNIST, or its stand-in, as arrays in memory.

    Args:
        root (str, optional): a folder that has, or is to have, the four files. Without it `$D2L_DATA` is used where it
            is set (a folder with the four files, or `standin`), else the folder where Gluon keeps its data sets.

    Returns:
        FashionMNIST: the arrays, and `source`, which is `"Fashion-MNIST"` or `"stand-in"`.

    Raises:
        FileNotFoundError: `D2L_DATA` is set but the four files are not there as published.

    What is missing is downloaded, unless `D2L_OFFLINE` is set. Where that fails, the stand-in is used and said so.
    """
    offline = os.environ.get("D2L_OFFLINE", "") not in ("", "0")
    return _load(None if root is None else str(root), os.environ.get("D2L_DATA", ""), offline)


class ImageBatches:
    """Batches of `(X, y)` on one device, in a new order every epoch; can be iterated over any number of times.

    The pixels stay in memory as one uint8 array. Cast and resize happen a batch at a time on the device: loader
    processes that prepare images one by one would take the cores from the training step.
    """

    def __init__(self, images, labels, batch_size, *, resize=None, shuffle=False, seed=0, ctx=None):
        """Remember the images; nothing is computed yet.

        Args:
            images (numpy.ndarray): uint8 of shape (n, height, width).
            labels (numpy.ndarray): int32 of shape (n,).
            batch_size (int): images a batch; the last batch has what is left.
            resize (int or tuple[int, int], optional): side, or (width, height), of the images given out, in pixels.
            shuffle (bool): whether every epoch has an order of its own.
            seed (int): decides these orders, together with the number of the epoch.
            ctx (mxnet.Context, optional): where the batches are made, by default `try_gpu()`.

        Raises:
            ValueError: an argument is not as described.
        """
        check_whole_number("batch_size", batch_size)
        if resize is not None:
            for side in resize if isinstance(resize, tuple) and len(resize) == 2 else (resize,):
                check_whole_number("resize", side)
        check_whole_number("seed", seed, least=0)
        check_device("ctx", ctx)
        check_images(images, labels)
        self.images, self.labels, self.batch_size = images, labels.astype(np.int32, copy=False), int(batch_size)
        self.resize = (resize, resize) if isinstance(resize, (int, np.integer)) else resize
        self.shuffle, self.seed, self.epoch = shuffle, shift_seed(seed), 0
        self.rank, self.workers = 0, 1
        self.ctx, self.matrices = ctx or try_gpu(), {}

    def share(self, rank, workers):
        """Return the batches of one of several processes that train together, each on its part of every batch.

        A batch is then `workers` times `batch_size` images in all. So that all processes have the same number of
        images, up to `workers` - 1 of the shuffled ones are left out in each epoch.

        Args:
            rank (int): number of this process, from 0.
            workers (int): how many processes there are.

        Returns:
            ImageBatches: the same images, in the same order.
        """
        check_whole_number("workers", workers)
        check_whole_number("rank", rank, 0, workers - 1)
        shared = copy.copy(self)
        shared.rank, shared.workers = rank, workers
        return shared

    def __len__(self):
        """Return the number of batches in an epoch."""
        return math.ceil(len(self.images) // self.workers / self.batch_size)

    def __iter__(self):
        """Yield `X`, float32 of shape (batch, 1, height, width) from 0 to 1, and `y`, int32 of shape (batch,)."""
        order = np.arange(len(self.images))
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
            self.epoch += 1
            order = order[: len(order) // self.workers * self.workers]
        joint = self.batch_size * self.workers
        for start in range(0, len(order), joint):
            index = np.array_split(order[start : start + joint], self.workers)[self.rank]
            if not len(index):
                return  # the test images' last batch has fewer than there are processes
            yield self._pixels(self.images[index]), self._to_device(self.labels[index])

    def _pixels(self, images):
        """Return uint8 images of shape (batch, height, width) as the network wants them."""
        if not self.resize:
            return self._to_device(images[:, None]).astype(np.float32) * (1 / 255)
        # As products of matrices, first of the columns and then of the rows: several times faster on a CPU than
        # `BilinearResize2D`.
        batch, height, width = images.shape
        columns = self._to_device(np.ascontiguousarray(images.transpose(0, 2, 1))).astype(np.float32)
        columns = mx.nd.dot(columns.reshape((-1, height)), self._resampling(height, self.resize[1]))
        rows = columns.reshape((batch, width, -1)).transpose((0, 2, 1)).reshape((-1, width))
        rows = mx.nd.dot(rows, self._resampling(width, self.resize[0]) * (1 / 255))
        return rows.reshape((batch, 1, self.resize[1], self.resize[0]))

    def _resampling(self, old, new):
        """Return the matrix of shape (old, new) that turns `old` pixels in a row into `new` ones, bilinearly.

        The samples are where OpenCV, and so d2lzh's Resize, puts them.
        """
        if (old, new) not in self.matrices:
            places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
            weights = np.maximum(0, 1 - abs(np.arange(old)[:, None] - places))
            self.matrices[old, new] = self._to_device(weights.astype(np.float32))
        return self.matrices[old, new]

    def _to_device(self, array):
        """Hand the array to MXNet as it is; `nd.array` would first wait for the steps that are still queued."""
        return mx.nd.from_numpy(array, zero_copy=True).as_in_context(self.ctx)


def load_data_fashion_mnist(batch_size, resize=None, root=None, *, train_size=None, test_size=None, seed=0, ctx=None):
    """Return iterators over the training and the test images of Fashion-MNIST.

    Args:
        batch_size (int): images a batch.
        resize (int or tuple[int, int], optional): side, or (width, height), in pixels; 28 as published without it.
        root (str, optional): folder of the four files, see `load_arrays`.
        train_size (int, optional): use only the first so many training images; all 60,000 without it.
        test_size (int, optional): use only the first so many test images; all 10,000 without it.
        seed (int): decides the order of the training images in each epoch.
        ctx (mxnet.Context, optional): device of the batches, by default `try_gpu()`.

    Returns:
        tuple[ImageBatches, ImageBatches]: training images, reshuffled every epoch, and test images in order.

    Raises:
        ValueError: a size is not a positive whole number, or larger than the data set.
        FileNotFoundError: `D2L_DATA` is set but the files are not there.

    Source: `d2lzh.load_data_fashion_mnist`, with the same first three arguments.
    """
    check_whole_number("batch_size", batch_size)
    data = load_arrays(root)
    iterators = []
    for name, images, labels, size in (
        ("train_size", data.train_images, data.train_labels, train_size),
        ("test_size", data.test_images, data.test_labels, test_size),
    ):
        if size is not None:
            check_whole_number(name, size, most=len(images))
            if name == "train_size" and batch_size > size:
                raise ValueError(f"batch_size is {batch_size}, more than the {size} images of train_size.")
        shuffle = name == "train_size"
        iterators.append(
            ImageBatches(images[:size], labels[:size], batch_size, resize=resize, shuffle=shuffle, seed=seed, ctx=ctx)
        )
    return tuple(iterators)
