"""Checks of chapter 3, NiN."""

import itertools

import numpy as np

from ..arguments import as_numpy
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
    globals_of,
    operators,
    replaced,
    same,
    to_array,
    to_number,
)
from .judging import Exercises, NotYet, shorten

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
        expect(not one_image, f"X has {len(X)} images, and the output only one. Treat all of them.")
        answer = to_array(
            answer, wanted.shape, f"The output for X of shape {X.shape} and weight of shape {weight.shape}"
        )
        no_bias = wanted - column
        transposed = convolution(X, weight.T, bias) if len(set(weight.shape)) == 1 else 0
        mistakes = [
            (no_bias, "The bias is missing."),
            (np.maximum(wanted, 0), "There is a ReLU in it. A convolution by itself has none."),
            (transposed, "The weight is transposed. Its rows belong to the outputs, its columns to the inputs."),
            (wanted.swapaxes(2, 3), "Height and width are swapped on the way."),
        ]
        if len({*X.shape[1:], len(weight)}) == 1:
            mistakes.append((no_bias + bias, "The bias is added along the width. Which axis has the outputs?"))
            message = "The axes of the output are in the wrong order: (batch, outputs, height, width) is wanted."
            mistakes += [(wanted.transpose(0, *order), message) for order in itertools.permutations((1, 2, 3))]
            for product, axis in ((weight @ X, "height"), (X @ weight.T, "width")):
                message = f"The sum runs along the {axis}. It must run over the channels; a reshape does not move them."
                mistakes += [(product + b, message) for b in (0, bias, bias[:, None], column)]
        for left in MISTAKES:
            message = "A reshape mixes channels and pixels. It moves no numbers: move the channel axis first."
            mistakes.append((dense_at_every_pixel(X, weight, bias, left), message))
        expect_same(answer, wanted, mistakes, "The numbers are not those of nn.Conv2D with this weight and bias.")


LEFT = {
    "way in": "A row of pixels must hold the channels of one pixel, and it does not.",
    "product": "The matrix in the product is not the transposed weight: compare the two on a small example.",
    "way back": "The rows of the result are pixels. Where do the outputs go when they are reshaped?",
}
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
        answer = to_array(
            answer, wanted.shape, f"The output for X of shape {X.shape} and weight of shape {weight.shape}"
        )
        mistakes = []
        for left in MISTAKES:
            message = " ".join(LEFT[mistake] for mistake in LEFT if mistake in left)
            count = {3: "All three are still in it", 2: "One is repaired", 1: "Two are repaired"}[len(left)]
            mistakes.append((dense_at_every_pixel(X, weight, bias, left), f"{count}. {message}"))
        mistakes.append((wanted - bias[:, None, None], "Now the bias is missing, which was right before."))
        otherwise = "The numbers are not those of a 1 × 1 convolution. Compare with one_by_one on a small example."
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
    loss, classes = to_number(loss, "The loss"), to_number(classes, "The number of classes")
    natural = "The losses here use the natural logarithm, to the base e."
    mistakes = (
        (np.log2(1000), natural),
        (np.log10(1000), natural),
        (-np.log(1000), "A cross-entropy is never negative: the logarithm of a probability is, so it gets a minus."),
        (np.log(10), "That is the plateau of ten classes, and there are a thousand."),
        (1 / 1000, "That is the probability of each class. Which loss belongs to it?"),
        (1 - 1 / 1000, "That is how often the guess is wrong. Which loss belongs to it?"),
    )
    expect_same(
        loss, np.log(1000), mistakes, f"The loss is not {loss:g}. Which probability gets the true class?", 0.005
    )
    mistakes = (
        (2**1.609, natural),
        (10**1.609, natural),
        (10, "Between ten classes the loss would be 2.303: this network knows a little more."),
        (np.exp(-1.609), "That is the probability of each class. So how many are there?"),
        (10 * 1.609 / np.log(10), "The loss is no share of 2.303: it grows with the logarithm of the classes."),
    )
    otherwise = f"A blind guess between {classes:g} classes has another loss."
    expect_same(classes, np.exp(1.609), mistakes, otherwise, 0.01)


def nin_with(num_one_by_one, ratio):
    """Return the chapter's NiN with batch norm, and only the first 1 × 1 convolutions of each block."""
    net = nn.HybridSequential()
    for part in NIN.nin(nn.BatchNorm, ratio):
        net.add(part[: 1 + num_one_by_one] if isinstance(part, nn.HybridSequential) else part)
    return net


@exercises.add(
    "one-layer",
    title="Why two?",
    difficulty="●●○",
    minutes=15,
    why="Two 1 × 1 convolutions are a choice, not a law. A layer has to earn its place, and only a comparison tells.",
    hints=(
        "Start from nin and nin_block. What is written there twice must become a loop.",
        "conv_relu(channels, 1, norm=nn.BatchNorm) is one 1 × 1 convolution with its batch norm and its ReLU.",
        "The last block, with ten channels, is a block as well: its number of 1 × 1 convolutions changes, too.",
    ),
)
def one_layer(nin_small):
    """Count the layers; then compare with the chapter's network, shortened, on the same parameters."""
    expect_callable(nin_small)
    ratio, shape = globals_of(nin_small).get("ratio", 4), (2, 1, 96, 96)
    for number in (2, 0, 1):
        net, what = nin_small(number), f"nin_small({number})"
        expect(isinstance(net, gluon.Block), f"{what} must return a network. Is there a return?")
        steps = operators(net, shape)
        names = [name for name, _ in steps]
        convs = [i for i, name in enumerate(names) if name.startswith("conv")]
        small = names.count("conv 1×1")
        _expect_convolutions(what, number, names, small)
        width = steps[convs[0]][1][0]
        expect(
            width == 96 // ratio, f"The first convolution of {what} has {width} channels. Are they divided by ratio?"
        )
        for kind, name in (("norm", "batch norm"), ("relu", "ReLU")):
            count = names.count(kind)
            expect(
                count == len(convs),
                f"{what} has {len(convs)} convolutions and {count} {name} layers. Each convolution has one.",
            )
        expect(names.count("dropout") == 1, f"{what} must have one dropout, like nin.")
        before = sum(i < names.index("dropout") for i in convs)
        expect(before == 3 * (1 + number), f"In {what} the dropout must come right before the last block.")
        _expect_network_of_the_chapter(net, nin_with(number, ratio), shape, what)


def _expect_convolutions(what, number, names, small):
    large = [name for name in names if name.startswith("conv") and name != "conv 1×1"]
    expected = ["conv 11×11", "conv 5×5", "conv 3×3", "conv 3×3"]
    expect(large == expected, f"Besides 1 × 1, {what} must have the convolutions of nin; it has {', '.join(large)}.")
    last = number > 0 and small == 3 * number
    expect(not last, f"The last block of {what} lacks its 1 × 1 convolutions. It is a block like the others.")
    always = number != 2 and small == 8
    expect(not always, f"{what} still has two 1 × 1 convolutions a block: does it use num_one_by_one?")
    expect(
        small == 4 * number,
        f"{what} has {small} 1 × 1 convolutions. In four blocks with {number} each there must be {4 * number}.",
    )


def _expect_network_of_the_chapter(net, reference, shape, what):
    X = nd.array(RANDOM.uniform(size=shape))
    for network, weights in ((reference, init.MSRAPrelu(factor_type="in", slope=0)), (net, init.Zero())):
        network.initialize(weights, force_reinit=True)
        Y = network(X[:1])
    expect_same_options(net, reference, what)
    to_array(Y, (1, 10), f"The output of {what} for an image of {shape[2]} × {shape[3]}")
    draw_parameters(reference)
    copy_parameters(reference, net)
    message = (
        f"With the same weights {what} computes something else. Are order, strides, padding and pooling those of nin?"
    )
    expect(same(net(X).asnumpy(), reference(X).asnumpy(), 1e-3), message)


@exercises.add(
    "memory",
    title="How much memory?",
    difficulty="●●○",
    minutes=10,
    why="The outputs grow with the batch, the parameters do not. With 128 images, VGG-11's outputs take more memory "
    "than its parameters.",
    hints=(
        "d2l.summary(net, input_shape).layers is a tuple of rows, and each has an output_shape without the batch axis.",
        "An output of shape (96, 54, 54) has 96 × 54 × 54 numbers. np.prod multiplies them.",
        "Add up over the rows, then multiply by four bytes, and by input_shape[0], the images of the batch.",
    ),
)
def memory(prediction, activation_memory):
    """Compare with the rows of `summary` for several networks."""
    prediction = expect_choice(prediction, ("NiN", "VGG-11"))
    expect_callable(activation_memory)
    dense = nn.Sequential()
    dense.add(nn.Dense(int(RANDOM.integers(5, 20))), nn.Dense(3))
    for name, net, image in (
        ("NiN with few channels", NIN.nin(ratio=8), (1, 96, 96)),
        ("VGG with few channels", VGG.vgg(VGG.slim(VGG.VGG_11)), (1, 64, 96)),
        ("two dense layers", dense, (int(RANDOM.integers(20, 40)),)),
    ):
        batch = int(RANDOM.choice((3, 5, 7)))
        bytes_of = _bytes_of(net, image, batch)
        wanted = bytes_of.pop("right")
        what = f"For {name} and input_shape {(batch, *image)}"
        answer = to_number(activation_memory(net, (batch, *image)), f"{what}, the memory")
        mistakes = [(wrong, message) for message, wrong in bytes_of.items()]
        expect_same(answer, wanted, mistakes, f"{what} it must be {wanted:,} bytes; it is {answer:,g}.", 1e-9)
    message = "The function is right, your prediction is not: use it on nin() and on vgg(VGG_11), both at 224."
    expect(prediction == "VGG-11", message)


def _bytes_of(net, image, batch):
    """Return the memory that is wanted, and what comes out of mistakes."""
    flat = nn.HybridSequential()
    flat.add(*layers_of(net))
    table = summary(net, (batch, *image))
    numbers, all_layers = (
        sum(int(np.prod(row.output_shape)) for row in rows.layers) for rows in (table, summary(flat, (batch, *image)))
    )
    right = 4 * batch * numbers
    return {
        "right": right,
        "That is the memory for one image. The batch has more.": 4 * numbers,
        "You count numbers. How many bytes has each?": batch * numbers,
        "You count the numbers of one image. How many images has the batch, and how many bytes a number?": numbers,
        "The batch is counted twice: the rows leave the batch axis out, so multiply by it once.": batch * right,
        "Each number has four bytes here, not eight.": 2 * right,
        "Give the memory in bytes, not in thousands or millions.": right / 1e6,
        "Give the memory in bytes, not in units of 2²⁰.": right / 2**20,
        "That is the output of the last row only. All rows are kept.": 4
        * batch
        * int(np.prod(table.layers[-1].output_shape)),
        "That is the memory of the parameters. Look at the outputs.": 4 * table.total_params,
        "That is the number of parameters. Look at the outputs.": table.total_params,
        "The parameters are the same for all images. Look at the outputs.": 4 * batch * table.total_params,
        "The input is no output of a layer: add up the rows only.": right + 4 * batch * int(np.prod(image)),
        "You look inside the blocks. Here only the rows of d2l.summary count.": 4 * batch * all_layers,
    }


@exercises.add(
    "dense-head",
    title="What did global average pooling save?",
    difficulty="●○○",
    minutes=10,
    why="With ten classes this head has 96,010 parameters, the last block of NiN 34,790. The large savings are the "
    "layers of 4,096 that are not there.",
    hints=(
        "Print list(nin()). Which of these layers stay, and which are replaced?",
        "The last three go: the block with ten channels, the pooling and nn.Flatten. Dropout stays.",
        "A loop over list(nin())[:-3] can add the layers to a new nn.HybridSequential; then comes nn.Dense(10).",
    ),
)
def dense_head(nin_dense):
    """Compare with the chapter's network, layer by layer, without running either."""
    expect_callable(nin_dense)
    net, nin, shape = nin_dense(), NIN.nin(), (1, 1, 224, 224)
    expect(isinstance(net, gluon.Block), "nin_dense must return a network. Is there a return?")
    steps, reference = operators(net, shape), operators(nin, shape)
    names = [name for name, _ in steps]
    body = reference[: [name for name, _ in reference].index("dropout") + 1]
    dense = names.count("dense")
    expect(dense > 0, "There is no dense layer in it.")
    message = "The pooling over all pixels is still there. So the dense layer no longer sees where anything is."
    expect("global pool" not in names, message)
    convs = sum(name.startswith("conv") for name in names)
    expect(convs != 12, "The last block is still there. The dense layer takes its place as well.")
    expect(dense == 1, f"There are {dense} dense layers. Replace the end by one only.")
    expect("norm" not in names, "There is batch norm in it, and nin() has none.")
    expect("dropout" in names, "The dropout of nin is gone. It belongs to what stays.")
    expect(names[-1] == "dense", f"Behind the dense layer comes {names[-1]}. Its outputs are the logits already.")
    expected = [name for name, _ in body]
    order = shorten(", ".join(names), 300)
    expect(names[:-1] == expected, f"Up to the dense layer it must be like nin(). Yours does: {order}.")
    for (name, ours), (_, theirs) in zip(steps, body, strict=False):
        message = (
            f"For images of 224 × 224 the output of a {name} has the shape {theirs} in nin(), and {ours} in yours."
        )
        expect(ours == theirs, message)
    expect_same_options(net, nin, "nin_dense()")
    expect(steps[-1][1] == (10,), f"The output must be 10 numbers an image; its shape is {steps[-1][1]}.")
    counts = summary(nin, shape)
    last_block = next(row.params for row in counts.layers if row.output_shape == (10, 5, 5))
    wanted = counts.total_params - last_block + 384 * 5 * 5 * 10 + 10
    total = summary(net, shape).total_params
    expect(total == wanted, f"It has {total:,} parameters, and it should have {wanted:,}.")


def make_batches(kinds):
    """Return batches of pictures that are ten maps each, with so many (right, wrong) predictions a batch.

    Returns:
        tuple[list, list]: the batches, and for all pictures (whether wrong, picture, true label, prediction).
    """
    batches, everything = [], []
    for right, wrong in kinds:
        bad = RANDOM.permutation([False] * right + [True] * wrong)
        predicted = RANDOM.integers(0, 10, len(bad))
        truth = np.where(bad, (predicted + RANDOM.integers(1, 10, len(bad))) % 10, predicted)
        maps = RANDOM.normal(0, 0.2, size=(len(bad), 10, 8))
        maps[np.arange(len(bad)), predicted] += 2
        X = nd.array(maps.reshape(-1, 1, 8, 10))
        batches.append((X, nd.array(truth, dtype="int32")))
        everything += zip(bad, X.asnumpy()[:, 0], truth, predicted, strict=True)
    return batches, everything


@exercises.add(
    "wrong",
    title="Where it went wrong",
    difficulty="●●○",
    minutes=15,
    why="An accuracy says how often a network is wrong. Its mistakes say which classes it takes for which.",
    hints=(
        "Go through the batches. net(X).argmax(axis=1) is the predicted label of each picture.",
        "predicted != truth, with NumPy arrays, is a mask that picks the mistakes of a batch: truth[mask].",
        "Collect the parts of each batch in three lists; in the end np.concatenate joins each of them.",
        "X has the shape (batch, 1, height, width): X.asnumpy()[mask, 0] picks pictures, and leaves the channel out.",
    ),
)
def wrong(mistakes):
    """Show it a network whose predictions are known: the pictures hold them."""
    expect_callable(mistakes)
    asked, net = [], nn.Sequential()

    def maps(X):
        asked.append(len(X))
        expect(not autograd.is_training(), "The network runs in training mode: its dropout and batch norm are on.")
        return X.reshape((len(X), 10, 4, 2))

    net.add(nn.Lambda(maps), nn.GlobalAvgPool2D(), nn.Flatten())
    for kinds in (((4, 2), (4, 0), (0, 3), (2, 3)), ((1, 3),), ((0, 4), (3, 1), (2, 0))):
        batches, everything = make_batches(kinds)
        answer = mistakes(net, iter(batches))
        expect(asked, "mistakes does not ask the network that it is given.")
        _expect_mistakes(answer, kinds, everything)
    batches = make_batches(((3, 0), (2, 0)))[0]
    try:
        answer = mistakes(net, iter(batches))
    except Exception as error:
        raise NotYet(f"With batches in which every prediction is right, your code stops: {error}.") from error
    parts = _three_arrays(answer)
    lengths = [part.shape[:1] for part in parts.values()]
    expect(lengths == [(0,)] * 3, "When no prediction is wrong, all three arrays must be empty.")


def _three_arrays(answer):
    three = isinstance(answer, (tuple, list)) and len(answer) == 3
    expect(three, "mistakes must return three things: pictures, true labels, predicted labels.")
    parts = dict(zip(("pictures", "true labels", "predicted labels"), map(as_numpy, answer), strict=True))
    for name, part in parts.items():
        good = isinstance(part, np.ndarray)
        expect(good, f"The {name} must be one NumPy array for all batches; this is {type(part).__name__}.")
    return parts


def _expect_mistakes(answer, kinds, everything):
    parts = _three_arrays(answer)
    pictures, truths, predictions = parts.values()
    wanted = [np.array(column) for column in zip(*(row[1:] for row in everything if row[0]), strict=True)]
    expect(truths.ndim == 1 and predictions.ndim == 1, "Labels are one number a picture. Are these logits?")
    expect(pictures.ndim != 4, "The pictures still have the axis of their one channel: (n, height, width) is wanted.")
    rights, wrongs, found = sum(right for right, _ in kinds), len(wanted[0]), pictures.shape[:1]
    if found != (wrongs,):
        expect(found != (rights,), "Those are the pictures whose predictions are right.")
        expect(found != (len(everything),), "Those are all pictures. Return those whose predictions are wrong.")
        for place, number in (("last", kinds[-1][1]), ("first", kinds[0][1])):
            expect(found != (number,), f"Those are the mistakes of the {place} batch only.")
    shapes = ((wrongs, 8, 10), (wrongs,), (wrongs,))
    pictures, truths, predictions = (
        to_array(part, shape, f"For {wrongs} mistakes among {len(everything)} pictures of 8 × 10, the array of {name}")
        for (name, part), shape in zip(parts.items(), shapes, strict=True)
    )
    swapped = (truths == wanted[2]).all() and (predictions == wanted[1]).all()
    expect(not swapped, "The true and the predicted labels are swapped.")
    expect((truths == wanted[1]).all(), "The true labels do not belong to the mistakes, in the order of the batches.")
    expect((predictions == wanted[2]).all(), "The predicted labels are not those with the highest logit.")
    expect(same(pictures, wanted[0]), "The labels are right. The pictures are not those that the network got wrong.")


@exercises.add(
    "inits",
    title="Initial weights compared",
    difficulty="●●●",
    minutes=20,
    why="One batch, without any training, tells which initial weights let the signal through.",
    hints=(
        "measure returns a dictionary of three lists, with a number for each convolution.",
        'You need the list "activations": its last number, divided by its first.',
        "The first parameter of measure is norm, so name the other one: measure(initializer=initializer).",
    ),
)
def inits(transmission):
    """Put a measurement in place whose numbers are known."""
    expect_callable(transmission)
    for initializer in (init.Normal(float(RANDOM.uniform(0.01, 0.1))), init.Xavier(), init.Uniform(0.3)):
        kinds = "activations", "gradient of activations", "gradient of weights"
        measured = {kind: RANDOM.uniform(0.1, 5, 12) for kind in kinds}
        called = []

        def measure(norm=None, initializer=None, *, wanted=initializer, measured=measured, called=called):
            called.append(True)
            message = "measure takes your initializer for norm, its first parameter: give it by its name."
            expect(norm is not wanted, message)
            expect(norm is None, "Measure the network without batch norm.")
            expect(initializer is not None, "measure is not told which initial weights to use, and takes Xavier's.")
            expect(initializer is wanted, "measure must get the initializer that transmission is given.")
            return {kind: values.tolist() for kind, values in measured.items()}

        with replaced(transmission, measure=measure):
            answer = transmission(initializer)
        expect(called, "transmission must call measure.")
        answer = to_number(answer, "transmission(initializer)")
        first, last = measured["activations"][[0, -1]]
        mean = measured["activations"].mean()
        mistakes = [
            (first / last, "It is upside down: the size that arrives is divided by the size at the start."),
            (last, "That is the size of the last activations. How large is it compared with the first?"),
            (last - first, "It is a ratio, not a difference."),
            (mean, "That is a mean over the layers. Only the last and the first count."),
            (mean / first, "That is a mean over the layers. Only the last and the first count."),
            (last / mean, "Divide by the first activations, not by a mean over the layers."),
            (last / measured["activations"].max(), "Divide by the first activations, not by the largest."),
            (measured["activations"][-2] / first, "That is the last layer but one."),
            ((last / first) ** 2, "An RMS is a size already: nothing has to be squared."),
        ]
        for kind in kinds[1:]:
            message = f"That is the {kind}. The signal's way forward is in another list."
            values = measured[kind]
            mistakes += [(values[-1] / values[0], message), (values[0] / values[-1], message)]
        otherwise = (
            f"Where the last activations are {last:.3f} and the first {first:.3f}, it must be {last / first:.4f}."
        )
        expect_same(answer, last / first, mistakes, otherwise, 1e-6)
