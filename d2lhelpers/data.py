"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747), which comes with the package, and batches of it."""

import copy
import functools
import gzip
import math
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .arguments import check_device, check_whole_number, is_whole_number, refuse
from .language import say
from .runtime import mx, try_gpu
from .settings import shift_seed

FOLDER = Path(__file__).resolve().parent / "fashion_mnist"
LABELS = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


class FashionMNIST(NamedTuple):
    """The data set in memory, read-only: images are uint8 of shape (n, 28, 28), labels int32 of shape (n,)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def _read(folder, file):
    """Return the array in a gzipped idx file: two zeros, its type, its number of axes, its shape, its values."""
    try:
        content = gzip.decompress((folder / file).read_bytes())  # which compares with the checksum in the file
        axes = content[3]
        shape = np.frombuffer(content, ">u4", axes, 4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except OSError as error:
        state = say("cannot be read ({reason})", reason=error.strerror)
        if isinstance(error, gzip.BadGzipFile):
            state = say("is damaged")
    except (EOFError, IndexError, ValueError, zlib.error):
        state = say("is damaged")
    remedy = say("put the published one there, or leave root out to use those of this package")
    if folder == FOLDER:
        ours = f"{FOLDER.parent.name}/{FOLDER.name}"
        remedy = say("`git checkout -- {folder}` brings it back, or install the package again", folder=ours)
    raise ValueError(say("{file} in {folder} {state}: {remedy}.", file=file, folder=folder, state=state, remedy=remedy))


@functools.lru_cache(maxsize=2)
def _load(folder):
    arrays = []
    for part in ("train", "t10k"):
        images = _read(folder, f"{part}-images-idx3-ubyte.gz")
        labels = _read(folder, f"{part}-labels-idx1-ubyte.gz").astype(np.int32)
        if images.shape != (len(labels), 28, 28) or not len(labels) or labels.max() >= len(LABELS):
            sentence = (
                "{part}-images-idx3-ubyte.gz and {part}-labels-idx1-ubyte.gz in {folder} do not belong together: "
                "they must be pictures of 28 × 28 pixels with a label from 0 to 9 for each."
            )
            raise ValueError(say(sentence, part=part, folder=folder))
        labels.flags.writeable = False  # the same arrays are handed to all
        arrays += images, labels
    return FashionMNIST(*arrays)


def load_arrays(root=None):
    """Return Fashion-MNIST as arrays in memory.

    Args:
        root (str | pathlib.Path, optional): another folder with the four files; without it those of this package.

    Returns:
        FashionMNIST: images and labels, to train and to test with.

    Raises:
        ValueError: a file is missing or damaged.
    """
    try:
        folder = FOLDER if root is None else Path(root).expanduser()
    except (TypeError, RuntimeError):
        refuse("root", root, "a folder with the four files of Fashion-MNIST")
    return _load(folder)


def get_fashion_mnist_labels(labels):
    """Return the names of classes.

    Args:
        labels (Iterable[int]): numbers from 0 to 9.

    Returns:
        list[str]: a name for each.

    Source: `d2lzh.get_fashion_mnist_labels`.
    """
    return [LABELS[int(label)] for label in labels]


def _check_images(images, labels):
    for name, array in (("images", images), ("labels", labels)):
        if not isinstance(array, np.ndarray):
            refuse(name, array, "a NumPy array")
    if images.ndim != 3 or images.dtype != np.uint8:
        sentence = (
            "images is {dtype} of shape {shape}; it must be uint8 of shape (n, height, width), with grey values from 0 "
            "to 255."
        )
        raise ValueError(say(sentence, dtype=images.dtype, shape=images.shape))
    if not images.size:
        sentence = "images has shape {shape}, so there are no images; at least one is needed."
        raise ValueError(say(sentence, shape=images.shape))
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "biu":
        sentence = "labels is {dtype} of shape {shape}; it must be whole numbers of shape {wanted}, one for each image."
        raise ValueError(say(sentence, dtype=labels.dtype, shape=labels.shape, wanted=images.shape[:1]))


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
        sides = resize if isinstance(resize, (tuple, list)) else (resize, resize)
        if resize is not None and (len(sides) != 2 or not all(map(is_whole_number, sides))):
            refuse("resize", resize, "a side in pixels such as 96, or (width, height)")
        check_whole_number("seed", seed, least=0)
        check_device("ctx", ctx)
        _check_images(images, labels)
        self.images, self.labels, self.batch_size = images, labels.astype(np.int32, copy=False), int(batch_size)
        self.resize = None if resize is None else tuple(sides)
        self.shuffle, self.seed, self.iterated = shuffle, shift_seed(seed), 0
        self.rank, self.workers = 0, 1
        self.ctx, self.matrices = ctx or try_gpu(), {}

    @property
    def image_shape(self):
        """Shape (1, height, width) of the images given out."""
        width, height = self.resize or self.images.shape[:0:-1]
        return 1, height, width

    def share(self, rank, workers):
        """Return the part of one of several processes that train together, each on its share of every batch.

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
        """Yield the batches of the next epoch; training counts its epochs by itself, from the first."""
        self.iterated += 1
        return self.epoch(self.iterated - 1)

    def epoch(self, number):
        """Yield the batches of an epoch, whatever has been iterated over before.

        Args:
            number (int): of the epoch, from 0.

        Yields:
            tuple[NDArray, NDArray]: `X`, float32 of shape (batch, 1, height, width) from 0 to 1, and `y`, int32 of
            shape (batch,).
        """
        order = np.arange(len(self.images))
        if self.shuffle:
            order = np.random.default_rng((self.seed, number)).permutation(order)
            order = order[: len(order) // self.workers * self.workers]
        joint = self.batch_size * self.workers
        for start in range(0, len(order), joint):
            index = np.array_split(order[start : start + joint], self.workers)[self.rank]
            if not len(index):
                return  # the test images' last batch has fewer than there are processes
            X, y = self._pixels(self.images[index]), self._to_device(self.labels[index])
            yield (X.as_np_ndarray(), y.as_np_ndarray()) if mx.util.is_np_array() else (X, y)  # as a DataLoader does

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
        root (str, optional): another folder with the four files, see `load_arrays`.
        train_size (int, optional): use only the first so many training images; all 60,000 without it.
        test_size (int, optional): use only the first so many test images; all 10,000 without it.
        seed (int): decides the order of the training images in each epoch.
        ctx (mxnet.Context, optional): device of the batches, by default `try_gpu()`.

    Returns:
        tuple[ImageBatches, ImageBatches]: training images, reshuffled every epoch, and test images in order.

    Raises:
        ValueError: a size is not a positive whole number, or larger than the data set; or a file is damaged.

    Source: `d2lzh.load_data_fashion_mnist`, with the same first three arguments.
    """
    check_whole_number("batch_size", batch_size)
    data = load_arrays(root)
    for name, value, images in (
        ("train_size", train_size, data.train_images),
        ("test_size", test_size, data.test_images),
    ):
        if value is not None:
            check_whole_number(name, value, most=len(images))
    if train_size is not None and batch_size > train_size:
        sentence = "batch_size is {batch_size}, more than the {train_size} images of train_size."
        raise ValueError(say(sentence, batch_size=batch_size, train_size=train_size))
    options = {"batch_size": batch_size, "resize": resize, "seed": seed, "ctx": ctx}
    train_iter = ImageBatches(data.train_images[:train_size], data.train_labels[:train_size], shuffle=True, **options)
    return train_iter, ImageBatches(data.test_images[:test_size], data.test_labels[:test_size], **options)
