"""Loss and score of a batch: as one compiled graph where that is the same as the network's own Python code."""

import dis
import json

from ..networks.graph import blocks_of, can_trace
from ..runtime import mx
from .evaluate import count_correct

autograd, gluon = mx.autograd, mx.gluon
TOLERANCE = 1e-3  # of logits and losses: more than rounding
SAMPLE = 2  # images of the first batch that are compared: more would be seen in the time of a short training
# What code may do that is traced once instead of run at every step: nothing that outlives the call, or may be another
# thing at the next one.
STORES = {"STORE_ATTR", "DELETE_ATTR", "STORE_SUBSCR", "DELETE_SUBSCR", "STORE_GLOBAL", "STORE_DEREF"}
BUILTINS = set(
    "abs dict enumerate float int isinstance len list map max min range reversed sum super tuple zip".split()
)
ATTRIBUTES = {*dir(mx.sym), *dir(mx.sym.Symbol), "_children", "items", "keys", "values"}


def own_classes(kind):
    """Return a class and those above it, as far as they are not MXNet's."""
    return [base for base in kind.__mro__ if not base.__module__.startswith("mxnet.") and base is not object]


def instructions(code):
    """Yield the instructions of a function's code and of the functions inside."""
    for step in dis.get_instructions(code):
        yield step
        if hasattr(step.argval, "co_code"):
            yield from instructions(step.argval)


def _own_functions(block):
    """Return (name, function) of what is called at each step of a block and is not MXNet's."""
    members = [("_func", getattr(block, "_func", None))]  # of a HybridLambda
    for kind in own_classes(type(block)):
        members += [(name, value) for name, value in vars(kind).items() if name != "__init__"]
    return [(name, function) for name, function in members if hasattr(function, "__code__")]


def _is_plain(block):
    """Tell whether a block's own code only computes: with operators, its own attributes and its own functions."""
    functions = _own_functions(block)
    known = ATTRIBUTES | set(vars(block)) | {name for name, _ in functions}
    for _, function in functions:
        for step in instructions(function.__code__):
            if step.opname in STORES or step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and step.argval not in BUILTINS:
                return False
            if step.opname in ("LOAD_ATTR", "LOAD_METHOD") and step.argval not in known:
                return False
    return True


def nodes(symbol):
    """Return a graph without the names of its operators, which count all that were ever made."""
    graph = json.loads(symbol.tojson())
    return [
        (node["op"], node["name"] if node["op"] == "null" else "", node.get("attrs"), [i[:2] for i in node["inputs"]])
        for node in graph["nodes"]
    ]


class Scorer:
    """Computes (sum of the losses, number of right answers) of a batch.

    It is compiled where that is certain to be the same as running the Python code of network and loss at each step:
    they are MXNet's own blocks without hooks; or hybrid blocks of others whose code only computes, gives one and the
    same graph whenever it is traced, in training and in prediction, and whose graph has given the same logits and loss
    as the code for the first images. All are traced anew in each epoch, and compiled anew where something has changed,
    such as the rate of a dropout. `net` itself stays as it is.
    """

    def __init__(self, net, loss):
        """Look at the code; nothing is run yet."""
        self.net, self.loss, self.graph, self.traced = net, loss, None, None
        self.compiles = can_trace(net) and isinstance(loss, gluon.HybridBlock)
        blocks = [*blocks_of(net), *blocks_of(loss)] if self.compiles else []
        hooked = any(block._forward_hooks or block._forward_pre_hooks for block in blocks)
        self.compiles = self.compiles and not hooked and all(map(_is_plain, blocks))
        self.is_known = not any(map(_own_functions, blocks))

    def begin_epoch(self):
        """Forget the compiled graph where the network has changed."""
        if self.graph and self._trace() != self.traced:
            self.graph = None

    def __call__(self, X, y):
        """Return two arrays of one number."""
        if self.compiles and self.graph is None:
            self.graph = self._compile(X, y)
            self.compiles = self.graph is not None
        return self.graph(X, y) if self.compiles else self._run(X, y)

    def _run(self, X, y):
        logits = self.net(X)
        return self.loss(logits, y).sum(), count_correct(logits, y)

    def _symbols(self, X_type="float32", y_type="int32"):
        data, label = mx.sym.var("input_batch", dtype=X_type), mx.sym.var("input_label", dtype=y_type)
        return [data, label], mx.sym.Group(self._run(data, label))

    def _trace(self):
        """Return the graphs in training and in prediction; None where the code works on numbers only."""
        graphs = []
        try:
            for mode in (autograd.predict_mode, autograd.train_mode):
                with mode():
                    graphs.append(nodes(self._symbols()[1]))
        except Exception:  # whatever that code raises
            return None
        return graphs

    def _compile(self, X, y):
        """Return the compiled graph, or None where it is not the same."""
        self.traced = self._trace()
        if not self.traced or not self.is_known and not self._agrees(X[:SAMPLE], y[:SAMPLE]):
            return None
        inputs, outputs = self._symbols(X.dtype, y.dtype)
        graph = gluon.SymbolBlock(outputs, inputs, params=self.net.collect_params())
        graph.hybridize(static_alloc=True, static_shape=True)
        return graph

    def _agrees(self, X, y):
        """Compare the graphs of both modes, and graph and code for some images in each."""
        if self.traced[0] != self.traced[1]:
            return False
        inputs, (loss, _) = self._symbols(X.dtype, y.dtype)
        outputs = mx.sym.Group([self.net(inputs[0]), loss])
        graph = gluon.SymbolBlock(outputs, inputs, params=self.net.collect_params())
        random = any(word in op.lower() for op, *_ in self.traced[0] for word in ("dropout", "random", "sample"))
        averages = [parameter for parameter in self.net.collect_params().values() if not parameter._differentiable]
        before = [[array.copy() for array in parameter.list_data()] for parameter in averages]
        try:
            with autograd.pause():
                for mode in (autograd.predict_mode, *([] if random else [autograd.train_mode])):
                    with mode():
                        ours, logits = graph(X, y), self.net(X)
                    for a, b in zip(ours, (logits, self.loss(logits, y).sum()), strict=True):
                        if not abs(a - b).max().asscalar() <= TOLERANCE * abs(b).max().asscalar():
                            return False
        except mx.base.MXNetError:  # what the code can do with arrays and not with symbols, such as broadcasting
            return False
        finally:  # the moving averages are put back
            for parameter, arrays in zip(averages, before, strict=True):
                for array, kept in zip(parameter.list_data(), arrays, strict=True):
                    kept.copyto(array)
        return True
