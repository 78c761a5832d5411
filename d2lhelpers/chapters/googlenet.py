"""Chapter 4, written by `make notebooks` from those cells of 04_googlenet.ipynb that begin with #@save."""

from d2lhelpers.chapters.nin import conv_relu
from mxnet.gluon import nn


def chain(*layers):
    """Layers one after the other."""
    path = nn.HybridSequential()
    path.add(*layers)
    return path


class Parallel(nn.HybridBlock):
    """Paths side by side; each gets the input, and their outputs' channels are concatenated."""

    def __init__(self, *paths, **kwargs):
        super().__init__(**kwargs)
        for path in paths:
            self.register_child(path)

    def hybrid_forward(self, F, X):
        return F.concat(*(path(X) for path in self._children.values()), dim=1)


class Inception(Parallel):
    """The Inception block; c1 to c4 are the channels of the convolutions on each path."""

    def __init__(self, c1, c2, c3, c4, norm=None, **kwargs):
        super().__init__(
            conv_relu(c1, 1, norm=norm),
            chain(conv_relu(c2[0], 1, norm=norm), conv_relu(c2[1], 3, padding=1, norm=norm)),
            chain(conv_relu(c3[0], 1, norm=norm), conv_relu(c3[1], 5, padding=2, norm=norm)),
            chain(nn.MaxPool2D(pool_size=3, strides=1, padding=1), conv_relu(c4, 1, norm=norm)),
            **kwargs,
        )


def naive(c1, c2, c3, c4):
    """The same kernels without the 1 × 1 convolutions; c2[0], c3[0] and c4 are unused."""
    return Parallel(
        conv_relu(c1, 1),
        conv_relu(c2[1], 3, padding=1),
        conv_relu(c3[1], 5, padding=2),
        nn.MaxPool2D(pool_size=3, strides=1, padding=1),
    )


INCEPTIONS = (
    (
        (64, (96, 128), (16, 32), 32),
        (128, (128, 192), (32, 96), 64),
    ),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    (
        (256, (160, 320), (32, 128), 128),
        (384, (192, 384), (48, 128), 128),
    ),
)


def shrink(channels, ratio):
    """Divide every number of channels, however deeply nested."""
    if isinstance(channels, tuple):
        return tuple(shrink(number, ratio) for number in channels)
    return channels // ratio


def half():
    """A pooling that halves height and width."""
    return nn.MaxPool2D(pool_size=3, strides=2, padding=1)


def googlenet(norm=None, ratio=1, inceptions=INCEPTIONS):
    """GoogLeNet for ten classes, after Szegedy et al. (2014), with channels divided by `ratio`."""
    net = nn.HybridSequential()
    net.add(chain(conv_relu(64 // ratio, 7, strides=2, padding=3, norm=norm), half()))
    net.add(
        chain(
            conv_relu(64 // ratio, 1, norm=norm),
            conv_relu(192 // ratio, 3, padding=1, norm=norm),
            half(),
        )
    )
    for number, group in enumerate(shrink(inceptions, ratio), 1):
        blocks = [Inception(*channels, norm=norm) for channels in group]
        net.add(chain(*blocks, half() if number < len(inceptions) else nn.GlobalAvgPool2D()))
    net.add(nn.Dense(10))
    return net
