"""Chapter 1, written by `make notebooks` from those cells of 01_batch_norm.ipynb that begin with #@save."""

import numpy as np
from mxnet import autograd, nd
from mxnet.gluon import nn


def lenet(norm=None, activation="sigmoid"):
    """LeNet. `norm(channels, num_dims)` makes the layer to put before each activation."""
    net = nn.Sequential()
    for channels in (6, 16):
        net.add(nn.Conv2D(channels, kernel_size=5))
        if norm:
            net.add(norm(channels, 4))
        net.add(nn.Activation(activation), nn.MaxPool2D(pool_size=2, strides=2))
    for units in (120, 84):
        net.add(nn.Dense(units))
        if norm:
            net.add(norm(units, 2))
        net.add(nn.Activation(activation))
    net.add(nn.Dense(10))
    return net


def gluon_norm(channels, num_dims, **options):
    """Gluon's layer, called with the arguments that `lenet` gives."""
    return nn.BatchNorm(in_channels=channels, **options)


def spread(values, X):
    """Repeat one number per feature or channel over the shape of X; faster than broadcasting."""
    shape = (1, -1) if X.ndim == 2 else (1, -1, 1, 1)
    return values.reshape(shape).broadcast_like(X)


def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
    """Normalise X, of shape (batch, features) or (batch, channels, height, width).

    Return the result and the new moving averages.
    """
    axes = 0 if X.ndim == 2 else (0, 2, 3)
    if autograd.is_training():
        mean = X.mean(axis=axes)
        var = nd.square(X - spread(mean, X)).mean(axis=axes)
        with autograd.pause():
            moving_mean = momentum * moving_mean + (1 - momentum) * mean
            moving_var = momentum * moving_var + (1 - momentum) * var
    else:
        mean, var = moving_mean, moving_var
    X_hat = (X - spread(mean, X)) / spread(nd.sqrt(var + eps), X)
    return spread(gamma, X) * X_hat + spread(beta, X), moving_mean, moving_var


class BatchNorm(nn.Block):
    """Batch normalisation of inputs with `num_dims` axes, the second `num_features` long."""

    def __init__(self, num_features, num_dims, eps=1e-5, momentum=0.9, **kwargs):
        super().__init__(**kwargs)
        self.num_dims, self.eps, self.momentum = num_dims, eps, momentum
        fixed = {"shape": num_features, "grad_req": "null", "differentiable": False}
        self.gamma = self.params.get("gamma", shape=num_features, init="ones")
        self.beta = self.params.get("beta", shape=num_features, init="zeros")
        self.running_mean = self.params.get("running_mean", init="zeros", **fixed)
        self.running_var = self.params.get("running_var", init="ones", **fixed)

    def forward(self, X):
        assert X.ndim == self.num_dims, f"this layer expects {self.num_dims} axes, not {X.ndim}"
        parameters = (self.gamma, self.beta, self.running_mean, self.running_var)
        arrays = [parameter.data(X.context) for parameter in parameters]
        Y, mean, var = batch_norm(X, *arrays, self.eps, self.momentum)
        if autograd.is_training():
            self.running_mean.set_data(mean)
            self.running_var.set_data(var)
        return Y


def freeze_scale_and_shift(net):
    """Give γ and β of all batch norm layers no gradient."""
    net.collect_params(".*gamma|.*beta").setattr("grad_req", "null")


def mean_and_var(X):
    """Return the mean and the variance of each feature or channel, as NumPy arrays."""
    values = X.asnumpy().reshape(X.shape[0], X.shape[1], -1)
    return values.mean(axis=(0, 2)), values.var(axis=(0, 2))


def reestimate(net, batches):
    """Set the moving averages of all batch norm layers to their mean over `batches`."""
    seen = {layer: [] for layer in net if isinstance(layer, (BatchNorm, nn.BatchNorm))}
    sizes = []
    for X, _ in batches:
        sizes.append(len(X))
        with autograd.train_mode():
            for layer in net:
                if layer in seen:
                    seen[layer].append(mean_and_var(X))
                X = layer(X)
    for layer, statistics in seen.items():
        mean, var = np.average(statistics, axis=0, weights=sizes)
        layer.running_mean.set_data(nd.array(mean))
        layer.running_var.set_data(nd.array(var))


def channel_mean(X):
    """Return the mean over all axes but the second, shape (channels,)."""
    batch, channels = X.shape[:2]
    ones = nd.ones((1, batch), ctx=X.context)
    over_images = nd.dot(ones, X.reshape((batch, -1))) / batch
    return over_images.reshape((channels, -1)).mean(axis=1)


class Normalise(autograd.Function):
    """Batch normalisation in training, with its gradient; keeps the batch's `mean` and `var`."""

    def __init__(self, eps):
        super().__init__()
        self.eps = eps

    def forward(self, X, gamma, beta):
        self.mean = channel_mean(X)
        centred = X - spread(self.mean, X)
        self.var = channel_mean(nd.square(centred))
        s = nd.sqrt(self.var + self.eps)
        X_hat = centred * spread(1 / s, X)
        self.save_for_backward(X_hat, gamma / s)
        return X_hat * spread(gamma, X) + spread(beta, X)

    def backward(self, g):
        X_hat, gamma_over_s = self.saved_tensors
        g = g.as_in_context(X_hat.context)  # on a CPU it comes as cpu(0), whatever X is on
        m = g.size / g.shape[1]
        mean_g, mean_gx = channel_mean(g), channel_mean(g * X_hat)
        direction = g - spread(mean_g, g) - X_hat * spread(mean_gx, g)
        return spread(gamma_over_s, g) * direction, m * mean_gx, m * mean_g


class FastBatchNorm(BatchNorm):
    """The same layer with the gradient from this page."""

    def forward(self, X):
        if not autograd.is_training():
            return super().forward(X)
        normalise = Normalise(self.eps)
        Y = normalise(X, self.gamma.data(X.context), self.beta.data(X.context))
        averages = {self.running_mean: normalise.mean, self.running_var: normalise.var}
        with autograd.pause():
            for average, value in averages.items():
                old = average.data(X.context)
                average.set_data(self.momentum * old + (1 - self.momentum) * value)
        return Y
