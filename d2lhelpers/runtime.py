"""Load MXNet, or say in one sentence why not; choose the device.

Every other module takes `mxnet` from here, so that the checks below run before the first `import mxnet`.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib.util
import os
import re
import sys
from pathlib import Path

from .environment import count_threads, find_home, thread_settings
from .language import say

# The libraries of the cu112 extra, each after those it needs. The wheel of mxnet-cu112 looks for them on the system
# only; loaded beforehand and globally, the copies from PyPI are found as well.
_CUDA_LIBRARIES = (
    "cuda_runtime/lib/libcudart.so.11.0",
    "cuda_nvrtc/lib/libnvrtc.so.11.2",
    "nvtx/lib/libnvToolsExt.so.1",
    "cublas/lib/libcublasLt.so.11",
    "cublas/lib/libcublas.so.11",
    "cufft/lib/libcufft.so.10",
    "curand/lib/libcurand.so.10",
    "cusolver/lib/libcusolver.so.11",
    "nccl/lib/libnccl.so.2",
    "cudnn/lib/libcudnn.so.8",
)


def _preload_cuda():
    """Load the CUDA libraries that `pip install d2lhelpers[cu112]` brought along, or conda, if they did."""
    spec = importlib.util.find_spec("nvidia")
    roots = [Path(root) for root in spec.submodule_search_locations] if spec else []
    os.environ.setdefault("MXNET_CUDNN_LIB_CHECKING", "0")  # no warning that cuDNN is a newer 8 than at compile time
    for library in map(Path, _CUDA_LIBRARIES):
        for path in (*(root / library for root in roots), Path(sys.prefix, "lib", library.name)):
            if path.exists():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
                break


def _explain_import_failure(error):
    """Turn what `import mxnet` raised into one sentence that says what to do."""
    text = str(error)
    if isinstance(error, ModuleNotFoundError) and error.name == "mxnet":
        return "MXNet is not installed in this Python: open the notebooks with `make lab`, which installs it."
    packages = {"libquadmath": "libquadmath0", "libgomp": "libgomp1"}
    for library, package in packages.items():
        if library in text:
            return f"MXNet needs the system library {library}: install it with `apt-get install {package}`."
    if "libcuda.so" in text:
        return "This is MXNet for GPUs and there is no NVIDIA driver: rebuild for the CPU with `make env EXTRA=cpu`."
    return f"MXNet cannot be loaded ({text}): rebuild the environment with `make clean env`."


find_home()
most_threads, threads_are_fixed = count_threads()
try:
    with thread_settings(most_threads):
        _preload_cuda()
        import mxnet as mx

        mx.nd.waitall()  # starts MXNet's engine, which reads the environment, too
except (ImportError, OSError, AttributeError) as failure:  # the last: NumPy 1.24 or newer has no `np.bool`
    raise ImportError(_explain_import_failure(failure)) from failure


with contextlib.suppress(AttributeError):  # a notebook's output takes every character
    sys.stdout.reconfigure(errors="replace")  # a terminal may lack ×, → and others


@atexit.register
def _finish():
    """Wait for all that is queued: at exit MXNet ends the threads of `autograd.Function` first, and waits for ever."""
    with contextlib.suppress(mx.base.MXNetError):
        mx.nd.waitall()


def parse_device(name):
    """Turn a device name into an MXNet context.

    Args:
        name (str): `cpu`, `gpu`, or either with an index, such as `cpu(1)`.

    Returns:
        mxnet.Context: the device.

    Raises:
        ValueError: the name has another form.
    """
    match = re.fullmatch(r"(cpu|gpu)(?:\((\d+)\))?", name.strip())
    if not match:
        sentence = "D2L_DEVICE is {name!r}; it must be cpu, gpu, cpu(1) or gpu(1), with any index."
        raise ValueError(say(sentence, name=name))
    return mx.Context(match[1], int(match[2] or 0))


def _run_kernel(device):
    """Compute on the device; a copy alone also works where no kernel can run."""
    (mx.nd.ones((2, 2), ctx=device) * 2).wait_to_read()


def _reason_of(error):
    """Return what CUDA says, or else MXNet, in one line."""
    return str(error).strip().splitlines()[-1].rpartition("ErrStr:")[2]


@functools.cache
def _choose_device(wanted):
    if wanted:
        device = parse_device(wanted)
        if device.device_type == "gpu":
            try:
                _run_kernel(device)
            except mx.base.MXNetError as error:
                sentence = "D2L_DEVICE is {wanted!r} but that device cannot compute: {reason}"
                raise RuntimeError(say(sentence, wanted=wanted, reason=_reason_of(error))) from error
        return device
    if not mx.context.num_gpus():
        return mx.cpu()
    try:
        _run_kernel(mx.gpu())
    except mx.base.MXNetError as error:
        sentence = (
            "This MXNet computes on GPUs of compute capability 5.0 to 8.9, but not on this GPU, so the CPU is used: "
            "{reason}"
        )
        print(say(sentence, reason=_reason_of(error)))
        return mx.cpu()
    return mx.gpu()


def try_gpu():
    """Return the device to compute on: a GPU that has just proven it can run a kernel, else the CPU.

    The environment variable `D2L_DEVICE` (`cpu`, `gpu`, `cpu(1)` …) overrides the choice.

    Returns:
        mxnet.Context: the device; the same one for the life of the process.

    Raises:
        ValueError: `D2L_DEVICE` is not the name of a device.
        RuntimeError: `D2L_DEVICE` asks for a GPU that cannot compute.

    Source: `d2lzh.try_gpu`, which copies an array to the GPU but runs nothing there: on GPUs newer than the wheel the
    copy works and the first kernel does not.
    """
    return _choose_device(os.environ.get("D2L_DEVICE", ""))


def release_memory():
    """Hand memory that is no longer in use back to the system.

    Gluon's blocks refer to each other in circles, so an earlier network may be alive still; and glibc keeps what MXNet
    has freed in many small holes.
    """
    gc.collect()
    with contextlib.suppress(AttributeError):  # macOS has no such function
        ctypes.CDLL(None).malloc_trim(0)
