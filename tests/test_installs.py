"""Environments installed anew, in minutes: Binder's, the wheel by itself, the GPU build: `pytest tests -m installs`."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.installs
ROOT = Path(__file__).resolve().parent.parent
UV = (sys.executable, ROOT / "tools" / "bootstrap.py", "uv")


def run(*command, cwd=ROOT, **variables):
    environment = {**os.environ, **variables}
    return subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)


def install(folder, *locks):
    """Make an environment with what is locked; skip where the package index cannot be reached."""
    assert run(*UV, "venv", "--seed", "--python", "3.11", folder).returncode == 0
    files = [argument for name in locks for argument in ("-r", f"requirements/{name}.txt")]
    result = run(*UV, "pip", "install", "--python", folder, "--require-hashes", *files)
    if re.search("dns error|error sending request|Failed to fetch", result.stderr):
        pytest.skip("the package index cannot be reached")
    assert result.returncode == 0, result.stderr


# The wheel

LEARN = """
import d2lhelpers as d2l
from d2lhelpers.chapters.batch_norm import gluon_norm, lenet
history = d2l.fit(lenet(gluon_norm), lr=1.0, batch_size=256, num_epochs=2, train_size=12_288, test_size=2048)
print(history.train_acc[-1] > 0.6, d2l.check("bn.momentum", 3.2566, 44).status, len(d2l.progress()))
d2l.set_language("zh")
print(str(d2l.check("bn.momentum", 3.2566, 44))[:15])
"""


def test_the_wheel_by_itself(tmp_path):
    install(tmp_path / "venv", "cpu", "build")
    built = run(*UV, "build", "--wheel", "--out-dir", tmp_path / "wheel", ROOT, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    added = run(*UV, "pip", "install", "--python", tmp_path / "venv", "--no-deps", wheel)
    assert added.returncode == 0, added.stderr
    (tmp_path / "empty").mkdir()
    python = tmp_path / "venv" / "bin" / "python"
    learned = subprocess.run([python, "-c", LEARN], cwd=tmp_path / "empty", env={}, capture_output=True, text=True)
    assert learned.stdout.splitlines()[-2:] == ["True right 32", "bn.momentum：正确。"], learned.stderr


# The GPU build

# RTLD_NOW resolves all symbols at once.
LOAD = """
import ctypes, os
import d2lhelpers as d2l
import mxnet as mx
from d2lhelpers.chapters.batch_norm import gluon_norm, lenet
ctypes.CDLL(mx.libinfo.find_lib_path()[0], mode=os.RTLD_NOW)
print("CUDA" in [feature.name for feature in mx.runtime.feature_list() if feature.enabled])
print(len({line.split()[-1] for line in open("/proc/self/maps") if "/nvidia/" in line}) >= 10)
print(mx.context.num_gpus(), d2l.try_gpu())
d2l.fit(lenet(gluon_norm), lr=1.0, batch_size=256, num_epochs=1, train_size=2048, test_size=256)
"""


def make_driver(folder, library):
    """Compile a libcuda.so.1 that has each function which `library` wants, and says that there is no GPU."""
    symbols = run("nm", "-D", "--undefined-only", library).stdout
    names = sorted(set(re.findall(r"\b(cu[A-Z]\w+)", symbols)))
    assert names
    source = folder / "cuda.c"
    source.write_text("".join(f"int {name}() {{ return 100; }}\n" for name in names))  # CUDA_ERROR_NO_DEVICE
    command = ("cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", folder / "libcuda.so.1", source)
    assert run(*command).returncode == 0


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
def test_the_gpu_build_finds_all_cuda_libraries_and_falls_back_to_the_cpu(tmp_path):
    """Beside a stand-in for the NVIDIA driver, which no machine without a GPU has."""
    install(tmp_path / "venv", "cu112", "build")
    added = run(*UV, "pip", "install", "--python", tmp_path / "venv", "--no-deps", "--no-build-isolation", ROOT)
    assert added.returncode == 0, added.stderr
    make_driver(tmp_path, next((tmp_path / "venv").glob("lib/python*/site-packages/mxnet/libmxnet.so")))
    result = run(tmp_path / "venv" / "bin" / "python", "-c", LOAD, cwd=tmp_path, LD_LIBRARY_PATH=str(tmp_path))
    lines = result.stdout.splitlines()
    assert lines[:3] == ["True", "True", "0 cpu(0)"], result.stderr
    assert lines[-1].startswith("epoch 1, loss")


# Binder's image


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """What repo2docker has made when it comes to postBuild: a Python with the pins, and a copy of the project."""
    folder = tmp_path_factory.mktemp("image")
    install(folder / "conda", "cpu", "build")
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).exists():
            (folder / "home" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "home" / name)
    return folder


def build(image, tmp_path, **variables):
    """Run postBuild without any network but this machine's own."""
    home = tmp_path / "jovyan"
    home.mkdir()
    nowhere = "http://127.0.0.1:9"
    environment = {
        "PATH": f"{image / 'conda' / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "no_proxy": "127.0.0.1",
        **variables,
    }
    result = subprocess.run(["binder/postBuild"], cwd=image / "home", env=environment, capture_output=True, text=True)
    return result, home


def test_post_build_without_network(image, tmp_path):
    result, home = build(image, tmp_path)
    assert result.returncode == 0, result.stderr
    imported = run(
        *(image / "conda" / "bin" / "python", "-c", "import d2lhelpers; print(d2lhelpers.__file__)"), cwd=tmp_path
    )
    assert imported.stdout.strip() == str(image / "home" / "d2lhelpers" / "__init__.py")
    workspaces = list((home / ".jupyter" / "lab" / "workspaces").glob("*"))
    assert len(workspaces) == 1 and "notebooks/01_batch_norm.ipynb" in workspaces[0].read_text()
    disabled = image / "conda" / "etc" / "jupyter" / "labconfig" / "page_config.json"
    assert "announcements" in disabled.read_text()


def test_post_build_stops_where_mxnet_cannot_be_loaded(image, tmp_path):
    broken = tmp_path / "broken" / "mxnet"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise OSError('libquadmath.so.0: cannot open shared object file')")
    result, _ = build(image, tmp_path, PYTHONPATH=str(broken.parent))
    assert result.returncode != 0
    assert "libquadmath0" in result.stderr
