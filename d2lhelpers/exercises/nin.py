"""Checks of chapter 3, NiN."""

import functools
import itertools

import numpy as np

from ..arguments import as_numpy
from ..language import say
from ..networks.graph import layers_of
from ..networks.summary import summary
from ..runtime import mx
from .comparing import (
    RANDOM,
    chapter,
    copy_parameters,
    draw_parameters,
    expect,
    expect_callable,
    expect_choice,
    expect_same,
    expect_same_options,
    operators,
    same,
    to_array,
    to_number,
)
from .judging import Exercises, join, shorten

autograd, gluon, init, nd = mx.autograd, mx.gluon, mx.init, mx.nd
nn = gluon.nn
exercises = Exercises("nin")
VGG = chapter("vgg")
NIN = chapter("nin")


def convolution(X, weight, bias):
    """Run MXNet's own 1 × 1 convolution in float64."""
    arrays = [nd.array(values, dtype="float64") for values in (X, weight[:, :, None, None], bias)]
    return nd.Convolution(*arrays, kernel=(1, 1), num_filter=len(bias)).asnumpy()


def one_by_one_arguments():
    """Yield random `X`, `weight` and `bias` of several shapes; first with equal sizes, where wrong axes would fit."""
    for batch, inputs, outputs, height, width in ((2, 4, 4, 4, 4), (3, 2, 5, 4, 6), (2, 6, 3, 7, 5), (1, 3, 3, 5, 2)):
        signs = RANDOM.choice((-1, 1), outputs)
        yield (
            RANDOM.normal(size=(batch, inputs, height, width)),
            RANDOM.normal(size=(outputs, inputs)),
            RANDOM.uniform(1, 3, outputs) * signs,
        )


def _output_for(X, weight):
    return say("The output for X of shape {X} and weight of shape {weight}", X=X.shape, weight=weight.shape)


@exercises.add(
    "by-hand",
    title="A 1 × 1 convolution without convolution",
    difficulty="●○○",
    minutes=10,
    why="This is all that a 1 × 1 convolution is: one matrix, applied to the channels of each pixel by itself.",
    hints=(
        "At every pixel: the output o is the sum over the inputs c of weight[o, c] times X at channel c, plus bias[o].",
        "@ multiplies along the last axes, and the channels are axis 1. Move that axis, or use np.einsum.",
        "np.einsum sums over a letter that is missing behind the arrow. Which letter must be missing in oc,bchw->bohw?",
        "The bias belongs to axis 1 of the output: bias[:, None, None] has the right shape.",
    ),
)
def by_hand(one_by_one):
    """Compare with MXNet's convolution."""
    expect_callable(one_by_one)
    for X, weight, bias in one_by_one_arguments():
        wanted, column = convolution(X, weight, bias), bias[:, None, None]
        answer = one_by_one(X.copy(), weight.copy(), bias.copy())
        shape = getattr(answer, "shape", None)
        one_image = len(X) > 1 and shape in (wanted.shape[1:], (1, *wanted.shape[1:]))
        expect(not one_image, "X has {count} images, and the output only one. Treat all of them.", count=len(X))
        answer = to_array(answer, wanted.shape, _output_for(X, weight))
        no_bias = wanted - column
        transposed = convolution(X, weight.T, bias) if len(set(weight.shape)) == 1 else 0
        mistakes = [
            (no_bias, say("The bias is missing.")),
            (np.maximum(wanted, 0), say("There is a ReLU in it. A convolution by itself has none.")),
            (transposed, say("The weight is transposed. Its rows belong to the outputs, its columns to the inputs.")),
            (wanted.swapaxes(2, 3), say("Height and width are swapped on the way.")),
        ]
        if len({*X.shape[1:], len(weight)}) == 1:
            mistakes.append((no_bias + bias, say("The bias is added along the width. Which axis has the outputs?")))
            message = say("The axes of the output are in the wrong order: (batch, outputs, height, width) is wanted.")
            mistakes += [(wanted.transpose(0, *order), message) for order in itertools.permutations((1, 2, 3))]
            sentence = "The sum runs along the {axis}. It must run over the channels; a reshape does not move them."
            for product, axis in ((weight @ X, say("height")), (X @ weight.T, say("width"))):
                message = say(sentence, axis=axis)
                mistakes += [(product + b, message) for b in (0, bias, bias[:, None], column)]
        for left in MISTAKES:
            message = say("A reshape mixes channels and pixels. It moves no numbers: move the channel axis first.")
            mistakes.append((dense_at_every_pixel(X, weight, bias, left), message))
        expect_same(answer, wanted, mistakes, say("The numbers are not those of nn.Conv2D with this weight and bias."))


LEFT = {
    "way in": say("A row of pixels must hold the channels of one pixel, and it does not."),
    "product": say("The matrix in the product is not the transposed weight: compare the two on a small example."),
    "way back": say("The rows of the result are pixels. Where do the outputs go when they are reshaped?"),
}
COUNTS = {3: say("All three are still in it."), 2: say("One is repaired."), 1: say("Two are repaired.")}
MISTAKES = [set(left) for number in (3, 2, 1) for left in itertools.combinations(LEFT, number)]


def dense_at_every_pixel(X, weight, bias, mistakes):
    """Return what comes out of the listing of `bug` with these mistakes left in it."""
    batch, inputs, height, width = X.shape
    pixels = (X if "way in" in mistakes else np.moveaxis(X, 1, -1)).reshape(-1, inputs)
    Y = pixels @ (weight.reshape(inputs, -1) if "product" in mistakes else weight.T) + bias
    if "way back" in mistakes:
        return Y.reshape(batch, -1, height, width)
    return np.moveaxis(Y.reshape(batch, height, width, -1), -1, 1)


@exercises.add(
    "bug",
    title="It runs, and the shape is right",
    difficulty="●●○",
    minutes=15,
    why="A reshape moves no numbers, it only cuts their row elsewhere. So every shape can be right, and every number "
    "wrong: compare with a reference.",
    hints=(
        "Let X be np.arange(12).reshape(1, 3, 2, 2), and print pixels. Does a row hold the channels of one pixel?",
        "All three mistakes are of the same kind: a reshape where axes have to change places.",
        "Before the first reshape the channels must be the last axis: X.transpose(0, 2, 3, 1). And weight needs .T.",
        "On the way back: reshape to (batch, height, width, outputs), then move the last axis to place 1.",
    ),
)
def bug(repaired):
    """Compare with MXNet's convolution, and with the listing where some of its mistakes are left."""
    expect_callable(repaired)
    for X, weight, bias in one_by_one_arguments():
        wanted = convolution(X, weight, bias)
        answer = repaired(X.copy(), weight.copy(), bias.copy())
        answer = to_array(answer, wanted.shape, _output_for(X, weight))
        mistakes = []
        for left in MISTAKES:
            messages = [COUNTS[len(left)], *(LEFT[mistake] for mistake in LEFT if mistake in left)]
            mistakes.append((dense_at_every_pixel(X, weight, bias, left), functools.reduce(join, messages)))
        mistakes.append((wanted - bias[:, None, None], say("Now the bias is missing, which was right before.")))
        otherwise = say("The numbers are not those of a 1 × 1 convolution. Compare with one_by_one on a small example.")
        expect_same(answer, wanted, mistakes, otherwise)


@exercises.add(
    "guess-loss",
    title="The loss of a blind guess",
    difficulty="●○○",
    minutes=5,
    why="The logarithm of the number of classes is the loss of a blind guess. Know it, and you recognise a plateau.",
    hints=(
        "Whoever guesses blindly among n classes gives each of them the probability 1/n.",
        "The loss is −ln of the probability that the true class gets. The text has it for ten classes.",
        "So the loss is ln(n). For the second number turn that round: which n has ln(n) = 1.609?",
    ),
)
def guess_loss(loss, classes):
    """Compare with ln 1000 and exp 1.609."""
    loss, classes = to_number(loss, say("The loss")), to_number(classes, say("The number of classes"))
    natural = say("The losses here use the natural logarithm, to the base e.")
    negative = say("A cross-entropy is never negative: the logarithm of a probability is, so it gets a minus.")
    mistakes = (
        (np.log2(1000), natural),
        (np.log10(1000), natural),
        (-np.log(1000), negative),
        (np.log(10), say("That is the plateau of ten classes, and there are a thousand.")),
        (1 / 1000, say("That is the probability of each class. Which loss belongs to it?")),
        (1 - 1 / 1000, say("That is how often the guess is wrong. Which loss belongs to it?")),
    )
    otherwise = say("The loss is not {loss:g}. Which probability gets the true class?", loss=loss)
    expect_same(loss, np.log(1000), mistakes, otherwise, 0.005)
    mistakes = (
        (2**1.609, natural),
        (10**1.609, natural),
        (10, say("Between ten classes the loss would be 2.303: this network knows a little more.")),
        (np.exp(-1.609), say("That is the probability of each class. So how many are there?")),
        (10 * 1.609 / np.log(10), say("The loss is no share of 2.303: it grows with the logarithm of the classes.")),
    )
    otherwise = say("A blind guess between {classes:g} classes has another loss.", classes=classes)
    expect_same(classes, np.exp(1.609), mistakes, otherwise, 0.01)


@exercises.add(
    "memory",
    title="How much memory?",
    difficulty="●●○",
    minutes=15,
    why="With 128 images, VGG-11 keeps 4.6 GB of outputs beside 0.5 GB of parameters. Only the outputs grow with the "
    "batch and with the picture.",
    hints=(
        "A row of d2l.summary is a whole block. So take the blocks apart: put all layers into one nn.HybridSequential.",
        "isinstance(part, (nn.Sequential, nn.HybridSequential)) tells a block from a layer; blocks may hold blocks.",
        "An output of shape (96, 54, 54) has 96 × 54 × 54 numbers: np.prod multiplies them. The batch is left out.",
        "Add up over the rows, then multiply by four bytes, and by input_shape[0], the images of the batch.",
    ),
)
def memory(prediction, activation_memory):
    """Compare with the outputs of all layers of several networks."""
    prediction = expect_choice(prediction, ("outputs", "parameters"))
    expect_callable(activation_memory)
    dense = nn.Sequential()
    dense.add(nn.Dense(int(RANDOM.integers(5, 20))), nn.Dense(3))
    for name, net, image in (
        (say("NiN with few channels"), NIN.nin(ratio=8), (1, 96, 96)),
        (say("VGG with few channels"), VGG.vgg(VGG.slim(VGG.VGG_11)), (1, 64, 96)),
        (say("two dense layers"), dense, (int(RANDOM.integers(20, 40)),)),
    ):
        batch = int(RANDOM.choice((3, 5, 7)))
        shape = (batch, *image)
        what = say("For {name} and input_shape {shape}, the memory", name=name, shape=shape)
        answer = to_number(activation_memory(net, shape), what)
        rights, mistakes = _bytes_of(net, image, batch)
        if any(same(answer, right, 1e-9) for right in rights):
            continue
        sentence = "For {name} and input_shape {shape} it must be {right:,} bytes; it is {answer:,g}."
        otherwise = say(sentence, name=name, shape=shape, right=rights[0], answer=answer)
        expect_same(answer, rights[0], mistakes, otherwise, 1e-9)
    sentence = "The function is right, your prediction is not: use it on vgg(VGG_11), with 128 images of 224 × 224."
    expect(prediction == "outputs", sentence)


def _bytes_of(net, image, batch):
    """Return what may be answered, by whether a ReLU and a Flatten count as layers, and what comes out of mistakes."""
    flat = nn.HybridSequential()
    flat.add(*layers_of(net))
    table = summary(net, (batch, *image))
    numbers = {"": 0, "Activation": 0, "Flatten": 0, "inside": 0}
    for layer, row in zip(flat, summary(flat, (batch, *image)).layers, strict=True):
        kind = type(layer).__name__
        numbers[kind if kind in numbers else ""] += int(np.prod(row.output_shape))
        numbers["inside"] += int(np.prod(row.output_shape)) * (getattr(layer, "act", None) is not None)
    whole, view, relu = numbers[""], numbers["Flatten"], numbers["Activation"] + numbers["inside"]
    rights = [4 * batch * (whole + extra) for extra in (numbers["Activation"] + view, 0, view, relu, relu + view)]
    rows = sum(int(np.prod(row.output_shape)) for row in table.layers)
    right, one = rights[0], rights[0] // batch
    last = int(np.prod(table.layers[-1].output_shape))
    both = say("You count the numbers of one image. How many images has the batch, and how many bytes a number?")
    twice = say("The batch is counted twice: the rows leave the batch axis out, so multiply by it once.")
    inside = say("A row of d2l.summary is a whole block, and shows its last output only. Count the outputs inside it.")
    return rights, (
        (one, say("That is the memory for one image. The batch has more.")),
        (right // 4, say("You count numbers. How many bytes has each?")),
        (one // 4, both),
        (batch * right, twice),
        (2 * right, say("Each number has four bytes here, not eight.")),
        (right / 1e6, say("Give the memory in bytes, not in thousands or millions.")),
        (right / 2**20, say("Give the memory in bytes, not in units of 2²⁰.")),
        (4 * batch * last, say("That is the output of the last row only. All layers are kept.")),
        (4 * table.total_params, say("That is the memory of the parameters. Look at the outputs.")),
        (table.total_params, say("That is the number of parameters. Look at the outputs.")),
        (4 * batch * table.total_params, say("The parameters are the same for all images. Look at the outputs.")),
        (right + 4 * batch * int(np.prod(image)), say("The input is no output of a layer: add up the rows only.")),
        (4 * batch * rows, inside),
    )


def right_block(num_channels, kernel_size, strides, padding, norm=None):
    """Return a block like the chapter's, with 3 × 3 in the place of 1 × 1."""
    block = nn.HybridSequential()
    block.add(
        NIN.conv_relu(num_channels, kernel_size, strides, padding, norm),
        NIN.conv_relu(num_channels, kernel_size=3, padding=1, norm=norm),
        NIN.conv_relu(num_channels, kernel_size=3, padding=1, norm=norm),
    )
    return block


@exercises.add(
    "three",
    title="3 × 3 instead of 1 × 1",
    difficulty="●●○",
    minutes=15,
    why="Nine times the weights and the work for what was nearly free: that is why the network at a pixel looks at one "
    "pixel only.",
    hints=(
        "A kernel of 1 × 1 has one weight for each pair of channels. How many has one of 3 × 3?",
        "Start from nin_block. A convolution of 3 × 3 would lose a pixel on every side.",
        "conv_relu(num_channels, kernel_size=3, padding=1, norm=norm), twice, after the convolution that stays.",
    ),
)
def three(prediction, block_3x3):
    """Compare the block with the chapter's, layer by layer, then on the same parameters."""
    prediction = to_number(prediction, say("Your prediction"))
    mistakes = (
        (3, say("3 × 3 is three pixels wide and three high. How many weights are that for each pair of channels?")),
        (1 / 9, say("That is how many times fewer the 1 × 1 layers have. Turn it round.")),
        (18, say("That counts both layers of one block against one layer of the other.")),
    )
    otherwise = say("{prediction:g} times as many is not right. Count them for 2 channels.", prediction=prediction)
    expect_same(prediction, 9, mistakes, otherwise, 0.01)
    expect_callable(block_3x3)
    for norm in (None, nn.BatchNorm):
        arguments = (6, 5, 2, 2) if norm else (4, 7, 1, 1)
        net, reference = block_3x3(*arguments, norm), right_block(*arguments, norm)
        what = f"block_3x3{arguments[:4]}"
        what = say("{what} with batch norm", what=what) if norm else what
        expect(isinstance(net, gluon.Block), "{what} must return a block. Is there a return?", what=what)
        steps, wanted = operators(net, (2, 3, 21, 21)), operators(reference, (2, 3, 21, 21))
        names, expected = [name for name, _ in steps], [name for name, _ in wanted]
        expect(names.count("conv 1×1") == 0, "{what} still has a 1 × 1 convolution.", what=what)
        convs = [name for name in names if name.startswith("conv")]
        right = [name for name in expected if name.startswith("conv")]
        sentence = "{what} has the convolutions {convs}; it should have {right}."
        expect(convs == right, sentence, what=what, convs=", ".join(convs), right=", ".join(right))
        counts = names.count("norm"), expected.count("norm")
        sentence = "{what} has {count} batch norms; it should have {wanted}. Use norm."
        expect(counts[0] == counts[1], sentence, what=what, count=counts[0], wanted=counts[1])
        _expect_same_network(net, reference, (2, 3, 21, 21), what, "nin_block")


def _expect_same_network(net, reference, shape, what, original):
    """Raise `NotYet` unless two networks do the same steps, with the same shapes and options and the same results."""
    steps, wanted = operators(net, shape), operators(reference, shape)
    names, expected = ([name for name, _ in one] for one in (steps, wanted))
    yours = shorten(", ".join(names), 200)
    sentence = "Else {what} must be as {original} is: convolution, norm, ReLU … Yours does: {yours}."
    expect(names == expected, sentence, what=what, original=original, yours=yours)
    for (name, ours), (_, theirs) in zip(steps, wanted, strict=True):
        sentence = "In {what} the output of a {name} has the shape {ours}, and it should have {theirs}."
        expect(ours == theirs, sentence, what=what, name=name, ours=ours, theirs=theirs)
    expect_same_options(net, reference, what)
    X = nd.array(RANDOM.uniform(size=shape))
    for network, weights in ((net, init.Zero()), (reference, init.MSRAPrelu(factor_type="in", slope=0))):
        network.initialize(weights, force_reinit=True)
        Y = network(X[:1])
    to_array(net(X[:1]), Y.shape, say("The output of {what} for one image", what=what))
    draw_parameters(reference)
    copy_parameters(reference, net)
    sentence = "With the same weights {what} computes something else than it should. Compare it with {original}."
    expect(same(net(X).asnumpy(), reference(X).asnumpy(), 1e-3), sentence, what=what, original=original)


def nin_ending(*end, norm=None, **options):
    """Return the chapter's NiN with another last block, the conv_relus of which have these arguments."""
    net = nn.HybridSequential()
    net.add(*list(NIN.nin(norm, **options))[:-3])
    block = nn.HybridSequential()
    block.add(*[NIN.conv_relu(*arguments, norm=norm, **others) for *arguments, others in end])
    net.add(block, nn.GlobalAvgPool2D(), nn.Flatten())
    return net


@exercises.add(
    "one-step",
    title="From 384 channels to 10 in one step",
    difficulty="●●○",
    minutes=15,
    why="The paper's last block stays wide up to its last layer. So the small network at each pixel has more than ten "
    "hidden units.",
    hints=(
        "Only the last block changes. net = nin(norm, ratio, last_pool); net[:-3] is all before it.",
        "The last block has three conv_relu: 3 × 3 with padding 1, and two of 1 × 1. Which of them has ten channels?",
        "net[:-3] is a network, to which you can add: the three, nn.GlobalAvgPool2D() and nn.Flatten().",
    ),
)
def one_step(nin_late):
    """Compare with the chapter's network, with its last block widened."""
    expect_callable(nin_late)
    for norm, ratio, last_pool in ((None, 8, False), (nn.BatchNorm, 4, True)):
        net, wide, side = nin_late(norm, ratio, last_pool), 384 // ratio, 96
        what = f"nin_late({'nn.BatchNorm' if norm else None}, {ratio}, {last_pool})"
        expect(isinstance(net, gluon.Block), "{what} must return a network. Is there a return?", what=what)
        end = (wide, 3, 1, 1, {}), (wide, 1, {}), (10, 1, {})
        reference = nin_ending(*end, norm=norm, ratio=ratio, last_pool=last_pool)
        steps = operators(net, (2, 1, side, side))
        channels = [shape[0] for name, shape in steps if name.startswith("conv")]
        sentence = "{what} must have twelve convolutions, like nin; it has {channels}."
        expect(len(channels) == 12, sentence, what=what, channels=len(channels))
        expect(channels[9:] != [10] * 3, "The last block still goes to ten channels in its first convolution.")
        sentence = "The last convolution must have ten channels, one for each class; it has {channels}."
        expect(channels[-1] == 10, sentence, channels=channels[-1])
        sentence = "The last block of {what} has {channels} channels. Only the last convolution should reduce {wide}."
        expect(channels[9:] == [wide, wide, 10], sentence, what=what, channels=channels[9:], wide=wide)
        _expect_same_network(net, reference, (2, 1, side, side), what, "nin")


@exercises.add(
    "last-relu",
    title="One more suspect: the last ReLU",
    difficulty="●●○",
    minutes=20,
    why="Dead logits are a risk of their own, but they do not make the plateau: it is still there without them. Test a "
    "suspect before you believe in it.",
    hints=(
        "conv_relu has an argument relu. As in the exercise before, only the last block changes.",
        "net(X) has a row for each picture and a column for each class. When is a column dead?",
        "(net(X) == 0) is 1 where a logit is 0. A column is dead where that is so in every row: .min(axis=0).",
    ),
)
def last_relu(nin_bare, dead_logits):
    """Compare with the chapter's network without its last ReLU; show `dead_logits` a network whose logits are known."""
    expect_callable(nin_bare, dead_logits)
    for ratio, last_pool in ((8, False), (4, True)):
        net, what = nin_bare(ratio, last_pool), f"nin_bare({ratio}, {last_pool})"
        expect(isinstance(net, gluon.Block), "{what} must return a network. Is there a return?", what=what)
        names = [name for name, _ in operators(net, (2, 1, 96, 96))]
        expect("norm" not in names, "There is batch norm in {what}. The runs that do not start have none.", what=what)
        relus = names.count("relu")
        expect(relus != 12, "{what} still has all twelve ReLUs.", what=what)
        expect(relus == 11, "{what} has {relus} ReLUs. Leave out only the last of the twelve.", what=what, relus=relus)
        end = (10, 3, 1, 1, {}), (10, 1, {}), (10, 1, {"relu": False})
        reference = nin_ending(*end, ratio=ratio, last_pool=last_pool)
        _expect_same_network(net, reference, (2, 1, 96, 96), what, "nin")
    for dead in (3, 0, 7):
        _expect_dead(dead_logits, dead)


def _expect_dead(dead_logits, dead):
    """Compare for pictures that are their own logits, with so many columns of zeros, and other zeros here and there."""
    logits = RANDOM.uniform(0.5, 2, size=(12, 10))
    columns = RANDOM.permutation(10)[:dead]
    logits[RANDOM.permutation(12)[:5], RANDOM.permutation(10)[:5]] = 0
    logits[RANDOM.integers(12)] = 0  # a picture without any
    logits[:, columns] = 0
    net = nn.Sequential()
    net.add(nn.Lambda(lambda X: X.reshape((len(X), 10))))
    answer = to_number(dead_logits(net, nd.array(logits.reshape(12, 1, 2, 5))), "dead_logits(net, X)")
    zeros = logits == 0
    mistakes = (
        (zeros.sum(), say("That is how many zeros there are. A logit is dead if it is 0 for all pictures.")),
        (zeros.any(axis=0).sum(), say("Those are the logits that are 0 for some picture. Dead ones are 0 for all.")),
        (zeros.all(axis=1).sum(), say("Those are the pictures whose logits are all 0. Which axis has the classes?")),
        (10 - dead, say("Those are the logits that are alive.")),
        (dead / 10, say("That is their share. Return how many there are.")),
    )
    sentence = "Of ten logits {dead} are 0 for all pictures, and the answer is {answer:g}."
    expect_same(answer, dead, mistakes, say(sentence, dead=dead, answer=answer))


@exercises.add(
    "adam",
    title="Adam: predict from the figure",
    difficulty="●●●",
    minutes=25,
    why="The first step of Adam is about as large as the learning rate, however small the gradient. So it needs no "
    "larger signal to leave the plateau.",
    hints=(
        "SGD's step is the learning rate times the gradient: read the gradient off the right panel.",
        "Adam divides the mean of the gradients by the root of the mean of their squares. After one batch, both are of "
        "that batch: what is g / √(g²)?",
        "Run net(X[:1]), so that the weights have shapes, and copy them: weight.data(ctx).asnumpy() of all in "
        "net.collect_params('.*conv.*weight').values().",
        "One step: record net(X) and the loss, backward, gluon.Trainer(net.collect_params(), optimizer, {...}).step(1) "
        "for the mean of the losses.",
    ),
)
def adam(prediction, step_sizes):
    """Compare the steps with those of a copy, for several networks and optimizers."""
    prediction = to_number(prediction, say("Your prediction"))
    expect_callable(step_sizes)
    for optimizer in ("adam", "sgd", "sgd"):
        lr, what = float(RANDOM.uniform(0.01, 0.1)), f'step_sizes(net, X, y, "{optimizer}", lr)'  # at 1/6 lr² is lr/6
        net, X, y = _small_network(), nd.array(RANDOM.normal(size=(6, 2, 5, 5))), nd.array(RANDOM.integers(0, 10, 6))
        net(X)
        weights = [weight.data().asnumpy() for weight in net.collect_params(".*conv.*weight").values()]
        wanted, gradients = _first_step(net, X, y, optimizer, lr)
        sizes = step_sizes(net, X, y, optimizer, lr)
        expect(sizes is not None, "{what} returns None. Is there a return?", what=what)
        good = isinstance(sizes, (list, tuple, np.ndarray)) and len(sizes) in (3, 6)
        sentence = "{what} must return a list, with a number for each convolution's weights; here there are three."
        expect(good, sentence, what=what)
        expect(len(sizes) == 3, "{what} returns six numbers for three convolutions. Leave out the biases.", what=what)
        sizes = np.array([to_number(size, say("A number that {what} returns", what=what)) for size in sizes])
        summed = say("The gradient is summed over the batch. Take the mean of the losses, or give step() its size.")
        mistakes = [
            (gradients, say("Those are the gradients. How far does a step move the weights?")),
            (lr * gradients, say("That is what SGD would do. Train with the optimizer that is given.")),
            (wanted / 6, say("The gradient is divided by the batch twice: by the mean of the losses, and in step().")),
            (wanted * 6, summed),
            (wanted / lr, say("The learning rate is missing.")),
            (wanted**2, say("That is the mean of the squares. The RMS is its root.")),
            ([np.sqrt(np.square(weight).mean()) for weight in weights], say("That is how large the weights are.")),
            (0 * wanted, say("The weights have not moved. Are they copied before the step, and is the step taken?")),
        ]
        values = {"what": what, "wanted": wanted.round(5), "sizes": sizes.round(5)}
        close = 0.05 if optimizer == "adam" else 1e-3  # a gradient of another size changes Adam's step a little
        expect_same(sizes, wanted, mistakes, say("{what} should be {wanted}; it is {sizes}.", **values), close)
    mistakes = (
        (1, say("Measured in learning rates that may be right. In the units of the weights it is smaller.")),
        (0, say("It is not 0: Adam divides by the size of the gradient, which is as small.")),
    )
    otherwise = say("The function is right, your prediction is not: measure, and look.")
    expect_same(prediction, 0.001, mistakes, otherwise, 0.5)


def _small_network():
    """Return an initialised network of three convolutions without dropout."""
    net = nn.HybridSequential()
    net.add(NIN.conv_relu(4, 3), NIN.conv_relu(5, 1), nn.Conv2D(10, 1), nn.GlobalAvgPool2D(), nn.Flatten())
    net.initialize(init.Xavier())
    return net


def _first_step(net, X, y, optimizer, lr):
    """Return the RMS of the first step of each convolution's weights, and of its gradient; the step is taken back."""
    before = {parameter: parameter.data().copy() for parameter in net.collect_params().values()}
    weights = net.collect_params(".*conv.*weight").values()
    with autograd.record():
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y).mean()
    loss.backward()
    gluon.Trainer(net.collect_params(), optimizer, {"learning_rate": lr}).step(1)
    sizes, gradients = (
        np.array([np.sqrt(np.square(as_numpy(values)).mean()) for values in arrays])
        for arrays in ([weight.data() - before[weight] for weight in weights], [weight.grad() for weight in weights])
    )
    for parameter, values in before.items():
        parameter.set_data(values)
    return sizes, gradients
