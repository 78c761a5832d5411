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


def nin_block(num_channels, kernel_size, strides, padding, norm=None):
    """A convolution, and a network of two layers at each pixel of its output."""
    block = nn.HybridSequential()
    block.add(
        conv_relu(num_channels, kernel_size, strides, padding, norm),
        conv_relu(num_channels, kernel_size=1, norm=norm),
        conv_relu(num_channels, kernel_size=1, norm=norm),
    )
    return block


def nin(norm=None, ratio=1, last_pool=True, block=nin_block):
    """NiN for ten classes, after Lin et al. (2013), with channels divided by `ratio`."""
    net = nn.HybridSequential()
    net.add(
        block(96 // ratio, kernel_size=11, strides=4, padding=0, norm=norm),
        nn.MaxPool2D(pool_size=3, strides=2),
        block(256 // ratio, kernel_size=5, strides=1, padding=2, norm=norm),
        nn.MaxPool2D(pool_size=3, strides=2),
        block(384 // ratio, kernel_size=3, strides=1, padding=1, norm=norm),
    )
    if last_pool:
        net.add(nn.MaxPool2D(pool_size=3, strides=2))
    net.add(
        nn.Dropout(0.5),
        block(10, kernel_size=3, strides=1, padding=1, norm=norm),  # a channel for each class
        nn.GlobalAvgPool2D(),
        nn.Flatten(),
    )
    return net
