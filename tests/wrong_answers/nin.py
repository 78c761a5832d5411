"""Wrong answers to chapter 3, NiN."""

import d2lhelpers as d2l
import numpy as np
from d2lhelpers.chapters import nin as NIN
from d2lhelpers.chapters import vgg as VGG
from mxnet import autograd, init
from mxnet.gluon import nn

from . import wrong

# --- nin.by-hand


def product(X, weight):
    return np.einsum("oc,bchw->bohw", weight, X)


def column(bias):
    return bias[:, None, None]


wrong("nin.by-hand", "The bias is missing", lambda X, weight, bias: product(X, weight))
wrong("nin.by-hand", "There is a ReLU", lambda X, weight, bias: np.maximum(product(X, weight) + column(bias), 0))
wrong("nin.by-hand", "The weight is transposed", lambda X, weight, bias: product(X, weight.T) + column(bias))
wrong("nin.by-hand", "along the width", lambda X, weight, bias: product(X, weight) + bias)
wrong("nin.by-hand", "in the wrong order", lambda X, weight, bias: X.transpose(0, 2, 3, 1) @ weight.T + bias)
wrong("nin.by-hand", "along the height. It must run", lambda X, weight, bias: weight @ X + column(bias))
wrong("nin.by-hand", "along the width. It must run", lambda X, weight, bias: X @ weight.T + bias)
wrong("nin.by-hand", "output only one", lambda X, weight, bias: product(X[:1], weight) + column(bias))
wrong("nin.by-hand", "output only one", lambda X, weight, bias: (product(X[:1], weight) + column(bias))[0])
wrong("nin.by-hand", "must have the shape", lambda X, weight, bias: product(X, weight).sum(axis=1))
wrong("nin.by-hand", "not those of nn.Conv2D", lambda X, weight, bias: product(X, weight) - column(bias))
wrong("nin.by-hand", "without calling it", np.zeros((2, 4, 4, 4)))


@wrong("nin.by-hand", "Height and width are swapped")
def swapped(X, weight, bias):
    Y = X.transpose(0, 2, 3, 1) @ weight.T + bias
    return Y.transpose(0, 3, 2, 1)


@wrong("nin.by-hand", "a reshape does not move them")
def reshaped(X, weight, bias):
    batch, inputs, height, width = X.shape
    return (X.reshape(-1, inputs) @ weight.T + bias).reshape(batch, -1, height, width)


@wrong("nin.by-hand", "must have the shape (3, 5, 4, 6)")
def always_square(X, weight, bias):
    batch, _, height, _ = X.shape
    return (product(X, weight) + column(bias))[:, :, :height, :height]


# --- nin.bug


def listing(mistakes):
    """Return the listing with some of the three mistakes, and others."""

    def repaired(X, weight, bias):
        batch, inputs, height, width = X.shape
        outputs = len(weight)
        pixels = X if "in" in mistakes else X.transpose(0, 2, 3, 1)
        Y = pixels.reshape(-1, inputs) @ (weight.reshape(inputs, outputs) if "product" in mistakes else weight.T)
        Y = Y if "bias" in mistakes else Y + bias
        if "back" in mistakes:
            return Y.reshape(batch, outputs, height, width)
        if "half back" in mistakes:
            return Y.reshape(batch, height, width, outputs)
        axes = (0, 3, 2, 1) if "swapped" in mistakes else (0, 3, 1, 2)
        return Y.reshape(batch, height, width, outputs).transpose(axes)

    return repaired


wrong("nin.bug", "All three are still in it", listing({"in", "product", "back"}))
wrong("nin.bug", "One is repaired. The matrix in the product", listing({"product", "back"}))
wrong("nin.bug", "One is repaired. A row of pixels", listing({"in", "back"}))
wrong("nin.bug", "not the transposed weight", listing({"in", "product"}))
wrong("nin.bug", "Two are repaired. A row of pixels", listing({"in"}))
wrong("nin.bug", "Two are repaired. The matrix", listing({"product"}))
wrong("nin.bug", "Two are repaired. The rows of the result", listing({"back"}))
wrong("nin.bug", "Now the bias is missing", listing({"bias"}))
wrong("nin.bug", "Compare with one_by_one", listing({"swapped"}))
wrong("nin.bug", "Where do the outputs go", listing({"half back"}))


# --- nin.guess-loss

wrong("nin.guess-loss", "natural logarithm", 9.966, 5)
wrong("nin.guess-loss", "natural logarithm", 3, 5)
wrong("nin.guess-loss", "plateau of ten classes", 2.303, 5)
wrong("nin.guess-loss", "the probability of each class. Which loss", 0.001, 5)
wrong("nin.guess-loss", "how often the guess is wrong", 0.999, 5)
wrong("nin.guess-loss", "never negative", -6.908, 5)
wrong("nin.guess-loss", "The loss is not 7", 7, 5)
wrong("nin.guess-loss", "natural logarithm", 6.908, 3.05)
wrong("nin.guess-loss", "natural logarithm", 6.908, 40.6)
wrong("nin.guess-loss", "knows a little more", 6.908, 10)
wrong("nin.guess-loss", "So how many are there", 6.908, 0.2)
wrong("nin.guess-loss", "no share of 2.303", 6.908, 7)
wrong("nin.guess-loss", "between 6 classes", 6.908, 6)
wrong("nin.guess-loss", "must be a number; it is str", "ln 1000", 5)


# --- nin.one-layer

ARCH = ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (10, 3, 1, 1))


def small(mistakes=(), ratio=4):
    """Return the solution, but for some mistakes."""

    def layer(net, *shape, last=False, large=True):
        norm = None if "no norm" in mistakes or (not large and "no norm in 1×1" in mistakes) else nn.BatchNorm
        relu = not (large and "no relu" in mistakes) and not (last and "last relu" in mistakes)
        if "norm behind relu" in mistakes:
            net.add(NIN.conv_relu(*shape), nn.BatchNorm())
        else:
            net.add(NIN.conv_relu(*shape, norm, relu))

    def nin_small(num_one_by_one):
        net = nn.HybridSequential()
        number = 2 if "always two" in mistakes else num_one_by_one
        number += "one more" in mistakes
        for i, (channels, kernel_size, strides, padding) in enumerate(ARCH):
            last = i == 3
            if last and "no dropout" not in mistakes and "dropout late" not in mistakes:
                net.add(nn.Dropout(0.5))
            channels = channels if last else channels // ratio
            strides = 2 if i == 0 and "strides" in mistakes else strides
            layer(net, channels, kernel_size, strides, padding, last=last and number == 0)
            for j in range(0 if last and "plain end" in mistakes else number):
                layer(net, channels, 1, 1, 0, last=last and j == number - 1, large=False)
            if not last:
                net.add(nn.MaxPool2D(pool_size=2 if "pooling" in mistakes else 3, strides=2))
        if "dropout late" in mistakes:
            net.add(nn.Dropout(0.5))
        net.add(nn.GlobalMaxPool2D() if "maximum" in mistakes else nn.GlobalAvgPool2D())
        if "no flatten" not in mistakes:
            net.add(nn.Flatten())
        return net

    return nin_small


wrong("nin.one-layer", "Each convolution has one", small({"no norm"}))
wrong("nin.one-layer", "batch norm layers", small({"no norm in 1×1"}))
wrong("nin.one-layer", "ReLU layers", small({"no relu"}))
wrong("nin.one-layer", "ReLU layers", small({"last relu"}))
wrong("nin.one-layer", "does it use num_one_by_one", small({"always two"}))
wrong("nin.one-layer", "The last block of nin_small(2) lacks", small({"plain end"}))
wrong("nin.one-layer", "has 12 1 × 1 convolutions", small({"one more"}))
wrong("nin.one-layer", "Are they divided by ratio", small(ratio=1))
wrong("nin.one-layer", "must have one dropout", small({"no dropout"}))
wrong("nin.one-layer", "right before the last block", small({"dropout late"}))
wrong("nin.one-layer", "computes something else", small({"norm behind relu"}))
wrong("nin.one-layer", "has another stride", small({"strides"}))
wrong("nin.one-layer", "has another kernel", small({"pooling"}))
wrong("nin.one-layer", "must have the shape (1, 10)", small({"no flatten"}))
wrong("nin.one-layer", "must return a network", lambda num_one_by_one: small())
wrong("nin.one-layer", "without calling it", small()(2))


@wrong("nin.one-layer", "does it use num_one_by_one")
def the_chapters(num_one_by_one):
    return NIN.nin(nn.BatchNorm, 4)


@wrong("nin.one-layer", "the convolutions of nin; it has")
def one_block(num_one_by_one):
    net = nn.HybridSequential()
    net.add(NIN.nin_block(24, 11, 4, 0, nn.BatchNorm), nn.Dropout(0.5), nn.GlobalAvgPool2D(), nn.Flatten())
    return net


# --- nin.memory


def numbers(net, shape):
    return sum(int(np.prod(row.output_shape)) for row in d2l.summary(net, shape).layers)


def right_memory(net, shape):
    return 4 * shape[0] * numbers(net, shape)


wrong("nin.memory", "your prediction is not", "NiN", right_memory)
wrong("nin.memory", "Your guess must be", "vgg", right_memory)
wrong("nin.memory", "for one image", "VGG-11", lambda net, shape: 4 * numbers(net, shape))
wrong("nin.memory", "How many bytes has each", "VGG-11", lambda net, shape: shape[0] * numbers(net, shape))
wrong("nin.memory", "numbers of one image", "VGG-11", numbers)
wrong("nin.memory", "The batch is counted twice", "VGG-11", lambda net, shape: shape[0] * right_memory(net, shape))
wrong("nin.memory", "not eight", "VGG-11", lambda net, shape: 2 * right_memory(net, shape))
wrong("nin.memory", "not in thousands or millions", "VGG-11", lambda net, shape: right_memory(net, shape) / 1e6)
wrong("nin.memory", "2²⁰", "VGG-11", lambda net, shape: right_memory(net, shape) / 2**20)
wrong("nin.memory", "memory of the parameters", "VGG-11", lambda net, shape: 4 * d2l.summary(net, shape).total_params)
wrong("nin.memory", "number of parameters", "VGG-11", lambda net, shape: d2l.summary(net, shape).total_params)
wrong(
    "nin.memory", "The input is no output", "VGG-11", lambda net, shape: right_memory(net, shape) + 4 * np.prod(shape)
)
wrong("nin.memory", "it must be", "VGG-11", lambda net, shape: right_memory(net, shape) - 4)
wrong("nin.memory", "without calling it", "VGG-11", VGG.alexnet())
wrong("nin.memory", "is there a return?", "VGG-11", lambda net, shape: None)


def last_row(net, shape):
    return 4 * shape[0] * np.prod(d2l.summary(net, shape).layers[-1].output_shape)


def inside_the_blocks(net, shape):
    flat = nn.HybridSequential()
    for child in net:
        flat.add(*(d2l.networks.graph.layers_of(child)))
    return right_memory(flat, shape)


wrong("nin.memory", "the last row only", "VGG-11", last_row)
wrong("nin.memory", "inside the blocks", "VGG-11", inside_the_blocks)


# --- nin.dense-head


def dense(*head, kept=-3, **options):
    """Return NiN with another head instead of its last layers."""

    def nin_dense():
        net = nn.HybridSequential()
        for part in list(NIN.nin(**options))[:kept]:
            net.add(part)
        for layer in head:
            net.add(layer())
        return net

    return nin_dense


def logits():
    return nn.Dense(10)


wrong("nin.dense-head", "The last block is still there", dense(logits, kept=-2))
wrong("nin.dense-head", "The pooling over all pixels", dense(nn.GlobalAvgPool2D, nn.Flatten, logits))
wrong("nin.dense-head", "The pooling over all pixels", dense(logits, kept=-1))
wrong("nin.dense-head", "The dropout of nin is gone", dense(logits, kept=-4))
wrong("nin.dense-head", "There are 2 dense layers", dense(lambda: nn.Dense(4096, activation="relu"), logits))
wrong("nin.dense-head", "Behind the dense layer comes relu", dense(lambda: nn.Dense(10, activation="relu")))
wrong("nin.dense-head", "There is no dense layer", NIN.nin)
wrong("nin.dense-head", "has the shape (96, 54, 54) in nin(), and (24, 54, 54)", dense(logits, ratio=4))
wrong("nin.dense-head", "There is batch norm", dense(logits, norm=nn.BatchNorm))
wrong("nin.dense-head", "The output must be 10 numbers", dense(lambda: nn.Dense(1000)))
wrong("nin.dense-head", "Up to the dense layer", dense(lambda: nn.MaxPool2D(2), logits))
wrong("nin.dense-head", "The output must be 10 numbers", dense(lambda: nn.Dense(10, flatten=False)))
wrong("nin.dense-head", "parameters, and it should have", dense(lambda: nn.Dense(10, use_bias=False)))
wrong("nin.dense-head", "must return a network", lambda: logits)


# --- nin.wrong


def mistakes(*kinds):
    """Return the solution, but for some mistakes."""

    def answer(net, batches):
        parts = [], [], []
        for X, y in batches:
            with autograd.record() if "training" in kinds else autograd.pause():
                Y = net(X)
            guess = Y.argmax(axis=1).asnumpy()
            truth, pictures = y.asnumpy(), X.asnumpy()
            chosen = guess == truth if "right" in kinds else guess != truth
            chosen = chosen | True if "all" in kinds else chosen
            if "last" in kinds:
                parts = [], [], []
            parts[0].append(pictures[chosen] if "channel" in kinds else pictures[chosen, 0])
            parts[1].append(truth[chosen])
            guess = Y.argmin(axis=1).asnumpy() if "lowest" in kinds else guess
            parts[2].append(Y.asnumpy()[chosen] if "logits" in kinds else guess[chosen])
            if "first" in kinds:
                break
        if "lists" in kinds:
            return parts
        pictures, truths, guesses = (np.concatenate(part) for part in parts)
        pictures = pictures.transpose(0, 2, 1) if "turned" in kinds else pictures
        pictures = pictures[::-1] if "backwards" in kinds else pictures
        return (pictures, guesses, truths) if "swapped" in kinds else (pictures, truths, guesses)

    return answer


wrong("nin.wrong", "whose predictions are right", mistakes("right"))
wrong("nin.wrong", "Those are all pictures", mistakes("all"))
wrong("nin.wrong", "the axis of their one channel", mistakes("channel"))
wrong("nin.wrong", "labels are swapped", mistakes("swapped"))
wrong("nin.wrong", "the last batch only", mistakes("last"))
wrong("nin.wrong", "the first batch only", mistakes("first"))
wrong("nin.wrong", "Are these logits", mistakes("logits"))
wrong("nin.wrong", "runs in training mode", mistakes("training"))
wrong("nin.wrong", "must be one NumPy array", mistakes("lists"))
wrong("nin.wrong", "must have the shape (8, 8, 10)", mistakes("turned"))
wrong("nin.wrong", "The pictures are not those", mistakes("backwards"))
wrong("nin.wrong", "those with the highest logit", mistakes("lowest"))
wrong("nin.wrong", "three things", lambda net, batches: mistakes()(net, batches)[1:])
wrong("nin.wrong", "does not ask the network", lambda net, batches: mistakes()(lambda X: X.reshape((0, -1)), batches))


@wrong("nin.wrong", "need at least one array to stack")
def one_by_one(net, batches):
    rows = [row for X, y in batches for row in zip(X, y, net(X).argmax(axis=1), strict=True)]
    rows = [(X.asnumpy()[0], y.asscalar(), guess.asscalar()) for X, y, guess in rows]
    rows = [row for row in rows if row[1] != row[2]]
    return np.stack([row[0] for row in rows]), np.array([row[1] for row in rows]), np.array([row[2] for row in rows])


@wrong("nin.wrong", "every prediction is right, your code stops")
def never_empty(net, batches):
    answer = mistakes()(net, batches)
    return answer if len(answer[0]) else mistakes("right")(net, batches)


# --- nin.inits


def activations(initializer):
    return measure(initializer=initializer)["activations"]  # noqa: F821  a global of the notebook


def gradients(initializer):
    return measure(initializer=initializer)["gradient of activations"]  # noqa: F821


def of_weights(initializer):
    return measure(initializer=initializer)["gradient of weights"]  # noqa: F821


def last_by_first(sizes):
    return sizes[-1] / sizes[0]


@wrong("nin.inits", "not a difference")
def difference(initializer):
    sizes = activations(initializer)
    return sizes[-1] - sizes[0]


wrong("nin.inits", "upside down", lambda initializer: 1 / last_by_first(activations(initializer)))
wrong("nin.inits", "That is the gradient of activations", lambda initializer: last_by_first(gradients(initializer)))
wrong("nin.inits", "That is the gradient of weights", lambda initializer: 1 / last_by_first(of_weights(initializer)))
wrong("nin.inits", "a mean over the layers", lambda initializer: np.mean(activations(initializer)))
wrong("nin.inits", "by a mean", lambda initializer: activations(initializer)[-1] / np.mean(activations(initializer)))
wrong("nin.inits", "size of the last activations", lambda initializer: activations(initializer)[-1])
wrong("nin.inits", "the last layer but one", lambda initializer: last_by_first(activations(initializer)[:-1]))
wrong("nin.inits", "has to be squared", lambda initializer: last_by_first(activations(initializer)) ** 2)
wrong("nin.inits", "it must be", lambda initializer: 100 * last_by_first(activations(initializer)))
wrong("nin.inits", "takes Xavier's", lambda initializer: last_by_first(measure()["activations"]))  # noqa: F821
wrong("nin.inits", "for norm, its first", lambda initializer: last_by_first(measure(initializer)["activations"]))  # noqa: F821
wrong("nin.inits", "that transmission is given", lambda initializer: last_by_first(activations(init.Xavier())))
wrong("nin.inits", "must call measure", lambda initializer: 0.99)
wrong("nin.inits", "must be a number; it is list", activations)


@wrong("nin.inits", "without batch norm")
def with_batch_norm(initializer):
    return last_by_first(measure(nn.BatchNorm, initializer)["activations"])  # noqa: F821
