"""Fashion-MNIST, which comes with the package, and the batches made of it."""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys

import d2lhelpers as d2l
import d2lzh
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers import data
from mxnet.gluon.data.vision import transforms

PUBLISHED = {  # SHA-256 of the decompressed files
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def test_the_files_are_those_that_were_published():
    for name, sha256 in PUBLISHED.items():
        assert hashlib.sha256(gzip.decompress((data.FOLDER / name).read_bytes())).hexdigest() == sha256


def test_the_arrays():
    loaded = d2l.load_arrays()
    assert [array.shape for array in loaded] == [(60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,)]
    assert not any(array.flags.writeable for array in loaded)
    assert d2l.load_arrays() is loaded, "they are read once"
    for labels, each in ((loaded.train_labels, 6000), (loaded.test_labels, 1000)):
        assert np.bincount(labels).tolist() == [each] * 10


def test_it_needs_no_network_no_home_and_no_variable(tmp_path):
    """In a process whose every connection and every look-up of a name fails."""
    code = """
import socket
def refuse(*_, **__): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
import d2lhelpers as d2l
print(len(d2l.load_data_fashion_mnist(256)[0]))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={}, capture_output=True, text=True)
    assert result.stdout == "235\n", result.stderr
    assert os.listdir(tmp_path) == []


def test_another_folder(tiny_data):
    train_iter, test_iter = d2l.load_data_fashion_mnist(8, None, str(tiny_data))
    assert (len(train_iter), len(test_iter)) == (3, 2)
    assert len(d2l.load_arrays(tiny_data).train_images) == 20


def test_a_size_may_be_a_list(tiny_data):
    shapes = [next(iter(d2l.load_data_fashion_mnist(8, size, tiny_data)[0]))[0].shape for size in ((20, 30), [20, 30])]
    assert shapes == [(8, 1, 30, 20)] * 2


@pytest.mark.parametrize("resize", [None, 20])
def test_batches_are_of_the_interface_that_is_on(tiny_data, numpy_interface, resize):
    for X, y in d2l.load_data_fashion_mnist(8, resize, tiny_data)[1]:
        assert type(X) is type(y) is mx.np.ndarray
    assert len(X) == 2


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "missing": (lambda path: path.unlink(), r"cannot be read \(No such file or directory\)"),
    "cut": (cut, "is damaged"),
    "a bit flipped": (flip, "is damaged"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "no gzip": (lambda path: path.write_bytes(b"<html>"), "is damaged"),
    "no idx": (lambda path: path.write_bytes(gzip.compress(b"ab")), "is damaged"),
    "too few values": (lambda path: path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 9]))), "is damaged"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), r"cannot be read \(Is a directory\)"),
}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_cannot_be_used_is_named_with_the_remedy(tiny_data, name, damage):
    spoil, state = DAMAGES[damage]
    spoil(tiny_data / name)
    with pytest.raises(
        ValueError, match=f"^{name} in .* {state}: put the published one there, or leave root"
    ) as caught:
        d2l.load_data_fashion_mnist(8, root=tiny_data)
    assert "\n" not in str(caught.value)


def test_files_that_do_not_belong_together(tiny_data):
    shutil.copy(tiny_data / "t10k-labels-idx1-ubyte.gz", tiny_data / "train-labels-idx1-ubyte.gz")
    with pytest.raises(ValueError, match="train-images.* and train-labels.* do not belong together"):
        d2l.load_arrays(tiny_data)


def test_a_damaged_file_of_the_package_can_be_had_again(tiny_data, monkeypatch):
    monkeypatch.setattr(data, "FOLDER", tiny_data)
    cut(tiny_data / "t10k-labels-idx1-ubyte.gz")
    with pytest.raises(ValueError, match=r"`git checkout -- \S+` brings it back, or install the package again"):
        d2l.load_data_fashion_mnist(8)


def test_the_names_of_the_classes():
    assert d2l.get_fashion_mnist_labels(range(10)) == d2lzh.get_fashion_mnist_labels(range(10))
    assert d2l.get_fashion_mnist_labels(mx.nd.array([9, 0]).asnumpy()) == ["ankle boot", "t-shirt"]


def images(n=50, side=28):
    random = np.random.default_rng(1)
    return random.integers(0, 256, (n, side, side), dtype=np.uint8), np.arange(n, dtype=np.int32)


def labels_of(batches):
    return np.concatenate([y.asnumpy() for _, y in batches]).tolist()


def test_every_image_once_and_a_new_order_every_epoch():
    batches = data.ImageBatches(*images(), 8, shuffle=True)
    first, second = labels_of(batches), labels_of(batches)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert len(batches) == 7 == len(list(batches))


def test_an_epoch_has_one_order_whatever_was_iterated_over_before():
    batches, fresh = (data.ImageBatches(*images(), 8, shuffle=True) for _ in range(2))
    orders = [labels_of(batches) for _ in range(3)]
    assert [labels_of(fresh.epoch(number)) for number in (2, 0, 1)] == [orders[2], orders[0], orders[1]]
    assert labels_of(fresh) == orders[0]


def test_order_comes_from_the_seed():
    orders = [labels_of(data.ImageBatches(*images(), 8, shuffle=True, seed=seed)) for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]


def test_types_shapes_and_device():
    X, y = next(iter(data.ImageBatches(*images(), 8, ctx=mx.cpu(1))))
    assert (X.shape, X.dtype, X.context) == ((8, 1, 28, 28), np.float32, mx.cpu(1))
    assert (y.shape, y.dtype, y.context) == ((8,), np.int32, mx.cpu(1))


@pytest.mark.parametrize("size", [None, 96, 224, 20, (40, 30)])
def test_same_pixels_as_d2lzh(size):
    pixels, labels = images(6)
    steps = [transforms.Resize(size)] if size else []
    convert = transforms.Compose([*steps, transforms.ToTensor()])
    theirs = np.stack([convert(mx.nd.array(image[..., None], dtype=np.uint8)).asnumpy() for image in pixels])
    ((ours, _),) = data.ImageBatches(pixels, labels, 6, resize=size)
    assert ours.shape == theirs.shape
    assert abs(ours.asnumpy() - theirs).max() <= 1 / 255 + 1e-6


def test_images_belong_to_their_labels():
    pixels, labels = images()
    for X, y in data.ImageBatches(pixels, labels, 8, shuffle=True):
        assert (X.asnumpy()[:, 0] == pixels[y.asnumpy()] * np.float32(1 / 255)).all()


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((0,), {}, "batch_size is 0; it must be a whole number of at least 1"),
        ((2.5,), {}, "batch_size is 2.5"),
        ((True,), {}, "batch_size is True"),
        ((8, -1), {}, "resize is -1"),
        ((8, 0), {}, "resize is 0"),
        ((8, (20, 0)), {}, r"resize is \(20, 0\); it must be a side in pixels such as 96, or \(width, height\)"),
        ((8, (20, 20, 1)), {}, r"resize is \(20, 20, 1\)"),
        ((8, "224"), {}, "resize is '224'"),
        ((8,), {"train_size": 7}, "batch_size is 8, more than the 7 images of train_size"),
        ((8,), {"seed": -1}, "seed is -1; it must be a whole number of at least 0"),
        ((8,), {"ctx": "gpu"}, r"ctx is 'gpu'; it must be a device such as mx.cpu\(\)"),
        ((8,), {"train_size": 21}, "train_size is 21; it must be a whole number from 1 to 20"),
        ((8,), {"test_size": 0}, "test_size is 0; it must be a whole number from 1 to 10"),
    ],
)
def test_bad_sizes(tiny_data, arguments, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        d2l.load_data_fashion_mnist(*arguments, root=tiny_data, **options)


def test_sizes(tiny_data):
    train_iter, test_iter = d2l.load_data_fashion_mnist(4, root=tiny_data, train_size=10, test_size=5)
    assert (len(train_iter.images), len(test_iter.images)) == (10, 5)
    assert not test_iter.shuffle
