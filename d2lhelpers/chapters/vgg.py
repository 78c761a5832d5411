"""Chapter 2, written by `make notebooks` from those cells of 02_vgg.ipynb that begin with #@save."""

from mxnet.gluon import nn


def vgg_block(num_convs, num_channels):
    """Convolutions that keep height and width, and a pooling that halves them."""
    block = nn.Sequential()
    for _ in range(num_convs):
        block.add(nn.Conv2D(num_channels, kernel_size=3, padding=1, activation="relu"))
    block.add(nn.MaxPool2D(pool_size=2, strides=2))
    return block


VGG_11 = ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))


def vgg(conv_arch, block=vgg_block):
    """A VGG network: a block for each (num_convs, num_channels), then three dense layers."""
    net = nn.Sequential()
    for num_convs, num_channels in conv_arch:
        net.add(block(num_convs, num_channels))
    for _ in range(2):
        net.add(nn.Dense(4096, activation="relu"), nn.Dropout(0.5))
    net.add(nn.Dense(10))
    return net


def slim(conv_arch, ratio=8):
    """The same blocks with fewer channels."""
    return tuple((num_convs, num_channels // ratio) for num_convs, num_channels in conv_arch)


def alexnet():
    """AlexNet for images with one channel and ten classes, after Krizhevsky et al. (2012)."""
    net = nn.Sequential()
    net.add(
        nn.Conv2D(96, kernel_size=11, strides=4, activation="relu"),
        nn.MaxPool2D(pool_size=3, strides=2),
        nn.Conv2D(256, kernel_size=5, padding=2, activation="relu"),
        nn.MaxPool2D(pool_size=3, strides=2),
        nn.Conv2D(384, kernel_size=3, padding=1, activation="relu"),
        nn.Conv2D(384, kernel_size=3, padding=1, activation="relu"),
        nn.Conv2D(256, kernel_size=3, padding=1, activation="relu"),
        nn.MaxPool2D(pool_size=3, strides=2),
    )
    for _ in range(2):
        net.add(nn.Dense(4096, activation="relu"), nn.Dropout(0.5))
    net.add(nn.Dense(10))
    return net


VGG = {
    "A": VGG_11,
    "B": ((2, 64), (2, 128), (2, 256), (2, 512), (2, 512)),
    "D": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    "E": ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}
