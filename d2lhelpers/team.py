"""Train one network in several processes, on one machine or many, with MXNet's parameter server."""

import atexit
import functools
import itertools
import os
import re
import sys
import threading
import time

from .runtime import mx

PATIENCE = 60  # seconds for one batch, unless D2L_PATIENCE says otherwise
_trainings = itertools.count()
_connect = functools.cache(mx.kv.create)  # a process can join the others only once


def _patience():
    """Return how many seconds a batch may take before the other processes count as gone."""
    seconds = os.environ.get("D2L_PATIENCE") or str(PATIENCE)
    if not re.fullmatch(r"\d+(\.\d+)?", seconds):
        raise ValueError(f"D2L_PATIENCE is {seconds!r}; it must be a number of seconds.")
    return float(seconds)


atexit.register(_connect.cache_clear)  # it must leave them before Python is gone


class Alone:
    """The team of a process that trains on its own: everything is its own already."""

    rank, size = 0, 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def tick(self):
        """Note that the training goes on."""

    def share(self, data_iter):
        """Return the batches that this process works on.

        Args:
            data_iter (Iterable[tuple[NDArray, NDArray]]): the batches of all.

        Returns:
            Iterable[tuple[NDArray, NDArray]]: this process's part of each.

        Raises:
            ValueError: they cannot be shared out among several processes.
        """
        return data_iter

    def join(self, net):
        """Give all processes the same parameters.

        Args:
            net (mxnet.gluon.Block): the network, whose shapes are all known.
        """

    def add_gradients(self):
        """Replace each gradient by the sum over all processes."""

    def average_statistics(self):
        """Replace each moving average by its mean over all processes."""

    def sum(self, *numbers):
        """Return the sums of some numbers over all processes.

        Args:
            *numbers (NDArray | float): this process's, an array of one number each where they are on a device.

        Returns:
            tuple[NDArray | float, ...]: as many sums.
        """
        return numbers

    def smallest(self, number):
        """Return the smallest of the whole numbers that the processes give.

        Args:
            number (int): this process's.

        Returns:
            int: the smallest.
        """
        return number


ALONE = Alone()


class Team(Alone):
    """The processes that train one network together; each works on its share of every batch.

    The methods are those of `Alone`, where their arguments are described.
    """

    def __init__(self, kvstore, ctx):
        """Meet the others.

        Args:
            kvstore (str): `dist_sync`.
            ctx (list[mxnet.Context]): the device of this process.

        Raises:
            ValueError: this process is not part of a cluster, or has several devices.
        """
        if kvstore != "dist_sync":
            raise ValueError(f"kvstore is {kvstore!r}; it must be 'dist_sync', or None to train in this process alone.")
        if os.environ.get("DMLC_ROLE") != "worker":
            raise ValueError(
                "kvstore is 'dist_sync', but the environment has no DMLC_ROLE=worker: start the training with "
                "`make scale` or dmlc_tracker, or leave kvstore out."
            )
        if len(ctx) > 1:
            raise ValueError(
                f"ctx is a list of {len(ctx)} devices; with kvstore each process has one: start more of them."
            )
        self.patience = _patience()
        self.store, self.device = _connect(kvstore), ctx[0]
        self.rank, self.size = self.store.rank, self.store.num_workers
        self.net, self.buffers, self.training = None, {}, next(_trainings)
        self.ticks, self.last, self.over = 0, 0, threading.Event()
        self.watch = threading.Thread(target=self._watch, daemon=True)

    def __exit__(self, *_):
        mx.nd.waitall()
        self.over.set()
        if self.watch.is_alive():
            self.watch.join()
        self.store = None

    def tick(self):
        """Note that the training goes on; from the second batch on, all processes have found each other."""
        self.ticks, self.last = self.ticks + 1, time.monotonic()
        if self.ticks == 2:
            self.watch.start()

    def _watch(self):
        """End this process when another seems to be gone: MXNet would wait for it for ever, in its own code."""
        while not self.over.wait(1):
            if time.monotonic() - self.last > self.patience:
                print(
                    f"Worker {self.rank} stops: no batch was finished for {self.patience:.0f} seconds, so another "
                    "process of the training must be gone. Start all of them again; with checkpoint=... they go on "
                    "after the last whole epoch. (D2L_PATIENCE is the number of seconds.)",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(1)

    def share(self, data_iter):
        """Return the batches that this process works on."""
        if not hasattr(data_iter, "share"):
            raise ValueError(
                "with kvstore, the batches must be those of load_data_fashion_mnist, which can be shared out."
            )
        return data_iter.share(self.rank, self.size)

    def _sum(self, name, array):
        """Replace an array by the sum over all processes."""
        name, flat = f"{name} {self.training}", array.reshape(-1)  # a convolution's weight may lie in another order
        if name not in self.buffers:
            # One buffer for each name keeps the exchanges of this name in order.
            self.buffers[name] = mx.nd.zeros_like(flat)
            self.store.init(name, self.buffers[name])
        buffer = self.buffers[name]
        flat.copyto(buffer)
        self.store.push(name, buffer)
        self.store.pull(name, out=buffer)
        buffer.reshape(array.shape).copyto(array)

    def _parameters(self):
        return self.net._collect_params_with_prefix().items()

    def join(self, net):
        """Give all processes the parameters of worker 0, once."""
        if self.net is None:
            self.net = net
            for name, parameter in self._parameters():
                value = parameter.data(self.device) * (self.rank == 0)
                self._sum(f"value of {name}", value)
                parameter.set_data(value)

    def add_gradients(self):
        """Replace each gradient by the sum over all processes."""
        for name, parameter in self._parameters():
            if parameter.grad_req != "null":
                self._sum(f"gradient of {name}", parameter.grad(self.device))

    def average_statistics(self):
        """Replace each moving average by its mean over all processes."""
        for name, parameter in self._parameters():
            if not parameter._differentiable:
                value = parameter.data(self.device)
                self._sum(f"average of {name}", value)
                value /= self.size

    def sum(self, *numbers):
        """Return the sums of some numbers over all processes."""
        numbers = [n.as_in_context(mx.cpu()) if isinstance(n, mx.nd.NDArray) else mx.nd.array([n]) for n in numbers]
        total = mx.nd.concat(*(number.reshape(1) for number in numbers), dim=0)
        self._sum(f"{len(numbers)} numbers", total)
        return tuple(total)

    def smallest(self, number):
        """Return the smallest of the whole numbers that the processes give."""
        numbers = mx.nd.zeros(self.size)
        numbers[self.rank] = number
        self._sum("one number each", numbers)
        return int(numbers.min().asscalar())
