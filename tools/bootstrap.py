"""Builds the course's environment in .venv, with nothing but the standard library of Python 3.8 or newer.

python3 tools/bootstrap.py check              stop with one sentence where MXNet cannot run
python3 tools/bootstrap.py env [cpu|cu112]    the same, then build .venv unless it is up to date
python3 tools/bootstrap.py bench              add PyTorch for the CPU to .venv, unless it is there
python3 tools/bootstrap.py uv ARGUMENT...     run uv, fetched into .tools where PATH has none
"""

import hashlib
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
STAMP = VENV / ".built"  # written last: an interrupted build has none
EXTRAS = ("cpu", "cu112")
LIBRARIES = {"libquadmath.so.0": "libquadmath0", "libgomp.so.1": "libgomp1"}  # and their Debian packages


def works(*command):
    """Whether a command exists and succeeds; what it prints is dropped."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def run(*command, otherwise):
    """Runs a command in the project's folder; where it fails, stops with the sentence `otherwise`."""
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit(f"\n{otherwise}")


def check(python=sys.executable):
    """Stops where MXNet 1.9.1 has no wheel or where `python` cannot load the libraries that its wheel lacks."""
    if sys.version_info < (3, 8):
        sys.exit(f"{sys.executable} is too old: put Python 3.8 or newer on PATH, or name it with make PYTHON=...")
    system, machine = platform.system(), platform.machine()
    if (system, machine) == ("Darwin", "arm64"):
        if not works("/usr/bin/arch", "-x86_64", "/usr/bin/true"):
            sys.exit(
                "MXNet 1.9.1 is built for Intel's Macs, whose programs Apple silicon runs with Rosetta: "
                "run `softwareupdate --install-rosetta`, then make again."
            )
    # Linux aarch64 has a wheel, but it is linked to the Arm Performance Libraries and lacks them.
    elif (system, machine) not in (("Linux", "x86_64"), ("Darwin", "x86_64")):
        sys.exit(
            f"MXNet 1.9.1 does not run on {system} {machine}: use WSL2 (on Windows), "
            "a linux/amd64 Docker container or Binder."
        )
    if system == "Linux":
        load = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
        missing = {name: package for name, package in LIBRARIES.items() if not works(python, "-c", load, name)}
        if missing:
            sys.exit(
                f"MXNet needs {' and '.join(missing)}: run `sudo apt install {' '.join(missing.values())}` "
                "(Fedora: `sudo dnf install libquadmath libgomp`), then make again."
            )


def probe():
    """Chooses cu112 where the first NVIDIA GPU is one that MXNet's CUDA wheel runs on, and cpu elsewhere."""
    query = ("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")
    try:
        answer = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=True)
        capability = float(answer.stdout.split()[0])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return "cpu"
    return "cu112" if 5.0 <= capability <= 8.9 else "cpu"


def find_uv():
    """Returns the path of a uv that works: the one on PATH, or the project's own, fetched at the first call."""
    own = str(TOOLS / "bin" / "uv")
    for uv in (shutil.which("uv"), own):
        if uv and works(uv, "--version"):
            return uv
    install = ["-m", "pip", "install", "--quiet", "--no-user", "--only-binary=uv", "uv"]
    if works(sys.executable, "-m", "venv", "--clear", str(TOOLS)):
        install = [str(TOOLS / "bin" / "python"), *install]
    elif works(sys.executable, "-m", "pip", "--version"):  # Debian without python3-venv
        shutil.rmtree(TOOLS, ignore_errors=True)  # what the failed venv left
        install = [sys.executable, *install, "--target", str(TOOLS)]
    else:
        sys.exit(
            f"{sys.executable} has neither venv nor pip to fetch uv with: "
            "run `sudo apt install python3-venv` or install uv, then make again."
        )
    run(*install, otherwise="pip could not fetch uv (see above): check the network or install uv, then make again.")
    return own


def fingerprint(extra):
    """Sums up what the environment is built from; the scripts in .venv name ROOT, so it cannot be moved."""
    digest = hashlib.sha256(f"{extra} {ROOT}".encode())
    for name in (f"requirements/{extra}.txt", "requirements/dev.txt", "requirements/build.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def is_built(extra):
    """Whether .venv was built to the end, with this extra, from the files as they are now."""
    return (VENV / "bin" / "python").exists() and STAMP.exists() and STAMP.read_text() == fingerprint(extra)


def env(extra=""):
    """Builds .venv with the given extra; without one, any that is built will do, else the GPU decides."""
    if extra and extra not in EXTRAS:
        sys.exit(f"EXTRA={extra} is unknown: use {' or '.join(f'EXTRA={known}' for known in EXTRAS)}.")
    check()
    if any(is_built(known) for known in ([extra] if extra else EXTRAS)):
        return
    extra = extra or probe()
    print(f"Building .venv with EXTRA={extra}.", flush=True)
    uv = find_uv()
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(VENV, ignore_errors=True)
    version = "cpython-3.11-macos-x86_64-none" if platform.system() == "Darwin" else "3.11"
    run(
        *(uv, "venv", "--python", version, str(VENV)),
        otherwise="uv found no Python 3.11 and could not fetch one (see above): install it or check the network.",
    )
    python = str(VENV / "bin" / "python")
    check(python)  # conda's Python finds libraries of its own, which the one in .venv may not
    build = ("--python", python, "--build-constraints", "requirements/build.txt")
    failed = "The environment could not be built (see above): check the network, then make again."
    locks = (f"requirements/{extra}.txt", "requirements/dev.txt")
    run(uv, "pip", "sync", *build, "--require-hashes", *locks, otherwise=failed)
    run(uv, "pip", "install", *build, "--no-deps", "--editable", ".", otherwise=failed)
    STAMP.write_text(fingerprint(extra))


def bench():
    """Adds the extra `bench`, PyTorch for the CPU, to .venv."""
    python = str(VENV / "bin" / "python")
    if works(python, "-c", "import torch"):
        return
    need = re.search(r'^bench = \["(.+)"\]$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    constraints = [argument for name in ("cpu", "dev") for argument in ("--constraints", f"requirements/{name}.txt")]
    add = (find_uv(), "pip", "install", "--python", python, "--torch-backend", "cpu", *constraints, need)
    if not works(*add):  # uv takes PyTorch's CPU builds from PyTorch's own index; pip knows the user's indexes
        run(
            *(sys.executable, "-m", "pip", "--python", python, "install", need),
            otherwise="PyTorch could not be installed (see above): install its build for the CPU in .venv by hand.",
        )


def main(command, *arguments):
    """Runs one of the four commands."""
    if command == "uv":
        sys.exit(subprocess.run([find_uv(), *arguments], cwd=ROOT).returncode)
    {"bench": bench, "check": check, "env": env}[command](*arguments)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("\nInterrupted: the next make builds the environment from its beginning.")
