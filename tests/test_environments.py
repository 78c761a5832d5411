"""conda, Binder and repo2docker get the locked versions, and Binder's image has all that a learner needs."""

import os
import re
import subprocess
import sys
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
    """What lock files ask of Linux on x86-64 with a late Python 3.11, which conda installs."""
    found = {}
    for name in names:
        for line in re.findall(
            r"^[a-z0-9].*?(?= \\$|$)", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE
        ):
            need = Requirement(line)
            if not need.marker or need.marker.evaluate({"python_full_version": "3.11.9"}):
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
