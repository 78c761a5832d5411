"""Try the GPU build of MXNet where there is no GPU: `python3 tools/try_cu112.py`, by hand, about 3 GB of downloads.

In an environment of its own it installs the extra `cu112` as locked, and puts a library in place of the NVIDIA driver
that has every function but no GPU. Then `import d2lhelpers` must find all CUDA libraries and all symbols in them, MXNet
must count zero GPUs, and chapter 1's network must train on the CPU.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What to do in the new environment. RTLD_NOW resolves all symbols at once.
TRY = """
import ctypes, os
os.environ["D2L_BUDGET"] = "smoke"
import d2lhelpers as d2l
import mxnet as mx
ctypes.CDLL(mx.libinfo.find_lib_path()[0], mode=os.RTLD_NOW)
assert "CUDA" in [feature.name for feature in mx.runtime.feature_list() if feature.enabled]
loaded = {line.split()[-1] for line in open("/proc/self/maps") if "/nvidia/" in line}
print(len(loaded), "CUDA libraries from PyPI; every symbol of", mx.libinfo.find_lib_path()[0], "is found")
print("GPUs:", mx.context.num_gpus(), "- device:", d2l.try_gpu())
assert mx.context.num_gpus() == 0 and d2l.try_gpu() == mx.cpu()
chapter = d2l.definitions("01_batch_norm")
d2l.fit(chapter.lenet(chapter.gluon_norm), lr=1.0, batch_size=256, num_epochs=1, train_size=2048, test_size=256)
"""


def run(*command, **options):
    """Run a command; stop where it fails."""
    subprocess.run(list(map(str, command)), check=True, **options)


def stub(folder, library):
    """Compile a libcuda.so.1 that has each function which `library` wants, and says that there is no GPU."""
    symbols = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True)
    names = sorted(set(re.findall(r"\b(cu[A-Z]\w+)", symbols.stdout)))
    no_device = 100  # CUDA_ERROR_NO_DEVICE
    source = folder / "cuda.c"
    source.write_text("".join(f"int {name}() {{ return {no_device}; }}\n" for name in names))
    run("cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", folder / "libcuda.so.1", source)
    return len(names)


def main():
    """Build the environment and try it."""
    parser = argparse.ArgumentParser(description="Try the GPU build of MXNet without a GPU.")
    parser.add_argument("--folder", type=Path, help="where to build; without it, a temporary folder")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp(prefix="cu112-"))
    folder.mkdir(parents=True, exist_ok=True)
    venv = folder / "venv"
    uv = (sys.executable, ROOT / "tools" / "bootstrap.py", "uv")
    if not (venv / "built").exists():
        run(*uv, "venv", "--clear", "--python", "3.11", venv)
        install = ("pip", "install", "--python", venv / "bin" / "python")
        run(*uv, *install, "--require-hashes", "-r", ROOT / "requirements" / "cu112.txt")
        run(*uv, *install, "--no-deps", "--editable", ROOT)
        (venv / "built").touch()
    library = next(venv.glob("lib/python*/site-packages/mxnet/libmxnet.so"))
    print(stub(folder, library), "functions in place of the driver")
    run(venv / "bin" / "python", "-c", TRY, env={**os.environ, "LD_LIBRARY_PATH": str(folder)})


if __name__ == "__main__":
    main()
