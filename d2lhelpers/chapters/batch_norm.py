"""Chapter 1, written by `make notebooks` from those cells of 01_batch_norm.ipynb that begin with #@save."""

from mxnet import autograd, nd
from mxnet.gluon import nn


def lenet(norm=None):
    """LeNet with sigmoids. `norm(channels, num_dims)` makes the layer to put before each of them.

    `num_dims` counts the axes of its input: 4 after a convolution, 2 after a dense layer.
    """
    net = nn.Sequential()
    for channels in (6, 16):
        net.add(nn.Conv2D(channels, kernel_size=5))
        if norm:
            net.add(norm(channels, 4))
        net.add(nn.Activation("sigmoid"), nn.MaxPool2D(pool_size=2, strides=2))
    for units in (120, 84):
        net.add(nn.Dense(units))
        if norm:
            net.add(norm(units, 2))
        net.add(nn.Activation("sigmoid"))
    net.add(nn.Dense(10))
    return net


def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
    """Normalise X, of shape (batch, features) or (batch, channels, height, width).

    Return the result and the new moving averages.
    """
    if X.ndim == 2:
        axes, shape = 0, (1, -1)
    else:
        axes, shape = (0, 2, 3), (1, -1, 1, 1)
    if autograd.is_training():
        mean = X.mean(axis=axes)
        centred = X - mean.reshape(shape)
        var = nd.square(centred).mean(axis=axes)
        with autograd.pause():
            moving_mean = momentum * moving_mean + (1 - momentum) * mean
            moving_var = momentum * moving_var + (1 - momentum) * var
    else:
        var, centred = moving_var, X - moving_mean.reshape(shape)
    X_hat = centred / nd.sqrt(var + eps).reshape(shape)
    return gamma.reshape(shape) * X_hat + beta.reshape(shape), moving_mean, moving_var


class BatchNorm(nn.Block):
    """Batch normalisation of inputs with `num_dims` axes, the second `num_features` long."""

    def __init__(self, num_features, num_dims, eps=1e-5, momentum=0.9, **kwargs):
        super().__init__(**kwargs)
        self.num_dims, self.eps, self.momentum = num_dims, eps, momentum
        with self.name_scope():
            self.gamma = self.params.get("gamma", shape=num_features, init="ones")
            self.beta = self.params.get("beta", shape=num_features, init="zeros")
            fixed = {"shape": num_features, "grad_req": "null", "differentiable": False}
            self.running_mean = self.params.get("running_mean", init="zeros", **fixed)
            self.running_var = self.params.get("running_var", init="ones", **fixed)

    def compute(self, X, gamma, beta, mean, var):
        return batch_norm(X, gamma, beta, mean, var, self.eps, self.momentum)

    def forward(self, X):
        assert X.ndim == self.num_dims, f"this layer expects {self.num_dims} axes, not {X.ndim}"
        parameters = (self.gamma, self.beta, self.running_mean, self.running_var)
        arrays = [parameter.data(X.context) for parameter in parameters]
        Y, mean, var = self.compute(X, *arrays)
        if autograd.is_training():
            self.running_mean.set_data(mean)
            self.running_var.set_data(var)
        return Y


def channel_mean(X):
    """Return the mean over all axes but the second, shape (channels,)."""
    batch, channels = X.shape[:2]
    ones = nd.ones((1, batch), ctx=X.context)
    over_images = nd.dot(ones, X.reshape((batch, -1))) / batch
    return over_images.reshape((channels, -1)).mean(axis=1)


def spread(values, X):
    """Repeat one value per channel over the shape of X."""
    return values.reshape((1, -1) + (1,) * (X.ndim - 2)).broadcast_like(X)


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
        # On a CPU, MXNet hands the gradient over as cpu(0), even where X is on cpu(1).
        g = g.as_in_context(X_hat.context)
        m = g.size / g.shape[1]
        mean_g, mean_gx = channel_mean(g), channel_mean(g * X_hat)
        direction = g - spread(mean_g, g) - X_hat * spread(mean_gx, g)
        return spread(gamma_over_s, g) * direction, m * mean_gx, m * mean_g


class FastBatchNorm(BatchNorm):
    """The same layer with the gradient from this page."""

    def compute(self, X, gamma, beta, mean, var):
        if not autograd.is_training():
            return super().compute(X, gamma, beta, mean, var)
        normalise = Normalise(self.eps)
        Y = normalise(X, gamma, beta)
        with autograd.pause():
            mean = self.momentum * mean + (1 - self.momentum) * normalise.mean
            var = self.momentum * var + (1 - self.momentum) * normalise.var
        return Y, mean, var


def gluon_norm(channels, num_dims, **options):
    """Gluon's layer, called like ours."""
    return nn.BatchNorm(in_channels=channels, **options)


def freeze_scale_and_shift(net):
    """Give γ and β of all batch norm layers no gradient."""
    net.collect_params(".*gamma|.*beta").setattr("grad_req", "null")


def reestimate(net, batches):
    """Set the moving averages of all batch norm layers to their mean over `batches`."""
    layers = [layer for layer in net if isinstance(layer, (BatchNorm, nn.BatchNorm))]
    means, variances, images = dict.fromkeys(layers, 0), dict.fromkeys(layers, 0), 0
    for X, _ in batches:
        images += len(X)
        with autograd.train_mode():
            for layer in net:
                if layer in means:
                    mean = channel_mean(X)
                    means[layer] += len(X) * mean
                    variances[layer] += len(X) * channel_mean(nd.square(X - spread(mean, X)))
                X = layer(X)
        X.wait_to_read()  # MXNet runs ahead: without this, all batches would be in memory at once
    for layer in layers:
        layer.running_mean.set_data(means[layer] / images)
        layer.running_var.set_data(variances[layer] / images)
