"""Do the same tasks in PyTorch: a line of JSON in, a line of JSON out.

python benchmarks/pytorch.py eager|channels-last|compile

The networks are not written a second time: they are built, layer by layer, from the graphs and weights that `worker.py`
exports. Images are in memory; they are cast and resized a batch at a time, as in d2lhelpers.
"""

import ast
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from memory import peak_mb, reset_peak
from torch import fx, nn
from torch.nn import functional as F

CONTENDER = sys.argv[1]
FORMAT = torch.channels_last if CONTENDER == "channels-last" else torch.contiguous_format
models = {}


def convolution(a, weight, bias=None):
    outputs, inputs, *_ = weight.shape
    layer = nn.Conv2d(inputs, outputs, a["kernel"], a.get("stride", 1), a.get("pad", 0), bias=bias is not None)
    return layer, {"weight": weight, "bias": bias}


def dense(a, weight, bias=None):
    outputs, inputs = weight.shape
    layer = nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs, bias=bias is not None))
    return layer, {"1.weight": weight, "1.bias": bias}


def batch_norm(a, gamma, beta, mean, variance):
    layer = nn.BatchNorm2d if a["axes"] == 4 else nn.BatchNorm1d
    state = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}
    return layer(len(gamma), eps=a["eps"], momentum=1 - a["momentum"]), state


def pooling(a):
    if a.get("global_pool"):
        return nn.AdaptiveAvgPool2d(1), {}
    kind = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}[a["pool_type"]]
    ceil = a.get("pooling_convention") == "full"
    return kind(a["kernel"], a.get("stride", 1), a.get("pad", 0), ceil_mode=ceil), {}


LAYERS = {
    "Convolution": convolution,
    "FullyConnected": dense,
    "BatchNorm": batch_norm,
    "Pooling": pooling,
    "Activation": lambda a: ({"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[a["act_type"]](), {}),
    "Dropout": lambda a: (nn.Dropout(a["p"]), {}),
    "Flatten": lambda a: (nn.Flatten(), {}),
}


def values(attributes):
    """Return a node's attributes as Python values."""
    parsed = {}
    for name, text in attributes.items():
        try:
            parsed[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            parsed[name] = text
    return parsed


def build(path, arrays):
    """Turn MXNet's graph into a PyTorch module; return it, and a function from arrays to its state."""
    graph, modules, states, made, axes = fx.Graph(), {}, {}, [], []
    for i, node in enumerate(json.loads(Path(path).read_text())["nodes"]):
        feeds = [made[source] for source, *_ in node["inputs"]]
        nodes = [feed for feed in feeds if isinstance(feed, fx.Node)]
        weights = [feed for feed in feeds if isinstance(feed, str)]
        axes.append(axes[node["inputs"][0][0]] if nodes else 4)
        if node["op"] == "null":
            made.append(graph.placeholder("data") if node["name"] == "data" else node["name"])
        elif node["op"] == "Concat":
            made.append(graph.call_function(torch.cat, (nodes, 1)))
        else:
            attributes = {**values(node.get("attrs", {})), "axes": axes[-1]}
            layer, state = LAYERS[node["op"]](attributes, *(arrays[name] for name in weights))
            names = dict(zip(state, weights, strict=False))
            modules[f"layer{i}"] = layer
            states.update({f"layer{i}.{key}": name for key, name in names.items()})
            made.append(graph.call_module(f"layer{i}", tuple(nodes)))
            if node["op"] in ("FullyConnected", "Flatten"):
                axes[-1] = 2
    graph.output(made[-1])
    return fx.GraphModule(nn.ModuleDict(modules), graph), states


def model(name, folder, seed):
    """Return the network with the weights of the seed, and the order of the images."""
    arrays = np.load(Path(folder) / f"{name} {seed}.npz")
    if name not in models:
        module, states = build(Path(folder) / f"{name}.json", arrays)
        module = module.to(memory_format=FORMAT)
        models[name] = module, states, torch.compile(module) if CONTENDER == "compile" else module
    module, states, call = models[name]
    state = {key: torch.from_numpy(arrays[source]) for key, source in states.items()}
    missing = module.load_state_dict(state, strict=False)
    assert all("num_batches" in key for key in missing.missing_keys), missing
    return module, call, torch.from_numpy(arrays["order"])


def pictures(images, side):
    """Return a batch of uint8 images as floats, resized."""
    X = images[:, None].float() / 255
    if side != 28:
        X = F.interpolate(X, (side, side), mode="bilinear", align_corners=False)
    return X.contiguous(memory_format=FORMAT)


def arrays(folder):
    """Return Fashion-MNIST as tensors."""
    with np.load(Path(folder) / "data.npz") as data:
        return {name: torch.from_numpy(data[name].astype(np.int64 if "labels" in name else np.uint8)) for name in data}


def train(name, side, batch, train_size, test_size, lr, seed, folder):
    """Train for one epoch and test; return the seconds that it took, the training loss and the peak memory."""
    module, call, order = model(name, folder, seed)
    data, optimizer = arrays(folder), torch.optim.SGD(module.parameters(), lr)
    torch.manual_seed(seed)
    reset_peak()
    begin = time.perf_counter()
    module.train()
    total, right = 0, 0
    for index in order.split(batch):
        y = data["train_labels"][index]
        optimizer.zero_grad()
        logits = call(pictures(data["train_images"][index], side))
        loss = F.cross_entropy(logits, y, reduction="sum")
        (loss / batch).backward()
        optimizer.step()
        total, right = total + loss.detach(), right + (logits.argmax(1) == y).sum()
    module.eval()
    with torch.no_grad():
        for index in torch.arange(test_size).split(batch):
            right += (call(pictures(data["test_images"][index], side)).argmax(1) == data["test_labels"][index]).sum()
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "loss": total.item() / train_size, "peak_mb": peak_mb()}


def load(side, images, folder):
    """Go through the training images once without a network; return images a second."""
    data = arrays(folder)["train_images"]
    begin = time.perf_counter()
    for index in torch.randperm(images).split(64):
        pictures(data[index], side)
    return {"speed": images / (time.perf_counter() - begin)}


def matrix_rate(size=4096):
    """Return how many floating-point operations a second a product of two large matrices does."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        torch.mm(a, b)
        times.append(time.perf_counter() - begin)
    return {"rate": 2 * size**3 / float(np.median(times[1:]))}


TASKS = {task.__name__: task for task in (train, load, matrix_rate)}

if __name__ == "__main__":
    for line in sys.stdin:
        task = json.loads(line)
        print(json.dumps(TASKS[task.pop("do")](**task)), flush=True)
