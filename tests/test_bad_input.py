"""Whatever is wrong with an argument or a batch, one sentence names it, says its value and what would be right."""

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.data import ImageBatches
from hypothesis import given, settings
from hypothesis import strategies as st
from mxnet import gluon, nd
from mxnet.gluon import nn
from sentences import check_chinese

LABELS = np.arange(20) % 10
IMAGES = np.zeros((20, 10, 10), np.uint8)


def batches(n=20, size=5, *, X=None, y=None, at=0, length=True):
    """Good batches, with other images or labels from batch `at` on; of a kind that the package does not know."""
    good = [(nd.zeros((size, 1, 10, 10)), nd.array(LABELS[:size], dtype=np.int32)) for _ in range(n // size)]
    made = [(a if X is None or i < at else X, b if y is None or i < at else y) for i, (a, b) in enumerate(good)]
    return made if length else iter(made)


def network(outputs=10, ready=True, ctx=None):
    net = nn.Sequential()
    net.add(nn.Conv2D(3, 3), nn.Dense(outputs))
    if ready:
        net.initialize(ctx=ctx or mx.cpu())
    return net


class Run:
    """One training with good arguments, of which some are replaced."""

    def __init__(self, call=d2l.train_ch5, **changes):
        self.net = changes.pop("net") if "net" in changes else network()
        trained = self.net if changes.pop("own_trainer", True) and isinstance(self.net, gluon.Block) else network()
        trainer = gluon.Trainer(trained.collect_params(), "sgd", {"learning_rate": 0.1})
        arguments = {
            "net": self.net,
            "train_iter": batches(),
            "test_iter": batches(),
            "trainer": trainer,
            "ctx": mx.cpu(),
            "num_epochs": 1,
            "verbose": False,
        }
        if call is d2l.train_ch5:
            arguments["batch_size"] = 5
        else:
            arguments["loss"] = gluon.loss.SoftmaxCrossEntropyLoss()
        self.call, self.arguments = call, {**arguments, **changes}

    def __call__(self):
        return self.call(**self.arguments)


def train(**changes):
    return lambda: Run(**changes)()


def images(*arguments, **options):
    return lambda: ImageBatches(*arguments, **options)


def under_numpy(call):
    """The same call after `npx.set_np()`: what the network is made of is made then, too."""

    def called():
        mx.npx.set_np()
        try:
            return call()
        finally:
            mx.npx.reset_np()

    return called


def block(forward, kind=nn.HybridBlock, **layers):
    """A network of some layers, whose `forward` takes it and its input."""

    class Made(kind):
        def hybrid_forward(self, F, X):
            return forward(self, X)

    if kind is nn.Block:
        Made.forward = lambda self, X: forward(self, X) if X.shape else None
    net = Made()
    for name, layer in layers.items():
        setattr(net, name, layer)
    net.initialize()
    return net


def two_heads(kind=nn.HybridBlock):
    return block(lambda net, X: (net.a(X), net.b(X)), kind, a=nn.Dense(10), b=nn.Dense(10))


def heads_in_training():
    def forward(net, X):
        return (net.a(X), net.b(X)) if mx.autograd.is_training() else net.a(X) + net.b(X)

    return block(forward, a=nn.Dense(10), b=nn.Dense(10))


def spare(kind=nn.HybridBlock, **options):
    return block(lambda net, X: net.a(X), kind, a=nn.Dense(10), b=nn.Dense(10, prefix="spare_", **options))


def cast(dtype):
    net = network()
    net.cast(dtype)
    return net


def losing(loss, **changes):
    return train(call=d2l.train, loss=loss, **changes)


def accuracy(data_iter=None, net=None, ctx=None):
    return lambda: d2l.evaluate_accuracy(batches() if data_iter is None else data_iter, net or network(), ctx)


def confusion(data_iter=None, net=None):
    return lambda: d2l.confusion_matrix(batches() if data_iter is None else data_iter, net or network())


def fit(**changes):
    options = {"lr": 0.1, "batch_size": 8, "num_epochs": 1, "train_size": 16, "test_size": 8, "verbose": False}
    return lambda: d2l.fit(**{"net": network(ready=False), **options, **changes})


def load(*arguments, **options):
    return lambda: d2l.load_data_fashion_mnist(*arguments, **options)


def frozen():
    net = network()
    net.collect_params().setattr("grad_req", "null")
    return net


def of_another():
    return gluon.Trainer(network().collect_params(), "sgd")


def pixel(value):
    X = np.zeros((5, 1, 10, 10), np.float32)
    X[3, 0, 2, 2] = value
    return nd.array(X)


def chart(figure=None, a=1):
    """Draws nothing."""


def dense():
    """Of this one only the arrays tell which interface it was made with."""
    net = nn.Dense(10, in_units=100)
    net.initialize()
    return net


CE = gluon.loss.SoftmaxCrossEntropyLoss
INT = {"dtype": np.int32}
NUMPY = r"works with mx.nd, not with MXNet's NumPy interface: call npx.reset_np\(\), then make networks and arrays anew"
CASES = [
    # train and train_ch5: arguments
    (train(net=None), "net is None; it must be a Gluon block"),
    (train(net=lambda X: X), "net is a function; it must be a Gluon block"),
    (
        train(net=network(ready=False), own_trainer=False),
        r"net is not initialised \(.* has no values\): call net.initialize",
    ),
    (train(net=frozen()), "net has no parameter to train: .* grad_req='null'"),
    (train(net=nn.Flatten(), own_trainer=False), "net has no parameter to train: it has none at all"),
    (train(trainer=None), r"trainer is None; it must be gluon.Trainer\("),
    (train(trainer="sgd"), "trainer is 'sgd'; it must be"),
    (train(trainer=of_another()), r"trainer is of another network: make it of net.collect_params\(\)"),
    (train(ctx=None), "ctx is None; it must be the device"),
    (train(ctx="cpu"), r"ctx is 'cpu'; it must be a device such as mx.cpu\(\)"),
    (train(ctx=mx.gpu()), r"ctx is gpu\(0\), but the network is on cpu\(0\): give the same"),
    (train(ctx=mx.cpu(1)), r"ctx is cpu\(1\), but the network is on cpu\(0\)"),
    (train(ctx=[mx.cpu(0), mx.cpu(1)]), r"ctx is \[cpu\(0\), cpu\(1\)\], but the network is on cpu\(0\)"),
    (train(ctx=[]), r"ctx is \[\]; it must be a device, or a list of different ones"),
    (train(ctx=[mx.cpu(), mx.cpu()]), r"ctx is \[cpu\(0\), cpu\(0\)\]; it must be a device, or a list of different"),
    (train(num_epochs=0), "num_epochs is 0; it must be a whole number of at least 1"),
    (train(num_epochs=-3), "num_epochs is -3; it must be"),
    (train(num_epochs=1.5), "num_epochs is 1.5; it must be a whole number"),
    (train(num_epochs="2"), "num_epochs is '2'; it must be"),
    (train(num_epochs=None), "num_epochs is None; it must be"),
    (train(batch_size=0), "batch_size is 0; it must be"),
    (train(batch_size=-1), "batch_size is -1; it must be"),
    (train(batch_size=2.5), "batch_size is 2.5; it must be"),
    (train(call=d2l.train, loss=None), r"loss is None; it must be a loss such as gluon.loss.SoftmaxCrossEntropyLoss"),
    (train(call=d2l.train, loss="softmax"), "loss is 'softmax'; it must be"),
    (losing(CE), "loss is the class SoftmaxCrossEntropyLoss; it must be a loss such as"),
    (losing(lambda logits, y: None), r"loss returns None; it must return one number for each image, of shape \(5,\)"),
    (losing(lambda logits, y: (CE()(logits, y),) * 2), "loss returns a tuple; it must return one number"),
    (losing(lambda logits, y: 0.5), "loss returns 0.5; it must return one number"),
    (losing(lambda logits, y: CE()(logits, y).mean()), r"loss returns shape \(1,\); it must return one number"),
    (losing(lambda logits, y: nd.log_softmax(logits)), r"loss returns shape \(5, 10\); it must return one number"),
    (losing(lambda logits, y: CE()(logits, y) * np.nan), "loss returns NaN; it must return one number"),
    (
        losing(lambda logits: logits),
        r"loss cannot take logits of shape \(5, 10\) and labels of shape \(5,\): .*takes",
    ),
    (losing(gluon.loss.L2Loss()), "loss cannot take logits of shape .*: .*target shape"),
    (
        losing(lambda logits, y: nd.array(CE()(logits, y).asnumpy())),
        "loss returns no gradient; .* MXNet's operators",
    ),
    (losing(CE, train_iter=ImageBatches(IMAGES, LABELS, 5)), "loss is the class"),
    (losing(lambda logits, y: None, train_iter=ImageBatches(IMAGES, LABELS, 4)), r"loss returns None; .* \(4,\)"),
    (train(call=d2l.train, net=network(ready=False), own_trainer=False), "net is not initialised"),
    # networks
    (train(net=nn.Dense, own_trainer=False), "net is the class Dense; it must be a Gluon block"),
    (
        train(net=two_heads()),
        r"net returns 2 outputs; it must return one array, the logits of shape",
    ),
    (train(net=two_heads(nn.Block)), "net returns 2 outputs; it must return one array"),
    (train(net=block(lambda net, X: (net.a(X),), a=nn.Dense(10))), "net returns a tuple; it must return one array"),
    (train(net=block(lambda net, X: {"y": net.a(X)}, nn.Block, a=nn.Dense(10))), "net returns a dict; it must return"),
    (train(net=block(lambda net, X: None, a=nn.Dense(10))), "net returns None; it must return one array"),
    (fit(net=two_heads(nn.Block)), "net returns 2 outputs"),
    (train(net=heads_in_training()), "net returns 2 outputs"),
    (accuracy(net=two_heads()), "net returns 2 outputs"),
    (confusion(net=two_heads()), "net returns 2 outputs"),
    *(
        (call(net=spare(kind, **options)), r"net never uses spare_weight, spare_bias: call their layers in its forward")
        for call in (train, fit)
        for kind in (nn.Block, nn.HybridBlock)
        for options in ({}, {"in_units": 3})
    ),
    (
        train(net=cast("float64")),
        r"net has conv\d+_weight of type float64; it must be float32, .* net.cast\('",
    ),
    (fit(net=cast("float16")), r"net has conv\d+_weight of type float16; it must be float32"),
    (accuracy(net=cast("float64")), r"net has conv\d+_weight of type float64; it must be float32"),
    # MXNet's NumPy interface
    *((under_numpy(call), NUMPY) for call in (train(), fit(), accuracy(), confusion(), losing(CE()))),
    *((call(net=under_numpy(network)()), NUMPY) for call in (train, accuracy, confusion)),
    (fit(net=under_numpy(lambda: network(ready=False))()), NUMPY),
    (train(net=under_numpy(dense)()), NUMPY),
    (under_numpy(lambda: d2l.summary(network(), (1, 1, 10, 10))), NUMPY),
    (under_numpy(lambda: d2l.plot_network(network(), (1, 1, 10, 10))), NUMPY),
    (train(call=d2l.train, num_epochs=0), "num_epochs is 0"),
    (train(call=d2l.train, batch_size=0), "batch_size is 0"),
    (train(train_iter=None), "train_iter is None; it must have a length and give batches"),
    (train(train_iter=5), "train_iter is 5; it must have a length"),
    (train(train_iter=batches(length=False)), "train_iter is a .*iterator; it must have a length"),
    (train(train_iter=[]), "train_iter has no batches: at least one is needed"),
    # batches
    (train(test_iter=None), "test_iter is None; it must have a length and give batches"),
    (train(test_iter=[]), "test_iter has no batches: at least one is needed"),
    (train(train_iter=[nd.zeros((5, 1, 10, 10))]), "train_iter gave a NDArray; each batch must be a pair"),
    (train(train_iter=[(1, 2)]), r"train_iter gave \(1, 2\); each batch must be a pair \(X, y\) of NDArrays"),
    (train(train_iter=[(np.zeros((5, 1, 10, 10)), np.zeros(5))]), "train_iter gave a tuple; each batch must be a pair"),
    (
        train(train_iter=batches(X=nd.zeros((5, 1, 10, 10), dtype=np.uint8))),
        "images of type uint8; they must be float32: X.astype",
    ),
    (train(train_iter=batches(X=nd.zeros((5, 1, 10, 10), **INT))), "images of type int32"),
    (train(train_iter=batches(X=nd.zeros((5, 1, 10, 10), dtype=np.float64))), "of type float64; they must be float32"),
    (train(train_iter=batches(X=nd.zeros((5, 10, 10)))), r"net cannot take images of shape \(5, 10, 10\)"),
    (train(train_iter=batches(X=nd.zeros((5, 1, 2, 2)))), r"net cannot take images of shape \(5, 1, 2, 2\)"),
    (train(train_iter=batches(X=nd.zeros((4, 1, 10, 10)))), r"images of shape \(4, .* with labels of shape \(5,\)"),
    (
        train(train_iter=batches(X=nd.zeros(5))),
        r"images of shape \(5,\) with labels of shape \(5,\); there must be one",
    ),
    (train(train_iter=batches(y=nd.zeros((5, 10)))), r"with labels of shape \(5, 10\); there must be one label"),
    (train(train_iter=batches(y=nd.zeros((5, 1)))), r"with labels of shape \(5, 1\)"),
    (train(train_iter=batches(y=nd.array([0, 1, 2, 3, 10], **INT))), "gave the label 10; the network tells 10 classes"),
    (train(train_iter=batches(y=nd.array([0, 1, 2, 3, -1], **INT))), "gave the label -1; .* from 0 to 9"),
    (train(train_iter=batches(y=nd.array([0, 1, 2, 3, 2.5]))), "gave the label 2.5; .* whole numbers from 0 to 9"),
    (train(train_iter=batches(y=nd.array([0, 1, 2, 3, np.nan]))), "gave the label nan"),
    (train(train_iter=batches(y=nd.array([0, 1, 2, 3, 7], **INT)), net=network(5)), "the label 7; .* tells 5 classes"),
    (train(train_iter=batches(y=nd.array([0, 1, 2, 3, 10], **INT), at=2)), "train_iter gave the label 10"),
    (train(test_iter=batches(y=nd.array([0, 1, 2, 3, 10], **INT), at=1)), "test_iter gave the label 10"),
    (train(train_iter=batches(X=pixel(np.nan))), "train_iter gave a pixel that is nan; all must be finite"),
    (train(train_iter=batches(X=pixel(np.inf))), "train_iter gave a pixel that is inf"),
    (train(train_iter=batches(X=pixel(-np.inf), at=3)), "train_iter gave a pixel that is -inf"),
    (train(test_iter=batches(X=pixel(np.nan))), "test_iter gave a pixel that is nan"),
    (train(net=nn.Conv2D(10, 3, activation="relu"), own_trainer=False), "net is not initialised"),
    (train(train_iter=ImageBatches(IMAGES, LABELS + 5, 5)), "train_iter gave the label 1[0-4]; the network tells 10"),
    (train(test_iter=ImageBatches(IMAGES, LABELS - 1, 5)), "test_iter gave the label -1"),
    # evaluate_accuracy and confusion_matrix
    (accuracy(net=network(ready=False)), "net is not initialised"),
    (accuracy(net="lenet"), "net is 'lenet'; it must be a Gluon block"),
    (accuracy(ctx="gpu"), "ctx is 'gpu'; it must be a device"),
    (accuracy(ctx=mx.cpu(1)), r"ctx is cpu\(1\), but the network is on cpu\(0\)"),
    (accuracy([]), "data_iter has no batches"),
    (accuracy(batches(y=nd.array([0, 1, 2, 3, 11], **INT))), "data_iter gave the label 11"),
    (accuracy(batches(X=pixel(np.nan))), "data_iter gave a pixel that is nan"),
    (accuracy(batches(X=nd.zeros((5, 1, 10, 10), dtype=np.uint8))), "images of type uint8"),
    (confusion(net=network(ready=False)), "net is not initialised"),
    (confusion([]), "data_iter has no batches"),
    (confusion(batches(y=nd.array([0, 1, 2, 3, 11], **INT), at=1)), "data_iter gave the label 11"),
    (confusion(batches(X=pixel(np.inf))), "data_iter gave a pixel that is inf"),
    # images in memory
    (images(IMAGES.astype(np.float32), LABELS, 5), r"images is float32 of shape \(20, 10, 10\); it must be uint8"),
    (
        images(IMAGES[:, None], LABELS, 5),
        r"images is uint8 of shape \(20, 1, 10, 10\); it must be uint8 of shape \(n, ",
    ),
    (images(IMAGES[:0], LABELS[:0], 5), "there are no images; at least one is needed"),
    (images(IMAGES[:, :0], LABELS, 5), "there are no images"),
    (images(nd.array(IMAGES), LABELS, 5), "images is a NDArray; it must be a NumPy array"),
    (images(IMAGES, LABELS.tolist(), 5), r"labels is \[0, .*; it must be a NumPy array"),
    (images(IMAGES, LABELS[:19], 5), r"labels is int64 of shape \(19,\); it must be whole numbers of shape \(20,\)"),
    (images(IMAGES, LABELS / 2, 5), "labels is float64 of shape"),
    (images(IMAGES, LABELS, 0), "batch_size is 0"),
    (images(IMAGES, LABELS, 5, resize=-2), "resize is -2"),
    (images(IMAGES, LABELS, 5, resize=(8, 1.5)), r"resize is \(8, 1.5\); it must be a side in pixels such as 96, or"),
    (images(IMAGES, LABELS, 5, seed="a"), "seed is 'a'; it must be a whole number of at least 0"),
    (images(IMAGES, LABELS, 5, ctx=0), "ctx is 0; it must be a device"),
    # fit and load_data_fashion_mnist
    (fit(lr=-1), "lr is -1; it must be a number of at least 0"),
    (fit(lr=np.nan), "lr is nan; it must be"),
    (fit(lr=np.inf), "lr is inf; it must be"),
    (fit(lr="0.1"), "lr is '0.1'; it must be"),
    (fit(momentum=1), "momentum is 1; it must be a number of at least 0 and below 1"),
    (fit(momentum=-0.1), "momentum is -0.1"),
    (fit(num_epochs=0), "num_epochs is 0"),
    (fit(net=None), "net is None; it must be a Gluon block"),
    (fit(batch_size=17), "batch_size is 17, more than the 16 images of train_size"),
    (fit(train_size=60_001), "train_size is 60001; it must be a whole number from 1 to 60000"),
    (fit(test_size=0), "test_size is 0; it must be a whole number from 1 to 10000"),
    (fit(seed=-1), "seed is -1; it must be a whole number from 0 to 4294967295"),
    (fit(resize=2), r"net cannot take images of shape \(1, 1, 2, 2\)"),
    (fit(net=network(5, ready=False)), "train_iter gave the label 9; the network tells 5 classes apart"),
    (fit(initializer="heavy"), "initializer is 'heavy'; it must be an initializer such as"),
    (fit(callbacks=d2l.Checkpoint("kept")), "callbacks is a Checkpoint; it must be a list of callbacks, such as"),
    (fit(callbacks=[d2l.Checkpoint]), "callbacks is .*; it must be a list of callbacks"),
    (fit(ctx="gpu"), "ctx is 'gpu'; it must be a device"),
    (load(8, root=3), "root is 3; it must be a folder with the four files"),
    (load(0), "batch_size is 0"),
    (load("256"), "batch_size is '256'"),
    (load(8, train_size=0.5), "train_size is 0.5; it must be a whole number from 1 to 60000"),
    (load(8, ctx=[mx.cpu()]), r"ctx is \[cpu\(0\)\]; it must be a device"),
    # figures
    (lambda: d2l.show_fashion_mnist([], []), "there are 0 images and 0 labels; there must be one for each"),
    (lambda: d2l.show_fashion_mnist(IMAGES[:3], ["coat"]), "there are 3 images and 1 labels"),
    (lambda: d2l.show_fashion_mnist(np.zeros((2, 3, 8, 8)), "ab"), r"an image has shape \(3, 8, 8\)"),
    (lambda: d2l.plot_histories({}), "histories is empty; it must be a dictionary name → History"),
    (lambda: d2l.plot_histories(d2l.History()), "histories is a History; it must be a dictionary"),
    (lambda: d2l.plot_histories({"a": 1}), "'loss' is nothing that these histories have measured"),
    (lambda: d2l.plot_histories({"a": [d2l.History(), 1]}), "'loss' is nothing that these histories have measured"),
    (lambda: d2l.plot_histories({"a": d2l.History()}, ["error"]), "'error' is nothing that these"),
    (lambda: d2l.plot_distributions({}), "samples is empty"),
    (lambda: d2l.plot_distributions({"a": LABELS}), "a row of samples is a ndarray; it must be a dictionary"),
    (lambda: d2l.plot_distributions({"a": {"b": []}}), r"samples\['a'\]\['b'\] is empty; it must be numbers"),
    (lambda: d2l.plot_distributions({"a": {"b": [np.nan]}}), r"\['b'\] has a number that is nan; all must be finite"),
    (
        lambda: d2l.plot_distributions({"a": {"b": LABELS}, "c": {"d": LABELS}}),
        "samples has d in 'c', but b in 'a'; they must be the same",
    ),
    (lambda: d2l.plot_batch_norm([]), "values is empty; it must be numbers"),
    (lambda: d2l.plot_batch_norm("many"), "values is 'many'; it must be numbers"),
    (lambda: d2l.plot_batch_norm([1, np.inf]), "values has a number that is inf"),
    (lambda: d2l.plot_shared_statistics("instance norm"), "a kind is 'instance norm'; it must be one of: dense layer"),
    (lambda: d2l.plot_sweep({}, "x"), "panels is empty; it must be a dictionary title → name"),
    (lambda: d2l.plot_sweep({"a": {"b": []}}, "x"), r"'b' is \[\]; it must be a dictionary setting → numbers"),
    (lambda: d2l.plot_sweep({"a": {"b": {1: [np.nan]}}}, "x"), "'b' at 1 has a number that is nan"),
    (lambda: d2l.plot_maps({}), "rows is empty; it must be a dictionary name → pictures"),
    (lambda: d2l.plot_maps({"a": []}), r"rows\['a'\] has no pictures"),
    (lambda: d2l.plot_maps({"a": [LABELS]}), r"in rows\['a'\] has shape \(20,\); it must be \(any, any\)"),
    (lambda: d2l.plot_maps({"a": IMAGES[:2]}, scale="one"), "scale is 'one'; it must be 'own', 'row', 'symmetric' or"),
    (lambda: d2l.plot_maps({"a": IMAGES[:2]}, backgrounds={"b": IMAGES[0]}), r"rows\['a'\] has no background"),
    (lambda: d2l.plot_bars({}), "panels is empty"),
    (lambda: d2l.plot_bars({"a": {}}), "a panel is empty; it must be a dictionary row → length"),
    (lambda: d2l.plot_bars({"a": {"x": 1}, "b": {"y": 1}}), "panels has y in 'b', but x in 'a'"),
    (lambda: d2l.plot_bars({"a": {"x": "long"}}), r"panels\['a'\]\['x'\] is 'long'; it must be a number of at least 0"),
    (lambda: d2l.plot_bars({"a": {"x": {"y": -1}}}), r"panels\['a'\]\['x'\]\['y'\] is -1; it must be a number"),
    (lambda: d2l.plot_bars({"a": {"x": np.nan}}), r"panels\['a'\]\['x'\] is nan; it must be a number"),
    (lambda: d2l.plot_by_layer({"a": {"x": ["long"]}}), r"panels\['a'\]\['x'\] is \['long'\]; it must be numbers"),
    (lambda: d2l.plot_by_layer({}), "panels is empty"),
    (
        lambda: d2l.plot_by_layer({"a": [1, 2]}),
        r"a panel is \[1, 2\]; it must be a dictionary name → a number for each",
    ),
    (lambda: d2l.plot_lines({}, "y"), "panels is empty"),
    (lambda: d2l.plot_lines({"x": {"a": ([1, 2], [3])}}, "y"), r"y of 'a' has shape \(1,\); it must be \(2\)"),
    (lambda: d2l.plot_lines({"x": {"a": ([1], [np.nan])}}, "y"), "y of 'a' has a number that is nan"),
    (
        lambda: d2l.plot_prediction(IMAGES, LABELS[:3], 0, "abc"),
        r"picture has shape \(20, 10, 10\); it must be \(any, any\)",
    ),
    (
        lambda: d2l.plot_prediction(IMAGES[0], LABELS[:2], 0, "abc"),
        r"probabilities has shape \(2,\); it must be \(3\)",
    ),
    (
        lambda: d2l.plot_prediction(IMAGES[0], LABELS[:3], 3, "abc"),
        "label is 3; it must be a whole number from 0 to 2",
    ),
    (
        lambda: d2l.plot_prediction(IMAGES[0], LABELS[:3], 0, "abc", dict.fromkeys(range(9), IMAGES[0])),
        "maps has 9 maps; it must have at most 8",
    ),
    (lambda: d2l.plot_confusion(np.eye(3), "ab"), r"matrix has shape \(3, 3\); it must be \(2, 2\)"),
    (lambda: d2l.plot_network({}, (1, 1, 8, 8)), "nets is empty; it must be a dictionary title → network"),
    (lambda: d2l.plot_network("net", (1, 1, 8, 8)), "net is 'net'; it must be a Gluon block"),
    (lambda: d2l.plot_network(network(), 8), r"input_shape is 8; it must be a shape such as \(1, 1, 28, 28\)"),
    (
        lambda: d2l.plot_network(block(lambda net, X: None), (1, 1, 2, 2)),
        "the network returns no array, .* in its",
    ),
    (lambda: d2l.plot_network(network(), (1, 1, 2, 2)), r"input_shape is \(1, 1, 2, 2\), which this network cannot"),
    # sliders
    (lambda: d2l.explore(3, a=(0, 1)), "chart is 3; it must be a function that returns a figure"),
    (lambda: d2l.explore(chart, b=(0, 1)), "b is no argument of the chart; it has figure, a"),
    (lambda: d2l.explore(chart, a=(2, 5)), r"a is \(2, 5\) with the default 1, .*: 1 is not from 2 to 5"),
    (lambda: d2l.explore(chart, a=3), "a is 3 with the default 1, which makes no slider"),
    (lambda: d2l.explore(chart, a=[]), r"a is \[\] with the default 1, which makes no slider"),
    (lambda: d2l.explore(chart, a=(0, 1)), "chart returned None; it must return the figure that it has drawn"),
    # the rest
    (lambda: d2l.set_seed(1.5), "seed is 1.5; it must be a whole number from 0 to 4294967295"),
    (lambda: d2l.set_seed(2**32), "seed is 4294967296; it must be"),
    (lambda: d2l.summary(network(), (1, 10, 10)), r"input_shape is \(1, 10, 10\), which this network cannot take"),
    (lambda: d2l.summary(network(), 28), "input_shape is 28; it must be"),
    (lambda: d2l.summary(network(), (1, 1, -1, 10)), r"input_shape is \(1, 1, -1, 10\); it must be"),
    (lambda: d2l.summary("net", (1, 1, 10, 10)), "net is 'net'; it must be a Gluon block"),
    (lambda: d2l.check("bn.unknown", 1), "bn.unknown"),
    (lambda: d2l.hint("vgg.unknown"), "vgg.unknown"),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_one_sentence_names_the_argument(number):
    call, sentence = CASES[number]
    with pytest.raises((ValueError, FileNotFoundError, KeyError), match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value).strip()
    assert len(str(caught.value)) < 300
    check_chinese(caught.value.args[0])


def test_at_least_eighty_cases():
    assert len(CASES) >= 80


def test_what_the_first_batch_shows_is_said_before_the_first_step():
    run = Run(train_iter=batches(y=nd.array([0, 1, 2, 3, 10], **INT)))
    run.net(nd.zeros((1, 1, 10, 10)))
    before = run.net[1].weight.data().asnumpy()
    with pytest.raises(ValueError, match="the label 10"):
        run()
    assert np.array_equal(run.net[1].weight.data().asnumpy(), before)


def test_what_a_later_batch_shows_is_said_there():
    seen = []

    class Counted(list):
        def __iter__(self):
            for i, batch in enumerate(super().__iter__()):
                seen.append(i)
                yield batch

    with pytest.raises(ValueError, match="the label 10"):
        Run(train_iter=Counted(batches(y=nd.array([0, 1, 2, 3, 10], **INT), at=2)))()
    assert seen == [0, 1, 2]


# Any input


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 30),
    side=st.integers(1, 12),
    batch_size=st.integers(1, 40),
    resize=st.none() | st.integers(1, 20) | st.tuples(st.integers(1, 20), st.integers(1, 20)),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_iterators_give_each_image_once_with_its_label(n, side, batch_size, resize, shuffle, seed):
    pixels = np.repeat(np.arange(n, dtype=np.uint8), side * side).reshape(n, side, side)
    data = ImageBatches(pixels, np.arange(n), batch_size, resize=resize, shuffle=shuffle, seed=seed)
    for _ in range(2):
        made = list(data)
        assert len(made) == len(data)
        width, height = resize if isinstance(resize, tuple) else (resize or side, resize or side)
        labels = np.concatenate([y.asnumpy() for _, y in made])
        assert sorted(labels) == list(range(n))
        assert shuffle or list(labels) == list(range(n))
        for X, y in made:
            assert X.shape == (len(y), 1, height, width)
            # one grey value for the whole image, which no resizing changes
            assert np.allclose(X.asnumpy(), y.asnumpy().reshape(-1, 1, 1, 1) / 255, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    side=st.integers(8, 40),
    layers=st.lists(
        st.tuples(st.sampled_from(["conv", "pool", "norm"]), st.integers(1, 6), st.integers(1, 3)), max_size=4
    ),
    units=st.integers(1, 20),
)
def test_summary_agrees_with_the_network_itself(side, layers, units):
    net, channels, size = nn.Sequential(), 1, side
    macs = 0
    for kind, width, kernel in layers:
        if kind == "conv" and size >= kernel:
            net.add(nn.Conv2D(width, kernel))
            size -= kernel - 1
            macs += channels * width * kernel**2 * size**2
            channels = width
        elif kind == "pool" and size >= kernel:
            net.add(nn.MaxPool2D(kernel, 1))
            size -= kernel - 1
        else:
            net.add(nn.BatchNorm())
    net.add(nn.Dense(units))
    macs += channels * size**2 * units
    table = d2l.summary(net, (1, 1, side, side))
    net.initialize()
    net(nd.zeros((1, 1, side, side)))
    sizes = {name: parameter.data().size for name, parameter in net.collect_params().items()}
    still = sum(size for name, size in sizes.items() if "running" in name)
    assert (table.trainable_params, table.frozen_params) == (sum(sizes.values()) - still, still)
    assert table.total_macs == macs
