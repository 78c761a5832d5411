"""Chapter 4, written by `make notebooks` from those cells of 04_googlenet.ipynb that begin with #@save."""

from mxnet.gluon import nn


def conv(num_channels, kernel_size, strides=1, norm=None):
    """A convolution with padding, the layer that `norm()` makes, if any, and a ReLU."""
    layers = nn.HybridSequential()
    layers.add(nn.Conv2D(num_channels, kernel_size, strides, padding=kernel_size // 2))
    if norm:
        layers.add(norm())
    layers.add(nn.Activation("relu"))
    return layers


def chain(*layers):
    """Layers one after the other."""
    net = nn.HybridSequential()
    net.add(*layers)
    return net


class Inception(nn.HybridBlock):
    """The Inception block; c1 to c4 are the channels of the convolutions on each path."""

    def __init__(self, c1, c2, c3, c4, norm=None, **kwargs):
        super().__init__(**kwargs)
        self.path_1 = conv(c1, 1, norm=norm)
        self.path_2 = chain(conv(c2[0], 1, norm=norm), conv(c2[1], 3, norm=norm))
        self.path_3 = chain(conv(c3[0], 1, norm=norm), conv(c3[1], 5, norm=norm))
        self.path_4 = chain(nn.MaxPool2D(3, strides=1, padding=1), conv(c4, 1, norm=norm))

    def hybrid_forward(self, F, X):
        paths = self.path_1(X), self.path_2(X), self.path_3(X), self.path_4(X)
        return F.concat(*paths, dim=1)


def half():
    """A pooling that halves height and width."""
    return nn.MaxPool2D(pool_size=3, strides=2, padding=1)


def b1(norm=None, ratio=1):
    return chain(conv(64 // ratio, 7, strides=2, norm=norm), half())


def b2(norm=None, ratio=1):
    return chain(conv(64 // ratio, 1, norm=norm), conv(192 // ratio, 3, norm=norm), half())


INCEPTIONS = (
    (  # b3
        (64, (96, 128), (16, 32), 32),
        (128, (128, 192), (32, 96), 64),
    ),
    (  # b4
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    (  # b5
        (256, (160, 320), (32, 128), 128),
        (384, (192, 384), (48, 128), 128),
    ),
)


def shrink(channels, ratio):
    """Divide every number of channels, however deeply nested."""
    if isinstance(channels, tuple):
        return tuple(shrink(number, ratio) for number in channels)
    return channels // ratio


def googlenet(norm=None, ratio=1, inceptions=INCEPTIONS):
    """GoogLeNet for ten classes, after Szegedy et al. (2014), with channels divided by `ratio`."""
    b3, b4, b5 = (
        chain(*(Inception(*channels, norm=norm) for channels in group)) for group in shrink(inceptions, ratio)
    )
    b3.add(half())
    b4.add(half())
    b5.add(nn.GlobalAvgPool2D())
    return chain(b1(norm, ratio), b2(norm, ratio), b3, b4, b5, nn.Dense(10))


def googlenet_28(splits=None, norm=nn.BatchNorm):
    """A GoogLeNet for 28 × 28 pixels; `splits` are the channels of its Inception blocks."""
    net = chain(conv(16, 3, norm=norm), half(), *b2(norm, ratio=4))
    for split in splits or shrink(INCEPTIONS[0], 4):
        net.add(Inception(*split, norm=norm))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(10))
    return net
