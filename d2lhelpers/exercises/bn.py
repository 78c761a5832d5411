"""Checks of chapter 1, batch normalisation."""

import numpy as np

from ..arguments import as_numpy
from ..runtime import mx
from ..training import History
from .comparing import (
    RANDOM,
    chapter,
    expect,
    expect_callable,
    expect_choice,
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
        for training, mode in ((False, "prediction"), (True, "training")):
            with autograd.record(train_mode=training):
                Y = layer(data)
            Y.backward(nd.array(head), train_mode=training)
            Y = to_array(Y, shape, f"In {mode}, the output for an input of shape {shape}")
            options = {"eps": 1e-5, "momentum": 0.9, "training": training, "head": head}
            wanted = batch_norm(X, np.ones(5), np.zeros(5), mean, var, **options)
            message = f"In {mode} mode the layer no longer normalises as `nn.BatchNorm` does. Change only γ and β."
            expect(same(Y, wanted[0], 1e-4), message)
            message = f"In {mode} mode the gradient of the input is no longer that of batch norm. Change only γ and β."
            expect(same(data.grad.asnumpy(), wanted[3], 1e-3), message)
            averages = (average.data().asnumpy() for average in (layer.running_mean, layer.running_var))
            message = (
                f"After a batch in {mode} mode the moving averages are not those of batch norm. Change only γ and β."
            )
            expect(all(same(ours, theirs, 1e-4) for ours, theirs in zip(averages, wanted[1:3], strict=True)), message)


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
    expect(complete, f"Your layer lacks one of {', '.join(names)}. Does its constructor call the parent's?")
    losses, moved = train_a_little(net)

    weights = list(net.collect_params(".*weight"))
    below = moved & set(weights[:-1])  # the last has no batch norm above it
    expect(below, "Now no layer below yours learns: the whole network is frozen. Freeze nothing but γ and β.")
    gammas, betas = ([getattr(layer, name) for layer in layers] for name in names[:2])
    trained = {"γ": _any_gradient(gammas), "β": _any_gradient(betas)}
    if all(trained.values()):
        still = not any(parameter.name in moved for parameter in gammas + betas)
        how = "Their lr_mult is 0" if gammas[0].lr_mult == 0 else "They do not move"
        advice = (
            "so they stay. But MXNet still computes their gradients at every step, for nothing; grad_req avoids that."
        )
        expect(not still, f"{how}, {advice}")
    expect(
        not all(trained.values()),
        "Nothing is frozen: γ and β have gradients. Which attribute of a parameter stops that?",
    )
    for symbol in trained:
        expect(not trained[symbol], f"Half way: {symbol} still gets a gradient. It needs the same as the other one.")
    for symbol, parameters, value in (("γ", gammas, 1), ("β", betas, 0)):
        kept = all((parameter.data().asnumpy() == value).all() for parameter in parameters)
        expect(kept, f"{symbol} gets no gradient, but it is not {value} everywhere after training.")
    expect(set(weights) <= moved, "Some weights did not change after eight steps. Freeze nothing but γ and β.")
    averages = net.collect_params(".*running")
    expect(set(averages) <= moved, "The moving averages stand still. They have no gradient anyway; leave them alone.")
    expect_batch_norm(layer_class)
    expect(losses[-1] < losses[0], "The loss did not fall within eight steps. Does the layer still pass gradients on?")


@exercises.add(
    "bias",
    title="Who needs a bias?",
    difficulty="●○○",
    minutes=10,
    why="A bias in front of batch norm is memory and work for nothing, which is why you will see use_bias=False there.",
    hints=(
        "Run the same pictures through conv and norm twice, and change nothing but the bias in between.",
        "conv.bias.set_data(nd.full(6, bias)) sets all biases. Only training mode takes the mean of the batch.",
        "Compute the two outputs inside autograd.train_mode(), and return float(abs(a - b).max().asscalar()).",
    ),
)
def bias(output_change):
    """Try layers that multiply each channel by a number of its own, then batch norm, which takes the bias away."""
    expect_callable(output_change)
    for value in (10.0, float(RANDOM.uniform(0.5, 3)), -float(RANDOM.uniform(0.5, 3))):
        factors = RANDOM.uniform(-1, 1, 6)
        factors[0] = RANDOM.uniform(0.2, 1)  # both signs are there
        factors[RANDOM.integers(1, 6)] = -RANDOM.uniform(2, 4)
        expected = np.abs(factors).max() * abs(value)
        what = f"For a layer that multiplies each channel by a number, up to {np.abs(factors).max():.1f},"
        change = to_number(output_change(_multiply_by(factors), value), f"{what} the result")
        advice = "Compare the same pictures, with the same weights, and take the largest difference of all."
        advice = "It should not be negative: take the absolute value." if change < 0 else advice
        advice = "Do you use the layer that make_norm() makes, and the bias?" if change == 0 else advice
        message = f"{what} and a bias of {value:.1f} in all channels, the result must be {expected:.2f}; "
        expect(abs(change - expected) < 1e-3 * expected, f"{message}it is {change:.2f}. {advice}")
        change = to_number(output_change(gluon.nn.BatchNorm, value), "output_change(nn.BatchNorm, …)")
        message = f"With batch norm and a bias of {value:.1f} the output changes by {change:.3f}. "
        # In float32 the statistics of real pictures leave about a hundredth of the bias.
        expect(abs(change) < 0.1 * abs(value), f"{message}In training mode it would not: is autograd.train_mode() on?")


def _multiply_by(factors):
    def multiply(X):
        expect(
            X.ndim == 4 and X.shape[1] == 6,
            f"The layer gets the shape {X.shape}. The convolution must have 6 channels.",
        )
        return X * nd.array(factors.reshape(1, 6, 1, 1), ctx=X.context)

    return lambda: gluon.nn.Lambda(multiply)


@exercises.add(
    "momentum",
    title="How long does an average remember?",
    difficulty="●○○",
    minutes=5,
    why="The starting value fades by the factor momentum with each batch. With 0.99 it takes 459 batches to reach 1 %, "
    "about two epochs of the full data set in this chapter.",
    hints=(
        "Write down the first three values: start with 0, keep nine tenths, add a tenth of 5.",
        "The distance to 5 shrinks by the same factor with every batch. Which one?",
        "After n batches the distance is 5 × 0.9ⁿ. Ask when that is 1 % of 5.",
    ),
)
def momentum(after_ten, batches):
    """Compare with 5 (1 − 0.9¹⁰), and the smallest n with 0.9ⁿ ≤ 0.01."""
    after_ten, batches = to_number(after_ten, "The moving mean"), to_number(batches, "The number of batches")
    right = 5 * (1 - 0.9**10)
    expect(abs(after_ten - 5 * 0.9**10) > 0.02, "That is how far the mean still is from 5. Where is it itself?")
    expect(
        abs(after_ten - 5 * (1 - 0.1**10)) > 0.02,
        "Momentum is the share that is *kept* of the old mean, not of the batch.",
    )
    expect(
        abs(after_ten - right) < 0.02,
        f"The moving mean after ten batches is not {after_ten:g}. Write the first three down.",
    )
    expect(batches == int(batches), "The number of batches is a whole number.")
    expect(batches > 0, "Batches are counted from 1.")
    expect(batches <= 44, f"It is there before {batches:g} batches have passed.")
    expect(batches >= 44, f"After {batches:g} batches it is still {0.9**batches:.1%} away.")


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
        for training, mode in ((True, "training"), (False, "prediction")):
            given = [array.copy() for array in (X, gamma, beta, mean, var)]
            answer = repaired(*given, training, eps=eps, momentum=kept)
            expect(
                isinstance(answer, (tuple, list)) and len(answer) == 3,
                "It must return three things: the output and both averages.",
            )
            names = ("output", "moving mean", "moving variance")
            shapes = (shape, (5,), (5,))
            Y, new_mean, new_var = (
                to_array(part, size, f"The {name} in {mode}")
                for part, size, name in zip(answer, shapes, names, strict=True)
            )
            wanted = batch_norm(X, gamma, beta, mean, var, eps=eps, momentum=kept, training=training)
            if training:
                centred, biased, unbiased = X - X.mean(axis=0), X.var(axis=0), X.var(axis=0, ddof=1)
                for spread in (biased, unbiased):
                    outside = gamma * centred / (np.sqrt(spread) + eps) + beta
                    expect(not same(Y, outside, 1e-6), "ε is added to the wrong thing: compare with the formula for x̂.")
                large = gamma * centred / np.sqrt(unbiased + eps) + beta
                expect(
                    not same(Y, large, 1e-6),
                    "The output is a little too small: the variance divides by m − 1, not by m.",
                )
            else:
                message = "In prediction the output must not depend on the other rows of the batch, and now it does."
                alone = repaired(X[:2].copy(), *given[1:], training, eps=eps, momentum=kept)[0]
                expect(same(to_array(alone, (2, 5), "The output for two rows"), Y[:2], 1e-6), message)
            expect(same(Y, wanted[0], 1e-6), f"In {mode} mode the output is not that of nn.BatchNorm.")
            if training:
                swapped = (1 - kept) * mean + kept * X.mean(axis=0)
                expect(
                    not same(new_mean, swapped, 1e-6),
                    "The moving averages follow too fast: which share of the old is kept?",
                )
                unbiased = kept * var + (1 - kept) * X.var(axis=0, ddof=1)
                expect(not same(new_var, unbiased, 1e-6), "The moving variance takes a variance that divides by m − 1.")
            message = f"In {mode} mode the moving averages are not those of nn.BatchNorm."
            expect(same(new_mean, wanted[1], 1e-6) and same(new_var, wanted[2], 1e-6), message)
    by_default = map(as_numpy, repaired(X.copy(), gamma, beta, mean.copy(), var.copy(), True))
    wanted = batch_norm(X, gamma, beta, mean, var, eps=1e-5, momentum=0.9, training=True)
    kept = all(same(np.asarray(ours), theirs, 1e-6) for ours, theirs in zip(by_default, wanted[:3], strict=True))
    expect(kept, "Without eps and momentum it must use 1e-5 and 0.9, as before.")


RATES = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)


@exercises.add(
    "largest-lr",
    title="How far can you turn it up?",
    difficulty="●●○",
    minutes=15,
    why="With batch norm the useful learning rates span a factor of ten, so you need not search long for a good one.",
    hints=(
        "Try every rate in turn, and remember those that worked. A larger one may fail where a smaller one did.",
        "train_lenet returns the network and a History. Its train_acc[0] is the training accuracy of the first epoch.",
        "When the loss blows up, train_acc is empty. And when no rate works, max needs its argument default=None.",
    ),
)
def largest_lr(largest_lr):
    """Put a training in place whose accuracies are known, and that does not train."""
    expect_callable(largest_lr)
    bad, good = (lambda: float(RANDOM.uniform(0.1, 0.5))), (lambda: float(RANDOM.uniform(0.6, 0.9)))
    cases = {
        "0.1 to 1 work": {lr: bad() for lr in RATES} | {0.1: 0.6, 0.3: 0.7, 1: 0.8},
        "one rate reaches 0.55 exactly": {lr: 0.55 if lr == 3 else bad() for lr in RATES},
        "all rates work, and 0.1 is best": {lr: 0.95 if lr == 0.1 else good() for lr in RATES},
        "1 reaches 0.551 and 10 only 0.549": {lr: bad() for lr in RATES} | {1: 0.551, 10: 0.549},
        "0.03 works and 10 blows up": {lr: good() if lr == 0.03 else bad() for lr in RATES} | {10: None},
        "none works": {lr: bad() for lr in RATES},
    }
    for case, accuracies in cases.items():
        tried, norm = set(), object()

        def train_lenet(norm=None, lr=1.0, *, wanted=norm, accuracies=accuracies, tried=tried, **options):
            expect(norm is wanted, "largest_lr must train with the norm that it is given.")
            rate = min(RATES, key=lambda rate: abs(rate - lr))
            expect(abs(rate - lr) < 1e-9, f"{lr:g} is not one of the seven rates.")
            tried.add(rate)
            accuracy = accuracies[rate]
            if accuracy is None:
                return None, History(stopped="The loss is no longer a finite number.")
            late = 0.9 if accuracy < 0.55 else accuracy
            epochs = options.get("epochs") or 4
            return None, History([2.0] * epochs, [accuracy] + [late] * (epochs - 1), [0.9] * epochs, [1.0] * epochs)

        with replaced(largest_lr, train_lenet=train_lenet):
            answer = largest_lr(norm)
        expect(tried, "largest_lr trains nothing: call train_lenet.")
        working = [lr for lr, accuracy in accuracies.items() if accuracy and accuracy >= 0.55]
        where = f"In a test where {case}, "
        if not working:
            expect(answer is None, f"{where}largest_lr must return None; it returns {answer!r}.")
            continue
        expect(answer is not None, f"{where}it must return {max(working):g}, and it returns None. Is there a return?")
        answer = to_number(answer, f"{where}the answer of largest_lr")
        expect(answer == max(working), f"{where}it must return {max(working):g}; it returns {answer:g}.")


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
    expect(widths == [6, 16, 120, 84, 10], f"LeNet's layers have 6, 16, 120, 84 and 10 outputs; yours have {widths}.")
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
        "In lenet_after, norm comes behind the Activation, and still in front of the pooling.",
        "In lenet_dense_only the first loop has no norm. norm gets 4 after a convolution and 2 after a dense layer.",
    ),
)
def placement(lenet_after, lenet_dense_only):
    """Compare the order in which the layers run."""
    expect_callable(lenet_after, lenet_dense_only)
    order, arguments = order_of_layers(lenet_after)
    plain = "conv norm sigmoid pool conv norm sigmoid pool dense norm sigmoid dense norm sigmoid dense"
    expect(order != plain, "lenet_after is still lenet: norm comes before the sigmoid.")
    expect("pool norm" not in order, "In lenet_after, norm must come directly behind the sigmoid, before the pooling.")
    right = "conv sigmoid norm pool conv sigmoid norm pool dense sigmoid norm dense sigmoid norm dense"
    expect(order == right, f"The layers of lenet_after run in the order: {order}.")
    expected = [(6, 4), (16, 4), (120, 2), (84, 2)]
    expect(arguments == expected, f"lenet_after calls norm with {arguments}; channels and axes should be {expected}.")
    order, arguments = order_of_layers(lenet_dense_only)
    expect(order != plain, "lenet_dense_only still has batch norm behind its convolutions.")
    expect("dense sigmoid norm" not in order, "In lenet_dense_only, norm must come in front of the sigmoid.")
    right = "conv sigmoid pool conv sigmoid pool dense norm sigmoid dense norm sigmoid dense"
    expect(order == right, f"The layers of lenet_dense_only run in the order: {order}.")
    dense = [call for call in arguments if call not in expected[:2]]  # the others were made, and are not used
    expect(dense == expected[2:], f"lenet_dense_only calls norm with {dense}; it should be {expected[2:]}.")


@exercises.add(
    "global-stats",
    title="Batch norm that ignores the batch",
    difficulty="●●○",
    minutes=10,
    why="A switch that helps in fine-tuning makes a fresh layer do nothing. Know what a switch does before you use it.",
    hints=(
        "What are the moving averages of a layer that has never been trained?",
        "With mean 0 and variance 1 the formula leaves nearly every input as it was.",
        "gluon_norm passes options on to nn.BatchNorm.",
    ),
)
def global_stats(guess, global_norm):
    """Check the guess, then what the layer does with its averages."""
    guess = expect_choice(guess, ("plain", "batch norm"))
    expect_callable(global_norm)
    for shape in SHAPES:
        layer = global_norm(shape[1], len(shape))
        expect(isinstance(layer, gluon.Block), "global_norm must return a layer. Is there a return?")
        layer.initialize()
        X = nd.array(normal(shape))
        with autograd.record():
            Y = to_array(layer(X), shape, "The output of the layer")
        parameters = {name.rpartition("_")[2]: p for name, p in layer.collect_params().items()}
        complete = {"gamma", "beta", "mean", "var"} <= set(parameters)
        expect(complete, "The layer must have γ, β and the moving averages. Is it a batch norm?")
        zeros, ones = np.zeros(shape[1]), np.ones(shape[1])
        options = {"eps": 1e-5, "momentum": 0.9}
        batch_normed = batch_norm(X.asnumpy(), ones, zeros, zeros, ones, training=True, **options)[0]
        expect(
            not same(Y, batch_normed, 1e-3), "It still normalises with the batch: that is what the switch turns off."
        )
        expect(same(Y, X.asnumpy(), 1e-4), "A fresh layer should leave its input as it is, in training too.")
        trained = all(parameters[name].grad_req == "write" for name in ("gamma", "beta"))
        expect(trained, "γ and β must still be learned; only the averages stay.")
        values = [RANDOM.uniform(0.5, 2, shape[1]) for _ in range(4)]
        for name, value in zip(("gamma", "beta", "mean", "var"), values, strict=True):
            parameters[name].set_data(nd.array(value))
        with autograd.record():
            Y = layer(X)
        Y.backward()
        nd.waitall()
        wanted = batch_norm(X.asnumpy(), *values, training=False, **options)[0]
        message = "With other averages, γ and β it does not compute batch norm's formula with the moving averages."
        expect(same(to_array(Y, shape, "The output of the layer"), wanted, 1e-4), message)
        kept = (
            same(parameters[name].data().asnumpy(), value)
            for name, value in zip(("mean", "var"), values[2:], strict=True)
        )
        expect(all(kept), "The moving averages change in training: the switch should keep them.")
    expect(guess == "plain", "The layer is right, your guess is not: train_lenet(global_norm) shows it.")


@exercises.add(
    "backward",
    title="The gradient, without looking",
    difficulty="●●●",
    minutes=20,
    why="With one of the two means missing a gradient still looks plausible. Only comparing with a reference tells.",
    hints=(
        "It is the last formula of section *The gradient, by hand*, with NumPy arrays.",
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
        answer = to_array(gradient_of_input(g.copy(), X_hat.copy(), gamma.copy(), s.copy()), shape, "The gradient")
        zeros, ones = np.zeros(shape[1]), np.ones(shape[1])
        wanted = batch_norm(X, gamma, zeros, zeros, ones, eps=1e-5, momentum=0.9, training=True, head=g)[-1]
        mean_g, mean_gx = g.mean(axis=0), (g * X_hat).mean(axis=0)
        for wrong, message in (
            (g - X_hat * mean_gx, "The mean of g is still in it."),
            (g - mean_g, "The part along X_hat is still in it."),
            (g, "Both means are missing: the input acts through the mean and the variance, too."),
            (g - g.sum(axis=0) - X_hat * (g * X_hat).sum(axis=0), "The bars are means, not sums."),
            (
                g - g.mean() - X_hat * (g * X_hat).mean(),
                "The means are taken over the whole array: each feature has its own.",
            ),
        ):
            expect(not same(answer, gamma / s * wrong, 1e-4), message)
        expect(not same(answer * gamma, wanted, 1e-4), "γ is missing: the output is γ times X_hat.")
        expect(not same(answer / s, wanted, 1e-4), "The division by s is missing.")
        expect(same(answer, wanted, 1e-4), "It does not agree with the gradient that autograd finds.")
