"""Wrong answers to chapter 2, VGG."""

import types

import d2lhelpers as d2l
import numpy as np
from d2lhelpers.chapters import vgg as VGG
from mxnet import init, nd
from mxnet.gluon import nn

from . import wrong

LETTERS = {11: "A", 13: "B", 16: "D", 19: "E"}


# --- vgg.deep


@wrong("vgg.deep", "has 19 layers with weights")
def letters_mixed_up(depth):
    return VGG.vgg(VGG.VGG[{11: "A", 13: "B", 16: "E", 19: "D"}[depth]])


@wrong("vgg.deep", "returns the data")
def only_the_data(depth):
    return VGG.VGG[LETTERS[depth]]


@wrong("vgg.deep", "vgg_by_depth(11) has 16 layers")
def always_the_same(depth):
    return VGG.vgg(VGG.VGG["D"])


@wrong("vgg.deep", "KeyError: '16'")
def depth_as_text(depth):
    return VGG.vgg(VGG.VGG[str(depth)])


@wrong("vgg.deep", "parameters, and it should have 134,300,362")
def slim(depth):
    return VGG.vgg(VGG.slim(VGG.VGG[LETTERS[depth]]))


@wrong("vgg.deep", "has 13 layers with weights")
def without_dense_layers(depth):
    net = nn.Sequential()
    for number, channels in VGG.VGG[LETTERS[depth]]:
        net.add(VGG.vgg_block(number, channels))
    return net


@wrong("vgg.deep", "one without weights is missing")
def without_dropout(depth):
    net = nn.Sequential()
    net.add(*[layer for layer in VGG.vgg(VGG.VGG[LETTERS[depth]]) if not isinstance(layer, nn.Dropout)])
    return net


wrong("vgg.deep", "are in another order or of other shapes", lambda depth: VGG.vgg(VGG.VGG[LETTERS[depth]], strided))
wrong("vgg.deep", "it returns str", lambda depth: LETTERS[depth])


def strided(num_convs, num_channels):
    """Return a block that halves in its first convolution, so that its pooling has nothing to halve."""
    net = nn.Sequential()
    for i in range(num_convs):
        net.add(nn.Conv2D(num_channels, 3, strides=1 if i else 2, padding=1, activation="relu"))
    net.add(nn.MaxPool2D(pool_size=3, strides=1, padding=1))
    return net


# --- vgg.smallest


def first_that_fits(net, sides):
    for side in sides:
        try:
            d2l.summary(net, (1, 1, side, side))
            return side
        except ValueError:
            pass


def right_smallest(net):
    return first_that_fits(net, range(1, 225))


wrong("vgg.smallest", "fewer will do", 224, right_smallest)
wrong("vgg.smallest", "what is left?", 31, right_smallest)
wrong("vgg.smallest", "what is left?", 16, right_smallest)
wrong("vgg.smallest", "must be a number", "32", right_smallest)
wrong("vgg.smallest", "for a VGG of two blocks, but a smaller", 32, lambda net: 32)
wrong("vgg.smallest", "a smaller image works", 32, lambda net: first_that_fits(net, range(224, 0, -1)))
wrong("vgg.smallest", "a smaller image works", 32, lambda net: first_that_fits(net, (1, 2, 4, 8, 16, 32, 64, 128, 224)))
wrong("vgg.smallest", "too small", 32, lambda net: right_smallest(net) - 1)
wrong("vgg.smallest", "ValueError", 32, lambda net: d2l.summary(net, (1, 1, 1, 1)))


# --- vgg.field

wrong("vgg.field", "The last pooling already takes more", 1)
wrong("vgg.field", "what the last pooling takes", 2)
wrong("vgg.field", "what one 3 × 3 convolution sees", 3)
wrong("vgg.field", "after the first block", 4)
wrong("vgg.field", "without a pooling", 5)
wrong("vgg.field", "one of the poolings is missing", 6)
wrong("vgg.field", "stride 1", 7)
wrong("vgg.field", "Nearly", 8)
wrong("vgg.field", "9 is too small", 9)
wrong("vgg.field", "14 is too large", 14)
wrong("vgg.field", "and not 4", 12)
wrong("vgg.field", "after three blocks", 22)
wrong("vgg.field", "The order is wrong", 16)
wrong("vgg.field", "one at a time", 20)
wrong("vgg.field", "does not multiply", 36)
wrong("vgg.field", "How wide is it?", 100)
wrong("vgg.field", "must be a number; it is tuple", (10, 10))


# --- vgg.bug


def block(padding=1, relu="relu", pool_inside=False, strides=2, halve=False, pool=nn.MaxPool2D, shift=0):
    def repaired_block(num_convs, num_channels):
        net = nn.Sequential()
        for i in range(num_convs + shift):
            channels = num_channels // 2 if halve and i else num_channels
            activation = None if relu == "last" and i < num_convs - 1 else relu and "relu"
            net.add(nn.Conv2D(channels, kernel_size=3, padding=padding, activation=activation))
            if pool_inside:
                net.add(pool(pool_size=2, strides=strides))
        if not pool_inside:
            net.add(pool(pool_size=2, strides=strides))
        return net

    return repaired_block


wrong("vgg.bug", "A block has one", block(padding=0, relu=None, pool_inside=True, strides=1))
wrong("vgg.bug", "They should keep them all", block(padding=0))
wrong("vgg.bug", "2 convolutions and 0 ReLUs", block(relu=None))
wrong("vgg.bug", "2 convolutions and 1 ReLUs", block(relu="last"))
wrong("vgg.bug", "has 2 poolings", block(pool_inside=True))
wrong("vgg.bug", "has 15 pixels a side, not 8", block(strides=1))
wrong("vgg.bug", "give [4, 2] channels", block(halve=True))
wrong("vgg.bug", "has no max-pooling", block(pool=nn.AvgPool2D))
wrong("vgg.bug", "has 1 convolutions of 3 × 3", block(shift=-1))


@wrong("vgg.bug", "the pooling is not the last layer")
def pooling_first(num_convs, num_channels):
    net = nn.Sequential()
    net.add(nn.MaxPool2D(pool_size=2, strides=2))
    for _ in range(num_convs):
        net.add(nn.Conv2D(num_channels, kernel_size=3, padding=1, activation="relu"))
    return net


@wrong("vgg.bug", "leave [16, 14] pixels a side of 16")
def padded_once(num_convs, num_channels):
    net = nn.Sequential()
    for i in range(num_convs):
        net.add(nn.Conv2D(num_channels, kernel_size=3, padding=0 if i else 1, activation="relu"))
    net.add(nn.MaxPool2D(pool_size=2, strides=2))
    return net


# --- vgg.bn


def normed(order, each=True):
    """Return a function that makes a block; c, n, r, p are its layers, those after the bar follow the loop."""
    inside, _, after = order.partition("|")

    def bn_block(num_convs, num_channels):
        net = nn.Sequential()
        kinds = {
            "c": lambda: nn.Conv2D(num_channels, kernel_size=3, padding=1),
            "a": lambda: nn.Conv2D(num_channels, kernel_size=3, padding=1, activation="relu"),
            "n": nn.BatchNorm,
            "r": lambda: nn.Activation("relu"),
            "s": lambda: nn.Activation("sigmoid"),
            "p": lambda: nn.MaxPool2D(pool_size=2, strides=2),
        }
        for _ in range(num_convs):
            net.add(*[kinds[letter]() for letter in inside])
        net.add(*[kinds[letter]() for letter in after])
        return net

    return bn_block


wrong("vgg.bn", "has no batch norm", VGG.vgg_block)
wrong("vgg.bn", "after the ReLU", normed("crn|p"))
wrong("vgg.bn", "after the ReLU", normed("an|p"))
wrong("vgg.bn", "after the pooling", normed("cr|pn"))
wrong("vgg.bn", "2 convolutions and 1 batch norms", normed("c|nrp"))
wrong("vgg.bn", "has no ReLU", normed("cn|p"))
wrong("vgg.bn", "2 convolutions and 1 ReLUs", normed("cn|rp"))
wrong("vgg.bn", "no pooling at its end", normed("cnr|"))
wrong("vgg.bn", "has no ReLU", normed("cns|p"))


# --- vgg.head


def headed(*layers, blocks=VGG.vgg_block, last=None):
    def vgg_global_pool(conv_arch):
        net = nn.Sequential()
        for number, channels in conv_arch[:last]:
            net.add(blocks(number, channels))
        net.add(*[layer() for layer in layers])
        return net

    return vgg_global_pool


def ten():
    return nn.Dense(10)


wrong("vgg.head", "the old head is still there", VGG.vgg)


@wrong("vgg.head", "the old head is still there")
def pooled_after_the_old_head(conv_arch):
    net = VGG.vgg(conv_arch)
    net.add(nn.GlobalAvgPool2D(), nn.Dense(10))
    return net


wrong("vgg.head", "the old head is still there", headed(nn.GlobalAvgPool2D, lambda: nn.Dense(4096), ten))
wrong("vgg.head", "There is no pooling over all pixels", headed(ten))
wrong("vgg.head", "must take the mean of each channel", headed(nn.GlobalMaxPool2D, ten))
wrong("vgg.head", "There is no dense layer", headed(nn.GlobalAvgPool2D))
wrong("vgg.head", "comes before the pooling", headed(lambda: nn.Dense(10, flatten=False), nn.GlobalAvgPool2D))
wrong(
    "vgg.head",
    "After the blocks it has global pool, dropout, dense",
    headed(nn.GlobalAvgPool2D, lambda: nn.Dropout(0.5), ten),
)
wrong("vgg.head", "must be those of VGG-11", headed(nn.GlobalAvgPool2D, ten, last=-1))
wrong("vgg.head", "must be those of VGG-11", headed(nn.GlobalAvgPool2D, ten, blocks=block(relu=None)))
wrong("vgg.head", "does it use conv_arch", lambda conv_arch: headed(nn.GlobalAvgPool2D, ten)(VGG.VGG_11))
wrong("vgg.head", "it has 9,223,945", headed(nn.GlobalAvgPool2D, lambda: nn.Dense(9)))
wrong("vgg.head", "Is there a return?", lambda conv_arch: None)


# --- vgg.init

SETTINGS = {"batch_size": 128, "train_size": 1024}
STALE = VGG.vgg(VGG.slim(VGG.VGG_11))


def history(initializer, net=None, lr=0.05, num_epochs=1):
    net = net or VGG.vgg(VGG.slim(VGG.VGG_11))
    return d2l.fit(net, lr=lr, num_epochs=num_epochs, initializer=initializer, **SETTINGS)


wrong("vgg.init", "That is the loss", lambda initializer: history(initializer).loss[0])
wrong("vgg.init", "That is the test accuracy", lambda initializer: history(initializer).test_acc[0])
wrong("vgg.init", "the whole History", history)
wrong("vgg.init", "a number for each epoch", lambda initializer: history(initializer).train_acc)
wrong("vgg.init", "does not get the initializer", lambda initializer: history(init.Xavier()).train_acc[0])
wrong("vgg.init", "Each call must train a fresh network", lambda initializer: history(initializer, STALE).train_acc[0])
wrong("vgg.init", "Train for one epoch", lambda initializer: history(initializer, num_epochs=3).train_acc[0])
wrong("vgg.init", "learning rate of the chapter", lambda initializer: history(initializer, lr=0.1).train_acc[0])
wrong("vgg.init", "another network", lambda initializer: history(initializer, VGG.vgg(VGG.VGG_11)).train_acc[0])
wrong("vgg.init", "calls d2l.fit 0 times", lambda initializer: 0.43)
wrong("vgg.init", "is there a return?", lambda initializer: [history(initializer), None][1])


def other_images(initializer):
    fresh = VGG.vgg(VGG.slim(VGG.VGG_11))
    return d2l.fit(fresh, lr=0.05, num_epochs=1, initializer=initializer, batch_size=128).train_acc[0]


in_a_notebook = {"d2l": d2l, "VGG": VGG, "settings": SETTINGS | {"resize": 96}}
wrong("vgg.init", "does not get the **settings", types.FunctionType(other_images.__code__, in_a_notebook))


def without_relus(conv_arch):
    return VGG.vgg(conv_arch, block(relu=None))


wrong(
    "vgg.init",
    "a layer is missing",
    lambda initializer: history(initializer, without_relus(VGG.slim(VGG.VGG_11))).train_acc[0],
)
wrong(
    "vgg.init",
    "gets momentum in addition",
    lambda initializer: d2l.fit(
        VGG.vgg(VGG.slim(VGG.VGG_11)), lr=0.05, num_epochs=1, initializer=initializer, momentum=0.9, **SETTINGS
    ).train_acc[0],
)


def other_dropout(depth):
    net = VGG.vgg(VGG.VGG[LETTERS[depth]])
    for layer in net:
        if isinstance(layer, nn.Dropout):
            layer._rate = 0.05
    return net


def from_above(net):
    for side in range(224, 0, -1):
        try:
            d2l.summary(net, (1, 1, side, side))
        except ValueError:
            return side + 1


wrong("vgg.deep", "dropout has another p", other_dropout)
wrong("vgg.smallest", "is there a return?", 32, from_above)


# --- vgg.best


def drawn(*layers, side=28):
    """Return a network of these layers with random weights."""
    net = nn.Sequential()
    net.add(*layers)
    net.initialize(init.Xavier(), ctx=d2l.try_gpu())
    net(nd.zeros((1, 1, side, side), ctx=d2l.try_gpu()))
    return net


wrong("vgg.best", "not what makes or describes it; this is a function", lambda: drawn(nn.Dense(10)))
wrong("vgg.best", "not what makes or describes it; this is a float", 0.86)
wrong("vgg.best", "not what makes or describes it; this is a tuple", VGG.VGG_11)
wrong("vgg.best", "has no weights yet", VGG.vgg(((2, 16), (2, 32))))
wrong("vgg.best", "Train it without resize", drawn(VGG.vgg_block(1, 4), nn.Dense(10), side=64))
wrong("vgg.best", "Train it without resize", drawn(*[VGG.vgg_block(1, 2) for _ in range(5)], nn.Dense(10), side=32))
wrong("vgg.best", "It must be (1, 10)", drawn(nn.Dense(9)))
wrong("vgg.best", "It must be (1, 10)", drawn(VGG.vgg_block(1, 4)))
wrong("vgg.best", "more than 50,000,000", drawn(VGG.vgg_block(2, 128), nn.Dense(10)))
wrong("vgg.best", "That is guessing", drawn(VGG.vgg_block(1, 4), nn.Dense(10, weight_initializer="zeros")))


def lukewarm():
    """Return a network that knows a class by its mean picture: better than guessing, and not good enough."""
    X, y = next(iter(d2l.load_data_fashion_mnist(500, train_size=500, test_size=1)[0]))
    means = nd.stack(*[X[np.flatnonzero(y.asnumpy() == label)].mean(axis=0) for label in range(10)]).reshape((10, -1))
    net = drawn(nn.Dense(10))
    net[0].weight.set_data(means)
    net[0].bias.set_data(-nd.square(means).sum(axis=1) / 2)
    return net


wrong("vgg.best", "Train it longer", lukewarm())
