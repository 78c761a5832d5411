"""The networks of chapters 2 to 4: on one device, and as the text says."""

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.chapters import googlenet as GOOGLENET
from d2lhelpers.chapters import nin as NIN
from d2lhelpers.chapters import vgg as VGG
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn


@pytest.mark.parametrize(
    ("make", "side"),
    [
        (lambda: VGG.vgg(VGG.slim(VGG.VGG_11)), 32),
        (lambda: NIN.nin(nn.BatchNorm, ratio=8), 96),
        (lambda: GOOGLENET.googlenet(nn.BatchNorm, ratio=8), 32),
    ],
    ids=("vgg", "nin", "googlenet"),
)
def test_a_training_step_stays_on_one_device(make, side, one_device_only):
    net = make()
    net.initialize(init.Xavier(), ctx=mx.cpu(1))
    X, y = nd.random.uniform(shape=(4, 1, side, side), ctx=mx.cpu(1)), nd.arange(4, ctx=mx.cpu(1))
    with autograd.record():
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y)
    loss.backward()
    gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1}).step(4)
    nd.waitall()
    assert net(X).context == mx.cpu(1)
    assert net(X).shape == (4, 10)


@pytest.mark.parametrize(
    ("letter", "layers", "params"), [("A", 11, 128_806_154), ("D", 16, 134_300_362), ("E", 19, 139_610_058)]
)
def test_the_family(letter, layers, params):
    arch = VGG.VGG[letter]
    assert sum(num_convs for num_convs, _ in arch) + 3 == layers
    assert d2l.summary(VGG.vgg(arch), (1, 1, 224, 224)).total_params == params


def test_nin_on_small_images_leaves_more_than_a_pixel_to_average():
    maps = d2l.summary(NIN.nin(ratio=4, last_pool=False)[:-2], (1, 1, 96, 96)).layers[-1]
    assert maps.output_shape == (10, 4, 4)


def test_norm_comes_between_convolution_and_relu():
    kinds = [type(layer) for layer in NIN.conv_relu(4, 3, norm=nn.BatchNorm)]
    assert kinds == [nn.Conv2D, nn.BatchNorm, nn.Activation]


def test_inception_concatenates_its_paths():
    block = GOOGLENET.Inception(2, (3, 4), (5, 6), 7)
    block.initialize(init.Xavier())
    X = nd.random.normal(shape=(2, 3, 8, 8))
    paths = [path(X).asnumpy() for path in (block.path_1, block.path_2, block.path_3, block.path_4)]
    assert [path.shape[1] for path in paths] == [2, 4, 6, 7]
    np.testing.assert_array_equal(block(X).asnumpy(), np.concatenate(paths, axis=1))


def test_nine_inception_blocks_give_the_channels_of_the_paper():
    channels = [c1 + c2[1] + c3[1] + c4 for group in GOOGLENET.INCEPTIONS for c1, c2, c3, c4 in group]
    assert channels == [256, 480, 512, 512, 512, 528, 832, 832, 1024]
