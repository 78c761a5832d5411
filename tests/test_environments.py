"""conda, Binder and repo2docker get the locked versions, and Binder's image has all that a learner needs."""

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
UV = (sys.executable, ROOT / "tools" / "bootstrap.py", "uv")
ENVIRONMENTS = ("environment.yml", "binder/environment.yml")
# What conda-forge was seen to have for Linux on x86-64: CUDA 11.8 is the last of CUDA 11, and frozen.
CONDA = {
    "python": "3.11",
    "pip": None,
    "cuda-version": "11.8",
    "cudatoolkit": "11.8.0",
    "cudnn": "8.9.7.29",
    "nccl": "2.21.5.1",
    "libgcc": None,
    "libgomp": None,
}


def run(*command, cwd=ROOT, **variables):
    environment = {**os.environ, **variables}
    return subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)


def read(path):
    """The packages of an environment: those of conda, by name, and those of pip."""
    dependencies = yaml.safe_load((ROOT / path).read_text())["dependencies"]
    conda = dict((name + "=").split("=")[:2] for name in dependencies[:-1])
    return conda, dependencies[-1]["pip"]


def locked(*names):
    """What lock files ask of Linux on x86-64 with the Python of these tests."""
    found = {}
    for name in names:
        for line in re.findall(
            r"^[a-z0-9].*?(?= \\$|$)", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE
        ):
            need = Requirement(line)
            if not need.marker or need.marker.evaluate():
                found[canonicalize_name(need.name)] = str(need.specifier)
    return found


@pytest.mark.parametrize("path", ENVIRONMENTS)
def test_conda_packages_are_known(path):
    conda, _ = read(path)
    assert {name: version or None for name, version in conda.items()}.items() <= CONDA.items()


def test_python_is_the_one_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for path in ENVIRONMENTS:
        assert project["requires-python"].startswith(f">={read(path)[0]['python']},")


def test_only_the_gpu_needs_cuda():
    assert set(read("environment.yml")[0]) == set(CONDA)
    assert set(read("binder/environment.yml")[0]) == {"python", "pip"}


@pytest.mark.parametrize(
    ("path", "locks"), [("environment.yml", ("cu112", "dev", "build")), ("binder/environment.yml", ("cpu", "build"))]
)
def test_pip_installs_the_locked_versions(path, locks):
    pins = [Requirement(need) for need in read(path)[1] if not need.startswith("-")]
    expected = {name: version for name, version in locked(*locks).items() if not name.startswith("nvidia-")}
    if path.startswith("binder"):
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        expected |= {need.name: str(need.specifier) for need in map(Requirement, extras["hub"])}
    assert {canonicalize_name(need.name): str(need.specifier) for need in pins} == expected
    assert all(re.fullmatch(r"==[0-9][^*]*", str(need.specifier)) for need in pins)


def test_cuda_is_that_of_the_wheels():
    """conda's CUDA libraries are of the same major version as those that `make` installs from PyPI."""
    conda, wheels = read("environment.yml")[0], locked("cu112")
    assert wheels["nvidia-cuda-runtime-cu11"].startswith(f"=={conda['cuda-version']}.")
    assert wheels["nvidia-cudnn-cu11"].split(".")[0] == f"=={conda['cudnn'].split('.')[0]}"
    assert wheels["nvidia-nccl-cu11"].split(".")[0] == f"=={conda['nccl'].split('.')[0]}"


@pytest.mark.parametrize("path", ENVIRONMENTS)
def test_every_pin_can_be_installed(path, tmp_path):
    pins = tmp_path / "pins.txt"
    pins.write_text("\n".join(need for need in read(path)[1] if not need.startswith("-")))
    linux = ("--python-platform", "x86_64-manylinux_2_28", "--python-version", "3.11.9")
    result = run(*UV, "pip", "install", "--dry-run", "--target", tmp_path / "target", *linux, "-r", pins)
    if re.search("dns error|error sending request|Failed to fetch", result.stderr):
        pytest.skip("the package index cannot be reached")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("\n + ") == len(pins.read_text().split())


def test_repo2docker_would_build_it():
    """Its exit status says nothing; what it prints does."""
    tool = Path(sys.executable).with_name("repo2docker")
    result = run(tool, "--no-build", "--debug", ".")
    said = result.stdout + result.stderr
    assert "Building conda environment for python=3.11" in said
    packages = re.search(r"apt-get install --yes --no-install-recommends (.*?) && ", said)[1].split()
    assert packages == ["libgomp1", "libquadmath0"]
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in said
    assert "RUN ./binder/postBuild" in said
    assert os.access(ROOT / "binder" / "postBuild", os.X_OK)


def test_binder_has_the_libraries_that_make_asks_for():
    bootstrap = (ROOT / "tools" / "bootstrap.py").read_text()
    asked = set(re.search(r"LIBRARIES = \{(.*?)\}", bootstrap)[1].split('"')[3::4])
    assert set((ROOT / "binder" / "apt.txt").read_text().split()) == asked


# postBuild


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """What repo2docker has made when it comes to postBuild: a Python with the pins, and a copy of the project."""
    folder = tmp_path_factory.mktemp("image")
    assert run(*UV, "venv", "--seed", "--python", "3.11", folder / "conda").returncode == 0
    locks = [argument for name in ("cpu", "build") for argument in ("-r", f"requirements/{name}.txt")]
    installed = run(*UV, "pip", "install", "--python", folder / "conda", "--require-hashes", *locks)
    if re.search("dns error|error sending request|Failed to fetch", installed.stderr):
        pytest.skip("the package index cannot be reached")
    assert installed.returncode == 0, installed.stderr
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).exists():
            (folder / "home" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "home" / name)
    return folder


@pytest.fixture
def mirror(tmp_path):
    """A server that publishes the files of a folder where Gluon's mirror has them."""
    place = tmp_path / "gluon" / "dataset" / "fashion-mnist"
    place.mkdir(parents=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield place, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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


def files(home):
    return sorted(path.name for path in (home / ".mxnet" / "datasets" / "fashion-mnist").glob("*"))


def test_post_build_without_network(image, tmp_path):
    result, home = build(image, tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Fashion-MNIST is not in this image; the chapters will download it." in result.stdout
    assert files(home) == []

    imported = run(
        *(image / "conda" / "bin" / "python", "-c", "import d2lhelpers; print(d2lhelpers.__file__)"), cwd=tmp_path
    )
    assert imported.stdout.strip() == str(image / "home" / "d2lhelpers" / "__init__.py")
    workspaces = list((home / ".jupyter" / "lab" / "workspaces").glob("*"))
    assert len(workspaces) == 1 and "notebooks/01_batch_norm.ipynb" in workspaces[0].read_text()
    disabled = image / "conda" / "etc" / "jupyter" / "labconfig" / "page_config.json"
    assert "announcements" in disabled.read_text()


def test_post_build_keeps_nothing_that_is_not_the_published_data(image, tmp_path, mirror):
    place, address = mirror
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (place / f"{name}-ubyte.gz").write_bytes(b"<html>Welcome</html>")
    result, home = build(image, tmp_path, MXNET_GLUON_REPO=address)
    assert result.returncode == 0, result.stderr
    assert "Fashion-MNIST is not in this image" in result.stdout
    assert files(home) == []


def test_post_build_fetches_the_data(image, tmp_path, mirror):
    published = os.environ.get("D2L_DATA", "")
    if not Path(published, "train-images-idx3-ubyte.gz").exists():
        pytest.skip("needs Fashion-MNIST in D2L_DATA, to serve it")
    place, address = mirror
    for path in Path(published).glob("*.gz"):
        shutil.copy(path, place)
    result, home = build(image, tmp_path, MXNET_GLUON_REPO=address)
    assert result.returncode == 0, result.stderr
    assert "not in this image" not in result.stdout
    assert len(files(home)) == 4


def test_post_build_stops_where_mxnet_cannot_be_loaded(image, tmp_path):
    broken = tmp_path / "broken" / "mxnet"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise OSError('libquadmath.so.0: cannot open shared object file')")
    result, _ = build(image, tmp_path, PYTHONPATH=str(broken.parent))
    assert result.returncode != 0
    assert "libquadmath0" in result.stderr
