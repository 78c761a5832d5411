"""Right answers written in other ways than the solutions: none may be refused."""

import functools

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
from d2lhelpers.chapters import batch_norm as BN
from d2lhelpers.chapters import googlenet as GOOGLENET
from d2lhelpers.chapters import nin as NIN
from d2lhelpers.chapters import vgg as VGG
from mxnet import autograd, init, nd
from mxnet.gluon import nn

RIGHT = []  # (name of the exercise, parts of the answer)
ratio = 4  # as in the chapters' checks, unless a notebook says otherwise


def right(name, *answer):
    """Add a right answer; without one, decorate the function or class that is one."""

    def add(*answer):
        RIGHT.append((name, answer))
        return answer[0]

    return add(*answer) if answer else add


@right("bn.freeze")
class FrozenByCollecting(BN.FastBatchNorm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.collect_params(".*gamma|.*beta").setattr("grad_req", "null")


@right("bn.freeze")
class FrozenInTurn(BN.BatchNorm):
    def __init__(self, num_features, num_dims):
        super().__init__(num_features, num_dims)
        for parameter in (self.beta, self.gamma):
            parameter.grad_req = "null"


def output_change(make_norm, bias, initializer, make_pictures, kernel_size=5):
    conv, norm = nn.Conv2D(6, kernel_size), make_norm()
    conv.initialize(initializer or init.Uniform(), ctx=d2l.try_gpu())
    norm.initialize(ctx=d2l.try_gpu())
    X = make_pictures()
    with autograd.train_mode():
        before = norm(conv(X)).asnumpy()
        conv.bias.set_data(nd.ones(6) * bias)
        return np.abs(norm(conv(X)).asnumpy() - before).max()


def garments():
    return next(iter(d2l.load_data_fashion_mnist(64, train_size=256, test_size=1)[0]))[0]


for initializer in (None, init.Xavier(), init.Normal(0.01)):
    right("bn.bias", functools.partial(output_change, initializer=initializer, make_pictures=garments))
    uniform = functools.partial(nd.random.uniform, shape=(4, 1, 9, 9), ctx=d2l.try_gpu())
    right("bn.bias", functools.partial(output_change, initializer=initializer, make_pictures=uniform, kernel_size=1))

right("bn.momentum", 3.26, 44)
right("bn.momentum", np.float32(3.2566), nd.array([44]))
right("bn.momentum", mx.np.array(3.2566), mx.np.array([44]))


@right("bn.bug")
def a_list(X, gamma, beta, moving_mean, moving_var, training, eps=1e-5, momentum=0.9):
    if training:
        mean, var = X.mean(0), ((X - X.mean(0)) ** 2).mean(0)
        moving_mean = moving_mean + (1 - momentum) * (mean - moving_mean)
        moving_var += (1 - momentum) * (var - moving_var)
    else:
        mean, var = moving_mean, moving_var
    return [gamma * (X - mean) / (var + eps) ** 0.5 + beta, moving_mean, moving_var]


@functools.cache
def downwards(norm):
    for lr in (10, 3, 1, 0.3, 0.1, 0.03, 0.01):
        history = train_lenet(norm, lr, num_epochs=1, verbose=False)[1]  # noqa: F821  a global of the notebook
        if history.train_acc and history.train_acc[0] >= 0.6:
            return lr
    return 0


right("bn.largest-lr", (0.1, 10), downwards, (0, 0.3))
right("bn.largest-lr", [0, 1.0], downwards, [0, 0.3])


def identity():
    return nn.HybridLambda(lambda F, X: X)


def lenet_after(norm):
    net = nn.HybridSequential()
    for channels in (6, 16):
        net.add(nn.Conv2D(channels, 5, activation="sigmoid"), norm(channels, 4), nn.MaxPool2D(2, 2))
    net.add(nn.Flatten())
    for units in (120, 84):
        net.add(nn.Dense(units, activation="sigmoid"), norm(units, 2))
    net.add(nn.Dense(10))
    return net


def lenet_dense_only(norm):
    return BN.lenet(lambda channels, num_dims: norm(channels, num_dims) if num_dims == 2 else identity())


right("bn.placement", lenet_after, lenet_dense_only)
right("bn.placement", lenet_after, lambda norm: BN.lenet(lambda c, d: norm(c, d) if d == 2 else nn.HybridSequential()))


@right("bn.backward")
def in_steps(g, X_hat, gamma, s):
    d_hat = g * gamma
    m = len(g)
    return (m * d_hat - d_hat.sum(0) - X_hat * (d_hat * X_hat).sum(0)) / (m * s)


@right("bn.fold")
def output_by_output(weight, bias, gamma, beta, mean, var, eps):
    new_weight, new_bias = np.empty_like(weight), np.empty_like(bias)
    for i, w in enumerate(weight):
        new_weight[i] = gamma[i] * w / (var[i] + eps) ** 0.5
        new_bias[i] = beta[i] + gamma[i] * (bias[i] - mean[i]) / (var[i] + eps) ** 0.5
    return [nd.array(new_weight, dtype="float64"), nd.array(new_bias, dtype="float64")]


right("vgg.deep", lambda n: VGG.vgg({11: VGG.VGG_11, 13: VGG.VGG["B"], 16: VGG.VGG["D"], 19: VGG.VGG["E"]}[n]))
right("vgg.field", np.int64(10))


@right("vgg.bug")
def hybrid_block(num_convs, num_channels):
    layers = [nn.Conv2D(num_channels, (3, 3), padding=(1, 1)) for _ in range(num_convs)]
    block = nn.HybridSequential()
    for layer in layers:
        block.add(layer, nn.HybridLambda("relu"))
    block.add(nn.MaxPool2D())
    return block


@right("vgg.bn")
def without_bias(num_convs, num_channels):
    block = nn.HybridSequential()
    for _ in range(num_convs):
        inner = nn.HybridSequential()
        inner.add(nn.Conv2D(num_channels, 3, padding=1, use_bias=False), nn.BatchNorm(), nn.Activation("relu"))
        block.add(inner)
    block.add(nn.MaxPool2D(2))
    return block


@right("vgg.head")
def from_vgg(conv_arch):
    net = nn.Sequential()
    net.add(*list(VGG.vgg(conv_arch))[: len(conv_arch)], nn.GlobalAvgPool2D(), nn.Flatten(), nn.Dense(10))
    return net


class LeastSquares(nn.Block):
    """Random features of 20,000 images, and the dense layer that fits them best, computed when it is first asked."""

    def __init__(self):
        super().__init__()
        self.features, self.head = nn.Dense(2048, in_units=784, activation="relu"), None
        self.features.initialize(init.Normal(0.05), ctx=d2l.try_gpu())

    def forward(self, X):
        if self.head is None:
            images = d2l.load_data_fashion_mnist(20_000, train_size=20_000, test_size=1)[0]
            X_train, y_train = next(iter(images))
            F = self.features(X_train).asnumpy().astype(np.float64)
            targets = np.eye(10)[y_train.asnumpy().astype(int)]
            solved = np.linalg.solve(F.T @ F + 10 * np.eye(2048), F.T @ targets)
            self.head = nd.array(solved, ctx=X.context)
        return nd.dot(self.features(X), self.head)


right("vgg.best", LeastSquares())

right("nin.by-hand", lambda X, weight, bias: (X.transpose(0, 2, 3, 1) @ weight.T + bias).transpose(0, 3, 1, 2))


def outputs_by_hooks(net, shape):
    """Run the network, and count what every layer returns, and each ReLU once more."""
    sizes = []

    def note(layer, inputs, output):
        if type(layer) not in (nn.Sequential, nn.HybridSequential, nn.Flatten):
            sizes.append(output.size)

    net.initialize()
    net(nd.zeros(shape))
    net.apply(lambda layer: layer.register_forward_hook(note))
    net(nd.zeros(shape))
    return 4 * sum(sizes)


def outputs_of_rows(net, shape):
    """Count the rows of a network that is taken apart, a convolution and its ReLU as one."""
    flat = nn.HybridSequential()

    def take_apart(part):
        if isinstance(part, (nn.Sequential, nn.HybridSequential)):
            for inner in part:
                take_apart(inner)
        else:
            flat.add(part)

    take_apart(net)
    rows = [row for row in d2l.summary(flat, shape).layers if not row.name.startswith("Activation")]
    return shape[0] * sum(np.prod(row.output_shape) for row in rows) * np.float32().itemsize


right("nin.memory", "Outputs ", outputs_by_hooks)
right("nin.memory", "outputs", outputs_of_rows)


def written_out(num_channels, kernel_size, strides, padding, norm=None):
    block = nn.HybridSequential()
    for shape in ((kernel_size, strides, padding), (3, 1, 1), (3, 1, 1)):
        block.add(nn.Conv2D(num_channels, *shape))
        if norm:
            block.add(norm())
        block.add(nn.Activation("relu"))
    return block


right("nin.three", np.float32(9), written_out)


@right("nin.one-step")
def layer_by_layer(norm=None, ratio=1, last_pool=True):
    net = NIN.nin(norm, ratio, last_pool)[:-3]
    width = 384 // ratio
    for shape in ((width, 3, 1, 1), (width, 1), (10, 1)):
        net.add(NIN.conv_relu(*shape, norm=norm))
    net.add(nn.GlobalAvgPool2D(), nn.Flatten())
    return net


def bare(ratio=1, last_pool=True):
    net = NIN.nin(None, ratio, last_pool)[:-3]
    net.add(NIN.conv_relu(10, 3, 1, 1), nn.Conv2D(10, 1, activation="relu"), nn.Conv2D(10, 1), nn.GlobalAvgPool2D())
    net.add(nn.Flatten())
    return net


right("nin.last-relu", bare, lambda net, X: (net(X).abs().max(axis=0) == 0).sum())


def summed_and_divided(net, X, y, optimizer, lr):
    weights = [parameter for name, parameter in net.collect_params().items() if name.endswith("weight")]
    before = [weight.data().asnumpy() for weight in weights]
    with autograd.record():
        loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y)
    loss.backward()
    mx.gluon.Trainer(net.collect_params(), optimizer, {"learning_rate": lr}).step(len(X))
    changes = [weight.data().asnumpy() - old for weight, old in zip(weights, before, strict=True)]
    return np.array([np.linalg.norm(change) / change.size**0.5 for change in changes])


right("nin.adam", 1e-3, summed_and_divided)


def generator(inceptions):
    expected = iter((256, 480, 512, 512, 512, 528, 832, 832, 1024))
    blocks = (block for group in inceptions for block in group)
    for number, (c1, (_, c2), (_, c3), c4) in enumerate(blocks, 1):
        if c1 + c2 + c3 + c4 != next(expected):
            yield number


def by_symbol(net):
    return net(mx.sym.var("data")).tojson().count('"act_type": "relu"')


right("googlenet.typo", generator, 5, by_symbol)
right("googlenet.typo", generator, np.int64(5), lambda net: nd.array([by_symbol(net)]))


class OneOfThem(nn.HybridBlock):
    """The first block without its second path, its layers in one list."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pool = nn.MaxPool2D(3, 1, 1)
        for i, (channels, size) in enumerate(((64, 1), (16, 1), (32, 5), (32, 1))):
            layer = nn.HybridSequential()
            layer.add(nn.Conv2D(channels // ratio, size, padding=size // 2), nn.BatchNorm(), nn.HybridLambda("relu"))
            setattr(self, f"conv_{i}", layer)

    def hybrid_forward(self, F, X):
        return F.concat(self.conv_0(X), self.conv_2(self.conv_1(X)), self.conv_3(self.pool(X)))


def its_own_block():
    net = GOOGLENET.googlenet(nn.BatchNorm, ratio)
    third = nn.HybridSequential()
    third.add(OneOfThem(), *list(net[2])[1:])
    return GOOGLENET.chain(net[0], net[1], third, net[3], net[4], net[5])


def with_other_paths(c1, c2, c3, c4):
    block = GOOGLENET.Inception(c1, c2, c3, c4)
    convs = [nn.Conv2D(channels, size, padding=size // 2) for channels, size in ((c3[0], 1), (c3[1], 3), (c3[1], 3))]
    block.path_3 = GOOGLENET.chain(*(GOOGLENET.chain(conv, nn.HybridLambda("relu")) for conv in convs))
    return block


right("googlenet.factorise", 7168, -1056.0, with_other_paths)
right("googlenet.path", 0.5, its_own_block, np.float32(0.79))


@right("googlenet.bug")
class ByRegistering(nn.HybridBlock):
    def __init__(self, *paths, **kwargs):
        super().__init__(**kwargs)
        for path in paths:
            self.register_child(path)

    def hybrid_forward(self, F, X):
        return F.Concat(*(path(X) for path in self._children.values()), dim=-3)


@right("googlenet.smoothing")
def with_one_hot(logits, y, epsilon=0.1):
    classes = logits.shape[1]
    targets = (1 - epsilon) * nd.one_hot(y, classes) + epsilon / classes
    return -(targets * nd.log_softmax(logits, axis=-1)).sum(axis=1)


right(
    "googlenet.smoothing",
    lambda z, y, epsilon: (
        nd.log(nd.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1))
        + z.max(axis=1)
        - (1 - epsilon) * nd.pick(z, y)
        - epsilon * z.mean(axis=1)
    ),
)
