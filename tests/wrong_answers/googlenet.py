"""Wrong answers to chapter 4, GoogLeNet."""

import d2lhelpers as d2l
import numpy as np
from d2lhelpers.chapters import googlenet as GOOGLENET
from mxnet import nd
from mxnet.gluon import nn

from . import wrong

chain, conv_relu, googlenet = GOOGLENET.chain, GOOGLENET.conv_relu, GOOGLENET.googlenet


# --- googlenet.channels

wrong("googlenet.channels", "Those are the bottlenecks", lambda c1, c2, c3, c4: c1 + c2[0] + c3[0] + c4)
wrong("googlenet.channels", "do not leave the block", lambda c1, c2, c3, c4: c1 + sum(c2) + sum(c3) + c4)
wrong("googlenet.channels", "On the second path", lambda c1, c2, c3, c4: c1 + c2[0] + c3[1] + c4)
wrong("googlenet.channels", "On the third path", lambda c1, c2, c3, c4: c1 + c2[1] + c3[0] + c4)
wrong("googlenet.channels", "The pooling path gives", lambda c1, c2, c3, c4: c1 + c2[1] + c3[1])
wrong("googlenet.channels", "The 1 × 1 path gives", lambda c1, c2, c3, c4: c2[1] + c3[1] + c4)
wrong("googlenet.channels", "their channels add up", lambda c1, c2, c3, c4: max(c1, c2[1], c3[1], c4))
wrong("googlenet.channels", "must be a number; it is tuple", lambda c1, c2, c3, c4: (c1, c2[1], c3[1], c4))
wrong("googlenet.channels", "does not give 256", lambda c1, c2, c3, c4: 256)
wrong("googlenet.channels", "TypeError", lambda c1, c2, c3, c4: c1 + c2 + c3 + c4)


# --- googlenet.typo

EXPECTED = (256, 480, 512, 512, 512, 528, 832, 832, 1024)


def outputs(inceptions):
    return [c1 + c2[1] + c3[1] + c4 for group in inceptions for c1, c2, c3, c4 in group]


def right_blocks(inceptions, first=1):
    return [i for i, (out, want) in enumerate(zip(outputs(inceptions), EXPECTED, strict=True), first) if out != want]


def different_from_original(inceptions):
    blocks = [block for group in inceptions for block in group]
    original = [block for group in GOOGLENET.INCEPTIONS for block in group]
    return [i for i, (ours, theirs) in enumerate(zip(blocks, original, strict=True), 1) if ours != theirs]


def groups(inceptions):
    wanted = [outputs((group,)) for group in GOOGLENET.INCEPTIONS]
    return [i for i, group in enumerate(inceptions, 1) if outputs((group,)) != wanted[i - 1]]


wrong("googlenet.typo", "counted from 1", lambda inceptions: right_blocks(inceptions, 0), 6)
wrong("googlenet.typo", "whose bottleneck is wrong", different_from_original, 6)
wrong("googlenet.typo", "Does it look at all blocks", lambda inceptions: right_blocks(inceptions)[:1], 6)
wrong(
    "googlenet.typo",
    "run from 1 to 9",
    lambda inceptions: [outputs(inceptions)[i - 1] for i in right_blocks(inceptions)],
    6,
)
wrong("googlenet.typo", "where only", groups, 6)
wrong("googlenet.typo", "must return a list", lambda inceptions: len(right_blocks(inceptions)), 6)
wrong("googlenet.typo", "It finds nothing", lambda inceptions: [], 6)
wrong("googlenet.typo", "where only", lambda inceptions: [3], 6)
wrong("googlenet.typo", "the one that the sum finds", right_blocks, 3)
wrong("googlenet.typo", "In which block does it stand", right_blocks, 34)
wrong("googlenet.typo", "in another block", right_blocks, 5)
wrong("googlenet.typo", "which are whole", lambda inceptions: [i + 0.5 for i in right_blocks(inceptions)], 6)
wrong("googlenet.typo", "there are nine blocks", lambda inceptions: [0] * 10**6, 6)
wrong(
    "googlenet.typo",
    "whose output is right. Return the others",
    lambda inceptions: sorted({*range(1, 10)} - {*right_blocks(inceptions)}),
    6,
)


# --- googlenet.bn-inception

ratio = 4  # as in the notebook


def joined(first, then, stages):
    net = nn.HybridSequential()
    net.add(*list(first)[:stages], *list(then)[stages:])
    return net


def normalised():
    return googlenet(nn.BatchNorm, ratio)


def plain():
    return googlenet(ratio=ratio)


def norm_behind_relu():
    net = plain()
    for stage in list(net)[:2]:
        for layer in stage:
            if isinstance(layer, nn.HybridSequential):
                layer.add(nn.BatchNorm())
    return net


wrong("googlenet.bn-inception", "Every convolution has batch norm", normalised)
wrong("googlenet.bn-inception", "There is no batch norm", plain)
wrong("googlenet.bn-inception", "Only 1 of the three", lambda: joined(normalised(), plain(), 1))
wrong("googlenet.bn-inception", "the other way round", lambda: joined(plain(), normalised(), 2))
wrong("googlenet.bn-inception", "should be the first three", lambda: joined(normalised(), plain(), 3))
wrong("googlenet.bn-inception", "divided by ratio", lambda: joined(googlenet(nn.BatchNorm), googlenet(), 2))
wrong("googlenet.bn-inception", "Do all stages stay?", lambda: chain(*list(normalised())[:2]))
wrong("googlenet.bn-inception", "between a convolution and its ReLU", norm_behind_relu)
wrong("googlenet.bn-inception", "Is there a return?", lambda: None)


@wrong("googlenet.bn-inception", "what d2l.fit returns")
def trained():
    return d2l.fit(joined(normalised(), plain(), 2), lr=0.1, num_epochs=3, batch_size=64, resize=96)


@wrong("googlenet.bn-inception", "has another kernel")
def other_pooling():
    first = chain(conv_relu(64 // ratio, 7, strides=2, padding=3, norm=nn.BatchNorm), nn.MaxPool2D(2, 2))
    return chain(first, *list(joined(normalised(), plain(), 2))[1:])


# --- googlenet.smallest

wrong("googlenet.smallest", "VGG's limit", 32)
wrong("googlenet.smallest", "what does the padding do", 16)
wrong("googlenet.smallest", "what does the padding do", 7)
wrong("googlenet.smallest", "at least one pixel", 0)
wrong("googlenet.smallest", "whole number", 1.5)
wrong("googlenet.smallest", "must be a number; it is tuple", (1, 1))


# --- googlenet.factorise


def parts(c1, c2, c3, c4):
    """Return the four paths; the third as it should be."""
    return [
        conv_relu(c1, 1),
        chain(conv_relu(c2[0], 1), conv_relu(c2[1], 3, padding=1)),
        chain(conv_relu(c3[0], 1), conv_relu(c3[1], 3, padding=1), conv_relu(c3[1], 3, padding=1)),
        chain(nn.MaxPool2D(pool_size=3, strides=1, padding=1), conv_relu(c4, 1)),
    ]


def with_third(third):
    """Return a function that makes a block with another third path."""

    def factorised(c1, c2, c3, c4):
        paths = parts(c1, c2, c3, c4)
        paths[2] = third(c3)
        return GOOGLENET.Parallel(*paths)

    return factorised


def right_factorised(c1, c2, c3, c4):
    return GOOGLENET.Parallel(*parts(c1, c2, c3, c4))


def second_instead(c1, c2, c3, c4):
    paths = parts(c1, c2, c3, c4)
    paths[1] = chain(conv_relu(c2[0], 1), conv_relu(c2[1], 3, padding=1), conv_relu(c2[1], 3, padding=1))
    paths[2] = chain(conv_relu(c3[0], 1), conv_relu(c3[1], 3, padding=1))
    return GOOGLENET.Parallel(*paths)


def other_order(c1, c2, c3, c4):
    return GOOGLENET.Parallel(*[parts(c1, c2, c3, c4)[i] for i in (0, 1, 3, 2)])


def twice(c3, first, **options):
    return chain(conv_relu(c3[0], 1), conv_relu(first, 3, **options), conv_relu(c3[1], 3, padding=1))


def side_by_side(c3):
    halves = GOOGLENET.Parallel(conv_relu(c3[1] - 1, 3, padding=1), conv_relu(1, 3, padding=1))
    return chain(conv_relu(c3[0], 1), halves)


def no_relu_between(c3):
    return twice(c3, c3[1], padding=1, relu=False)


def both_relus_at_the_end(c3):
    path = twice(c3, c3[1], padding=1, relu=False)
    path.add(nn.Activation("relu"))
    return path


def late_padding(c3):
    return chain(conv_relu(c3[0], 1), conv_relu(c3[1], 3), conv_relu(c3[1], 3, padding=2))


def pooling_last(c1, c2, c3, c4):
    fourth = chain(conv_relu(c4, 1), nn.MaxPool2D(pool_size=3, strides=1, padding=1))
    return GOOGLENET.Parallel(*parts(c1, c2, c3, c4)[:3], fourth)


def dilated(c1, c2, c3, c4):
    paths = parts(c1, c2, c3, c4)
    wide = nn.Conv2D(c2[1], 3, padding=2, dilation=2)
    paths[1] = chain(conv_relu(c2[0], 1), wide, nn.Activation("relu"))
    return GOOGLENET.Parallel(*paths)


wrong("googlenet.factorise", "still a 5 × 5", -1056, GOOGLENET.Inception)
wrong(
    "googlenet.factorise",
    "The third path needs two",
    -1056,
    with_third(lambda c3: chain(conv_relu(c3[0], 1), conv_relu(c3[1], 3, padding=1))),
)
wrong("googlenet.factorise", "Give both c3[1]", -1056, with_third(lambda c3: twice(c3, c3[0], padding=1)))
wrong("googlenet.factorise", "Is each 3 × 3 padded?", -1056, with_third(lambda c3: twice(c3, c3[1])))
wrong("googlenet.factorise", "No path sees 5 × 5", -1056, with_third(side_by_side))
wrong("googlenet.factorise", "Only the third gets two", -1056, second_instead)
wrong("googlenet.factorise", "another order", -1056, other_order)
wrong("googlenet.factorise", "The second path sees 5 × 5", -1056, dilated)
wrong("googlenet.factorise", "7 convolutions and 6 ReLUs", -1056, with_third(no_relu_between))
wrong("googlenet.factorise", "come in another order: conv 1×1", -1056, with_third(both_relus_at_the_end))
wrong("googlenet.factorise", "come in another order: conv 1×1", -1056, pooling_last)
wrong("googlenet.factorise", "changes height and width", -1056, with_third(late_padding))
wrong("googlenet.factorise", "but not its sign", 1056, right_factorised)
wrong("googlenet.factorise", "as many channels in as out", 7168, right_factorised)
wrong("googlenet.factorise", "Only the first of the two", 3584, right_factorised)
wrong("googlenet.factorise", "count the biases", -1024, right_factorised)
wrong("googlenet.factorise", "Count the parameters of both", 0, right_factorised)
wrong("googlenet.factorise", "Is there a return?", -1056, lambda c1, c2, c3, c4: None)


# --- googlenet.design

wrong("googlenet.design", "2.00 times the limit", (64, (96, 128), (16, 32), 32))
wrong("googlenet.design", "It gives 240 channels", (64, (32, 112), (16, 32), 32))
wrong("googlenet.design", "narrowest convolution gives 1", (208, (1, 16), (1, 16), 16))
wrong("googlenet.design", "narrowest convolution gives 8", (152, (16, 64), (16, 32), 8))
wrong("googlenet.design", "must have the form", (64, 96, 128, 16, 32, 32))
wrong("googlenet.design", "must have the form", {"c1": 64})
wrong("googlenet.design", "whole numbers above 0", (64, (0, 128), (16, 32), 32))
wrong("googlenet.design", "whole numbers above 0", (64, (32.0, 128), (16, 32), 32))


# --- googlenet.why


def table_of(net, side):
    return d2l.summary(net, (1, 1, side, side))


def dense(net, side, count="params"):
    return sum(getattr(row, count) for row in table_of(net, side).layers if row.name.startswith("Dense"))


def right_share(net, side):
    return dense(net, side) / table_of(net, side).total_params


def layers_counted(net, side):
    rows = table_of(net, side).layers
    return sum(row.name.startswith("Dense") for row in rows) / len(rows)


def last_dense(net, side):
    rows = [row.params for row in table_of(net, side).layers if row.name.startswith("Dense")]
    return ([0] + rows)[-1] / table_of(net, side).total_params


wrong("googlenet.why", "in percent", lambda net, side: 100 * right_share(net, side))
wrong("googlenet.why", "all other layers", lambda net, side: 1 - right_share(net, side))
wrong(
    "googlenet.why",
    "share of the MACs",
    lambda net, side: dense(net, side, "macs") / table_of(net, side).total_macs,
)
wrong("googlenet.why", "moving averages", lambda net, side: dense(net, side) / table_of(net, side).trainable_params)
wrong("googlenet.why", "the last dense layer only", last_dense)
wrong("googlenet.why", "counts layers", layers_counted)
wrong("googlenet.why", "number of parameters", dense)
wrong("googlenet.why", "upside down", lambda net, side: 1 / right_share(net, side))
wrong("googlenet.why", "Does it use side?", lambda net, side: right_share(net, 224))
wrong("googlenet.why", "is not", lambda net, side: 0.93)


# --- googlenet.bug


def parallel(register=True, axis=1, skip=0, add=False):
    class RepairedParallel(nn.HybridBlock):
        def __init__(self, *paths, **kwargs):
            super().__init__(**kwargs)
            self.paths = {"paths": paths}  # hidden from Gluon
            if register:
                for path in paths:
                    self.register_child(path)

        def hybrid_forward(self, F, X):
            paths = self.paths["paths"]
            outputs = [path(X) for path in paths[: len(paths) - skip]]
            return sum(outputs) if add else F.concat(*outputs, dim=axis)

    return RepairedParallel


class Reversed(GOOGLENET.Parallel):
    def hybrid_forward(self, F, X):
        return F.concat(*[path(X) for path in reversed(self._children.values())], dim=1)


class OnlyInPlainMode(GOOGLENET.Parallel):
    def forward(self, X):
        return nd.array(np.concatenate([path(X).asnumpy() for path in self._children.values()], axis=2))


class NotHybrid(nn.Block):
    def __init__(self, *paths, **kwargs):
        super().__init__(**kwargs)
        for path in paths:
            self.register_child(path)

    def forward(self, X):
        return nd.concat(*[path(X) for path in self._children.values()], dim=1)


class NeverCompiled(GOOGLENET.Parallel):
    forward = NotHybrid.forward


wrong("googlenet.bug", "lacks 4 of 4 parameters", parallel(register=False))
wrong("googlenet.bug", "lacks 4 of 4 parameters", parallel(register=False, axis=2, skip=1))
wrong("googlenet.bug", "along the height", parallel(axis=2))
wrong("googlenet.bug", "along the width", parallel(axis=-1, skip=1))
wrong("googlenet.bug", "along the batch", parallel(axis=0))
wrong("googlenet.bug", "must stay an nn.HybridBlock", NotHybrid)
wrong("googlenet.bug", "works on NDArrays only", NeverCompiled)
wrong("googlenet.bug", "leaves out the last path", parallel(skip=1))
wrong("googlenet.bug", "The outputs are added", parallel(add=True))
wrong("googlenet.bug", "one behind the other", Reversed)
wrong("googlenet.bug", "along the height", OnlyInPlainMode)


class Blocked(GOOGLENET.Parallel):
    def hybrid_forward(self, F, X):
        return F.concat(*[F.BlockGrad(path(X)) for path in self._children.values()], dim=1)


wrong("googlenet.bug", "Does something stop them", Blocked)


def different_paths(inceptions):
    wanted = [(c1, b, d, c4) for group in GOOGLENET.INCEPTIONS for c1, (_, b), (_, d), c4 in group]
    given = [(c1, b, d, c4) for group in inceptions for c1, (_, b), (_, d), c4 in group]
    return [i for i, (ours, theirs) in enumerate(zip(given, wanted, strict=True), 1) if ours != theirs]


wrong("googlenet.typo", "whose output is right. Compare outputs", different_paths, 6)
wrong("googlenet.typo", "Does it look at all blocks", lambda inceptions: right_blocks(inceptions)[:2], 6)
wrong(
    "googlenet.why",
    "is not",
    lambda net, side: (
        sum(row.params for row in table_of(net, side).layers[-5:] if row.name.startswith("Dense"))
        / table_of(net, side).total_params
    ),
)
