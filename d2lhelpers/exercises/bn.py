"""Checks of chapter 1, batch normalisation."""

import numpy as np

from ..arguments import as_numpy
from ..language import say
from ..runtime import mx
from ..settings import budget
from ..training import History
from .comparing import (
    RANDOM,
    chapter,
    expect,
    expect_callable,
    expect_same_options,
    operators,
    replaced,
    same,
    to_array,
    to_number,
)
from .judging import Exercises

autograd, gluon, nd = mx.autograd, mx.gluon, mx.nd
exercises = Exercises("bn")
BN = chapter("batch_norm")
SHAPES = ((7, 5), (16, 5), (4, 5, 6, 3), (9, 5, 2, 2))


def normal(shape):
    """Return random numbers, float64, away from mean 0 and standard deviation 1, differently in each feature."""
    features = (1, -1) + (1,) * (len(shape) - 2)
    scale, shift = RANDOM.uniform(1, 3, shape[1]), RANDOM.uniform(-3, 3, shape[1])
    return RANDOM.normal(size=shape) * scale.reshape(features) + shift.reshape(features)


def batch_norm(X, gamma, beta, mean, var, *, eps, momentum, training, head=None):
    """Run MXNet's own operator in float64.

    Returns:
        tuple[numpy.ndarray, ...]: the output, both moving averages after it, and the gradient of X for `head`.
    """
    arrays = [nd.array(values, dtype="float64") for values in (X, gamma, beta, mean, var)]
    arrays[0].attach_grad()
    with autograd.record(train_mode=training):
        Y = nd.BatchNorm(*arrays, eps=eps, momentum=momentum, fix_gamma=False)
    Y.backward(nd.array(np.ones(X.shape) if head is None else head, dtype="float64"), train_mode=training)
    return Y.asnumpy(), arrays[3].asnumpy(), arrays[4].asnumpy(), arrays[0].grad.asnumpy()


def expect_batch_norm(make_layer):
    """Raise `NotYet` unless `make_layer(num_features, num_dims)` computes what batch norm with γ = 1, β = 0 does."""
    for shape in SHAPES:
        layer = make_layer(shape[1], len(shape))
        layer.initialize()
        X, mean, var = normal(shape), RANDOM.uniform(-1, 1, shape[1]), RANDOM.uniform(0.5, 2, shape[1])
        head, data = RANDOM.normal(size=shape), nd.array(X)
        data.attach_grad()
        layer.running_mean.set_data(nd.array(mean))
        layer.running_var.set_data(nd.array(var))
        for training, mode in ((False, say("prediction")), (True, say("training"))):
            with autograd.record(train_mode=training):
                Y = layer(data)
            Y.backward(nd.array(head), train_mode=training)
            Y = to_array(Y, shape, say("In {mode}, the output for an input of shape {shape}", mode=mode, shape=shape))
            options = {"eps": 1e-5, "momentum": 0.9, "training": training, "head": head}
            wanted = batch_norm(X, np.ones(5), np.zeros(5), mean, var, **options)
            sentence = "In {mode} mode the layer no longer normalises as `nn.BatchNorm` does. Change only γ and β."
            expect(same(Y, wanted[0], 1e-4), sentence, mode=mode)
            sentence = "In {mode} mode the gradient of the input is no longer that of batch norm. Change only γ and β."
            expect(same(data.grad.asnumpy(), wanted[3], 1e-3), sentence, mode=mode)
            averages = (average.data().asnumpy() for average in (layer.running_mean, layer.running_var))
            kept = all(same(ours, theirs, 1e-4) for ours, theirs in zip(averages, wanted[1:3], strict=True))
            sentence = (
                "After a batch in {mode} mode the moving averages are not those of batch norm. Change only γ and β."
            )
            expect(kept, sentence, mode=mode)


def train_a_little(net, steps=8):
    """Train a network on one batch of random pictures of ten kinds.

    Returns:
        tuple[list[float], set[str]]: the losses, and the names of the parameters that have changed.
    """
    kinds, y = RANDOM.uniform(size=(10, 1, 28, 28)), np.arange(60) % 10
    X, y = nd.array(kinds[y] + RANDOM.normal(0, 0.1, size=(60, 1, 28, 28))), nd.array(y)
    net.initialize(mx.init.Xavier())
    with autograd.pause():
        net(X[:1])  # settles the shapes
    start = {name: parameter.data().asnumpy() for name, parameter in net.collect_params().items()}
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
    loss, losses = gluon.loss.SoftmaxCrossEntropyLoss(), []
    for _ in range(steps):
        with autograd.record():
            batch_loss = loss(net(X), y)
        batch_loss.backward()
        trainer.step(len(y), ignore_stale_grad=True)
        losses.append(float(batch_loss.mean().asscalar()))
    end = {name: parameter.data().asnumpy() for name, parameter in net.collect_params().items()}
    return losses, {name for name in end if (end[name] != start[name]).any()}


def _any_gradient(parameters):
    return any(parameter.grad_req != "null" for parameter in parameters)


@exercises.add(
    "freeze",
    title="Freeze γ and β in your own layer",
    difficulty="●○○",
    minutes=10,
    why="With grad_req='null' you save the gradient as well as the step. It keeps any part of a network as it is, "
    "such as the first layers of a pretrained one.",
    hints=(
        "The parent's constructor makes the parameters gamma and beta. When does your change have to come?",
        "A Parameter has an attribute grad_req. You may set it after the parameter has been made.",
        'Call super().__init__(...), then set self.gamma.grad_req = "null", and the same for beta.',
    ),
)
def freeze(layer_class):
    """Train LeNet with the learner's layer, and see what has moved."""
    expect_callable(layer_class)
    layers = []

    def norm(num_features, num_dims):
        layers.append(layer_class(num_features, num_dims))
        return layers[-1]

    net = BN.lenet(norm)
    names = ("gamma", "beta", "running_mean", "running_var")
    complete = all(hasattr(layer, name) for layer in layers for name in names)
    expect(complete, "Your layer lacks one of {names}. Does its constructor call the parent's?", names=", ".join(names))
    losses, moved = train_a_little(net)

    weights = list(net.collect_params(".*weight"))
    below = moved & set(weights[:-1])  # the last has no batch norm above it
    expect(below, "Now no layer below yours learns: the whole network is frozen. Freeze nothing but γ and β.")
    gammas, betas = ([getattr(layer, name) for layer in layers] for name in names[:2])
    trained = {"γ": _any_gradient(gammas), "β": _any_gradient(betas)}
    if all(trained.values()):
        still = not any(parameter.name in moved for parameter in gammas + betas)
        how = say("Their lr_mult is 0") if gammas[0].lr_mult == 0 else say("They do not move")
        sentence = (
            "{how}, so they stay. But MXNet still computes their gradients at every step, for nothing; grad_req avoids "
            "that."
        )
        expect(not still, sentence, how=how)
    sentence = "Nothing is frozen: γ and β have gradients. Which attribute of a parameter stops that?"
    expect(not all(trained.values()), sentence)
    for symbol in trained:
        sentence = "Half way: {symbol} still gets a gradient. It needs the same as the other one."
        expect(not trained[symbol], sentence, symbol=symbol)
    for symbol, parameters, value in (("γ", gammas, 1), ("β", betas, 0)):
        kept = all((parameter.data().asnumpy() == value).all() for parameter in parameters)
        sentence = "{symbol} gets no gradient, but it is not {value} everywhere after training."
        expect(kept, sentence, symbol=symbol, value=value)
    expect(set(weights) <= moved, "Some weights did not change after eight steps. Freeze nothing but γ and β.")
    averages = net.collect_params(".*running")
    expect(set(averages) <= moved, "The moving averages stand still. They have no gradient anyway; leave them alone.")
    expect_batch_norm(layer_class)
    expect(losses[-1] < losses[0], "The loss did not fall within eight steps. Does the layer still pass gradients on?")


@exercises.add(
    "bias",
    title="Who needs a bias?",
    difficulty="●○○",
    minutes=15,
    why="A bias in front of batch norm is memory and work for nothing, which is why you will see use_bias=False there.",
    hints=(
        "Run the same pictures through conv and norm twice, and change nothing but the bias in between.",
        "Call .initialize(ctx=ctx) on conv and norm. conv.bias.set_data(nd.full(6, bias)) then sets all biases.",
        "Compute both outputs inside autograd.train_mode(): only this mode takes the mean of the batch. Return "
        "float(abs(a - b).max().asscalar()).",
    ),
)
def bias(output_change):
    """Try layers that multiply each channel by a number of its own, then batch norm, which takes the bias away."""
    expect_callable(output_change)
    for value in (10.0, float(RANDOM.uniform(0.5, 3)), -float(RANDOM.uniform(0.5, 3))):
        factors = RANDOM.uniform(-1, 1, 6)
        factors[0] = RANDOM.uniform(0.2, 1)  # both signs are there
        factors[RANDOM.integers(1, 6)] = -RANDOM.uniform(2, 4)
        most = np.abs(factors).max()
        what = say("For a layer that multiplies each channel by a number, up to {most:.1f}, the result", most=most)
        change, expected = to_number(output_change(_multiply_by(factors), value), what), most * abs(value)
        advice = say("Compare the same pictures, with the same weights, and take the largest difference of all.")
        advice = say("It should not be negative: take the absolute value.") if change < 0 else advice
        advice = say("Do you use the layer that make_norm() makes, and the bias?") if change == 0 else advice
        sentence = (
            "For a layer that multiplies each channel by a number, up to {most:.1f}, and a bias of {bias:.1f} in all "
            "channels, the result must be {expected:.2f}; it is {change:.2f}. {advice}"
        )
        values = {"most": most, "bias": value, "expected": expected, "change": change, "advice": advice}
        expect(abs(change - expected) < 1e-3 * expected, sentence, **values)
        change = to_number(output_change(gluon.nn.BatchNorm, value), "output_change(nn.BatchNorm, …)")
        sentence = (
            "With batch norm and a bias of {bias:.1f} the output changes by {change:.3f}. In training mode it would "
            "not: is autograd.train_mode() on?"
        )
        # In float32 the statistics of real pictures leave about a hundredth of the bias.
        expect(abs(change) < 0.1 * abs(value), sentence, bias=value, change=change)


def _multiply_by(factors):
    def multiply(X):
        sentence = "The layer gets the shape {shape}. The convolution must have 6 channels."
        expect(X.ndim == 4 and X.shape[1] == 6, sentence, shape=X.shape)
        return X * nd.array(factors.reshape(1, 6, 1, 1), ctx=X.context)

    return lambda: gluon.nn.Lambda(multiply)


@exercises.add(
    "momentum",
    title="How long does an average remember?",
    difficulty="●○○",
    minutes=5,
    why="The starting value fades by the factor momentum with each batch. With 0.99 it takes 459 batches to reach 1 %, "
    "about two epochs of the full data set.",
    hints=(
        "Write down the first three values: start with 0, keep nine tenths, add a tenth of 5.",
        "The distance to 5 shrinks by the same factor with every batch. Which one?",
        "After n batches the distance is 5 × 0.9ⁿ. Ask when that is 1 % of 5.",
    ),
)
def momentum(after_ten, batches):
    """Compare with 5 (1 − 0.9¹⁰), and the smallest n with 0.9ⁿ ≤ 0.01."""
    after_ten, batches = to_number(after_ten, say("The moving mean")), to_number(batches, say("The number of batches"))
    right = 5 * (1 - 0.9**10)
    expect(abs(after_ten - 5 * 0.9**10) > 0.02, "That is how far the mean still is from 5. Where is it itself?")
    sentence = "Momentum is the share that is *kept* of the old mean, not of the batch."
    expect(abs(after_ten - 5 * (1 - 0.1**10)) > 0.02, sentence)
    sentence = "The moving mean after ten batches is not {after_ten:g}. Write the first three down."
    expect(abs(after_ten - right) < 0.02, sentence, after_ten=after_ten)
    expect(batches == int(batches), "The number of batches is a whole number.")
    expect(batches > 0, "Batches are counted from 1.")
    expect(batches <= 44, "It is there before {batches:g} batches have passed.", batches=batches)
    sentence = "After {batches:g} batches it is still {distance:.1%} away."
    expect(batches >= 44, sentence, batches=batches, distance=0.9**batches)


@exercises.add(
    "bug",
    title="Four mistakes",
    difficulty="●●○",
    minutes=15,
    why="None of the four raises an error, and the output looks standardised. Only a comparison finds them.",
    hints=(
        "Go line by line, and compare each with the formulas of section *The idea*.",
        "What does NumPy's ddof do? Is ε inside the root or outside? Which share of the old average is kept?",
        "The fourth is a line that is missing: in prediction mean and var must come from somewhere else.",
    ),
)
def bug(repaired):
    """Compare with MXNet's operator on small batches and a large ε, where every mistake shows."""
    expect_callable(repaired)
    for shape in SHAPES[:2]:
        X, eps, kept = normal(shape), float(RANDOM.uniform(0.1, 0.5)), float(RANDOM.uniform(0.6, 0.9))
        gamma, beta = RANDOM.uniform(0.5, 2, 5), RANDOM.uniform(-1, 1, 5)
        mean, var = RANDOM.uniform(-1, 1, 5), RANDOM.uniform(0.5, 2, 5)
        for training, mode in ((True, say("training")), (False, say("prediction"))):
            given = [array.copy() for array in (X, gamma, beta, mean, var)]
            answer = repaired(*given, training, eps=eps, momentum=kept)
            sentence = "It must return three things: the output and both averages."
            expect(isinstance(answer, (tuple, list)) and len(answer) == 3, sentence)
            names = (say("output"), say("moving mean"), say("moving variance"))
            shapes = (shape, (5,), (5,))
            Y, new_mean, new_var = (
                to_array(part, size, say("The {name} in {mode}", name=name, mode=mode))
                for part, size, name in zip(answer, shapes, names, strict=True)
            )
            wanted = batch_norm(X, gamma, beta, mean, var, eps=eps, momentum=kept, training=training)
            if training:
                for wrong, message in _mistakes_in_training(X, mean, var, eps):
                    expect(not same(Y, gamma * wrong + beta, 1e-6), message)
            else:
                sentence = "In prediction the output must not depend on the other rows of the batch, and now it does."
                alone = repaired(X[:2].copy(), *given[1:], training, eps=eps, momentum=kept)[0]
                expect(same(to_array(alone, (2, 5), say("The output for two rows")), Y[:2], 1e-6), sentence)
            expect(same(Y, wanted[0], 1e-6), "In {mode} mode the output is not that of nn.BatchNorm.", mode=mode)
            if training:
                swapped = (1 - kept) * mean + kept * X.mean(axis=0)
                sentence = "The moving averages follow too fast: which share of the old is kept?"
                expect(not same(new_mean, swapped, 1e-6), sentence)
                unbiased = kept * var + (1 - kept) * X.var(axis=0, ddof=1)
                expect(not same(new_var, unbiased, 1e-6), "The moving variance takes a variance that divides by m − 1.")
            sentence = "In {mode} mode the moving averages are not those of nn.BatchNorm."
            expect(same(new_mean, wanted[1], 1e-6) and same(new_var, wanted[2], 1e-6), sentence, mode=mode)
    by_default = map(as_numpy, repaired(X.copy(), gamma, beta, mean.copy(), var.copy(), True))
    wanted = batch_norm(X, gamma, beta, mean, var, eps=1e-5, momentum=0.9, training=True)
    kept = all(same(np.asarray(ours), theirs, 1e-6) for ours, theirs in zip(by_default, wanted[:3], strict=True))
    expect(kept, "Without eps and momentum it must use 1e-5 and 0.9, as before.")


def _mistakes_in_training(X, moving_mean, moving_var, eps):
    """Yield what X becomes by a mistake, before γ and β, and what to say then."""
    centred, biased, unbiased = X - X.mean(axis=0), X.var(axis=0), X.var(axis=0, ddof=1)
    for spread in (biased, unbiased):
        yield centred / (np.sqrt(spread) + eps), say("ε is added to the root; in the formula for x̂ it stands inside.")
        yield centred / np.sqrt(spread), say("ε is gone: compare with the formula for x̂.")
    sentence = say("The output is a little too small: the variance divides by m − 1, not by m.")
    yield centred / np.sqrt(unbiased + eps), sentence
    sentence = say(
        "In training mode it standardises with the moving averages. They are for prediction; training uses the batch."
    )
    yield (X - moving_mean) / np.sqrt(moving_var + eps), sentence
    yield (X - moving_mean) / np.sqrt(biased + eps), say("In training mode the mean is still the moving average.")
    yield centred / np.sqrt(moving_var + eps), say("In training mode the variance is still the moving average.")


RATES = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)


@exercises.add(
    "largest-lr",
    title="How far can you turn it up?",
    difficulty="●●○",
    minutes=15,
    why="Was your prediction right? Batch norm bears large rates, which does not make them the best ones.",
    hints=(
        "Try every rate in turn, and remember those that worked. A larger one may fail where a smaller one did.",
        "train_lenet returns the network and a History. Its train_acc[0] is the training accuracy of the first epoch.",
        "When the loss blows up, train_acc is empty. Begin with the list [0], and return its largest number.",
    ),
)
def largest_lr(predicted, largest_lr, measured):
    """Put a training in place whose accuracies are known, and that does not train."""
    _to_rates(predicted, "predicted")
    expect_callable(largest_lr)
    bad, good = (lambda: float(RANDOM.uniform(0.1, 0.5))), (lambda: float(RANDOM.uniform(0.65, 0.9)))
    cases = {
        say("0.1 to 1 work"): {lr: bad() for lr in RATES} | {0.1: 0.65, 0.3: 0.7, 1: 0.8},
        say("one rate reaches 0.6 exactly"): {lr: 0.6 if lr == 3 else bad() for lr in RATES},
        say("all rates work, and 0.1 is best"): {lr: 0.95 if lr == 0.1 else good() for lr in RATES},
        say("1 reaches 0.601 and 10 only 0.599"): {lr: bad() for lr in RATES} | {1: 0.601, 10: 0.599},
        say("0.03 works and 10 blows up"): {lr: good() if lr == 0.03 else bad() for lr in RATES} | {10: None},
        say("none works"): {lr: bad() for lr in RATES},
    }
    for case, accuracies in cases.items():
        working = [lr for lr, accuracy in accuracies.items() if accuracy and accuracy >= 0.6]
        right = max(working, default=0)
        answer, tried = _with_accuracies(largest_lr, accuracies)
        expect(tried, "largest_lr trains nothing: call train_lenet.")
        sentence = (
            "In a test where {case}, it must return {right:g}, and it returns None. A larger rate may still work: try "
            "all seven, and return when the loop is done."
        )
        expect(answer is not None, sentence, case=case, right=right)
        answer = to_number(answer, say("The answer of largest_lr"))
        sentence = (
            "In a test where {case}, it must return {right:g}; it returns {answer:g}. A larger rate may still work "
            "where a smaller one did not."
        )
        expect(answer >= right, sentence, case=case, right=right, answer=answer)
        sentence = "In a test where {case}, it must return {right:g}; it returns {answer:g}."
        expect(answer == right, sentence, case=case, right=right, answer=answer)
    without, with_norm = _to_rates(measured, "measured")
    if budget() != "smoke":
        expected = without == 0 and with_norm == 0.3
        sentence = (
            "largest_lr is right. But it does not find what measured says, with the networks of this chapter: call it "
            "with None and with gluon_norm, and write down what it returns."
        )
        expect(expected, sentence)


def _to_rates(pair, name):
    """Return two learning rates, or 0 for none."""
    good = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(rate in (0, *RATES) for rate in pair)
    sentence = "{name} must be two of the seven rates, without and with batch norm, or 0 for none: such as (0.1, 3)."
    expect(good, sentence, name=name)
    return pair


def _with_accuracies(largest_lr, accuracies):
    """Return what largest_lr finds where `train_lenet` reaches these accuracies, and which rates it tried."""
    tried, given = set(), object()

    def train_lenet(norm=None, lr=1.0, **options):
        expect(norm is given, "largest_lr must train with the norm that it is given.")
        rate = min(RATES, key=lambda rate: abs(rate - lr))
        expect(abs(rate - lr) < 1e-9, "{lr:g} is not one of the seven rates.", lr=lr)
        tried.add(rate)
        accuracy, epochs = accuracies[rate], options.get("num_epochs", 1)
        if accuracy is None:
            return None, History(stopped="The loss is no longer a finite number.")
        late = [0.9 if accuracy < 0.6 else accuracy] * (epochs - 1)
        return None, History([2.0] * epochs, [accuracy, *late], [0.9] * epochs, [1.0] * epochs)

    with replaced(largest_lr, train_lenet=train_lenet):
        return largest_lr(given), tried


def order_of_layers(make_net):
    """Return which layers run, in order and with their outputs; and what `norm` was called with."""
    called = []

    def norm(channels, num_dims):
        called.append((channels, num_dims))
        return gluon.nn.BatchNorm(in_channels=channels)

    net = make_net(norm)
    expect(isinstance(net, gluon.Block), "The function must return a network. Is there a return?")
    steps = operators(net, (2, 1, 28, 28))
    names = {name for name, _ in steps}
    expect(not names & {"relu", "tanh"}, "LeNet has sigmoids, and yours has something else.")
    lenet = BN.lenet()
    expect_same_options(net, lenet, f"{make_net.__name__}", ("Convolution", "Pooling"))
    widths = [output[0] for name, output in steps if name.startswith(("conv", "dense"))]
    sentence = "LeNet's layers have 6, 16, 120, 84 and 10 outputs; yours have {widths}."
    expect(widths == [6, 16, 120, 84, 10], sentence, widths=widths)
    short = {"conv 5×5": "conv", "max pool": "pool"}
    return " ".join(short.get(name, name) for name, _ in steps), called


@exercises.add(
    "placement",
    title="Before or after the activation?",
    difficulty="●●○",
    minutes=15,
    why="Where batch norm works best is a matter of experiment. The paper argues for one place, others use another.",
    hints=(
        "Copy lenet, and move one line in each of its two loops.",
        "In lenet_after, norm comes after the Activation, and still in front of the pooling.",
        "In lenet_dense_only the first loop has no norm. norm gets 4 after a convolution and 2 after a dense layer.",
    ),
)
def placement(lenet_after, lenet_dense_only):
    """Compare the order in which the layers run."""
    expect_callable(lenet_after, lenet_dense_only)
    order, arguments = order_of_layers(lenet_after)
    plain = "conv norm sigmoid pool conv norm sigmoid pool dense norm sigmoid dense norm sigmoid dense"
    expect(order != plain, "lenet_after is still lenet: norm comes before the sigmoid.")
    expect("pool norm" not in order, "In lenet_after, norm must come directly after the sigmoid, before the pooling.")
    right = "conv sigmoid norm pool conv sigmoid norm pool dense sigmoid norm dense sigmoid norm dense"
    expect(order == right, "The layers of lenet_after run in the order: {order}.", order=order)
    expected = [(6, 4), (16, 4), (120, 2), (84, 2)]
    sentence = "lenet_after calls norm with {arguments}; channels and axes should be {expected}."
    expect(arguments == expected, sentence, arguments=arguments, expected=expected)
    order, arguments = order_of_layers(lenet_dense_only)
    expect(order != plain, "lenet_dense_only still has batch norm after its convolutions.")
    expect("dense sigmoid norm" not in order, "In lenet_dense_only, norm must come in front of the sigmoid.")
    right = "conv sigmoid pool conv sigmoid pool dense norm sigmoid dense norm sigmoid dense"
    expect(order == right, "The layers of lenet_dense_only run in the order: {order}.", order=order)
    dense = [call for call in arguments if call not in expected[:2]]  # the others were made, and are not used
    sentence = "lenet_dense_only calls norm with {dense}; it should be {expected}."
    expect(dense == expected[2:], sentence, dense=dense, expected=expected[2:])


@exercises.add(
    "backward",
    title="The gradient, without looking",
    difficulty="●●●",
    minutes=30,
    why="With one of the two means missing a gradient still looks plausible. Only comparing with a reference tells.",
    hints=(
        "The optional section below derives it: use its last formula, with NumPy arrays.",
        "The bars are means over the batch, one for each feature: axis=0.",
        "Start with g, take away its mean, take away X_hat times the mean of g * X_hat, then scale by gamma / s.",
    ),
)
def backward(gradient_of_input):
    """Compare with the gradient of MXNet's operator."""
    expect_callable(gradient_of_input)
    for shape in SHAPES[:2]:
        X, g, gamma = normal(shape), RANDOM.normal(1, 2, size=shape), RANDOM.uniform(0.5, 2, shape[1])
        s = np.sqrt(X.var(axis=0) + 1e-5)
        X_hat = (X - X.mean(axis=0)) / s
        answer = to_array(gradient_of_input(g.copy(), X_hat.copy(), gamma.copy(), s.copy()), shape, say("The gradient"))
        zeros, ones = np.zeros(shape[1]), np.ones(shape[1])
        wanted = batch_norm(X, gamma, zeros, zeros, ones, eps=1e-5, momentum=0.9, training=True, head=g)[-1]
        for wrong, message in _mistakes_in_gradient(g, X_hat):
            for factor in (gamma / s, gamma * s):
                expect(not same(answer, factor * wrong, 1e-4), message)
        expect(not same(answer * gamma, wanted, 1e-4), "γ is missing: the output is γ times X_hat.")
        expect(not same(answer / s, wanted, 1e-4), "The division by s is missing.")
        expect(not same(answer / s**2, wanted, 1e-4), "It is multiplied by s. A larger s makes the gradient smaller.")
        expect(not same(-answer, wanted, 1e-4), "It has the opposite sign everywhere.")
        expect(same(answer, wanted, 1e-4), "It does not agree with the gradient that autograd finds.")


def _mistakes_in_gradient(g, X_hat):
    """Yield what stands beside γ / s by a mistake, and what to say then."""
    mean_g, mean_gx = g.mean(axis=0), (g * X_hat).mean(axis=0)
    yield g - X_hat * mean_gx, say("The mean of g is still in it.")
    yield g - mean_g, say("The part along X_hat is still in it.")
    yield g, say("Both means are missing: the input acts through the mean and the variance, too.")
    yield g - g.sum(axis=0) - X_hat * (g * X_hat).sum(axis=0), say("The bars are means, not sums.")
    for first in (mean_g, g.mean()):
        for second in (mean_gx, (g * X_hat).mean()):
            if first is not mean_g or second is not mean_gx:
                wrong = g - first - X_hat * second
                yield wrong, say("A mean is taken over the whole array: each feature has its own.")
    yield g - mean_g + X_hat * mean_gx, say("The part along X_hat has the wrong sign: it is taken away.")
    yield g + mean_g - X_hat * mean_gx, say("The mean of g has the wrong sign: it is taken away.")
    yield g + mean_g + X_hat * mean_gx, say("Both means have the wrong sign: they are taken away.")
    yield g - mean_g - mean_gx, say("The mean of g * X_hat stands alone: it is multiplied by X_hat.")


@exercises.add(
    "fold",
    title="A network without its batch norm",
    difficulty="●●●",
    minutes=25,
    why="Most networks that run on phones have been folded like this. It works because in prediction the statistics "
    "are constants.",
    hints=(
        "Write down what batch norm does to w · x + b, and sort: what stands beside x, and what stands alone?",
        "Let factor be γ / √(σ² + ε). The new weight is factor · w, the new bias is factor · (b − μ) + β.",
        "factor has one number for each output, the first axis of weight: reshape it to (-1, 1, 1, 1), or (-1, 1).",
    ),
)
def fold(fold):
    """Compare with a convolution and a dense layer, each followed by MXNet's batch norm, on random numbers."""
    expect_callable(fold)
    for shape, layer in (((5, 3, 2, 2), _convolve), ((5, 7), _dense)):
        weight, eps = RANDOM.normal(size=shape), float(RANDOM.uniform(0.1, 0.5))
        bias, gamma, beta, mean = (RANDOM.normal(size=5) for _ in range(4))
        var, X = RANDOM.uniform(0.1, 2, 5), RANDOM.normal(size=(4, *shape[1:]))
        given = [array.copy() for array in (weight, bias, gamma, beta, mean, var)]
        answer = fold(*given, eps)
        pair = isinstance(answer, (tuple, list)) and len(answer) == 2
        expect(pair, "fold must return two arrays: the new weight and the new bias.")
        expect(same(given[0], weight), "fold changes the weight that it is given: the trained network would be lost.")
        new_weight = to_array(answer[0], shape, say("The new weight, for a weight of shape {shape},", shape=shape))
        new_bias = to_array(answer[1], (5,), say("The new bias"))
        factor = gamma / np.sqrt(var + eps)
        wanted = batch_norm(layer(X, weight, bias), gamma, beta, mean, var, eps=eps, momentum=0.9, training=False)[0]
        for wrong, message in _mistakes_in_weight(weight, gamma, var, eps):
            expect(not same(new_weight, wrong, 1e-6), message)
        right_weight = same(new_weight, (weight.T * factor).T, 1e-6)
        sentence = "For a weight of shape {shape} the new one is not right. Try it with weights of 1."
        expect(right_weight, sentence, shape=shape)
        for wrong, message in (
            (bias, say("The bias has not changed.")),
            (factor * bias + beta, say("The mean is missing in the new bias.")),
            (factor * (bias - mean), say("β is missing in the new bias.")),
            (factor * -mean + beta, say("The old bias is missing in the new one.")),
            (bias - factor * mean + beta, say("The old bias passes through batch norm as well: multiply it, too.")),
            (factor * (bias + mean) + beta, say("The mean is added; batch norm takes it away.")),
            (factor * (bias - mean + beta), say("β is multiplied; batch norm adds it last.")),
        ):
            expect(not same(new_bias, wrong, 1e-6), message)
        sentence = "The new layer does not predict what the two old ones do: the bias is not right."
        expect(same(layer(X, new_weight, new_bias), wanted, 1e-6), sentence)


def _mistakes_in_weight(weight, gamma, var, eps):
    factors = (
        (np.ones(5), say("The weight has not changed.")),
        (gamma, say("The weight is not divided by the standard deviation.")),
        (1 / np.sqrt(var + eps), say("γ is missing in the new weight.")),
        (gamma / (var + eps), say("The weight is divided by the variance, not by its root.")),
        (gamma / np.sqrt(var), say("ε is missing.")),
        (gamma / (np.sqrt(var) + eps), say("ε stands inside the root.")),
        (gamma * np.sqrt(var + eps), say("The weight is multiplied by the standard deviation.")),
    )
    for factor, message in factors:
        yield (weight.T * factor).T, message


def _convolve(X, weight, bias):
    arrays = [nd.array(array, dtype="float64") for array in (X, weight, bias)]
    return nd.Convolution(*arrays, kernel=weight.shape[2:], num_filter=len(weight)).asnumpy()


def _dense(X, weight, bias):
    return X @ weight.T + bias
