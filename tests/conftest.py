"""What several tests need: a tiny data set, and a guard against arrays left on the wrong device."""

import gzip

import mxnet
import mxnet.ndarray._internal
import mxnet.ndarray.register
import numpy as np
import pytest
from d2lhelpers.threads import threads

threads.adapts = False  # another number of threads rounds otherwise, and many tests compare all digits


def idx(array):
    """Return an array of bytes as a gzipped idx file."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + array.tobytes())


@pytest.fixture
def tiny_data(tmp_path):
    """A folder with the four files, of 20 training and 10 test images."""
    folder, random = tmp_path / "tiny", np.random.default_rng(0)
    folder.mkdir()
    for part, n in (("train", 20), ("t10k", 10)):
        images, labels = random.integers(0, 256, (n, 28, 28), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 10
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    return folder


@pytest.fixture
def numpy_interface():
    """MXNet's NumPy interface is on, as after `npx.set_np()`."""
    mxnet.npx.set_np()
    yield
    mxnet.npx.reset_np()


@pytest.fixture
def one_device_only(monkeypatch):
    """Make operators refuse operands on different devices, as a GPU would; plain CPU operators accept any mixture."""
    invoke = mxnet.ndarray._internal._imperative_invoke

    def checked(handle, ndargs, *arguments, **options):
        contexts = {str(array.context) for array in ndargs}
        assert len(contexts) < 2, f"operands on {contexts}"
        return invoke(handle, ndargs, *arguments, **options)

    for module in (mxnet.ndarray._internal, mxnet.ndarray.register):
        monkeypatch.setattr(module, "_imperative_invoke", checked)
