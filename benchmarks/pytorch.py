"""Train in PyTorch as `worker.py` does in MXNet: a line of JSON in, a line of JSON out.

python benchmarks/pytorch.py eager|channels-last|compile FOLDER

The networks are not written a second time: they are built, layer by layer, from the graph and the weights that
`worker.py` exports to the folder. Images are in memory; they are cast and resized a batch at a time, as in d2lhelpers.
"""

import ast
import functools
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional as F

CONTENDER, FOLDER = sys.argv[1], Path(sys.argv[2])
FORMAT = torch.channels_last if CONTENDER == "channels-last" else torch.contiguous_format


def layer(kind, given, after, shapes):
    """Return the layer for an operator of MXNet: its attributes, the operator before it, its weights' shapes."""
    window = given.get("stride", 1), given.get("pad", 0)
    match kind:
        case "Convolution":
            outputs, inputs, *kernel = shapes[0]
            return nn.Conv2d(inputs, outputs, kernel, *window, bias=len(shapes) > 1)
        case "FullyConnected":
            outputs, inputs = shapes[0]
            return nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs, bias=len(shapes) > 1))
        case "BatchNorm":
            norm = nn.BatchNorm1d if after == "FullyConnected" else nn.BatchNorm2d
            return norm(shapes[0][0], given["eps"], 1 - given["momentum"])
        case "Pooling" if given.get("global_pool") == "True":
            return nn.AdaptiveAvgPool2d(1)
        case "Pooling":
            pooling = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}[given["pool_type"]]
            return pooling(given["kernel"], *window, ceil_mode=given.get("pooling_convention") == "full")
        case "Activation":
            return {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[given["act_type"]]()
        case "Dropout":
            return nn.Dropout(given["p"])
        case "Flatten":
            return nn.Flatten()
    raise ValueError(f"There is no layer here for MXNet's {kind}.")


def values(attributes):
    """Return attributes with numbers and tuples as such; words stay text."""
    return {name: text if text[0].isalpha() else ast.literal_eval(text) for name, text in attributes.items()}


@functools.lru_cache(1)  # the memory of the network before is free again
def network(name):
    """Return the network, what to call in its place, and its tensors by the names of MXNet's weights."""
    arrays, nodes = np.load(FOLDER / "arrays.npz"), json.loads((FOLDER / "graph.json").read_text())["nodes"]
    graph, modules, tensors, made = fx.Graph(), {}, {}, []  # made: for each node its output, or a weight's name
    for node in nodes:
        sources = [source for source, *_ in node["inputs"]]
        inputs = [made[source] for source in sources if isinstance(made[source], fx.Node)]
        weights = [made[source] for source in sources if isinstance(made[source], str)]
        if node["op"] == "null":
            made.append(graph.placeholder("data") if node["name"] == "data" else node["name"])
        elif node["op"] == "Concat":
            made.append(graph.call_function(torch.cat, (inputs, 1)))
        else:
            shapes = [arrays[weight].shape for weight in weights]
            module = layer(node["op"], values(node.get("attrs", {})), nodes[sources[0]]["op"], shapes)
            modules[node["name"]] = module.to(memory_format=FORMAT)
            # the same order as MXNet's; batch norm has a last tensor that MXNet does not know
            tensors |= zip(weights, [*module.parameters(), *module.buffers()], strict=False)
            made.append(graph.call_module(node["name"], tuple(inputs)))
    graph.output(made[-1])
    module = fx.GraphModule(nn.ModuleDict(modules), graph)
    return module, torch.compile(module) if CONTENDER == "compile" else module, tensors


def pictures(images, side):
    """Return a batch of uint8 images as floats, resized."""
    X = images[:, None].float() / 255
    if side != 28:
        X = F.interpolate(X, (side, side), mode="bilinear", align_corners=False)
    return X.contiguous(memory_format=FORMAT)


def batches(arrays, part, task):
    """Yield the batches of the training or the test images."""
    labels = arrays[f"{part}_labels"].long().split(task["batch"])
    for images, y in zip(arrays[f"{part}_images"].split(task["batch"]), labels, strict=True):
        yield pictures(images, task["side"]), y


def train(task, seed):
    """Train for one epoch and test; return the seconds that it took, and the training loss."""
    module, call, tensors = network(task["name"])
    arrays = {name: torch.from_numpy(array) for name, array in np.load(FOLDER / "arrays.npz").items()}
    for name, tensor in tensors.items():
        tensor.data.copy_(arrays[name])
    optimizer = torch.optim.SGD(module.parameters(), task["lr"])
    torch.manual_seed(seed)
    begin = time.perf_counter()
    module.train()
    total, right = 0, 0
    for X, y in batches(arrays, "train", task):
        optimizer.zero_grad()
        logits = call(X)
        loss = F.cross_entropy(logits, y, reduction="sum")
        (loss / task["batch"]).backward()
        optimizer.step()
        total, right = total + loss.detach(), right + (logits.argmax(1) == y).sum()
    module.eval()
    with torch.no_grad():
        for X, y in batches(arrays, "test", task):
            right += (call(X).argmax(1) == y).sum()
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "loss": total.item() / task["train_size"]}


if __name__ == "__main__":
    for line in sys.stdin:
        _, task, seed = json.loads(line)
        print(json.dumps(train(task, seed)), flush=True)
