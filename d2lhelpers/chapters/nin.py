"""Chapter 3, written by `make notebooks` from those cells of 03_nin.ipynb that begin with #@save."""

from mxnet.gluon import nn


def conv_relu(num_channels, kernel_size, strides=1, padding=0, norm=None, relu=True):
    """A convolution, the layer that `norm()` makes, if any, and a ReLU."""
    layers = nn.HybridSequential()
    layers.add(nn.Conv2D(num_channels, kernel_size, strides, padding))
    if norm:
        layers.add(norm())
    if relu:
        layers.add(nn.Activation("relu"))
    return layers


def nin_block(num_channels, kernel_size, strides, padding, norm=None, last_relu=True):
    """A convolution, and a two-layer network at each pixel of its output."""
    block = nn.HybridSequential()
    block.add(
        conv_relu(num_channels, kernel_size, strides, padding, norm),
        conv_relu(num_channels, kernel_size=1, norm=norm),
        conv_relu(num_channels, kernel_size=1, norm=norm, relu=last_relu),
    )
    return block


def nin(norm=None, ratio=1, last_relu=True):
    """NiN for ten classes, after Lin et al. (2013), with channels divided by `ratio`."""
    net = nn.HybridSequential()
    for num_channels, *shape in ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1)):
        net.add(nin_block(num_channels // ratio, *shape, norm))
        net.add(nn.MaxPool2D(pool_size=3, strides=2))
    net.add(nn.Dropout(0.5))
    net.add(nin_block(10, 3, 1, 1, norm, last_relu))  # a channel for each class
    net.add(nn.GlobalAvgPool2D(), nn.Flatten())
    return net
