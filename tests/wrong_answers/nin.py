"""Wrong answers to chapter 3, NiN."""

import d2lhelpers as d2l
import numpy as np
from d2lhelpers.chapters import nin as NIN
from d2lhelpers.chapters import vgg as VGG
from d2lhelpers.networks.graph import layers_of
from mxnet import autograd, gluon, nd
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


wrong("nin.by-hand", "A reshape mixes channels and pixels", listing({"in"}))
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


# --- nin.memory


def taken_apart(net):
    """Return a network of all layers of a network."""
    flat = nn.HybridSequential()
    flat.add(*layers_of(net))
    return flat


def numbers(net, shape):
    return sum(int(np.prod(row.output_shape)) for row in d2l.summary(net, shape).layers)


def right_memory(net, shape):
    return 4 * shape[0] * numbers(taken_apart(net), shape)


def last_row(net, shape):
    return 4 * shape[0] * np.prod(d2l.summary(net, shape).layers[-1].output_shape)


for words, answer in {
    "for one image": lambda net, shape: 4 * numbers(taken_apart(net), shape),
    "How many bytes has each": lambda net, shape: shape[0] * numbers(taken_apart(net), shape),
    "numbers of one image": lambda net, shape: numbers(taken_apart(net), shape),
    "The batch is counted twice": lambda net, shape: shape[0] * right_memory(net, shape),
    "not eight": lambda net, shape: 2 * right_memory(net, shape),
    "not in thousands or millions": lambda net, shape: right_memory(net, shape) / 1e6,
    "2²⁰": lambda net, shape: right_memory(net, shape) / 2**20,
    "memory of the parameters": lambda net, shape: 4 * d2l.summary(net, shape).total_params,
    "number of parameters": lambda net, shape: d2l.summary(net, shape).total_params,
    "The input is no output": lambda net, shape: right_memory(net, shape) + 4 * np.prod(shape),
    "it must be": lambda net, shape: right_memory(net, shape) - 4,
    "the last row only": last_row,
    "Count the outputs inside it": lambda net, shape: 4 * shape[0] * numbers(net, shape),
    "is there a return?": lambda net, shape: None,
    "without calling it": VGG.alexnet(),
}.items():
    wrong("nin.memory", words, "outputs", answer)
wrong("nin.memory", "your prediction is not", "parameters", right_memory)
wrong("nin.memory", "Your guess must be", "VGG-11", right_memory)


# --- nin.three


def threes(sizes=(3, 3), padded=True, relu=True, normed=True, strided=False, widened=1):
    def block_3x3(num_channels, kernel_size, strides, padding, norm=None):
        norm = norm if normed else None
        block = nn.HybridSequential()
        block.add(NIN.conv_relu(num_channels, kernel_size, 1 if strided else strides, padding, norm))
        for i, size in enumerate(sizes):
            step, last = strides if strided and not i else 1, i == len(sizes) - 1
            padding = size // 2 if padded else 0
            block.add(NIN.conv_relu(num_channels * widened, size, step, padding, norm, relu or not last))
        return block

    return block_3x3


wrong("nin.three", "still has a 1 × 1", 9, threes((1, 1)))
wrong("nin.three", "still has a 1 × 1", 9, threes((3, 1)))
wrong("nin.three", "it should have conv 7×7, conv 3×3, conv 3×3", 9, threes((3,)))
wrong("nin.three", "it should have conv 7×7, conv 3×3, conv 3×3", 9, threes((3, 5)))
wrong("nin.three", "of a conv 3×3 has the shape (4, 15, 15), and it should have (4, 17, 17)", 9, threes(padded=False))
wrong("nin.three", "Yours does: conv 7×7, relu, conv 3×3, relu, conv 3×3.", 9, threes(relu=False))
wrong("nin.three", "has 0 batch norms", 9, threes(normed=False))
wrong("nin.three", "has the shape (8, 17, 17)", 9, threes(widened=2))
wrong("nin.three", "it should have (6, 11, 11)", 9, threes(strided=True))


class Doubled(nn.HybridSequential):
    """Gives twice what its layers give, but not where its graph is traced."""

    def forward(self, X):
        return 2 * super().forward(X) if isinstance(X, nd.NDArray) else super().forward(X)


def doubled(*arguments):
    block = Doubled()
    block.add(*threes()(*arguments))
    return block


wrong("nin.three", "With the same weights block_3x3(4, 7, 1, 1) computes something else", 9, doubled)
wrong("nin.three", "Is there a return?", 9, lambda *arguments: None)
wrong("nin.three", "without calling it", 9, threes()(4, 3, 1, 1))
wrong("nin.three", "three pixels wide", 3, threes())
wrong("nin.three", "Turn it round", 1 / 9, threes())
wrong("nin.three", "Count them for 2 channels", 4, threes())


# --- nin.one-step


def ending(*end, kept=-3, dropout=True):
    """Return a function that makes NiN with other last convolutions: (channels, kernel size), or "late" for 384."""

    def nin_late(norm=None, ratio=1, last_pool=True):
        net = nn.HybridSequential()
        layers = list(NIN.nin(norm, ratio, last_pool))[:kept]
        net.add(*[layer for layer in layers if dropout or not isinstance(layer, nn.Dropout)])
        for channels, size in end:
            channels = 384 // ratio if channels == "late" else channels
            net.add(NIN.conv_relu(channels, size, padding=size // 2, norm=norm))
        net.add(nn.GlobalAvgPool2D(), nn.Flatten())
        return net

    return nin_late


LATE = ("late", 3), ("late", 1), (10, 1)
wrong("nin.one-step", "in its first convolution", NIN.nin)
wrong("nin.one-step", "Only the last convolution", ending(("late", 3), (10, 1), (10, 1)))
wrong("nin.one-step", "Only the last convolution", ending((384, 3), (384, 1), (10, 1)))
wrong("nin.one-step", "must have ten channels", ending(("late", 3), ("late", 1), ("late", 1)))
wrong("nin.one-step", "twelve convolutions, like nin; it has 15", ending(*LATE, kept=-2))
wrong("nin.one-step", "like nin; it has 13", ending(("late", 3), ("late", 1), ("late", 1), (10, 1)))
wrong("nin.one-step", "must be as nin is", ending(*LATE, dropout=False))
wrong("nin.one-step", "must be as nin is", ending(("late", 1), ("late", 1), (10, 3)))
wrong("nin.one-step", "nin_late(nn.BatchNorm, 4, True) must", lambda norm, *others: ending(*LATE)(None, *others))
wrong("nin.one-step", "[48, 48, 10]", lambda norm, ratio, last_pool: ending(*LATE)(norm, 8, last_pool))
wrong("nin.one-step", "nin_late(nn.BatchNorm, 4, True) must", lambda *arguments: ending(*LATE)(*arguments[:2], False))
wrong("nin.one-step", "Is there a return?", lambda norm, ratio, last_pool: None)
wrong("nin.one-step", "another p than it should", lambda *arguments: with_dropout(ending(*LATE)(*arguments)))
wrong("nin.one-step", "without calling it", ending(*LATE)())


def with_dropout(net):
    for layer in net:
        if isinstance(layer, nn.Dropout):
            layer._rate = 0.1
    return net


# --- nin.last-relu


def bare(skipped=(2,), norm=None, everywhere=False):
    """Return a function that makes NiN without some ReLUs of its last block, or of every block."""

    def nin_bare(ratio=1, last_pool=True):
        def block(num_channels, *shape):
            net = nn.HybridSequential()
            for i, arguments in enumerate((shape, (1,), (1,))):
                last = num_channels == 10 or everywhere
                net.add(NIN.conv_relu(num_channels, *arguments, norm=norm, relu=not (last and i in skipped)))
            return net

        net = nn.HybridSequential()
        for part in NIN.nin(norm, ratio, last_pool):
            channels = layers_of(part)[0]._channels if isinstance(part, nn.HybridSequential) else 0
            net.add(block(10, 3, 1, 1) if channels == 10 else part)
        return net

    return nin_bare


def dead(net, X):
    return int((net(X).asnumpy() == 0).all(axis=0).sum())


def zeros(net, X):
    return net(X).asnumpy() == 0


wrong("nin.last-relu", "still has all twelve", lambda ratio, last_pool: NIN.nin(None, ratio, last_pool), dead)
wrong("nin.last-relu", "has 10 ReLUs", bare((1, 2)), dead)
wrong("nin.last-relu", "Else nin_bare(8, False) must be as nin is", bare((1,)), dead)
wrong("nin.last-relu", "There is batch norm", bare(norm=nn.BatchNorm), dead)
wrong("nin.last-relu", "Is there a return?", lambda ratio, last_pool: None, dead)
wrong("nin.last-relu", "nin_bare(4, True) the output", lambda ratio, last_pool: bare()(8, last_pool), dead)
wrong("nin.last-relu", "Else nin_bare(4, True) must", lambda ratio, last_pool: bare()(ratio, False), dead)
wrong("nin.last-relu", "Of ten logits 0 are 0", bare(), lambda net, X: 3)
wrong("nin.last-relu", "how many zeros there are", bare(), lambda net, X: zeros(net, X).sum())
wrong("nin.last-relu", "0 for some picture", bare(), lambda net, X: zeros(net, X).any(axis=0).sum())
wrong("nin.last-relu", "Which axis has the classes", bare(), lambda net, X: zeros(net, X).all(axis=1).sum())
wrong("nin.last-relu", "that are alive", bare(), lambda net, X: 10 - dead(net, X))
wrong("nin.last-relu", "That is their share", bare(), lambda net, X: dead(net, X) / 10)
wrong("nin.last-relu", "the answer is", bare(), lambda net, X: dead(net, X) + 20)
wrong("nin.last-relu", "is there a return?", bare(), lambda net, X: None)


# --- nin.adam


def steps(*mistakes, which=".*conv.*weight"):
    """Return the solution, but for some mistakes."""

    def step_sizes(net, X, y, optimizer, lr):
        weights = list(net.collect_params(which).values())
        before = [weight.data().copy() for weight in weights]
        with autograd.record():
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y)
            loss = loss.sum() if "sum" in mistakes else loss.mean()
        loss.backward()
        optimizer = "sgd" if "always sgd" in mistakes else optimizer
        trainer = gluon.Trainer(net.collect_params(), optimizer, {"learning_rate": 1 if "no lr" in mistakes else lr})
        if "no step" not in mistakes:
            trainer.step(len(X) if "twice" in mistakes else 1)
        if "gradient" in mistakes:
            return [rms(weight.grad()) for weight in weights]
        if "weights" in mistakes:
            return [rms(old) for old in before]
        sizes = [rms(weight.data() - old) for weight, old in zip(weights, before, strict=True)]
        return [size**2 for size in sizes] if "squares" in mistakes else sizes

    return step_sizes


def rms(values):
    return float(np.sqrt(np.square(values.asnumpy()).mean()))


wrong("nin.adam", "Those are the gradients", 0.001, steps("gradient"))
wrong("nin.adam", "how large the weights are", 0.001, steps("weights"))
wrong("nin.adam", "divided by the batch twice", 0.001, steps("twice"))
wrong("nin.adam", "summed over the batch", 0.001, steps("sum"))
wrong("nin.adam", "The learning rate is missing", 0.001, steps("no lr"))
wrong("nin.adam", "what SGD would do", 0.001, steps("always sgd"))
wrong("nin.adam", "have not moved", 0.001, steps("no step"))
wrong("nin.adam", "mean of the squares", 0.001, steps("squares"))
wrong("nin.adam", "Leave out the biases", 0.001, steps(which=".*conv.*"))
wrong("nin.adam", "here there are three", 0.001, lambda *arguments: steps()(*arguments)[0])
wrong("nin.adam", "Is there a return?", 0.001, lambda net, X, y, optimizer, lr: None)
wrong("nin.adam", "Measured in learning rates", 1, steps())
wrong("nin.adam", "It is not 0", 0, steps())
wrong("nin.adam", "your prediction is not", 1e-7, steps())
wrong("nin.adam", "your prediction is not", 3e-4, steps())
