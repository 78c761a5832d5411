"""Checks of chapter 4, GoogLeNet."""

import itertools
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from ..networks.summary import summary
from ..runtime import mx
from ..training import History
from .comparing import (
    RANDOM,
    chapter,
    expect,
    expect_callable,
    expect_same,
    expect_same_options,
    globals_of,
    operators,
    same,
    to_array,
    to_number,
)
from .judging import Exercises, NotYet, shorten

gluon, nd = mx.gluon, mx.nd
nn = gluon.nn
exercises = Exercises("googlenet")
BN = chapter("batch_norm")
VGG = chapter("vgg")
NIN = chapter("nin")
GOOGLENET = chapter("googlenet")
INPUTS = (1, 192, 28, 28)  # of GoogLeNet's first block
FIRST = (64, (96, 128), (16, 32), 32)


def random_split(numbers):
    """Return a split for an Inception block: six of these numbers, in any order."""
    c1, c2, c3, c4, c5, c6 = (int(number) for number in RANDOM.choice(numbers, 6, replace=False))
    return c1, (c2, c3), (c4, c5), c6


@exercises.add(
    "channels",
    title="Output channels",
    difficulty="●○○",
    minutes=5,
    why="Concatenated channels add up. The bottlenecks decide what a block costs, not what it gives.",
    hints=(
        "Each path ends with one convolution. How many channels does that one give?",
        "c2 and c3 are pairs: (bottleneck, large kernel). The next block sees only what the second gives.",
    ),
)
def channels(channels_out):
    """Compare with what Inception blocks give."""
    expect_callable(channels_out)
    for _ in range(3):
        split = random_split((2, 4, 8, 16, 32, 64))  # no two sums of these are equal
        c1, c2, c3, c4 = split
        paths = summary(GOOGLENET.Inception(*split), (1, 3, 5, 5)).layers
        answer = to_number(channels_out(*split), f"channels_out{split}")
        mistakes = (
            (c1 + c2[0] + c3[0] + c4, "Those are the bottlenecks. Which convolution is the last on its path?"),
            (c1 + c2[0] + c3[1] + c4, "On the second path you count the bottleneck, not the output."),
            (c1 + c2[1] + c3[0] + c4, "On the third path you count the bottleneck, not the output."),
            (c1 + sum(c2) + sum(c3) + c4, "The bottlenecks do not leave the block. Leave them out."),
            (c1 + c2[1] + c3[1], "The pooling path gives channels, too."),
            (c2[1] + c3[1] + c4, "The 1 × 1 path gives channels, too."),
            (max(c1, c2[1], c3[1], c4), "The paths are concatenated, so their channels add up."),
        )
        otherwise = f"The block {split} does not give {answer:g} channels."
        expect_same(answer, sum(path.output_shape[0] for path in paths), mistakes, otherwise, 0)


def plant(errors, bottlenecks):
    """Return the chapter's table with wrong outputs in the blocks `errors`, and wrong bottlenecks in others."""
    number, table = 0, []
    for group in GOOGLENET.INCEPTIONS:
        table.append([])
        for c1, (a, b), (c, d), c4 in group:
            number += 1
            if number in bottlenecks:
                a, c = a + 2, c + 10
            if number in errors:
                change, where = int(RANDOM.choice((-8, 8, 100))), RANDOM.integers(4)
                c1, b, d, c4 = (value + change * (i == where) for i, value in enumerate((c1, b, d, c4)))
            table[-1].append((c1, (a, b), (c, d), c4))
    return tuple(map(tuple, table))


@exercises.add(
    "typo",
    title="Find the wrong number",
    difficulty="●●○",
    minutes=10,
    why="A sum is a cheap check of a table that was copied by hand. It does not show everything.",
    hints=(
        "Go through all nine blocks with one counter, whatever group they are in. The paper's outputs are in the text.",
        "A block gives c1 + c2[1] + c3[1] + c4 channels.",
        "The other mistake is in a number that the sum leaves out. Compare COPIED with INCEPTIONS there.",
    ),
)
def typo(wrong_blocks, hidden_mistake):
    """Plant mistakes in the table, then look at the second answer."""
    expect_callable(wrong_blocks)
    hidden_mistake = to_number(hidden_mistake, "hidden_mistake")
    several = sorted(RANDOM.choice(np.arange(2, 9), 2, replace=False).tolist())
    for errors, bottlenecks in (
        ([5], [6]),
        ([], []),
        ([], [2, 5]),
        ([1, 9], []),
        (several, [1]),
        ([9], [8]),
        ([2, 4, 7], []),
    ):
        answer = wrong_blocks(plant(errors, bottlenecks))
        listed = hasattr(answer, "__iter__") and not isinstance(answer, (str, dict))
        expect(listed, f"wrong_blocks must return a list of numbers; it returns {shorten(repr(answer), 60)}.")
        answer = list(itertools.islice(iter(answer), 10))
        expect(len(answer) <= 9, "It returns more than nine numbers, and there are nine blocks.")
        answer = sorted(to_number(part, "Each entry of wrong_blocks(...)") for part in answer)
        if answer == errors:
            continue
        expect(answer != [error - 1 for error in errors], "The blocks are counted from 1, and yours from 0.")
        rest = sorted(set(range(1, 10)) - set(errors))
        expect(answer != rest, "Those are the blocks whose output is right. Return the others.")
        expect(not set(answer) & set(bottlenecks), "It reports a block whose bottleneck is wrong: its output is right.")
        expect(answer or not errors, f"It finds nothing, and the outputs of the blocks {errors} are wrong.")
        inside = set(answer) <= set(range(1, 10))
        expect(inside, "Those are not numbers of blocks, which are whole and run from 1 to 9.")
        expect(set(answer) <= set(errors), f"It reports the blocks {_listed(answer)}, where only {errors} are wrong.")
        expect(
            False, f"It reports {_listed(answer)}, where {errors} are wrong. Does it look at all blocks of all groups?"
        )
    c1, *rest = GOOGLENET.INCEPTIONS[0][0]
    traded = ((c1 + 8, *rest[:2], rest[2] - 8), GOOGLENET.INCEPTIONS[0][1])
    answer = list(itertools.islice(iter(wrong_blocks((traded, *GOOGLENET.INCEPTIONS[1:]))), 10))
    expect(
        not answer,
        "It reports a block whose paths differ from the paper's, and whose output is right. Compare outputs.",
    )
    expect(hidden_mistake not in (32, 34), "That is the number of channels. In which block does it stand?")
    expect(hidden_mistake != 3, "Block 3 is the one that the sum finds. The hidden one is another.")
    expect(hidden_mistake == 6, "wrong_blocks is right, but the hidden mistake is in another block.")


def _listed(numbers):
    return ", ".join(f"{number:g}" for number in numbers)


def without_norms(steps):
    """Return the names of the steps of a network, its batch norms left out."""
    return [name for name, _ in steps if name != "norm"]


@exercises.add(
    "bn-inception",
    title="Which layers need batch norm?",
    difficulty="●●○",
    minutes=15,
    why="A normalised start hands on a signal of a sensible size. In the layers without batch norm it shrinks again.",
    hints=(
        "Make two networks: googlenet(nn.BatchNorm, ratio) and googlenet(ratio=ratio).",
        "list(net) gives five stages and the dense layer. Which of them do you want from which network?",
        "net = nn.HybridSequential(); net.add(*list(a)[:2], *list(b)[2:]) puts a new network together.",
    ),
)
def bn_inception(partly_normalised):
    """Look where the batch norms are."""
    expect_callable(partly_normalised)
    ratio, shape, what = globals_of(partly_normalised).get("ratio", 4), (1, 1, 96, 96), "partly_normalised()"
    with mock.patch("d2lhelpers.fit", return_value=History([2.0], [0.5], [0.5], [1.0])):
        net = partly_normalised()
    expect(not isinstance(net, History), "That is what d2l.fit returns. Return the network, and train it afterwards.")
    expect(isinstance(net, gluon.Block), "partly_normalised must return a network. Is there a return?")
    steps, plain = operators(net, shape), operators(GOOGLENET.googlenet(ratio=ratio), shape)
    names = [name for name, _ in steps]
    convs = sum(name.startswith("conv") for name in names)
    expect(convs == 57, f"GoogLeNet has 57 convolutions; yours has {convs}. Do all stages stay?")
    norms = names.count("norm")
    expect(norms > 0, "There is no batch norm in it.")
    expect(norms < 57, "Every convolution has batch norm. Leave it out of the Inception blocks.")
    expect(
        without_norms(steps) == without_norms(plain), "Apart from batch norm it must be googlenet, in the same order."
    )
    shapes = [[output for name, output in part if name != "norm"] for part in (steps, plain)]
    expect(shapes[0] == shapes[1], f"The first convolution has {shapes[0][0][0]} channels. Are they divided by ratio?")
    start = [name for name in names if name.startswith("conv") or name == "norm"]
    expect(
        norms != 54, "It is the other way round: batch norm is in the Inception blocks, and not in the first stages."
    )
    expect(norms >= 3, f"Only {norms} of the three convolutions of the first two stages have batch norm.")
    first = ["conv 7×7", "norm", "conv 1×1", "norm", "conv 3×3", "norm"]
    expect(start[:6] == first and norms == 3, f"{norms} convolutions have batch norm. It should be the first three.")
    before_relu = all(names[i - 1].startswith("conv") for i, name in enumerate(names) if name == "norm")
    expect(before_relu, "Batch norm belongs between a convolution and its ReLU.")
    expect_same_options(net, GOOGLENET.googlenet(ratio=ratio), what, ("Convolution", "Pooling"))
    norms = nn.HybridSequential()
    norms.add(nn.BatchNorm(), nn.BatchNorm(), nn.BatchNorm())
    expect_same_options(net, norms, what, ("BatchNorm",))


@exercises.add(
    "smallest",
    title="The smallest picture",
    difficulty="●○○",
    minutes=10,
    why="A pooling with padding never runs out of pixels. That a network accepts an input does not mean it can use it.",
    hints=(
        "Try: a loop over sides with d2l.summary, and except ValueError, as in chapter 2.",
        "What does a 3 × 3 pooling with stride 2 make of one pixel that has padding around it?",
    ),
)
def smallest(side):
    """Compare with 1."""
    side = to_number(side, "The side")
    expect(side == int(side), "The side is a whole number of pixels.")
    expect(side >= 1, "An image has at least one pixel.")
    expect(side != 32, "That is VGG's limit. Look at the padding of the poolings here.")
    expect(side <= 1, f"A smaller one than {side:g} works, too. Try it: what does the padding do to the kernels?")


def reach(net, split):
    """Return how wide the view of each output channel is, and the output, for positive weights."""
    net.initialize(mx.init.One(), force_reinit=True)
    X = nd.zeros((1, 3, 11, 11))
    X[0, :, 5, 5] = 1
    Y = to_array(net(X), (1, split[0] + split[1][1] + split[2][1] + split[3], 11, 11), "The output of the block")
    seen = [np.flatnonzero((channel > 0).any(axis=0)) for channel in Y[0]]
    return [int(np.ptp(columns)) + 1 for columns in seen]


@exercises.add(
    "factorise",
    title="Two 3 × 3 for one 5 × 5",
    difficulty="●●○",
    minutes=15,
    why="Two 3 × 3 save on one 5 × 5 when all have as many channels. Behind a bottleneck they do not: count.",
    hints=(
        "Copy the paths of Inception. Only the third changes.",
        "Count the weights by hand: 9 × 16 × 32 and 9 × 32 × 32 against 25 × 16 × 32, and the biases.",
        "chain(conv_relu(c3[0], 1), conv_relu(c3[1], 3, padding=1), and the same once more) is the third path.",
    ),
)
def factorise(parameters_saved, factorised):
    """Count, look how far each channel sees, then compare the prediction."""
    saved = to_number(parameters_saved, "parameters_saved")
    expect_callable(factorised)
    for _ in range(2):
        split = random_split(range(2, 12))
        c1, c2, c3, c4 = split
        block, what = factorised(*split), f"factorised{split}"
        expect(isinstance(block, gluon.Block), f"{what} must return a block. Is there a return?")
        try:
            names = [name for name, _ in operators(block, (1, 3, 11, 11))]
        except ValueError as error:
            raise NotYet(f"The outputs of the paths in {what} do not fit together. Is each 3 × 3 padded?") from error
        expect("conv 5×5" not in names, f"There is still a 5 × 5 convolution in {what}.")
        expect(
            names.count("conv 3×3") != 2,
            f"{what} has two 3 × 3 convolutions: one on each path. The third path needs two.",
        )
        expect(
            names.count("conv 3×3") == 3,
            f"{what} should have three 3 × 3 convolutions; it has {names.count('conv 3×3')}.",
        )
        convs = sum(name.startswith("conv") for name in names)
        expect(convs == 7, f"{what} has {convs} convolutions, and it should have seven.")
        relus = names.count("relu")
        expect(relus == convs, f"{what} has {convs} convolutions and {relus} ReLUs. Each convolution has one.")
        expect(names.count("max pool") == 1, f"The fourth path of {what} begins with a pooling.")
        views = reach(block, split)
        wanted = [1] * c1 + [3] * c2[1] + [5] * c3[1] + [3] * c4
        expect(5 in views, "No path sees 5 × 5 pixels. Are the two 3 × 3 convolutions one behind the other?")
        second = views[c1 : c1 + c2[1]]
        expect(5 not in second, "The second path sees 5 × 5. Only the third gets two 3 × 3 convolutions.")
        expect(views == wanted, f"The paths of {what} come in another order, or see another number of pixels.")
        steps = []
        for name, output in operators(GOOGLENET.Inception(*split), (1, 3, 11, 11)):
            third = [("conv 3×3", output), ("relu", output), ("conv 3×3", output)]
            steps += third if name == "conv 5×5" else [(name, output)]
        order = ", ".join(names)
        expect(names == [name for name, _ in steps], f"The layers of {what} come in another order: {order}.")
        total = summary(block, (1, 3, 11, 11)).total_params
        inner = 9 * c3[0] * c3[1] + 9 * c3[1] ** 2 + 2 * c3[1]
        right = summary(GOOGLENET.Inception(*split), (1, 3, 11, 11)).total_params
        right += inner - 25 * c3[0] * c3[1] - c3[1]
        narrow = right - inner + 9 * c3[0] ** 2 + 9 * c3[0] * c3[1] + c3[0] + c3[1]
        expect(total != narrow, f"The first of the two has {c3[0]} channels in {what}. Give both c3[1].")
        sides = [output[1:] for _, output in operators(block, (1, 3, 11, 11))]
        expect(sides == [(11, 11)] * len(sides), f"In {what} a layer changes height and width. Give each its padding.")
        expect(total == right, f"{what} has {total:,} parameters for 3 channels in, and it should have {right:,}.")
    mistakes = (
        (1056, "The block is right. The number is, too, but not its sign: does the block shrink or grow?"),
        (7 * 32 * 32, "Chapter 2's rule assumes as many channels in as out. Here 16 go in and 32 come out."),
        (7 * 16 * 32, "Only the first of the two gets 16 channels. The second gets what the first gives."),
        (7 * 16 * 16, "Chapter 2's rule assumes as many channels in as out. Here 16 go in and 32 come out."),
        (-1024, "Nearly: count the biases, too."),
    )
    otherwise = "The block is right. Count the parameters of both blocks for 192 channels in: d2l.summary does it."
    expect_same(saved, -1056.0, mistakes, otherwise, 0)


@exercises.add(
    "design",
    title="Half the price",
    difficulty="●●○",
    minutes=10,
    why="Bottlenecks are where a block is cheap to shrink: they change the cost, and not the shape of the output.",
    hints=(
        "d2l.summary(Inception(*my_split), (1, 192, 28, 28)).total_macs tells where you are.",
        "The 3 × 3 path costs most. Its bottleneck c2[0] may shrink a lot, and the output stays.",
        "Channels of the 1 × 1 and the pooling path are cheap. Let them give more, and the 3 × 3 path less.",
    ),
)
def design(split):
    """Count what the block costs and gives."""
    sizes = (*split[:1], *split[1], *split[2], *split[3:]) if _is_split(split) else ()
    expect(sizes, f"my_split must have the form (c1, (c2, c2), (c3, c3), c4); it is {shorten(repr(split), 60)}.")
    expect(
        all(isinstance(size, (int, np.integer)) and size is not True and size > 0 for size in sizes),
        "Channels are whole numbers above 0.",
    )
    outputs = (sizes[0], sizes[2], sizes[4], sizes[5])
    expect(sum(outputs) == 256, f"It gives {sum(outputs)} channels, and it should give 256.")
    expect(min(sizes) >= 16, f"The narrowest convolution gives {min(sizes)} channels. Each should give at least 16.")
    limit = summary(GOOGLENET.Inception(*FIRST), INPUTS).total_macs / 2
    macs = summary(GOOGLENET.Inception(*split), INPUTS).total_macs
    expect(macs <= limit, f"It needs {macs:,} MACs, {macs / limit:.2f} times the limit.")


def _is_split(split):
    form = isinstance(split, (tuple, list)) and len(split) == 4
    return form and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in split[1:3])


@exercises.add(
    "why",
    title="Why NiN and GoogLeNet have so few parameters",
    difficulty="●●○",
    minutes=10,
    why="Parameters sit where many numbers meet many numbers. Average first, and the dense layer has little to do.",
    hints=(
        "d2l.summary(net, (1, 1, side, side)) has layers, and each of them name and params.",
        'Add up the params of the layers whose name starts with "Dense": name.startswith("Dense").',
        "Divide by total_params.",
    ),
)
def why(dense_share):
    """Compare with the table of several networks."""
    expect_callable(dense_share)
    lenet = BN.lenet
    sizes = int(RANDOM.choice((2, 4, 5, 7, 8))), int(RANDOM.integers(5, 30))
    for name, make, sides in (
        ("a small network", lambda: _dense_in_the_middle(*sizes), (9, 14)),
        ("LeNet", lenet, (28, 36)),
        ("a slim VGG-11", lambda: VGG.vgg(VGG.slim(VGG.VGG_11)), (64, 96)),
        ("GoogLeNet with batch norm", lambda: GOOGLENET.googlenet(nn.BatchNorm, 8), (96,)),
        ("NiN", lambda: NIN.nin(ratio=8), (96,)),
    ):
        for side in sides:
            what = f"The share for {name} at {side} × {side}"
            net, table = make(), summary(make(), (1, 1, side, side))
            answer = to_number(dense_share(net, side), what)
            share = _share(table, "params")
            mistakes = [
                (100 * share, "That is in percent. A share runs from 0 to 1."),
                (1 - share, "That is the share of all other layers."),
                (_share(table, "macs"), "That is the share of the MACs, and the parameters are asked for."),
                (
                    sum(row.name.startswith("Dense") for row in table.layers) / len(table.layers),
                    "It counts layers, not parameters.",
                ),
                (share * table.total_params, "That is the number of parameters. Divide by those of the whole network."),
            ]
            message = "Batch norm's moving averages are parameters, too: divide by total_params."
            mistakes.append((share * table.total_params / table.trainable_params, message))
            if share:
                last = [row.params for row in table.layers if row.name.startswith("Dense")][-1]
                mistakes.append((last / table.total_params, "That is the last dense layer only. Add up all of them."))
                mistakes.append((1 / share, "It is upside down: divide the dense layers by all."))
            for other in (96, 224):
                shares = _share(summary(make(), (1, 1, other, other)), "params")
                if shares != share:
                    mistakes.append((shares, "That is the share for images of another size. Does it use side?"))
            expect_same(answer, share, mistakes, f"{what} is not {answer:.3g}.", 1e-6)


def _dense_in_the_middle(channels, units):
    net = nn.HybridSequential()
    net.add(nn.Conv2D(channels, 3), nn.Dense(units), nn.Dense(3))
    net.add(*[nn.Activation("relu") for _ in range(5)])
    return net


def _share(table, count):
    dense = sum(getattr(row, count) for row in table.layers if row.name.startswith("Dense"))
    return dense / sum(getattr(row, count) for row in table.layers)


@exercises.add(
    "bug",
    title="Paths that get lost",
    difficulty="●●○",
    minutes=15,
    why="Gluon finds the parameters of registered children only. In a plain list they are neither trained nor saved.",
    hints=(
        "Look at collect_params() of the block. Which parameters are missing, and how does Parallel make them known?",
        "self.register_child(path) tells Gluon; the registered ones are in self._children, in order.",
        "The channels are axis 1. And does the loop take every path?",
    ),
)
def bug(parallel_class):
    """Compare with the concatenated outputs of the paths; then save and load."""
    expect_callable(parallel_class)
    for widths in ((4, 4), (3, 5), (2, 4, 6)):
        paths = random_paths(widths)
        block, what = parallel_class(*paths), f"RepairedParallel of {len(paths)} paths"
        hybrid = isinstance(block, gluon.HybridBlock)
        expect(hybrid, "RepairedParallel must stay an nn.HybridBlock, so that it can be compiled.")
        known = set(block.collect_params())
        missing = [name for path in paths for name in path.collect_params() if name not in known]
        expect(not missing, f"collect_params() of {what} lacks {len(missing)} of {2 * len(widths)} parameters.")
        block.initialize(mx.init.Normal(0.5), force_reinit=True)
        X = nd.array(RANDOM.normal(size=(4, 4, 4, 4)))
        wanted = _expect_joined(block(X), [path(X).asnumpy() for path in paths], what)
        head = nd.array(RANDOM.normal(size=wanted.shape))
        gradients = []
        for forward in (block, lambda X, paths=paths: nd.concat(*[path(X) for path in paths], dim=1)):
            with mx.autograd.record():
                Y = forward(X)
            Y.backward(head)
            trained = [parameter for path in paths for parameter in path.collect_params().values()]
            frozen = [parameter.name for parameter in trained if parameter.grad_req != "write"]
            expect(not frozen, f"The paths of {what} cannot be trained: their parameters are frozen.")
            gradients.append([parameter.grad().asnumpy() for parameter in trained])
        agree = (same(ours, theirs) for ours, theirs in zip(*gradients, strict=True))
        expect(all(agree), f"The gradients in the paths of {what} are not right. Does something stop them on the way?")
        names = [name for name, _ in operators(block, X.shape)]
        expect("concat" in names, f"{what} cannot be compiled. Does hybrid_forward only use F, X and the paths?")
        block.hybridize()
        expect(
            same(to_array(block(X), wanted.shape, "The output"), wanted),
            f"{what} computes something else when hybridised.",
        )
        copy = parallel_class(*random_paths(widths))
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "block.params")
            block.save_parameters(file)
            copy.load_parameters(file)
        expect(same(copy(X).asnumpy(), wanted), f"{what}, saved and loaded, computes something else.")


def random_paths(widths):
    """Return convolutions of these widths that take four channels, and a pooling, which has no parameters."""
    paths = [nn.Conv2D(width, 1, in_channels=4) for width in widths]
    return [paths[0], nn.MaxPool2D(3, strides=1, padding=1), *paths[1:]]


def _expect_joined(Y, outputs, what):
    """Return the outputs, joined on the channels, if that is what Y is."""
    expect(isinstance(Y, nd.NDArray), f"{what} must give one array; it gives a {type(Y).__name__}.")
    wanted, kept = np.concatenate(outputs, axis=1), outputs[:-1]
    mistakes = [(np.concatenate(kept, axis=1), f"{what} leaves out the last path.")]
    if len({output.shape for output in outputs}) == 1:
        mistakes.append((sum(outputs), "The outputs are added. They must stand one behind the other, as channels."))
        for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
            message = f"The outputs are joined along the {name}. Which axis has the channels?"
            mistakes += [(np.concatenate(parts, axis=axis), message) for parts in (outputs, kept)]
    for wrong, message in mistakes:
        expect(Y.shape != wrong.shape or not same(Y.asnumpy(), wrong), message)
    Y = to_array(Y, wanted.shape, f"The output of {what}")
    expect(same(Y, wanted), f"{what} has the right shape, but not the outputs of its paths one behind the other.")
    return wanted
