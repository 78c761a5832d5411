"""Networks of chapters that are still to be written, as data, for tests of `summary`."""

from mxnet.gluon import nn

VGG11 = ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))


def stack(*layers):
    net = nn.Sequential()
    net.add(*layers)
    return net


def conv(channels, kernel_size, strides=1, padding=0):
    return nn.Conv2D(channels, kernel_size, strides, padding, activation="relu")


def pool(size=3, strides=2, padding=0):
    return nn.MaxPool2D(size, strides, padding)


def dense_head(num_classes=10):
    hidden = (nn.Dense(4096, activation="relu"), nn.Dropout(0.5))
    return (*hidden, nn.Dense(4096, activation="relu"), nn.Dropout(0.5), nn.Dense(num_classes))


def alexnet():
    return stack(
        *(conv(96, 11, strides=4), pool(), conv(256, 5, padding=2), pool()),
        *(conv(384, 3, padding=1), conv(384, 3, padding=1), conv(256, 3, padding=1), pool(), *dense_head()),
    )


def vgg(arch, ratio=1):
    blocks = [stack(*(conv(c // ratio, 3, padding=1) for _ in range(n)), pool(2, 2)) for n, c in arch]
    return stack(*blocks, *dense_head())


def nin():
    def block(channels, kernel_size, strides, padding):
        return stack(conv(channels, kernel_size, strides, padding), conv(channels, 1), conv(channels, 1))

    return stack(
        *(block(96, 11, 4, 0), pool(), block(256, 5, 1, 2), pool(), block(384, 3, 1, 1), pool(), nn.Dropout(0.5)),
        *(block(10, 3, 1, 1), nn.GlobalAvgPool2D(), nn.Flatten()),
    )


class Inception(nn.HybridBlock):
    def __init__(self, c1, c2, c3, c4):
        super().__init__()
        with self.name_scope():
            self.p1 = conv(c1, 1)
            self.p2 = nn.HybridSequential()
            self.p2.add(conv(c2[0], 1), conv(c2[1], 3, padding=1))
            self.p3 = nn.HybridSequential()
            self.p3.add(conv(c3[0], 1), conv(c3[1], 5, padding=2))
            self.p4 = nn.HybridSequential()
            self.p4.add(pool(3, 1, 1), conv(c4, 1))

    def hybrid_forward(self, F, x):
        return F.concat(self.p1(x), self.p2(x), self.p3(x), self.p4(x), dim=1)


def googlenet():
    p = lambda: pool(3, 2, 1)  # noqa: E731
    return stack(
        stack(conv(64, 7, 2, 3), p()),
        stack(conv(64, 1), conv(192, 3, padding=1), p()),
        stack(Inception(64, (96, 128), (16, 32), 32), Inception(128, (128, 192), (32, 96), 64), p()),
        stack(
            Inception(192, (96, 208), (16, 48), 64),
            Inception(160, (112, 224), (24, 64), 64),
            Inception(128, (128, 256), (24, 64), 64),
            Inception(112, (144, 288), (32, 64), 64),
            Inception(256, (160, 320), (32, 128), 128),
            p(),
        ),
        stack(
            Inception(256, (160, 320), (32, 128), 128),
            Inception(384, (192, 384), (48, 128), 128),
            nn.GlobalAvgPool2D(),
        ),
        nn.Dense(10),
    )
