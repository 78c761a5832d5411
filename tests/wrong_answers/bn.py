"""Wrong answers to chapter 1, batch normalisation."""

import d2lhelpers as d2l
import numpy as np
from d2lhelpers.chapters import batch_norm as BN
from mxnet import autograd, init, nd
from mxnet.gluon import nn

from . import wrong

# --- bn.freeze


@wrong("bn.freeze", "Nothing is frozen")
class NothingFrozen(BN.FastBatchNorm):
    pass


class GammaFrozen(BN.FastBatchNorm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gamma.grad_req = "null"


class BothFrozen(GammaFrozen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.beta.grad_req = "null"


wrong("bn.freeze", "β still gets a gradient", GammaFrozen)


@wrong("bn.freeze", "γ still gets a gradient")
class OnlyBetaFrozen(BN.FastBatchNorm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.beta.grad_req = "null"


@wrong("bn.freeze", "MXNet still computes their gradients")
class NoLearningRate(BN.FastBatchNorm):
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
    def compute(self, X, gamma, beta, mean, var):
        return X + 0 * BN.spread(beta, X), mean + 1, var + 1


@wrong("bn.freeze", "moving averages are not those")
class OtherMomentum(BothFrozen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, momentum=0.1, **kwargs)


@wrong("bn.freeze", "gradient of the input is no longer")
class StatisticsAreConstants(BothFrozen):
    def compute(self, X, gamma, beta, mean, var):
        Y, *averages = super().compute(X, gamma, beta, mean, var)
        if not autograd.is_training():
            return Y, *averages
        with autograd.pause():
            centre = BN.channel_mean(X)
            s = nd.sqrt(BN.channel_mean(nd.square(X - BN.spread(centre, X))) + self.eps)
        return (X - BN.spread(centre, X)) / BN.spread(s, X), *averages


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
        if "all features" in mistakes:
            mean = mean.mean()
        root = np.sqrt(var) + eps if "outside" in mistakes else np.sqrt(var + eps)
        Y = gamma * (X - mean) / root + beta
        if "no shift" in mistakes:
            Y = Y - beta
        return Y, *(new if training or "always moves" in mistakes else (moving_mean, moving_var))

    return repaired


wrong("bn.bug", "ε is added to the wrong thing", norm({"unbiased", "outside", "swapped", "batch in prediction"}))
wrong("bn.bug", "ε is added to the wrong thing", norm({"outside"}))
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
    history = train_lenet(norm, lr=lr, epochs=1, verbose=False)[1]  # noqa: F821  a global of the notebook
    return history.train_acc[0] if history.train_acc else 0


@wrong("bn.largest-lr", "it must return 1; it returns 0.1")
def smallest(norm):
    return min((lr for lr in RATES if accuracy(norm, lr) >= 0.55), default=None)


@wrong("bn.largest-lr", "where all rates work, and 0.1 is best")
def most_accurate(norm):
    best = max(RATES, key=lambda lr: accuracy(norm, lr))
    return best if accuracy(norm, best) >= 0.55 else None


@wrong("bn.largest-lr", "reaches 0.55 exactly")
def more_than(norm):
    return max((lr for lr in RATES if accuracy(norm, lr) > 0.55), default=None)


@wrong("bn.largest-lr", "1 reaches 0.551 and 10 only 0.549")
def lower_limit(norm):
    return max((lr for lr in RATES if accuracy(norm, lr) > 0.5), default=None)


@wrong("bn.largest-lr", "IndexError")
def blows_up(norm):
    reached = [lr for lr in RATES if train_lenet(norm, lr=lr, epochs=1)[1].train_acc[0] >= 0.55]  # noqa: F821
    return max(reached, default=None)


@wrong("bn.largest-lr", "ValueError")
def no_default(norm):
    return max(lr for lr in RATES if accuracy(norm, lr) >= 0.55)


@wrong("bn.largest-lr", "with the norm that it is given")
def ignores_norm(norm):
    return max((lr for lr in RATES if accuracy(None, lr) >= 0.55), default=None)


@wrong("bn.largest-lr", "must return 1; it returns 10")
def looks_at_the_test(norm):
    return max(lr for lr in RATES if train_lenet(norm, lr=lr, epochs=1)[1].test_acc[0] >= 0.55)  # noqa: F821


@wrong("bn.largest-lr", "must return 1; it returns 10")
def looks_at_the_last_epoch(norm):
    return max(lr for lr in RATES if train_lenet(norm, lr=lr)[1].train_acc[-1] >= 0.55)  # noqa: F821


@wrong("bn.largest-lr", "trains nothing")
def guesses(norm):
    return 1


@wrong("bn.largest-lr", "Is there a return?")
def forgets_to_return(norm):
    smallest(norm)


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
wrong("bn.placement", "behind its convolutions", AFTER, BN.lenet)
wrong("bn.placement", "in front of the sigmoid", AFTER, lenet("sp", "sn"))
wrong("bn.placement", "lenet_dense_only run in the order", AFTER, lenet("sp", "s"))


def small_kernels(norm):
    net = AFTER(norm)
    net._children["0"] = nn.Conv2D(6, kernel_size=3, padding=1)
    return net


wrong("bn.placement", "another kernel", small_kernels, DENSE_ONLY)
wrong("bn.placement", "must return a network", lambda norm: None, DENSE_ONLY)


# --- bn.global-stats


def frozen_global(channels, num_dims):
    layer = BN.gluon_norm(channels, num_dims, use_global_stats=True)
    layer.gamma.grad_req = layer.beta.grad_req = "null"
    return layer


def right_global(channels, num_dims):
    return BN.gluon_norm(channels, num_dims, use_global_stats=True)


wrong("bn.global-stats", "It still normalises with the batch", "plain", BN.gluon_norm)
wrong("bn.global-stats", "your guess is not", "batch norm", right_global)
wrong("bn.global-stats", "must be 'plain' or", "slowly", right_global)
wrong("bn.global-stats", "must still be learned", "plain", frozen_global)


class Moves(nn.BatchNorm):
    def __init__(self, channels, num_dims):
        super().__init__(in_channels=channels, use_global_stats=True)

    def forward(self, X):
        if autograd.is_training() and self.running_mean._data:
            self.running_mean.set_data(0.9 * self.running_mean.data() + 0.1)
        return super().forward(X)


wrong("bn.global-stats", "A fresh layer should leave", "plain", Moves)
wrong("bn.global-stats", "Is it a batch norm?", "plain", lambda channels, num_dims: nn.HybridLambda(lambda F, X: X * 1))
wrong("bn.global-stats", "Is there a return?", "plain", lambda channels, num_dims: None)
wrong("bn.global-stats", "without calling it", "plain", right_global(5, 4))


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


@wrong("bn.backward", "does not agree")
def wrong_sign(g, X_hat, gamma, s):
    return gamma / s * (g - mean(g) + X_hat * mean(g * X_hat))


@wrong("bn.backward", "must have the shape")
def summed_up(g, X_hat, gamma, s):
    return (gamma / s * g).sum(axis=0)
