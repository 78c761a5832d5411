"""Train classifiers: the loops of d2lzh, with less waiting for the device and a live picture."""

from ..arguments import check_network, check_number, check_whole_number, refuse
from ..data import load_data_fashion_mnist
from ..language import say
from ..runtime import mx, try_gpu
from ..settings import set_seed
from .batches import check_initialised, devices_of, trainable_parameters
from .compiled import Scorer
from .evaluate import accuracy
from .run import Run

autograd, gluon = mx.autograd, mx.gluon


def _train(run):
    trainer, score = run.trainer, Scorer(run.net, run.loss)
    with run:
        for epoch in range(run.first, run.num_epochs):
            run.epoch = epoch
            score.begin_epoch()
            for parts in run.batches("train_iter"):
                with autograd.record():
                    results = [score(X, y) for X, y in parts]
                losses, corrects = zip(*results, strict=True)
                autograd.backward(list(losses))
                run.trigger("backward_end")
                count = sum(len(y) for _, y in parts)
                # What is never used has been refused; a forward may skip a layer at times.
                trainer.step(run.batch_size or count, ignore_stale_grad=True)
                run.add_batch(losses, corrects, count)
            run.trigger("epoch_end")
            run.end_epoch(accuracy(run.batches("test_iter"), lambda X, y: score(X, y)[1], run.sum_up))
            run.trigger("test_end")
    return run.history


def train(train_iter, test_iter, net, loss, trainer, ctx, num_epochs, *, batch_size=None, callbacks=(), verbose=True):
    """Train a classifier, test it after every epoch, and return what was measured.

    In a notebook the curves are drawn while they grow; elsewhere every epoch prints one line. The stop button (or
    Ctrl-C) and a loss that is no longer finite end the training early; the network is kept as it is then. Network and
    loss are compiled only where that is certain to compute the same as their Python code: MXNet's own blocks, and
    hybrid blocks of others whose code only computes and has been compared with its graph on the first batch, in both
    modes. `net` itself is not changed by that.

    Args:
        train_iter (Iterable[tuple[NDArray, NDArray]]): batches of images, and of labels (batch,); has a length. Those
            of `load_data_fashion_mnist` come in the orders of their first epochs, whatever was iterated over before.
        test_iter (Iterable[tuple[NDArray, NDArray]]): the same, for testing.
        net (mxnet.gluon.Block): an initialised network that returns logits of shape (batch, classes).
        loss (callable): (logits, labels) → loss of each image.
        trainer (mxnet.gluon.Trainer): updates the network's parameters.
        ctx (mxnet.Context | list[mxnet.Context]): where the parameters are; a batch is split among several devices.
        num_epochs (int): passes over the training images.
        batch_size (int, optional): what the summed gradient is divided by; by default the size of each batch.
        callbacks (Sequence[Callback]): what happens beside it, such as `Checkpoint(folder)` or `Cluster("dist_sync")`.
        verbose (bool): whether to show anything.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Raises:
        ValueError: an argument or a batch is not as described, or a callback refuses: nothing is changed, unless it is
            a later batch than the first.
        MemoryError: the device's memory is too small.

    Source: `d2lzh.train`, with the same first seven arguments.
    """
    check_whole_number("num_epochs", num_epochs)
    if batch_size is not None:
        check_whole_number("batch_size", batch_size)
    check_network("net", net)
    devices = devices_of(ctx)
    if None in devices:
        refuse("ctx", ctx, "the device on which the network is, such as d2l.try_gpu()")
    check_initialised(net, devices)
    if not callable(loss) or isinstance(loss, type):
        refuse("loss", loss, "a loss such as gluon.loss.SoftmaxCrossEntropyLoss()")
    if not isinstance(trainer, gluon.Trainer):
        refuse("trainer", trainer, "gluon.Trainer(net.collect_params(), 'sgd', ...)")
    if not set(map(id, trainable_parameters(net))) & set(map(id, trainer._params)):
        raise ValueError(say("trainer is of another network: make it of net.collect_params()."))
    run = Run(net, loss, trainer.optimizer, train_iter, test_iter, devices, num_epochs, batch_size, callbacks, verbose)
    run.trainer = trainer
    run.check()
    return _train(run)


def train_ch5(net, train_iter, test_iter, batch_size, trainer, ctx, num_epochs, **options):
    """Train a classifier with softmax cross-entropy loss.

    The summed gradient is divided by `batch_size` even for the last, smaller batch of an epoch, as d2lzh does: given
    the weight of a full one, that batch costs accuracy at large learning rates.

    Args:
        net (mxnet.gluon.Block): an initialised network that returns logits of shape (batch, classes).
        train_iter (Iterable[tuple[NDArray, NDArray]]): see `train`.
        test_iter (Iterable[tuple[NDArray, NDArray]]): see `train`.
        batch_size (int): images in a full batch.
        trainer (mxnet.gluon.Trainer): updates the network's parameters.
        ctx (mxnet.Context | list[mxnet.Context]): where the parameters are, see `train`.
        num_epochs (int): passes over the training images.
        **options: `callbacks` and `verbose`, see `train`.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Raises:
        ValueError: see `train`.
        MemoryError: the device's memory is too small.

    Source: `d2lzh.train_ch5`, with the same seven arguments.
    """
    check_whole_number("batch_size", batch_size)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    return train(train_iter, test_iter, net, loss, trainer, ctx, num_epochs, batch_size=batch_size, **options)


def fit(
    net,
    *,
    lr,
    batch_size,
    num_epochs,
    resize=None,
    train_size=None,
    test_size=None,
    momentum=0.0,
    initializer=None,
    seed=0,
    ctx=None,
    callbacks=(),
    verbose=True,
):
    """Draw new weights for a classifier and train it on Fashion-MNIST with stochastic gradient descent.

    Weights, dropout and the order of the images follow from the seed.

    Args:
        net (mxnet.gluon.Block): a network that returns logits of shape (batch, 10).
        lr (float): learning rate.
        batch_size (int): images in a batch.
        num_epochs (int): passes over the training images.
        resize (int | tuple[int, int], optional): side, or (width, height), in pixels; 28 as published without it.
        train_size (int, optional): how many training images to use; all 60,000 without it.
        test_size (int, optional): how many test images to use; all 10,000 without it.
        momentum (float): share of the last step that the next one repeats.
        initializer (mxnet.initializer.Initializer, optional): draws the weights, by default `Xavier()`.
        seed (int): decides all that is random.
        ctx (mxnet.Context | list[mxnet.Context], optional): one device or several, by default `try_gpu()`.
        callbacks (Sequence[Callback]): see `train`.
        verbose (bool): whether to show anything.

    Returns:
        History: losses, accuracies and times of each finished epoch.

    Raises:
        ValueError: an argument is not as described, or see `train`: the network then keeps the weights that it has.
        MemoryError: the device's memory is too small.
    """
    devices = devices_of(try_gpu() if ctx is None else ctx)
    check_number("lr", lr, 0)
    check_number("momentum", momentum, 0, 1)
    check_whole_number("num_epochs", num_epochs)
    check_whole_number("seed", seed, 0, 2**32 - 1)
    check_network("net", net)
    trainable_parameters(net)
    try:
        initializer = mx.init.create(initializer or "xavier")
    except Exception:  # whatever MXNet makes of it
        refuse("initializer", initializer, "an initializer such as mx.init.Xavier()")
    sizes = {"train_size": train_size, "test_size": test_size}
    batches = load_data_fashion_mnist(batch_size, resize, **sizes, seed=seed, ctx=devices[0])
    optimizer = mx.optimizer.create("sgd", learning_rate=lr, momentum=momentum)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    run = Run(net, loss, optimizer, *batches, devices, num_epochs, batch_size, callbacks, verbose)
    run.initializer = initializer
    run.check()
    set_seed(seed)
    net.initialize(initializer, ctx=devices, force_reinit=True)
    run.trainer = gluon.Trainer(net.collect_params(), optimizer)
    return _train(run)
