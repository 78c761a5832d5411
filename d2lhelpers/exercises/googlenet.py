"""Checks of chapter 4, GoogLeNet."""

import functools
import itertools
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from ..language import say
from ..networks.graph import is_settled
from ..networks.summary import summary
from ..runtime import mx
from ..settings import by_budget
from ..training import History
from .comparing import (
    RANDOM,
    accuracy_of,
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
from .judging import Exercises, NotYet, join, shorten

gluon, nd = mx.gluon, mx.nd
nn = gluon.nn
exercises = Exercises("googlenet")
GOOGLENET = chapter("googlenet")
MACS = 2_360_000  # of googlenet_28, if its two blocks cost half of what they do


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
            (c1 + c2[0] + c3[0] + c4, say("Those are the bottlenecks. Which convolution is the last on its path?")),
            (c1 + c2[0] + c3[1] + c4, say("On the second path you count the bottleneck, not the output.")),
            (c1 + c2[1] + c3[0] + c4, say("On the third path you count the bottleneck, not the output.")),
            (c1 + sum(c2) + sum(c3) + c4, say("The bottlenecks do not leave the block. Leave them out.")),
            (c1 + c2[1] + c3[1], say("The pooling path gives channels, too.")),
            (c2[1] + c3[1] + c4, say("The 1 × 1 path gives channels, too.")),
            (max(c1, c2[1], c3[1], c4), say("The paths are concatenated, so their channels add up.")),
        )
        otherwise = say("The block {split} does not give {answer:g} channels.", split=split, answer=answer)
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
    title="Three mistakes that run",
    difficulty="●●○",
    minutes=15,
    why="A sum, a count of parameters and a count of ReLUs are cheap checks of a copy. Each finds what others miss.",
    hints=(
        "Go through all nine blocks with one counter, whatever group they are in. The paper's outputs are in the text.",
        "A block gives c1 + c2[1] + c3[1] + c4 channels.",
        "The other mistake is in a number that the sum leaves out. Compare COPIED with INCEPTIONS there.",
        "net.apply(lambda layer: ...) meets every layer. isinstance(layer, nn.Activation) tells which are ReLUs here.",
    ),
)
def typo(wrong_blocks, hidden_mistake, count_relus):
    """Plant mistakes in the table, look at the second answer, and count in several networks."""
    expect_callable(wrong_blocks, count_relus)
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
        sentence = "wrong_blocks must return a list of numbers; it returns {answer}."
        expect(listed, sentence, answer=shorten(repr(answer), 60))
        answer = list(itertools.islice(iter(answer), 10))
        expect(len(answer) <= 9, "It returns more than nine numbers, and there are nine blocks.")
        answer = sorted(to_number(part, say("Each entry of wrong_blocks(...)")) for part in answer)
        if answer == errors:
            continue
        expect(answer != [error - 1 for error in errors], "The blocks are counted from 1, and yours from 0.")
        rest = sorted(set(range(1, 10)) - set(errors))
        expect(answer != rest, "Those are the blocks whose output is right. Return the others.")
        expect(not set(answer) & set(bottlenecks), "It reports a block whose bottleneck is wrong: its output is right.")
        sentence = "It finds nothing, and the outputs of the blocks {errors} are wrong."
        expect(answer or not errors, sentence, errors=errors)
        inside = set(answer) <= set(range(1, 10))
        expect(inside, "Those are not numbers of blocks, which are whole and run from 1 to 9.")
        sentence = "It reports the blocks {answer}, where only {errors} are wrong."
        expect(set(answer) <= set(errors), sentence, answer=_listed(answer), errors=errors)
        sentence = "It reports {answer}, where {errors} are wrong. Does it look at all blocks of all groups?"
        expect(False, sentence, answer=_listed(answer), errors=errors)
    c1, *rest = GOOGLENET.INCEPTIONS[0][0]
    traded = ((c1 + 8, *rest[:2], rest[2] - 8), GOOGLENET.INCEPTIONS[0][1])
    answer = list(itertools.islice(iter(wrong_blocks((traded, *GOOGLENET.INCEPTIONS[1:]))), 10))
    sentence = "It reports a block whose paths differ from the paper's, and whose output is right. Compare outputs."
    expect(not answer, sentence)
    expect(hidden_mistake not in (24, 34), "That is the number of channels. In which block does it stand?")
    expect(hidden_mistake != 3, "Block 3 is the one that the sum finds. The hidden one is another.")
    expect(hidden_mistake == 5, "wrong_blocks is right, but the hidden mistake is in another block.")
    for net, relus, convs, what in _networks_with_relus():
        answer = to_number(count_relus(net), say("count_relus({what})", what=what))
        top = sum(isinstance(layer, nn.Activation) for layer in net._children.values())
        convolutions = say("count_relus({what}) gives the number of convolutions. Count the ReLUs.", what=what)
        sentence = "count_relus({what}) sees the outermost layers only. How does it get to those inside of them?"
        mistakes = ((convs, convolutions), (top, say(sentence, what=what)))
        sentence = "count_relus({what}) gives {answer:g}. There are {relus} ReLUs."
        expect_same(answer, relus, mistakes, say(sentence, what=what, answer=answer, relus=relus), 0)


def _networks_with_relus():
    """Yield networks, how many ReLUs and convolutions each has, and a name."""
    whole, copied = GOOGLENET.googlenet(ratio=8), GOOGLENET.googlenet(nn.BatchNorm, ratio=8)
    yield whole, 57, 57, "googlenet()"
    bare = GOOGLENET.chain(nn.Conv2D(8, 1), nn.Conv2D(24, 3, padding=1), GOOGLENET.half())
    yield GOOGLENET.chain(*copied[:1], bare, *copied[2:]), 55, 57, say("a copy with another second stage")
    extra = int(RANDOM.integers(2, 6))
    parts = [nn.Conv2D(2, 1), *(nn.Activation("relu") for _ in range(extra))]
    yield GOOGLENET.chain(*parts, nn.Conv2D(2, 1, activation="relu")), extra + 1, 2, say("a small network")


def _listed(numbers):
    return ", ".join(f"{number:g}" for number in numbers)


def network_of(function, name):
    """Return the network that a learner's function makes, and the ratio of its notebook; nothing is trained."""
    with mock.patch("d2lhelpers.fit", return_value=History([2.0], [0.5], [0.5], [1.0])):
        net = function()
    expect(not isinstance(net, History), "That is what d2l.fit returns. Return the network, and train it afterwards.")
    expect(isinstance(net, gluon.Block), "{what} must return a network. Is there a return?", what=name)
    return net, globals_of(function).get("ratio", 8)


@exercises.add(
    "bn-inception",
    title="Which layers need batch norm?",
    difficulty="●●○",
    minutes=15,
    why="A normalised start hands on a signal of a sensible size. In the layers without batch norm it shrinks again.",
    hints=(
        "Make two networks: googlenet(nn.BatchNorm, ratio) and googlenet(ratio=ratio).",
        "A network has five stages and the dense layer. Which of them do you want from which network?",
        "chain(*a[:2], *b[2:]) puts a new network together.",
    ),
)
def bn_inception(partly_normalised):
    """Look where the batch norms are."""
    expect_callable(partly_normalised)
    net, ratio = network_of(partly_normalised, "partly_normalised")
    shape, what = (1, 1, 96, 96), "partly_normalised()"
    steps, plain = operators(net, shape), operators(GOOGLENET.googlenet(ratio=ratio), shape)
    names = [name for name, _ in steps]
    convs = sum(name.startswith("conv") for name in names)
    expect(convs == 57, "GoogLeNet has 57 convolutions; yours has {convs}. Do all stages stay?", convs=convs)
    norms = names.count("norm")
    expect(norms > 0, "There is no batch norm in it.")
    expect(norms < 57, "Every convolution has batch norm. Leave it out of the Inception blocks.")
    rest = [(name, output) for name, output in steps if name != "norm"]
    sentence = "Apart from batch norm it must be googlenet, in the same order."
    expect([name for name, _ in rest] == [name for name, _ in plain], sentence)
    sentence = "The first convolution has {count} channels. Are they divided by ratio?"
    expect(rest == plain, sentence, count=rest[0][1][0])
    start = [name for name in names if name.startswith("conv") or name == "norm"]
    sentence = "It is the other way round: batch norm is in the Inception blocks, and not in the first stages."
    expect(norms != 54, sentence)
    expect(norms >= 3, "Only {norms} of the three convolutions of the first two stages have batch norm.", norms=norms)
    first = ["conv 7×7", "norm", "conv 1×1", "norm", "conv 3×3", "norm"]
    sentence = "{norms} convolutions have batch norm. It should be the first three."
    expect(start[:6] == first and norms == 3, sentence, norms=norms)
    before_relu = all(names[i - 1].startswith("conv") for i, name in enumerate(names) if name == "norm")
    expect(before_relu, "Batch norm belongs between a convolution and its ReLU.")
    expect_same_options(net, GOOGLENET.googlenet(ratio=ratio), what, ("Convolution", "Pooling"))
    norms = nn.HybridSequential()
    norms.add(nn.BatchNorm(), nn.BatchNorm(), nn.BatchNorm())
    expect_same_options(net, norms, what, ("BatchNorm",))


@exercises.add(
    "path",
    title="A path that was never there",
    difficulty="●●○",
    minutes=20,
    why="A network relies on what it was trained with. That it misses a path does not show that it needed one.",
    hints=(
        "Write a block like Inception with path_1, path_3 and path_4 only. A path that is not used cannot be trained.",
        "ThreePaths(*shrink((64, (16, 32), 32), ratio), norm=nn.BatchNorm) divides the channels.",
        "chain(*net[:2], chain(first, *net[2][1:]), *net[3:]) puts another first block into the third stage.",
    ),
)
def path(my_prediction, without_3x3, measured):
    """Compare with GoogLeNet, the second path of its first block taken out; then look at the two numbers."""
    my_prediction, measured = to_number(my_prediction, "my_prediction"), to_number(measured, "measured")
    for name, accuracy in (("my_prediction", my_prediction), ("measured", measured)):
        sentence = "{name} is {accuracy:g}. An accuracy runs from 0 to 1."
        expect(0 <= accuracy <= 1, sentence, name=name, accuracy=accuracy)
    expect_callable(without_3x3)
    net, ratio = network_of(without_3x3, "without_3x3")
    shape, what = (1, 1, 96, 96), "without_3x3()"
    wanted = operators(_without_path(GOOGLENET.googlenet(nn.BatchNorm, ratio), ratio), shape)
    steps = operators(net, shape)
    names = [name for name, _ in steps]
    blocks, large = names.count("concat"), names.count("conv 3×3")
    expect(blocks == 9, "{what} has {blocks} Inception blocks, and it should have nine.", what=what, blocks=blocks)
    expect("norm" in names, "{what} has no batch norm.", what=what)
    expect(large < 10, "All 3 × 3 convolutions are still there. The first block should lack its own.")
    expect(large > 1, "No Inception block has a 3 × 3 path. Only the first should lack it.")
    sentence = "{what} has {large} convolutions of 3 × 3: one in b2 and eight in the other blocks, please."
    expect(large == 9, sentence, what=what, large=large)
    sentence = "Apart from that path, {what} must do what GoogLeNet with batch norm does, in the same order."
    expect(names == [name for name, _ in wanted], sentence, what=what)
    sentence = "In {what} a layer has other channels than it should. Are they divided by ratio?"
    expect(steps == wanted, sentence, what=what)
    least = by_budget(smoke=0, cpu=0.5, gpu=0.2)
    sentence = "measured is {measured:g}, less than such a network gets. Is it the test accuracy?"
    expect(measured > least, sentence, measured=measured)


def _without_path(net, ratio):
    """Return the network without the second path of its first Inception block."""
    chain, conv = GOOGLENET.chain, functools.partial(GOOGLENET.conv, norm=nn.BatchNorm)
    c1, _, c3, c4 = GOOGLENET.shrink(GOOGLENET.INCEPTIONS[0][0], ratio)
    first = gluon.contrib.nn.HybridConcurrent(axis=1)
    first.add(
        conv(c1, 1),
        chain(conv(c3[0], 1), conv(c3[1], 5)),
        chain(nn.MaxPool2D(3, strides=1, padding=1), conv(c4, 1)),
    )
    return chain(*net[:2], chain(first, *net[2][1:]), *net[3:])


def reach(net, split):
    """Return how wide the view of each output channel is, and the output, for positive weights."""
    net.initialize(mx.init.One(), force_reinit=True)
    X = nd.zeros((1, 3, 11, 11))
    X[0, :, 5, 5] = 1
    Y = to_array(net(X), (1, split[0] + split[1][1] + split[2][1] + split[3], 11, 11), say("The output of the block"))
    seen = [np.flatnonzero((channel > 0).any(axis=0)) for channel in Y[0]]
    return [int(np.ptp(columns)) + 1 for columns in seen]


@exercises.add(
    "factorise",
    title="Two 3 × 3 for one 5 × 5",
    difficulty="●●○",
    minutes=15,
    why="Two 3 × 3 save on one 5 × 5 when all have as many channels. Behind a bottleneck they do not: count.",
    hints=(
        "A class that inherits from Inception only has to replace self.path_3.",
        "chain(conv(c3[0], 1), conv(c3[1], 3), and the same once more) is the third path.",
        "d2l.summary(block, (1, 192, 28, 28)).total_params counts the parameters of a block.",
    ),
)
def factorise(my_prediction, parameters_saved, factorised):
    """Count, look how far each channel sees, then compare the measured number; any prediction is welcome."""
    to_number(my_prediction, "my_prediction")
    saved = to_number(parameters_saved, "parameters_saved")
    expect_callable(factorised)
    for _ in range(2):
        split = random_split(range(2, 12))
        c1, c2, c3, c4 = split
        block, what = factorised(*split), f"factorised{split}"
        expect(isinstance(block, gluon.Block), "{what} must return a block. Is there a return?", what=what)
        try:
            names = [name for name, _ in operators(block, (1, 3, 11, 11))]
        except ValueError as error:
            sentence = "The outputs of the paths in {what} do not fit together. Is each 3 × 3 padded?"
            raise NotYet(say(sentence, what=what)) from error
        expect("conv 5×5" not in names, "There is still a 5 × 5 convolution in {what}.", what=what)
        sentence = "{what} has two 3 × 3 convolutions: one on each path. The third path needs two."
        expect(names.count("conv 3×3") != 2, sentence, what=what)
        sentence = "{what} should have three 3 × 3 convolutions; it has {count}."
        expect(names.count("conv 3×3") == 3, sentence, what=what, count=names.count("conv 3×3"))
        convs = sum(name.startswith("conv") for name in names)
        expect(convs == 7, "{what} has {convs} convolutions, and it should have seven.", what=what, convs=convs)
        relus = names.count("relu")
        sentence = "{what} has {convs} convolutions and {relus} ReLUs. Each convolution has one."
        expect(relus == convs, sentence, what=what, convs=convs, relus=relus)
        expect(names.count("max pool") == 1, "The fourth path of {what} begins with a pooling.", what=what)
        views = reach(block, split)
        wanted = [1] * c1 + [3] * c2[1] + [5] * c3[1] + [3] * c4
        expect(5 in views, "No path sees 5 × 5 pixels. Are the two 3 × 3 convolutions one behind the other?")
        second = views[c1 : c1 + c2[1]]
        expect(5 not in second, "The second path sees 5 × 5. Only the third gets two 3 × 3 convolutions.")
        sentence = "The paths of {what} come in another order, or see another number of pixels."
        expect(views == wanted, sentence, what=what)
        steps = []
        for name, output in operators(GOOGLENET.Inception(*split), (1, 3, 11, 11)):
            third = [("conv 3×3", output), ("relu", output), ("conv 3×3", output)]
            steps += third if name == "conv 5×5" else [(name, output)]
        order = ", ".join(names)
        sentence = "The layers of {what} come in another order: {order}."
        expect(names == [name for name, _ in steps], sentence, what=what, order=order)
        total = summary(block, (1, 3, 11, 11)).total_params
        inner = 9 * c3[0] * c3[1] + 9 * c3[1] ** 2 + 2 * c3[1]
        right = summary(GOOGLENET.Inception(*split), (1, 3, 11, 11)).total_params
        right += inner - 25 * c3[0] * c3[1] - c3[1]
        narrow = right - inner + 9 * c3[0] ** 2 + 9 * c3[0] * c3[1] + c3[0] + c3[1]
        sentence = "The first of the two has {count} channels in {what}. Give both c3[1]."
        expect(total != narrow, sentence, count=c3[0], what=what)
        sides = [output[1:] for _, output in operators(block, (1, 3, 11, 11))]
        sentence = "In {what} a layer changes height and width. Give each its padding."
        expect(sides == [(11, 11)] * len(sides), sentence, what=what)
        sentence = "{what} has {total:,} parameters for 3 channels in, and it should have {right:,}."
        expect(total == right, sentence, what=what, total=total, right=right)
    mistakes = (
        (1056, say("The block is right. The number is, too, but not its sign: does the block shrink or grow?")),
        (7 * 32 * 32, say("Chapter 2's rule assumes as many channels in as out. Here 16 go in and 32 come out.")),
        (7 * 16 * 32, say("Only the first of the two gets 16 channels. The second gets what the first gives.")),
        (7 * 16 * 16, say("Chapter 2's rule assumes as many channels in as out. Here 16 go in and 32 come out.")),
        (-1024, say("Nearly: count the biases, too.")),
    )
    otherwise = say("The block is right. Count the parameters of both blocks for 192 channels in: d2l.summary does it.")
    expect_same(saved, -1056.0, mistakes, otherwise, 0)


@exercises.add(
    "bug",
    title="A block for any number of paths",
    difficulty="●●○",
    minutes=15,
    why="Gluon finds the parameters of registered layers only. In a plain list they are neither trained nor saved.",
    hints=(
        "First symptom: Gluon finds layers that are attributes of a block, or in a HybridSequential, not in a list.",
        "Second symptom: which axis became twice as long, and which one has the channels?",
        "Third symptom: does the loop see every path that the block was given?",
    ),
)
def bug(parallel_class):
    """Compare with the concatenated outputs of the paths; then save and load."""
    expect_callable(parallel_class)
    for widths in ((4, 4), (3, 5), (2, 4, 6)):
        paths = random_paths(widths)
        block, what = parallel_class(*paths), say("Parallel of {count} paths", count=len(paths))
        hybrid = isinstance(block, gluon.HybridBlock)
        expect(hybrid, "Parallel must stay an nn.HybridBlock, so that it can be compiled.")
        known = set(block.collect_params())
        missing = [name for path in paths for name in path.collect_params() if name not in known]
        sentence = "collect_params() of {what} lacks {missing} of {count} parameters."
        expect(not missing, sentence, what=what, missing=len(missing), count=2 * len(widths))
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
            expect(not frozen, "The paths of {what} cannot be trained: their parameters are frozen.", what=what)
            gradients.append([parameter.grad().asnumpy() for parameter in trained])
        agree = (same(ours, theirs) for ours, theirs in zip(*gradients, strict=True))
        sentence = "The gradients in the paths of {what} are not right. Does something stop them on the way?"
        expect(all(agree), sentence, what=what)
        names = [name for name, _ in operators(block, X.shape)]
        sentence = "{what} cannot be compiled. Does hybrid_forward only use F, X and the paths?"
        expect("concat" in names, sentence, what=what)
        block.hybridize()
        sentence = "{what} computes something else when hybridised."
        expect(same(to_array(block(X), wanted.shape, say("The output")), wanted), sentence, what=what)
        copy = parallel_class(*random_paths(widths))
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "block.params")
            block.save_parameters(file)
            copy.load_parameters(file)
        expect(same(copy(X).asnumpy(), wanted), "{what}, saved and loaded, computes something else.", what=what)


def random_paths(widths):
    """Return convolutions of these widths that take four channels, and a pooling, which has no parameters."""
    paths = [nn.Conv2D(width, 1, in_channels=4) for width in widths]
    return [paths[0], nn.MaxPool2D(3, strides=1, padding=1), *paths[1:]]


def _expect_joined(Y, outputs, what):
    """Return the outputs, joined on the channels, if that is what Y is."""
    sentence = "{what} must give one array; it gives a {kind}."
    expect(isinstance(Y, nd.NDArray), sentence, what=what, kind=type(Y).__name__)
    wanted, kept = np.concatenate(outputs, axis=1), outputs[:-1]
    mistakes = [(np.concatenate(kept, axis=1), say("{what} leaves out the last path.", what=what))]
    if len({output.shape for output in outputs}) == 1:
        message = say("The outputs are added. They must stand one behind the other, as channels.")
        mistakes.append((sum(outputs), message))
        for axis, name in ((0, say("batch")), (2, say("height")), (3, say("width"))):
            message = say("The outputs are joined along the {name}. Which axis has the channels?", name=name)
            mistakes += [(np.concatenate(parts, axis=axis), message) for parts in (outputs, kept)]
    for wrong, message in mistakes:
        expect(Y.shape != wrong.shape or not same(Y.asnumpy(), wrong), message)
    Y = to_array(Y, wanted.shape, say("The output of {what}", what=what))
    sentence = "{what} has the right shape, but not the outputs of its paths one behind the other."
    expect(same(Y, wanted), sentence, what=what)
    return wanted


@exercises.add(
    "design",
    title="Half the price",
    difficulty="●●○",
    minutes=25,
    why="Bottlenecks are where a block is cheap to shrink: they change the cost, and not the shape of the output.",
    hints=(
        "d2l.summary(googlenet_28(my_splits), (1, 1, 28, 28)) shows what each layer costs: begin with the dearest.",
        "Not all of the work is in Inception blocks, and your splits change these only. How much is left for them?",
        "A bottleneck c2[0] or c3[0] may shrink a lot, and the output stays. Then train on all images.",
    ),
)
def design(my_splits, my_net):
    """Count the MACs, look whether the network has these blocks, and measure the test accuracy."""
    blocks = list(my_splits) if isinstance(my_splits, (tuple, list)) else []
    sentence = "my_splits must have the form ((c1, (c2a, c2), (c3a, c3), c4), ...); it is {given}."
    expect(blocks and all(map(_is_split, blocks)), sentence, given=shorten(repr(my_splits), 60))
    sizes = [size for c1, c2, c3, c4 in blocks for size in (c1, *c2, *c3, c4)]
    whole = all(isinstance(size, (int, np.integer)) and size is not True and size > 0 for size in sizes)
    expect(whole, "Channels are whole numbers above 0.")
    expect(len(blocks) > 1, "my_splits has one block, and there should be at least two.")
    macs = summary(GOOGLENET.googlenet_28(my_splits), (1, 1, 28, 28)).total_macs
    expect(macs <= MACS, "It needs {macs:,} MACs, and at most {most:,} are allowed.", macs=macs, most=MACS)
    good = isinstance(my_net, gluon.Block)
    expect(good, "my_net must be the trained network; this is a {kind}.", kind=type(my_net).__name__)
    expect(is_settled(my_net), "my_net has no weights yet, or not all of them. Train it with d2l.fit.")
    built = operators(GOOGLENET.googlenet_28(my_splits), (1, 1, 28, 28))
    expect(operators(my_net, (1, 1, 28, 28)) == built, "my_net is not googlenet_28(my_splits).")
    device = next(iter(my_net.collect_params().values())).list_ctx()[0]
    least = by_budget(smoke=0, cpu=0.82, gpu=0.82)
    accuracy, result = accuracy_of(my_net, device, least)
    advice = say("Train it longer, or on more images; then try other splits.")
    expect(accuracy >= least, join(result, advice))


def _is_split(split):
    form = isinstance(split, (tuple, list)) and len(split) == 4
    return form and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in split[1:3])


@exercises.add(
    "smoothing",
    title="Label smoothing",
    difficulty="●●●",
    minutes=25,
    why="A network that is asked for less than certainty becomes less sure of itself, and often no less right.",
    hints=(
        "nd.log_softmax(logits) are the log-probabilities. Cross-entropy is minus their sum, weighted by the targets.",
        "Every class gets ε / K: together ε times the mean of the log-probabilities. The true one gets 1 − ε more.",
        "nd.pick(log_p, y) takes the log-probability of each image's true class.",
    ),
)
def smoothing(smoothed_loss):
    """Compare losses and gradients with those in float64."""
    expect_callable(smoothed_loss)
    for batch, classes, epsilon, scale in ((7, 10, 0.1, 3), (5, 4, 0.3, 1), (6, 10, 0.0, 2), (4, 3, 0.1, 200)):
        logits = nd.array(RANDOM.normal(scale=scale, size=(batch, classes)))
        y = RANDOM.integers(classes, size=batch)
        loss = smoothed_loss(logits, nd.array(y, dtype="int32"), epsilon)
        sentence = "smoothed_loss must return an NDArray, not a {kind}."
        expect(isinstance(loss, nd.NDArray), sentence, kind=type(loss).__name__)
        one = loss.shape != (batch,) and loss.size == 1
        expect(not one, "It returns one number. A loss for d2l.train has one for each image: do not average over them.")
        z = logits.asnumpy().astype(np.float64)
        z = z - z.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        right = log_p[np.arange(batch), y]
        wanted = -(1 - epsilon) * right - epsilon * log_p.mean(axis=1)
        others = (log_p.sum(axis=1) - right) / (classes - 1)
        mistakes = (
            (-right, say("That is plain cross-entropy. Does it use epsilon?")),
            (-wanted, say("The sign is wrong: a loss is small where the prediction is good.")),
            (-(1 - epsilon) * right - epsilon * others, say("The true class gets a share of ε, too: all K get ε / K.")),
            (
                -right - epsilon * log_p.mean(axis=1),
                say("The targets must add up to 1. What is left for the true class?"),
            ),
            (-(1 - epsilon) * right - epsilon * log_p.sum(axis=1), say("Each class gets ε / K, and yours gets ε.")),
            (-(1 - epsilon) * right, say("The other classes have a target, too: ε / K.")),
            (-epsilon * right - (1 - epsilon) * log_p.mean(axis=1), say("ε and 1 − ε have changed places.")),
        )
        finite = np.isfinite(loss.asnumpy()).all()
        expect(finite, "For large logits it is not finite: log(softmax) underflows. Use nd.log_softmax.")
        loss = to_array(loss, (batch,), say("The loss"))
        sentence = "The loss for epsilon = {epsilon:g} and {classes} classes is not right."
        expect_same(loss, wanted, mistakes, say(sentence, epsilon=epsilon, classes=classes), 1e-4)
        expect_gradient(smoothed_loss, logits, y, epsilon, np.exp(log_p))


def expect_gradient(smoothed_loss, logits, y, epsilon, p):
    """Raise `NotYet` unless autograd gets p minus the targets."""
    logits.attach_grad()
    with mx.autograd.record():
        loss = smoothed_loss(logits, nd.array(y, dtype="int32"), epsilon)
    try:
        loss.backward()
    except mx.base.MXNetError:
        expect(False, "Autograd cannot follow it. Use functions of nd all the way, not NumPy.")
    targets = np.full(p.shape, epsilon / p.shape[1])
    targets[np.arange(len(y)), y] += 1 - epsilon
    expect(same(logits.grad.asnumpy(), p - targets, 1e-3), "The loss is right, but not its gradient.")
