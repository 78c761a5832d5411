"""Wrong answers to chapter 1, batch normalisation."""

import d2lhelpers as d2l
import numpy as np
from d2lhelpers.chapters import batch_norm as BN
from mxnet import autograd, init, nd
from mxnet.gluon import nn

from . import wrong

# --- bn.freeze


@wrong("bn.freeze", "Nothing is frozen")
class NothingFrozen(BN.BatchNorm):
    pass


class GammaFrozen(BN.BatchNorm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gamma.grad_req = "null"


class BothFrozen(GammaFrozen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.beta.grad_req = "null"


wrong("bn.freeze", "β still gets a gradient", GammaFrozen)


@wrong("bn.freeze", "γ still gets a gradient")
class OnlyBetaFrozen(BN.BatchNorm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.beta.grad_req = "null"


@wrong("bn.freeze", "MXNet still computes their gradients")
class NoLearningRate(BN.BatchNorm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gamma.lr_mult = self.beta.lr_mult = 0


@wrong("bn.freeze", "the whole network is frozen")
class WholeNetworkFrozen(BothFrozen):
    def forward(self, X):
        return super().forward(X.detach()).detach()


@wrong("bn.freeze", "Some weights did not change")
class LayersBelowFrozen(BothFrozen):
    def forward(self, X):
        return super().forward(X.detach() if X.ndim == 4 else X)


@wrong("bn.freeze", "moving averages stand still")
class AveragesFrozen(BothFrozen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, momentum=1, **kwargs)


@wrong("bn.freeze", "it is not 1 everywhere")
class FrozenElsewhere(BothFrozen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gamma.init = init.Constant(2)


@wrong("bn.freeze", "no longer normalises")
class DoesNotNormalise(BothFrozen):
    def forward(self, X):
        if autograd.is_training():
            self.running_mean.set_data(self.running_mean.data() + 1)
            self.running_var.set_data(self.running_var.data() + 1)
        return X * 1


@wrong("bn.freeze", "moving averages are not those")
class OtherMomentum(BothFrozen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, momentum=0.1, **kwargs)


@wrong("bn.freeze", "gradient of the input is no longer")
class StatisticsAreConstants(BothFrozen):
    def forward(self, X):
        Y = super().forward(X)
        if not autograd.is_training():
            return Y
        with autograd.pause():
            centre = BN.channel_mean(X)
            s = nd.sqrt(BN.channel_mean(nd.square(X - BN.spread(centre, X))) + self.eps)
        return (X - BN.spread(centre, X)) / BN.spread(s, X)


wrong("bn.freeze", "without calling it", BothFrozen(3, 4))
wrong("bn.freeze", "lacks one of gamma", lambda num_features, num_dims: nn.Activation("sigmoid"))


# --- bn.bias


def outputs(make_norm, bias, training=True, fresh=False):
    d2l.set_seed(0)
    conv, norm = nn.Conv2D(6, kernel_size=5, in_channels=1), make_norm()
    conv.initialize()
    norm.initialize()
    X = nd.random.normal(shape=(8, 1, 28, 28))
    results = []
    for value in (0, bias):
        conv.bias.set_data(nd.full(6, value))
        X = nd.random.normal(shape=(8, 1, 28, 28)) if fresh else X
        with autograd.record(train_mode=training):
            results.append(norm(conv(X)))
    return results[0] - results[1]


@wrong("bn.bias", "train_mode() on")
def in_prediction_mode(make_norm, bias):
    return abs(outputs(make_norm, bias, training=False)).max()


@wrong("bn.bias", "Compare the same pictures")
def on_other_pictures(make_norm, bias):
    return abs(outputs(make_norm, bias, fresh=True)).max()


@wrong("bn.bias", "absolute value")
def without_absolute_value(make_norm, bias):
    return outputs(make_norm, bias).min()


@wrong("bn.bias", "Do you use the layer")
def forgets_the_bias(make_norm, bias):
    return abs(outputs(make_norm, 0)).max()


@wrong("bn.bias", "must be")
def forgets_the_norm(make_norm, bias):
    return abs(bias)


@wrong("bn.bias", "must be a number; it is NDArray of shape")
def all_differences(make_norm, bias):
    return abs(outputs(make_norm, bias))


@wrong("bn.bias", "is there a return?")
def returns_nothing(make_norm, bias):
    outputs(make_norm, bias)


# --- bn.momentum

wrong("bn.momentum", "how far the mean still is", 1.743, 44)
wrong("bn.momentum", "share that is *kept*", 5.0, 44)
wrong("bn.momentum", "is not 4.5", 4.5, 44)
wrong("bn.momentum", "before 50 batches", 3.257, 50)
wrong("bn.momentum", "still 1.1% away", 3.257, 43)
wrong("bn.momentum", "whole number", 3.257, 43.7)
wrong("bn.momentum", "must be a number; it is str", "3.257", 44)


@wrong("bn.bias", "the largest difference of all")
def mean_difference(make_norm, bias):
    return abs(outputs(make_norm, bias)).mean()


@wrong("bn.bias", "the largest difference of all")
def difference_of_largest(make_norm, bias):
    d2l.set_seed(0)
    conv, norm, results = nn.Conv2D(6, kernel_size=5, in_channels=1), make_norm(), []
    conv.initialize()
    norm.initialize()
    for value in (0, bias):
        conv.bias.set_data(nd.full(6, value))
        with autograd.train_mode():
            results.append(norm(conv(nd.ones((8, 1, 28, 28)))).max())
    return abs(results[0] - results[1])


@wrong("bn.bias", "must have 6 channels")
def without_convolution(make_norm, bias):
    norm, X = make_norm(), nd.random.normal(shape=(8, 1, 28, 28))
    norm.initialize()
    with autograd.train_mode():
        return abs(norm(X + bias) - norm(X)).max()


# --- bn.bug


def norm(mistakes):
    """Return batch norm for NumPy arrays with some of the four mistakes, and others."""

    def repaired(X, gamma, beta, moving_mean, moving_var, training, eps=1e-5, momentum=0.9):
        mean, var = X.mean(axis=0), X.var(axis=0, ddof="unbiased" in mistakes)
        share = 1 - momentum if "swapped" in mistakes else momentum
        new = share * moving_mean + (1 - share) * mean, share * moving_var + (1 - share) * var
        if "unbiased average" in mistakes:
            new = new[0], share * moving_var + (1 - share) * X.var(axis=0, ddof=1)
        if not training and "batch in prediction" not in mistakes:
            mean, var = moving_mean, moving_var
        mean = moving_mean if "moving mean" in mistakes else mean
        var = moving_var if "moving variance" in mistakes else var
        if "all features" in mistakes:
            mean = mean.mean()
        root = np.sqrt(var) + eps if "outside" in mistakes else np.sqrt(var + (0 if "no ε" in mistakes else eps))
        Y = gamma * (X - mean) / root + beta
        if "no shift" in mistakes:
            Y = Y - beta
        return Y, *(new if training or "always moves" in mistakes else (moving_mean, moving_var))

    return repaired


wrong("bn.bug", "ε is added to the root", norm({"unbiased", "outside", "swapped", "batch in prediction"}))
wrong("bn.bug", "ε is added to the root", norm({"outside"}))
wrong("bn.bug", "ε is gone", norm({"no ε"}))
wrong("bn.bug", "They are for prediction; training uses the batch", norm({"moving mean", "moving variance"}))
wrong("bn.bug", "the mean is still the moving average", norm({"moving mean"}))
wrong("bn.bug", "the variance is still the moving average", norm({"moving variance"}))
wrong("bn.bug", "divides by m − 1", norm({"unbiased"}))
wrong("bn.bug", "follow too fast", norm({"swapped"}))
wrong("bn.bug", "must not depend on the other rows", norm({"batch in prediction"}))
wrong("bn.bug", "moving variance takes a variance", norm({"unbiased average"}))
wrong("bn.bug", "In training mode the output is not", norm({"no shift"}))
wrong("bn.bug", "In training mode the output is not", norm({"all features"}))
wrong("bn.bug", "In prediction mode the moving averages", norm({"always moves"}))
wrong("bn.bug", "it must use 1e-5", lambda *arrays, eps=0.1, momentum=0.9: norm(())(*arrays, eps, momentum))
wrong("bn.bug", "return three things", lambda X, *others, eps=0, momentum=0: X)


# --- bn.largest-lr

RATES = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)


def accuracy(norm, lr):
    history = train_lenet(norm, lr=lr)[1]  # noqa: F821  a global of the notebook
    return history.train_acc[0] if history.train_acc else 0


def wrong_search(words):
    """Add a wrong `largest_lr`, beside a good prediction and what is measured with a right one."""

    def add(search):
        wrong("bn.largest-lr", words, (0, 1), search, (0, 0.3))
        return search

    return add


def right_search(norm):
    return max((lr for lr in RATES if accuracy(norm, lr) >= 0.6), default=0)


wrong("bn.largest-lr", "predicted must be two of the seven rates", 1, right_search, (0, 0.3))
wrong("bn.largest-lr", "predicted must be two of the seven rates", (0, 0.5), right_search, (0, 0.3))
wrong("bn.largest-lr", "measured must be two of the seven rates", (0, 1), right_search, (None, 1))
wrong("bn.largest-lr", "does not find what measured says", (0, 1), right_search, (0, 1))
wrong("bn.largest-lr", "does not find what measured says", (0, 1), right_search, (0.1, 0.3))


@wrong_search("it returns 0.1. A larger rate may still work where a smaller one did not")
def smallest(norm):
    return min((lr for lr in RATES if accuracy(norm, lr) >= 0.6), default=0)


@wrong_search("A larger rate may still work: try all seven")
def gives_up_at_the_first(norm):
    for lr in RATES:
        if accuracy(norm, lr) < 0.6:
            return None


@wrong_search("where all rates work, and 0.1 is best")
def most_accurate(norm):
    best = max(RATES, key=lambda lr: accuracy(norm, lr))
    return best if accuracy(norm, best) >= 0.6 else 0


@wrong_search("reaches 0.6 exactly")
def more_than(norm):
    return max((lr for lr in RATES if accuracy(norm, lr) > 0.6), default=0)


@wrong_search("1 reaches 0.601 and 10 only 0.599")
def lower_limit(norm):
    return max((lr for lr in RATES if accuracy(norm, lr) > 0.5), default=0)


@wrong_search("IndexError")
def blows_up(norm):
    reached = [lr for lr in RATES if train_lenet(norm, lr=lr)[1].train_acc[0] >= 0.6]  # noqa: F821
    return max(reached, default=0)


@wrong_search("ValueError")
def no_default(norm):
    return max(lr for lr in RATES if accuracy(norm, lr) >= 0.6)


@wrong_search("with the norm that it is given")
def ignores_norm(norm):
    return max((lr for lr in RATES if accuracy(None, lr) >= 0.6), default=0)


@wrong_search("must return 1; it returns 10")
def looks_at_the_test(norm):
    return max(lr for lr in RATES if train_lenet(norm, lr=lr)[1].test_acc[0] >= 0.6)  # noqa: F821


@wrong_search("must return 1; it returns 10")
def looks_at_the_last_epoch(norm):
    return max(lr for lr in RATES if train_lenet(norm, lr=lr, num_epochs=4)[1].train_acc[-1] >= 0.6)  # noqa: F821


@wrong_search("trains nothing")
def guesses(norm):
    return 1


@wrong_search("is not one of the seven rates")
def other_rates(norm):
    return max((lr for lr in (0.2, 2) if accuracy(norm, lr) >= 0.6), default=0)


# --- bn.placement


def lenet(convolution, dense):
    """Return LeNet with these layers, named by letters, behind convolutions and dense layers."""

    def make(norm):
        net = nn.Sequential()
        for channels in (6, 16):
            net.add(nn.Conv2D(channels, kernel_size=5))
            add(net, convolution, norm, channels, 4)
        for units in (120, 84):
            net.add(nn.Dense(units))
            add(net, dense, norm, units, 2)
        net.add(nn.Dense(10))
        return net

    return make


def add(net, letters, norm, width, axes):
    for letter in letters:
        if letter == "n":
            net.add(norm(width, axes))
        elif letter == "w":
            net.add(norm(width, 4))
        else:
            kind = {"s": nn.Activation("sigmoid"), "r": nn.Activation("relu"), "p": nn.MaxPool2D(2, 2)}
            net.add(kind[letter])


AFTER, DENSE_ONLY = lenet("snp", "sn"), lenet("sp", "ns")
wrong("bn.placement", "still lenet", BN.lenet, DENSE_ONLY)
wrong("bn.placement", "before the pooling", lenet("spn", "sn"), DENSE_ONLY)
wrong("bn.placement", "run in the order", lenet("snp", "s"), DENSE_ONLY)
wrong("bn.placement", "has sigmoids, and yours", lenet("rnp", "rn"), DENSE_ONLY)
wrong("bn.placement", "channels and axes should be", lenet("snp", "sw"), DENSE_ONLY)
wrong("bn.placement", "after its convolutions", AFTER, BN.lenet)
wrong("bn.placement", "in front of the sigmoid", AFTER, lenet("sp", "sn"))
wrong("bn.placement", "lenet_dense_only run in the order", AFTER, lenet("sp", "s"))


def small_kernels(norm):
    net = AFTER(norm)
    net._children["0"] = nn.Conv2D(6, kernel_size=3, padding=1)
    return net


wrong("bn.placement", "another kernel", small_kernels, DENSE_ONLY)
wrong("bn.placement", "must return a network", lambda norm: None, DENSE_ONLY)


# --- bn.backward


def mean(values):
    return values.mean(axis=0)


@wrong("bn.backward", "The mean of g is still in it")
def without_mean(g, X_hat, gamma, s):
    return gamma / s * (g - X_hat * mean(g * X_hat))


@wrong("bn.backward", "part along X_hat is still in it")
def without_variance(g, X_hat, gamma, s):
    return gamma / s * (g - mean(g))


@wrong("bn.backward", "Both means are missing")
def direct_part(g, X_hat, gamma, s):
    return gamma / s * g


@wrong("bn.backward", "means, not sums")
def sums(g, X_hat, gamma, s):
    return gamma / s * (g - g.sum(axis=0) - X_hat * (g * X_hat).sum(axis=0))


@wrong("bn.backward", "each feature has its own")
def mean_of_everything(g, X_hat, gamma, s):
    return gamma / s * (g - g.mean() - X_hat * (g * X_hat).mean())


@wrong("bn.backward", "γ is missing")
def without_gamma(g, X_hat, gamma, s):
    return (g - mean(g) - X_hat * mean(g * X_hat)) / s


@wrong("bn.backward", "division by s")
def without_s(g, X_hat, gamma, s):
    return gamma * (g - mean(g) - X_hat * mean(g * X_hat))


@wrong("bn.backward", "The part along X_hat has the wrong sign")
def wrong_sign(g, X_hat, gamma, s):
    return gamma / s * (g - mean(g) + X_hat * mean(g * X_hat))


@wrong("bn.backward", "The mean of g has the wrong sign")
def wrong_sign_of_mean(g, X_hat, gamma, s):
    return gamma / s * (g + mean(g) - X_hat * mean(g * X_hat))


@wrong("bn.backward", "Both means have the wrong sign")
def wrong_signs(g, X_hat, gamma, s):
    return gamma / s * (g + mean(g) + X_hat * mean(g * X_hat))


@wrong("bn.backward", "opposite sign everywhere")
def downhill(g, X_hat, gamma, s):
    return gamma / s * (mean(g) + X_hat * mean(g * X_hat) - g)


@wrong("bn.backward", "It is multiplied by s")
def times_s(g, X_hat, gamma, s):
    return gamma * s * (g - mean(g) - X_hat * mean(g * X_hat))


@wrong("bn.backward", "each feature has its own")
def one_mean_of_everything(g, X_hat, gamma, s):
    return gamma / s * (g - mean(g) - X_hat * (g * X_hat).mean())


@wrong("bn.backward", "it is multiplied by X_hat")
def without_x_hat(g, X_hat, gamma, s):
    return gamma / s * (g - mean(g) - mean(g * X_hat))


@wrong("bn.backward", "does not agree")
def half(g, X_hat, gamma, s):
    return gamma / s * (g - mean(g) - X_hat * mean(g * X_hat) / 2)


@wrong("bn.backward", "must have the shape")
def summed_up(g, X_hat, gamma, s):
    return (gamma / s * g).sum(axis=0)


# --- bn.fold


def fold(factor=lambda gamma, var, eps: gamma / np.sqrt(var + eps), new_bias=None):
    """Return a fold with another factor, or another bias."""

    def folded(weight, bias, gamma, beta, mean, var, eps):
        f = factor(gamma, var, eps)
        other = new_bias(f, bias, beta, mean) if new_bias else f * (bias - mean) + beta
        return (weight.T * f).T, other

    return folded


wrong("bn.fold", "The weight has not changed", fold(lambda gamma, var, eps: np.ones(5)))
wrong("bn.fold", "not divided by the standard deviation", fold(lambda gamma, var, eps: gamma))
wrong("bn.fold", "γ is missing", fold(lambda gamma, var, eps: 1 / np.sqrt(var + eps)))
wrong("bn.fold", "by the variance, not by its root", fold(lambda gamma, var, eps: gamma / (var + eps)))
wrong("bn.fold", "ε is missing", fold(lambda gamma, var, eps: gamma / np.sqrt(var)))
wrong("bn.fold", "ε stands inside", fold(lambda gamma, var, eps: gamma / (np.sqrt(var) + eps)))
wrong("bn.fold", "multiplied by the standard deviation", fold(lambda gamma, var, eps: gamma * np.sqrt(var + eps)))
wrong("bn.fold", "Try it with weights of 1", fold(lambda gamma, var, eps: gamma / np.sqrt(var + 2 * eps)))
wrong("bn.fold", "The bias has not changed", fold(new_bias=lambda f, bias, beta, mean: bias))
wrong("bn.fold", "The mean is missing", fold(new_bias=lambda f, bias, beta, mean: f * bias + beta))
wrong("bn.fold", "β is missing", fold(new_bias=lambda f, bias, beta, mean: f * (bias - mean)))
wrong("bn.fold", "The old bias is missing", fold(new_bias=lambda f, bias, beta, mean: beta - f * mean))
wrong("bn.fold", "multiply it, too", fold(new_bias=lambda f, bias, beta, mean: bias - f * mean + beta))
wrong("bn.fold", "The mean is added", fold(new_bias=lambda f, bias, beta, mean: f * (bias + mean) + beta))
wrong("bn.fold", "β is multiplied", fold(new_bias=lambda f, bias, beta, mean: f * (bias - mean + beta)))
wrong("bn.fold", "the bias is not right", fold(new_bias=lambda f, bias, beta, mean: f * bias - mean + beta))
wrong("bn.fold", "must return two arrays", lambda weight, *others: weight)


@wrong("bn.fold", "changes the weight that it is given")
def in_place(weight, bias, gamma, beta, mean, var, eps):
    factor = gamma / np.sqrt(var + eps)
    for output, number in enumerate(factor):
        weight[output] *= number
    return weight, factor * (bias - mean) + beta


@wrong("bn.fold", "could not be broadcast")
def along_the_inputs(weight, bias, gamma, beta, mean, var, eps):
    factor = gamma / np.sqrt(var + eps)
    return weight * factor, factor * (bias - mean) + beta
