"""What several tests need: a tiny published data set, and a guard against arrays left on the wrong device."""

import gzip
import hashlib

import mxnet.ndarray._internal
import mxnet.ndarray.register
import numpy as np
import pytest
from d2lhelpers import data, download


@pytest.fixture
def tiny_data(tmp_path, monkeypatch):
    """A folder with four idx files of 20 training and 10 test images, which are taken for the published ones."""
    folder, files, published = tmp_path / "published", {}, dict(download.FILES)
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, (file, _, shape) in download.FILES.items():
        shape = (20 if "train" in name else 10, *shape[1:])
        values = random.integers(0, 10 if "labels" in name else 256, shape, dtype=np.uint8)
        content = bytes(4 + 4 * len(shape)) + values.tobytes()
        (folder / file).write_bytes(gzip.compress(content))
        files[name] = (file, hashlib.sha256(content).hexdigest(), shape)
    download.FILES.update(files)
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("D2L_DATA", raising=False)
    monkeypatch.delenv("D2L_OFFLINE", raising=False)
    data._load.cache_clear()
    yield folder
    data._load.cache_clear()
    download.FILES.update(published)


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
