"""Checks of chapter 2, VGG."""

from unittest import mock

from ..language import say
from ..networks.graph import blocks_of, infer_shapes, is_settled
from ..networks.summary import summary
from ..runtime import mx, try_gpu
from ..settings import by_budget
from ..training import History
from .comparing import (
    RANDOM,
    accuracy_of,
    chapter,
    copy_parameters,
    draw_parameters,
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
from .judging import Exercises, join, shorten

autograd, gluon, nd = mx.autograd, mx.gluon, mx.nd
nn = gluon.nn
exercises = Exercises("vgg")
VGG = chapter("vgg")


def expect_block(block, what):
    """Raise `NotYet` unless this is a layer or a network."""
    expect(block is not None, "{what} must return a network. Is there a return?", what=what)
    expect(not isinstance(block, tuple), "{what} returns the data. Which function makes a network of it?", what=what)
    sentence = "{what} must return a network; it returns {kind}."
    expect(isinstance(block, gluon.Block), sentence, what=what, kind=type(block).__name__)


@exercises.add(
    "deep",
    title="VGG-16 and VGG-19 from a table",
    difficulty="●○○",
    minutes=5,
    why="VGG-16 and VGG-19 are one line of data each. That is what makes a family of networks easy to compare.",
    hints=(
        "The table of the chapter has the number of layers beside each letter.",
        "A dictionary from 11, 13, 16 and 19 to the letters A, B, D and E is enough.",
        "vgg(VGG[letter]) builds the network.",
    ),
)
def deep(vgg_by_depth):
    """Count convolutions and parameters."""
    expect_callable(vgg_by_depth)
    for depth, letter in ((16, "D"), (11, "A"), (13, "B"), (19, "E")):
        net, what = vgg_by_depth(depth), f"vgg_by_depth({depth})"
        expect_block(net, what)
        reference, shape = VGG.vgg(VGG.VGG[letter]), (1, 1, 224, 224)
        steps = operators(net, shape)
        layers = sum(name.startswith(("conv", "dense")) for name, _ in steps)
        sentence = "{what} has {layers} layers with weights: convolutions and dense ones."
        expect(layers == depth, sentence, what=what, layers=layers)
        total, wanted = (summary(network, shape).total_params for network in (net, reference))
        sentence = "{what} has {total:,} parameters, and it should have {wanted:,}. Which block differs?"
        expect(total == wanted, sentence, what=what, total=total, wanted=wanted)
        sentence = "The layers of {what} are in another order or of other shapes, or one without weights is missing."
        expect(steps == operators(reference, shape), sentence, what=what)
        expect_same_options(net, reference, what)


def convolution_of(kernel_size):
    """Return a network that needs at least `kernel_size` pixels."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, kernel_size))
    return net


@exercises.add(
    "smallest",
    title="How small can the image be?",
    difficulty="●○○",
    minutes=10,
    why="A network accepts what its poolings leave something of. Five of them divide the side by 32.",
    hints=(
        "d2l.summary(net, (1, 1, side, side)) raises a ValueError when the image is too small.",
        "Try the sides in turn, from 1 on, with try and except ValueError, and return the first that works.",
        "For the prediction, halve five times, rounding down. What must be left for a 2 × 2 pooling to take?",
    ),
)
def smallest(prediction, smallest_input):
    """Compare the function with networks of known limits, then the prediction."""
    prediction = to_number(prediction, say("Your prediction"))
    expect_callable(smallest_input)
    kernel = int(RANDOM.integers(3, 20))
    for name, net, wanted in (
        (say("a slim VGG-11"), VGG.vgg(VGG.slim(VGG.VGG_11)), 32),
        (say("a VGG of two blocks"), VGG.vgg(((1, 2), (1, 4))), 4),
        (say("a VGG of three blocks"), VGG.vgg(((1, 2), (2, 4), (1, 4))), 8),
        (say("a single 1 × 1 convolution"), convolution_of(1), 1),
        (say("a single {k} × {k} convolution without padding", k=kernel), convolution_of(kernel), kernel),
        ("AlexNet", VGG.alexnet(), 67),
    ):
        answer = to_number(smallest_input(net), say("smallest_input, for {name},", name=name))
        sentence = "smallest_input says {answer:g} for {name}, and that is too small: try it."
        expect(answer >= wanted, sentence, answer=answer, name=name)
        sentence = "smallest_input says {answer:g} for {name}, but a smaller image works, too."
        expect(answer <= wanted, sentence, answer=answer, name=name)
    sentence = "The function is right. But halve {prediction:g} five times, rounding down: what is left?"
    expect(prediction >= 32, sentence, prediction=prediction)
    sentence = "The function is right. VGG-11 takes {prediction:g} pixels, but fewer will do."
    expect(prediction <= 32, sentence, prediction=prediction)


@exercises.add(
    "field",
    title="How far does a block see?",
    difficulty="●●○",
    minutes=10,
    why="A pooling doubles the step of all that follows, so receptive fields grow fast after it.",
    hints=(
        "Go backwards from one pixel after the second block: how many does the pooling take?",
        "Backwards, a 3 × 3 convolution adds 2 to the width, and a 2 × 2 pooling with stride 2 doubles it.",
        "1, after the second pooling 2, after the second convolution 4. Go on.",
    ),
)
def field(width):
    """Compare with 10."""
    width = to_number(width, say("The width"))
    mistakes = (
        (1, say("That is the pixel itself. The last pooling already takes more.")),
        (2, say("That is what the last pooling takes. Three layers come before it.")),
        (3, say("That is what one 3 × 3 convolution sees. What do the other three layers add?")),
        (4, say("That is the field after the first block. Each layer of the second widens it.")),
        (5, say("That is what two 3 × 3 convolutions see without a pooling. What does the one between them do?")),
        (6, say("It looks as if one of the poolings is missing. Each doubles the width that comes after it.")),
        (7, say("That would be right for poolings with stride 1. Theirs is 2.")),
        (8, say("Nearly: one of the four layers is still missing.")),
        (12, say("A 3 × 3 convolution adds one pixel on each side, so 2 to the width, and not 4.")),
        (16, say("The order is wrong: the pooling comes last, so on the way back it is the first.")),
        (20, say("That doubles the 5 × 5 of two convolutions twice. Take the layers one at a time, in their order.")),
        (22, say("That is the field after three blocks.")),
        (36, say("A convolution adds to the width. It does not multiply it.")),
        (100, say("That is the number of pixels in the square. How wide is it?")),
    )
    small, large = say("small: a layer is missing, or adds too little"), say("large: a layer counts twice, or too much")
    sentence = "{width:g} is too {size}. On the way back, a pooling doubles the width, and a convolution adds 2."
    expect_same(width, 10.0, mistakes, say(sentence, width=width, size=small if width < 10 else large), 0)


@exercises.add(
    "bug",
    title="A block in a hurry",
    difficulty="●●○",
    minutes=10,
    why="Each mistake still gives a network that runs. Shapes and a comparison with a reference find them.",
    hints=(
        "Compare d2l.summary of this block with that of vgg_block, for the same two numbers.",
        "The height and the width must stay in a convolution, and be halved once, at the end.",
        "padding=1 and activation='relu' belong in every convolution, and the pooling comes after the loop.",
    ),
)
def bug(repaired_block):
    """Compare with the chapter's block on the same parameters."""
    expect_callable(repaired_block)
    for number, channels, side in ((2, 4, 16), (1, 3, 9), (3, 5, 12)):
        block, what = repaired_block(number, channels), f"repaired_block({number}, {channels})"
        expect_block(block, what)
        shape = (2, 3, side, side)
        steps, wanted = (operators(b, shape) for b in (block, VGG.vgg_block(number, channels)))
        names = [name for name, _ in steps]
        convolutions = [output for name, output in steps if name == "conv 3×3"]
        sentence = "{what} has {count} convolutions of 3 × 3."
        expect(len(convolutions) == number, sentence, what=what, count=len(convolutions))
        expect("max pool" in names, "{what} has no max-pooling.", what=what)
        poolings = names.count("max pool")
        sentence = "{what} has {count} poolings. A block has one."
        expect(poolings == 1, sentence, what=what, count=poolings)
        expect(names[-1] == "max pool", "In {what} the pooling is not the last layer.", what=what)
        sides = [output[1] for output in convolutions]
        sentence = "The convolutions of {what} leave {sides} pixels a side of {side}. They should keep them all."
        expect(sides == [side] * number, sentence, what=what, sides=sides, side=side)
        widths = [output[0] for output in convolutions]
        sentence = "The convolutions of {what} give {widths} channels."
        expect(widths == [channels] * number, sentence, what=what, widths=widths)
        relus = names.count("relu")
        sentence = "{what} has {number} convolutions and {relus} ReLUs. Every convolution gets one."
        expect(relus == number, sentence, what=what, number=number, relus=relus)
        sentence = "{what} does: {names}. That is the wrong order."
        expect(names == [name for name, _ in wanted], sentence, what=what, names=", ".join(names))
        output, right = steps[-1][1], wanted[-1][1]
        sentence = "For {side} × {side} pixels, {what} has {left} pixels a side, not {right}."
        expect(output == right, sentence, side=side, what=what, left=output[1], right=right[1])
        expect_same_options(block, VGG.vgg_block(number, channels), what)
        expect_same_network(block, VGG.vgg_block(number, channels), shape, what)


def expect_same_network(net, reference, shape, what):
    """Raise `NotYet` unless a network computes what another one does with the same, random parameters."""
    X = nd.array(RANDOM.normal(size=shape))
    for network in (net, reference):
        network.initialize(mx.init.Xavier(), force_reinit=True)
        outputs = network(X)
    draw_parameters(reference)
    copy_parameters(reference, net)
    for training, mode in ((False, say("prediction")), (True, say("training"))):
        with autograd.record(train_mode=training):
            Y, wanted = net(X), reference(X)
        Y = to_array(Y, outputs.shape, say("The output of {what} in {mode} mode", what=what, mode=mode))
        sentence = "With the same weights, {what} computes something else in {mode} mode."
        expect(same(Y, wanted.asnumpy(), 1e-3), sentence, what=what, mode=mode)


def normalised_block(num_convs, num_channels):
    """Return a VGG block with batch norm between each convolution and its ReLU."""
    block = nn.HybridSequential()
    for _ in range(num_convs):
        block.add(nn.Conv2D(num_channels, 3, padding=1), nn.BatchNorm(), nn.Activation("relu"))
    block.add(nn.MaxPool2D(2, 2))
    return block


@exercises.add(
    "bn",
    title="Batch norm in the block",
    difficulty="●●○",
    minutes=15,
    why="From Xavier's weights batch norm starts the slim VGG at once. From He's weights one run cannot say.",
    hints=(
        "Start from vgg_block. The ReLU must leave the convolution, since batch norm goes in between.",
        "Without activation= the convolution is bare. nn.BatchNorm() and nn.Activation('relu') are layers, too.",
        "In the loop: the convolution, batch norm, ReLU. After the loop: the pooling.",
    ),
)
def bn(bn_block):
    """Compare the order of the layers, and the numbers in both modes."""
    expect_callable(bn_block)
    for number, channels in ((2, 4), (1, 3), (3, 2)):
        block, what, shape = bn_block(number, channels), f"bn_block({number}, {channels})", (3, 2, 8, 8)
        expect_block(block, what)
        steps = operators(block, shape)
        names = [name for name, _ in steps]
        order = " ".join(names)
        norms = names.count("norm")
        expect(norms > 0, "{what} has no batch norm.", what=what)
        expect("relu" in names, "{what} has no ReLU.", what=what)
        sentence = "In {what} a batch norm comes after the ReLU. It belongs before it."
        expect("relu norm" not in order, sentence, what=what)
        expect("pool norm" not in order, "In {what} a batch norm comes after the pooling.", what=what)
        sentence = "{what} has {number} convolutions and {norms} batch norms. Each convolution gets one."
        expect(norms == number, sentence, what=what, number=number, norms=norms)
        relus = names.count("relu")
        sentence = "{what} has {number} convolutions and {relus} ReLUs. Each convolution gets one."
        expect(relus == number, sentence, what=what, number=number, relus=relus)
        expect("max pool" in names, "{what} has no pooling at its end.", what=what)
        reference = normalised_block(number, channels)
        wanted = [name for name, _ in operators(reference, shape)]
        sentence = "{what} does: {names}. That is another order, or a layer too many."
        expect(names == wanted, sentence, what=what, names=", ".join(names))
        output = (channels, 4, 4)
        found = steps[-1][1]
        sentence = "The output of {what} for 8 × 8 pixels is {found}, not {wanted}."
        expect(found == output, sentence, what=what, found=found, wanted=output)
        expect_same_options(block, reference, what)
        expect_same_network(block, reference, shape, what)


@exercises.add(
    "head",
    title="Without the large dense layers",
    difficulty="●●○",
    minutes=15,
    why="The mean of a map does not care how many pixels it has. So the head is small, and takes any image size.",
    hints=(
        "The blocks stay as they are in vgg. Only what comes after them changes.",
        "After the last block each channel is a map. nn.GlobalAvgPool2D() leaves its mean.",
        "After the loop: nn.GlobalAvgPool2D(), then nn.Dense(10), and no dropout.",
    ),
)
def head(vgg_global_pool):
    """Compare the layers with those of VGG, and run a small one on images of two sizes."""
    expect_callable(vgg_global_pool)
    shape = (1, 1, 224, 224)
    net = vgg_global_pool(VGG.VGG_11)
    expect_block(net, "vgg_global_pool(VGG_11)")
    dense = sum(isinstance(layer, nn.Dense) for layer in blocks_of(net))  # before its shapes, which may not fit
    sentence = "There are {dense} dense layers: the old head is still there. Only one stays, with 10 outputs."
    expect(dense < 2, sentence, dense=dense)
    names = [name for name, _ in operators(net, shape)]
    expect("dense" in names, "There is no dense layer. The last one turns 512 means into 10 numbers.")
    expect("global pool" in names, "There is no pooling over all pixels: nn.GlobalAvgPool2D().")
    expect(names.index("dense") > names.index("global pool"), "The dense layer comes before the pooling.")
    body = [name for name, _ in operators(VGG.vgg(VGG.VGG_11), shape)]
    body = body[: body.index("dense")]
    sentence = "The five blocks must be those of VGG-11. Yours do: {names}."
    expect(names[: len(body)] == body, sentence, names=shorten(", ".join(names), 300))
    sentence = "After the blocks it has {names}."
    expect(names[len(body) :] == ["global pool", "dense"], sentence, names=", ".join(names[len(body) :]))
    total = summary(net, shape).total_params
    sentence = "For VGG-11 it must have 9,224,458 parameters; it has {total:,}. Do all blocks stay?"
    expect(total == 9_224_458, sentence, total=total)

    small = vgg_global_pool(((1, 3), (2, 4)))
    expect_block(small, "vgg_global_pool(((1, 3), (2, 4)))")
    convs = sum(name.startswith("conv") for name, _ in operators(small, shape))
    sentence = "For ((1, 3), (2, 4)) it has {convs} convolutions, and not 3: does it use conv_arch?"
    expect(convs == 3, sentence, convs=convs)
    small.initialize(mx.init.Xavier(), force_reinit=True)
    X = nd.array(RANDOM.uniform(size=(2, 1, 8, 8)))
    Y = to_array(small(X), (2, 10), say("The output for two images and two blocks"))
    tiled = to_array(small(nd.tile(X, (1, 1, 3, 3))), (2, 10), say("The output for images three times as large"))
    features = nn.Sequential()
    features.add(VGG.vgg_block(1, 3), VGG.vgg_block(2, 4))
    features.initialize(mx.init.Xavier())
    features(X)
    parameters = list(small.collect_params().values())
    for ours, theirs in zip(features.collect_params().values(), parameters, strict=False):
        ours.set_data(theirs.data())
    weight, bias = (parameter.data().asnumpy() for parameter in parameters[-2:])
    for pictures, outputs in ((X, Y), (nd.tile(X, (1, 1, 3, 3)), tiled)):
        wanted = features(pictures).asnumpy().mean(axis=(2, 3)) @ weight.T + bias
        expect(same(outputs, wanted, 1e-3), "The pooling must take the mean of each channel: nn.GlobalAvgPool2D().")


@exercises.add(
    "init",
    title="Do the initial weights matter?",
    difficulty="●●○",
    minutes=15,
    why="The first draw of the weights can decide whether a deep network starts at all. Chapter 3 measures why.",
    hints=(
        "d2l.fit(net, lr=..., num_epochs=..., initializer=..., **settings) trains a network, and returns its History.",
        "Make the network inside of the function, so that every call has a fresh one.",
        "History.train_acc is a list, with one training accuracy an epoch. You want the first.",
    ),
)
def init(first_epoch):
    """Put a training in place that only looks at its arguments."""
    expect_callable(first_epoch)
    seen = []
    wanted = _shapes(VGG.vgg(VGG.slim(VGG.VGG_11)))
    for _ in range(3):
        initializer, accuracy = mx.init.Normal(float(RANDOM.uniform(0.01, 0.1))), float(RANDOM.uniform(0.2, 0.8))
        calls = []

        def fit(net, *, initializer=None, lr=None, num_epochs=None, calls=calls, accuracy=accuracy, **settings):
            expect(isinstance(net, gluon.Block), "d2l.fit needs a network as its first argument.")
            calls.append((net, initializer, lr, num_epochs, settings))
            epochs = num_epochs if isinstance(num_epochs, int) else 1
            accuracies = [accuracy + 0.01 * i for i in range(epochs)]
            return History([1.5] * epochs, accuracies, [accuracy / 2] * epochs, [3.0] * epochs)

        with mock.patch("d2lhelpers.fit", fit):
            answer = first_epoch(initializer)
        expect(len(calls) == 1, "first_epoch calls d2l.fit {count} times. It should do so once.", count=len(calls))
        net, given, lr, num_epochs, settings = calls[0]
        expect(num_epochs == 1, "Train for one epoch; num_epochs is {num_epochs}.", num_epochs=num_epochs)
        expect(lr == 0.05, "Use the learning rate of the chapter, 0.05; it is {lr}.", lr=lr)
        of_chapter = globals_of(first_epoch).get("settings", {})
        allowed = {"batch_size", "resize", "train_size", "test_size", "seed", "ctx", "callbacks", "verbose"}
        more = ", ".join(set(settings) - allowed)
        expect(not more, "d2l.fit gets {more} in addition. Change nothing but the initializer.", more=more)
        same_images = settings.items() >= of_chapter.items()
        expect(same_images, "d2l.fit does not get the **settings of the chapter, so it trains on other images.")
        expect(given is initializer, "d2l.fit does not get the initializer that first_epoch is given.")
        sentence = "Each call must train a fresh network: make it in the function."
        expect(all(net is not other for other in seen), sentence)
        seen.append(net)
        shapes = _shapes(net)
        sentence = "It trains another network than the slim VGG-11; its weights are {shapes}."
        expect(shapes == wanted, sentence, shapes=shorten(shapes, 90))
        steps, right = (operators(network, (1, 1, 32, 32)) for network in (net, VGG.vgg(VGG.slim(VGG.VGG_11))))
        expect(steps == right, "It trains another network than the slim VGG-11: a layer is missing, or another one.")
        expect(not isinstance(answer, History), "That is the whole History. Which of its numbers is asked for?")
        expect(not isinstance(answer, list), "That is a list with a number for each epoch. Return the number itself.")
        answer = to_number(answer, say("The result"))
        mistakes = ((1.5, say("That is the loss, and the training accuracy is asked for.")),)
        mistakes += ((accuracy / 2, say("That is the test accuracy, and the training accuracy is asked for.")),)
        otherwise = say("The result is not the training accuracy that d2l.fit has measured.")
        expect_same(answer, accuracy, mistakes, otherwise, 1e-6)


def _shapes(net):
    """Return the shapes that the parameters of a network have for 32 × 32 pixels, without allocating them."""
    _, shapes = infer_shapes([net(mx.sym.var("data"))], (1, 1, 32, 32))
    return [shape for name, shape in shapes.items() if name != "data"]


MACS = 50_000_000


@exercises.add(
    "best",
    title="The best network under 50 million",
    difficulty="●●●",
    minutes=40,
    why="You have designed a network for a budget. Where work is scarce, the shape of a network decides.",
    hints=(
        "Three poolings leave 3 of 28 pixels: use three blocks. d2l.summary(net, (1, 1, 28, 28)) counts the MACs.",
        "Large dense layers are expensive and slow to train: what did exercise 6 put in their place?",
        "Blocks with batch norm, as in exercise 5, train fast, and allow a learning rate of 0.1.",
    ),
)
def best(net):
    """Count the MACs, and measure the test accuracy."""
    good = isinstance(net, gluon.Block)
    sentence = "Hand over the trained network, not what makes or describes it; this is a {kind}."
    expect(good, sentence, kind=type(net).__name__)
    expect(is_settled(net), "The network has no weights yet, or not all of them. Train it with d2l.fit.")
    device = next((parameter.list_ctx()[0] for parameter in net.collect_params().values()), try_gpu())
    try:
        shape = net(nd.zeros((1, 1, 28, 28), ctx=device)).shape
    except (mx.base.MXNetError, ValueError):
        expect(False, "The network cannot take images of 28 × 28 pixels. Train it without resize.")
    sentence = "For one image, the output has the shape {shape}. It must be (1, 10), one for each class."
    expect(shape == (1, 10), sentence, shape=shape)
    macs = summary(net, (1, 1, 28, 28)).total_macs
    sentence = "The network needs {macs:,} MACs, more than {most:,}. Use fewer channels, or pool earlier."
    expect(macs <= MACS, sentence, macs=macs, most=MACS)
    least = by_budget(smoke=0, cpu=0.85, gpu=0.85)
    accuracy, result = accuracy_of(net, device, least)
    guessing = accuracy < min(least, 0.2)
    advice = say("That is guessing: does its loss fall? Try other initial weights, or batch norm.")
    expect(not guessing, join(result, advice))
    advice = say("Train it longer, or on more images; then try batch norm, or other widths.")
    expect(accuracy >= least, join(result, advice))
