"""Wrong answers to chapter 4, GoogLeNet."""

import itertools

import d2lhelpers as d2l
import numpy as np
from d2lhelpers.chapters import googlenet as GOOGLENET
from mxnet import nd
from mxnet.gluon import nn

from . import wrong

chain, conv, googlenet = GOOGLENET.chain, GOOGLENET.conv, GOOGLENET.googlenet


class Paths(nn.HybridBlock):
    """Paths side by side."""

    def __init__(self, *paths, **kwargs):
        super().__init__(**kwargs)
        self.paths = chain(*paths)

    def hybrid_forward(self, F, X):
        return F.concat(*[path(X) for path in self.paths], dim=1)


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


def kinds(net, kind):
    found = []
    net.apply(lambda layer: found.append(isinstance(layer, kind)))
    return sum(found)


def right_relus(net):
    return kinds(net, nn.Activation)


def outermost(net):
    return sum(isinstance(layer, nn.Activation) for layer in net)


wrong("googlenet.typo", "the number of convolutions", right_blocks, 5, lambda net: kinds(net, nn.Conv2D))
wrong("googlenet.typo", "sees the outermost layers only", right_blocks, 5, outermost)
wrong("googlenet.typo", "There are 57 ReLUs", right_blocks, 5, lambda net: 55)
wrong("googlenet.typo", "must be a number; it is None", right_blocks, 5, lambda net: None)
wrong("googlenet.typo", "That is the number of channels", right_blocks, 24, right_relus)
wrong("googlenet.typo", "counted from 1", lambda inceptions: right_blocks(inceptions, 0), 5, right_relus)
wrong("googlenet.typo", "whose bottleneck is wrong", different_from_original, 5, right_relus)
wrong("googlenet.typo", "Does it look at all blocks", lambda inceptions: right_blocks(inceptions)[:1], 5, right_relus)
wrong(
    "googlenet.typo",
    "run from 1 to 9",
    lambda inceptions: [outputs(inceptions)[i - 1] for i in right_blocks(inceptions)],
    5,
    right_relus,
)
wrong("googlenet.typo", "where only", groups, 5, right_relus)
wrong("googlenet.typo", "must return a list", lambda inceptions: len(right_blocks(inceptions)), 5, right_relus)
wrong("googlenet.typo", "It finds nothing", lambda inceptions: [], 5, right_relus)
wrong("googlenet.typo", "where only", lambda inceptions: [3], 5, right_relus)
wrong("googlenet.typo", "the one that the sum finds", right_blocks, 3, right_relus)
wrong("googlenet.typo", "In which block does it stand", right_blocks, 34, right_relus)
wrong("googlenet.typo", "in another block", right_blocks, 6, right_relus)
wrong(
    "googlenet.typo", "which are whole", lambda inceptions: [i + 0.5 for i in right_blocks(inceptions)], 5, right_relus
)
wrong("googlenet.typo", "there are nine blocks", lambda inceptions: [0] * 10**6, 5, right_relus)
wrong(
    "googlenet.typo",
    "whose output is right. Return the others",
    lambda inceptions: sorted({*range(1, 10)} - {*right_blocks(inceptions)}),
    5,
    right_relus,
)


# --- googlenet.bn-inception

ratio = 4  # as in the notebook


def joined(first, then, stages):
    net = nn.HybridSequential()
    net.add(*list(first)[:stages], *list(then)[stages:])
    return net


def normalised():
    return googlenet(nn.BatchNorm, ratio)


def frozen_norm():
    return googlenet(lambda: nn.BatchNorm(use_global_stats=True), ratio)


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
wrong("googlenet.bn-inception", "has another use_global_stats", lambda: joined(frozen_norm(), plain(), 2))
wrong("googlenet.bn-inception", "Is there a return?", lambda: None)


@wrong("googlenet.bn-inception", "what d2l.fit returns")
def trained():
    return d2l.fit(joined(normalised(), plain(), 2), lr=0.1, num_epochs=3, batch_size=64, resize=96)


@wrong("googlenet.bn-inception", "has another kernel")
def other_pooling():
    first = chain(conv(64 // ratio, 7, strides=2, norm=nn.BatchNorm), nn.MaxPool2D(2, 2))
    return chain(first, *list(joined(normalised(), plain(), 2))[1:])


# --- googlenet.path


def without(number=0, path=2, divided=True, norm=nn.BatchNorm):
    """Return GoogLeNet without one path of one block of its third stage; path 0 leaves all of them."""
    c1, c2, c3, c4 = GOOGLENET.shrink(GOOGLENET.INCEPTIONS[0][number], ratio if divided else 1)
    paths = [
        conv(c1, 1, norm=norm),
        *(chain(conv(a, 1, norm=norm), conv(b, k, norm=norm)) for (a, b), k in ((c2, 3), (c3, 5))),
    ]
    paths.append(chain(nn.MaxPool2D(3, 1, 1), conv(c4, 1, norm=norm)))
    net = googlenet(norm, ratio)
    blocks = list(net[2])
    blocks[number] = Paths(*paths[: path - 1], *paths[path:])
    return chain(*net[:2], chain(*blocks), *net[3:])


def without_path_2(stages):
    """Return GoogLeNet with a 1 × 1 convolution in place of path 2 of every block in some stages."""
    net = normalised()
    for i in stages:
        for block in net[i]:
            if isinstance(block, GOOGLENET.Inception):
                block.path_2 = conv(8, 1, norm=nn.BatchNorm)
    return net


wrong("googlenet.path", "An accuracy runs from 0 to 1", 0.8, without, 80)
wrong("googlenet.path", "my_prediction is 75", 75, without, 0.8)
wrong("googlenet.path", "must be a number", "high", without, 0.8)
wrong("googlenet.path", "are still there", 0.8, normalised, 0.8)
wrong("googlenet.path", "No Inception block has", 0.8, lambda: without_path_2((2, 3, 4)), 0.8)
wrong("googlenet.path", "has 8 convolutions of 3 × 3", 0.8, lambda: without_path_2((2,)), 0.8)
wrong("googlenet.path", "are still there", 0.8, lambda: without(path=3), 0.8)
wrong("googlenet.path", "has no batch norm", 0.8, lambda: without(norm=None), 0.8)
wrong("googlenet.path", "must do what GoogLeNet", 0.8, lambda: without(number=1), 0.8)
wrong("googlenet.path", "divided by ratio", 0.8, lambda: without(divided=False), 0.8)
wrong(
    "googlenet.path",
    "has 8 Inception blocks",
    0.8,
    lambda: chain(*normalised()[:2], chain(*normalised()[2][1:]), *normalised()[3:]),
    0.8,
)
wrong("googlenet.path", "Is there a return?", 0.8, lambda: None, 0.8)
wrong(
    "googlenet.path", "what d2l.fit returns", 0.8, lambda: d2l.fit(without(), lr=0.1, num_epochs=3, batch_size=64), 0.8
)
wrong("googlenet.path", "Is it the test accuracy?", 0.8, without, 0.1)


# --- googlenet.factorise


def parts(c1, c2, c3, c4):
    """Return the four paths; the third as it should be."""
    return [
        conv(c1, 1),
        chain(conv(c2[0], 1), conv(c2[1], 3)),
        chain(conv(c3[0], 1), conv(c3[1], 3), conv(c3[1], 3)),
        chain(nn.MaxPool2D(pool_size=3, strides=1, padding=1), conv(c4, 1)),
    ]


def with_third(third):
    """Return a function that makes a block with another third path."""

    def factorised(c1, c2, c3, c4):
        paths = parts(c1, c2, c3, c4)
        paths[2] = third(c3)
        return Paths(*paths)

    return factorised


def right_factorised(c1, c2, c3, c4):
    return Paths(*parts(c1, c2, c3, c4))


def second_instead(c1, c2, c3, c4):
    paths = parts(c1, c2, c3, c4)
    paths[1] = chain(conv(c2[0], 1), conv(c2[1], 3), conv(c2[1], 3))
    paths[2] = chain(conv(c3[0], 1), conv(c3[1], 3))
    return Paths(*paths)


def other_order(c1, c2, c3, c4):
    return Paths(*[parts(c1, c2, c3, c4)[i] for i in (0, 1, 3, 2)])


def twice(c3, first, relu=True, padding=1):
    middle = chain(nn.Conv2D(first, 3, padding=padding), *([nn.Activation("relu")] if relu else []))
    return chain(conv(c3[0], 1), middle, conv(c3[1], 3))


def side_by_side(c3):
    halves = Paths(conv(c3[1] - 1, 3), conv(1, 3))
    return chain(conv(c3[0], 1), halves)


def no_relu_between(c3):
    return twice(c3, c3[1], relu=False)


def both_relus_at_the_end(c3):
    path = twice(c3, c3[1], relu=False)
    path.add(nn.Activation("relu"))
    return path


def late_padding(c3):
    return chain(twice(c3, c3[1], padding=0)[:2], nn.Conv2D(c3[1], 3, padding=2), nn.Activation("relu"))


def pooling_last(c1, c2, c3, c4):
    fourth = chain(conv(c4, 1), nn.MaxPool2D(pool_size=3, strides=1, padding=1))
    return Paths(*parts(c1, c2, c3, c4)[:3], fourth)


def dilated(c1, c2, c3, c4):
    paths = parts(c1, c2, c3, c4)
    wide = nn.Conv2D(c2[1], 3, padding=2, dilation=2)
    paths[1] = chain(conv(c2[0], 1), wide, nn.Activation("relu"))
    return Paths(*paths)


wrong("googlenet.factorise", "still a 5 × 5", 7168, -1056, GOOGLENET.Inception)
wrong(
    "googlenet.factorise",
    "The third path needs two",
    7168,
    -1056,
    with_third(lambda c3: chain(conv(c3[0], 1), conv(c3[1], 3))),
)
wrong(
    "googlenet.factorise",
    "should have three 3 × 3 convolutions; it has 4",
    7168,
    -1056,
    with_third(lambda c3: chain(twice(c3, c3[1]), conv(c3[1], 3))),
)
wrong("googlenet.factorise", "for 3 channels in", 7168, -1056, with_third(lambda c3: twice(c3, c3[1] + 1)))
wrong("googlenet.factorise", "Give both c3[1]", 7168, -1056, with_third(lambda c3: twice(c3, c3[0])))
wrong("googlenet.factorise", "Is each 3 × 3 padded?", 7168, -1056, with_third(lambda c3: twice(c3, c3[1], padding=0)))
wrong("googlenet.factorise", "No path sees 5 × 5", 7168, -1056, with_third(side_by_side))
wrong("googlenet.factorise", "Only the third gets two", 7168, -1056, second_instead)
wrong("googlenet.factorise", "another order", 7168, -1056, other_order)
wrong("googlenet.factorise", "The second path sees 5 × 5", 7168, -1056, dilated)
wrong("googlenet.factorise", "7 convolutions and 6 ReLUs", 7168, -1056, with_third(no_relu_between))
wrong("googlenet.factorise", "come in another order: conv 1×1", 7168, -1056, with_third(both_relus_at_the_end))
wrong("googlenet.factorise", "come in another order: conv 1×1", 7168, -1056, pooling_last)
wrong("googlenet.factorise", "changes height and width", 7168, -1056, with_third(late_padding))
wrong("googlenet.factorise", "but not its sign", 7168, 1056, right_factorised)
wrong("googlenet.factorise", "as many channels in as out", 7168, 7168, right_factorised)
wrong("googlenet.factorise", "Only the first of the two", 7168, 3584, right_factorised)
wrong("googlenet.factorise", "count the biases", 7168, -1024, right_factorised)
wrong("googlenet.factorise", "Count the parameters of both", 7168, 0, right_factorised)
wrong("googlenet.factorise", "Is there a return?", 7168, -1056, lambda c1, c2, c3, c4: None)


# --- googlenet.design

CHEAP = ((12, (12, 24), (4, 8), 8), (24, (16, 48), (4, 16), 16))


def settled(splits=CHEAP, side=28):
    """Return a network for 28 × 28 pixels with random weights."""
    net = GOOGLENET.googlenet_28(splits)
    net.initialize(ctx=d2l.try_gpu())
    net(nd.zeros((1, 1, side, side), ctx=d2l.try_gpu()))
    return net


wrong("googlenet.design", "2,360,000 are allowed", GOOGLENET.shrink(GOOGLENET.INCEPTIONS[0], 4), settled(None))
wrong("googlenet.design", "at least two", CHEAP[:1], settled(CHEAP[:1]))
wrong("googlenet.design", "must have the form", CHEAP[0], settled())
wrong("googlenet.design", "must have the form", {"c1": 64}, settled())
wrong("googlenet.design", "whole numbers above 0", ((12, (0, 24), (4, 8), 8), CHEAP[1]), settled())
wrong("googlenet.design", "whole numbers above 0", ((12, (12.0, 24), (4, 8), 8), CHEAP[1]), settled())
wrong("googlenet.design", "my_net must be the trained network", CHEAP, 0.85)
wrong("googlenet.design", "no weights yet", CHEAP, GOOGLENET.googlenet_28(CHEAP))
wrong("googlenet.design", "is not googlenet_28(my_splits)", CHEAP, settled(CHEAP[::-1]))
wrong("googlenet.design", "Train it longer", CHEAP, settled())


# --- googlenet.bug


class Registered(nn.HybridBlock):
    def __init__(self, *paths, **kwargs):
        super().__init__(**kwargs)
        for path in paths:
            self.register_child(path)


def parallel(register=True, axis=1, skip=0, add=False):
    class Parallel(nn.HybridBlock):
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

    return Parallel


class Reversed(Registered):
    def hybrid_forward(self, F, X):
        return F.concat(*[path(X) for path in reversed(self._children.values())], dim=1)


class OnlyInPlainMode(Registered):
    def forward(self, X):
        return nd.array(np.concatenate([path(X).asnumpy() for path in self._children.values()], axis=2))


class NotHybrid(nn.Block):
    def __init__(self, *paths, **kwargs):
        super().__init__(**kwargs)
        for path in paths:
            self.register_child(path)

    def forward(self, X):
        return nd.concat(*[path(X) for path in self._children.values()], dim=1)


class NeverCompiled(Registered):
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


class Blocked(Registered):
    def hybrid_forward(self, F, X):
        return F.concat(*[F.BlockGrad(path(X)) for path in self._children.values()], dim=1)


class FirstFrozen(parallel()):
    def __init__(self, *paths, **kwargs):
        super().__init__(*paths, **kwargs)
        paths[0].collect_params().setattr("grad_req", "null")


class InAnyOrder(parallel(register=False)):
    """Registers its paths now in their order, now backwards, as from a set."""

    made = itertools.count()

    def __init__(self, *paths, **kwargs):
        super().__init__(*paths, **kwargs)
        for path in paths[:: (1, -1)[next(self.made) % 2]]:
            self.register_child(path)


wrong("googlenet.bug", "Does something stop them", Blocked)
wrong("googlenet.bug", "cannot be trained", FirstFrozen)
wrong("googlenet.bug", "saved and loaded, computes something else", InAnyOrder)


def different_paths(inceptions):
    wanted = [(c1, b, d, c4) for group in GOOGLENET.INCEPTIONS for c1, (_, b), (_, d), c4 in group]
    given = [(c1, b, d, c4) for group in inceptions for c1, (_, b), (_, d), c4 in group]
    return [i for i, (ours, theirs) in enumerate(zip(given, wanted, strict=True), 1) if ours != theirs]


wrong("googlenet.typo", "whose output is right. Compare outputs", different_paths, 5, right_relus)
wrong("googlenet.typo", "Does it look at all blocks", lambda inceptions: right_blocks(inceptions)[:2], 5, right_relus)


# --- googlenet.smoothing


def smoothed(right=lambda e, K: 1 - e, rest=lambda e, K: e, spread=lambda log_p, y: log_p.mean(axis=1), sign=-1):
    """Return a loss that weighs the true class with `right` and what `spread` makes of all with `rest`."""

    def loss(logits, y, epsilon=0.1):
        log_p, K = nd.log_softmax(logits), logits.shape[1]
        return sign * (right(epsilon, K) * nd.pick(log_p, y) + rest(epsilon, K) * spread(log_p, y))

    return loss


def others(log_p, y):
    return (log_p.sum(axis=1) - nd.pick(log_p, y)) / (log_p.shape[1] - 1)


def by_numpy(logits, y, epsilon=0.1):
    return nd.array(smoothed()(logits, y, epsilon).asnumpy())


def by_softmax(logits, y, epsilon=0.1):
    log_p = nd.log(nd.softmax(logits))
    return -(1 - epsilon) * nd.pick(log_p, y) - epsilon * log_p.mean(axis=1)


wrong("googlenet.smoothing", "plain cross-entropy", smoothed(right=lambda e, K: 1, rest=lambda e, K: 0))
wrong("googlenet.smoothing", "The sign is wrong", smoothed(sign=1))
wrong("googlenet.smoothing", "all K get", smoothed(spread=others))
wrong("googlenet.smoothing", "must add up to 1", smoothed(right=lambda e, K: 1))
wrong("googlenet.smoothing", "and yours gets ε", smoothed(spread=lambda log_p, y: log_p.sum(axis=1)))
wrong("googlenet.smoothing", "have a target, too", smoothed(rest=lambda e, K: 0))
wrong("googlenet.smoothing", "changed places", smoothed(right=lambda e, K: e, rest=lambda e, K: 1 - e))
wrong("googlenet.smoothing", "do not average", lambda logits, y, epsilon=0.1: smoothed()(logits, y, epsilon).mean())
wrong("googlenet.smoothing", "log(softmax) underflows", by_softmax)
wrong("googlenet.smoothing", "Autograd cannot follow", by_numpy)
wrong("googlenet.smoothing", "is not right", smoothed(right=lambda e, K: 1 - 2 * e))
wrong("googlenet.smoothing", "epsilon = 0 and", lambda logits, y, epsilon=0.1: smoothed()(logits, y, epsilon or 0.1))
wrong("googlenet.smoothing", "but not its gradient", smoothed(spread=lambda log_p, y: nd.BlockGrad(log_p.mean(axis=1))))
