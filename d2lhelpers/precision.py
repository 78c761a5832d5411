"""Compute convolutions in bfloat16, on processors that have instructions for it."""

import json
from pathlib import Path

from .runtime import mx

INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}


def processor_flags():
    """Return the names of the processor's features, as the kernel lists them.

    Returns:
        set[str]: the names; empty where the kernel is not Linux.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux: the Intel Macs that MXNet runs on have none of these instructions
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def check_dtype(dtype, ctx, hybridize):
    """Raise ValueError, in a sentence, where training cannot compute in `dtype`.

    Args:
        dtype (str): `float32` or `bfloat16`.
        ctx (list[mxnet.Context]): where the network is.
        hybridize (bool): whether network and loss are to be compiled, and can be.
    """
    if dtype == "float32":
        return
    if dtype != "bfloat16":
        raise ValueError(f"dtype is {dtype!r}; it must be 'float32' or 'bfloat16'.")
    reason = None
    if any(device.device_type != "cpu" for device in ctx):
        reason = f"is for processors, and the network is on {ctx[0]}"
    elif not INSTRUCTIONS & processor_flags():
        reason = f"needs a processor with {' or '.join(sorted(INSTRUCTIONS))}; this one would be slower with it"
    elif not hybridize:
        reason = (
            "needs a network that can be compiled: of hybrid blocks only, with a hybrid block as loss, and without "
            "hybridize=False"
        )
    if reason:
        raise ValueError(f"dtype='bfloat16' {reason}. Use dtype='float32'.")


def to_bfloat16(outputs, data):
    """Return the same graph with its convolutions in bfloat16; parameters, input and output stay in float32.

    What is between two convolutions works on bfloat16 too. Dense layers and the convolutions of the input itself stay
    in float32: measured, they were slower in bfloat16.

    Args:
        outputs (Symbol): the network's output.
        data (Symbol): its input.

    Returns:
        Symbol: the new graph. `amp.init`, which MXNet has for this, changes every network of the process, for good.
    """
    from mxnet.contrib.amp import amp  # here, as few need it

    nodes = json.loads(outputs.tojson())["nodes"]
    feeds = {node["name"]: nodes[node["inputs"][0][0]]["name"] for node in nodes if node["op"] == "Convolution"}
    graph = amp.convert_symbol(
        outputs,
        target_dtype="bfloat16",
        target_dtype_ops=["Convolution"],
        fp32_ops=[*amp.list_fp32_ops(amp.bfloat16), "FullyConnected"],
        excluded_sym_names=[name for name, feed in feeds.items() if feed == data.name],
        data_names=[data.name],
    )
    return mx.sym.amp_cast(graph, dtype="float32")
