"""Write environment.yml and binder/environment.yml from the locked versions: `make lock` runs this.

Both are for Linux on x86-64. conda installs Python and, for the GPU, the CUDA libraries; pip installs the packages in
the versions of requirements/, listed one by one, so that repo2docker can install them before it copies the project.
"""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LINUX = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.9",
    "python_version": "3.11",
    "sys_platform": "linux",
}
PYTHON = ["python=3.11", "pip"]
# The last of CUDA 11, and what MXNet needs of it: cuDNN 8 and NCCL. libgcc has libquadmath, which its wheel lacks.
CUDA = ["cuda-version=11.8", "cudatoolkit=11.8.0", "cudnn=8.9.7.29", "nccl=2.21.5.1", "libgcc", "libgomp"]
HEADER = """\
# {title}
# Written by `make lock` from requirements/: change pyproject.toml and lock again.
name: modern-convnets
channels:
  - conda-forge
  - nodefaults
dependencies:
"""


def locked(name):
    """Return the requirements of one lock file that Linux on x86-64 needs, without their hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    found = [Requirement(line) for line in re.findall(r"^([a-z0-9].*?)(?: \\)?$", text, re.MULTILINE)]
    return [f"{need.name}{need.specifier}" for need in found if not need.marker or need.marker.evaluate(LINUX)]


def write(path, title, conda, pip):
    """Write one environment."""
    lines = [f"  - {name}" for name in conda] + ["  - pip:"] + [f"      - {need}" for need in pip]
    (ROOT / path).write_text(HEADER.format(title=title) + "\n".join(lines) + "\n")


def main():
    """Write both environments."""
    build = locked("build")  # setuptools: with it, binder/postBuild installs d2lhelpers without the network
    gpu = {need for need in locked("cu112") + locked("dev") if not need.startswith("nvidia-")}
    write("environment.yml", "For an NVIDIA GPU: conda env create", PYTHON + CUDA, [*sorted(gpu), *build, "-e ."])
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    cpu = locked("cpu") + extras["hub"] + build
    write("binder/environment.yml", "For Binder and repo2docker: the CPU is enough", PYTHON, cpu)


if __name__ == "__main__":
    main()
