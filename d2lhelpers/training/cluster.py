"""Train one network in several processes, on one machine or many, with MXNet's parameter server."""

import atexit
import functools
import itertools
import os
import re
import sys
import threading
import time

from ..language import say
from ..runtime import mx
from .run import Callback

PATIENCE = 60  # seconds for one batch, unless D2L_PATIENCE says otherwise
_trainings = itertools.count()
_connect = functools.cache(mx.kv.create)  # a process can join the others only once
atexit.register(_connect.cache_clear)  # it must leave them before Python is gone


def _patience():
    """Return how many seconds a batch may take before the other processes count as gone."""
    seconds = os.environ.get("D2L_PATIENCE") or str(PATIENCE)
    if not re.fullmatch(r"\d+(\.\d+)?", seconds):
        raise ValueError(say("D2L_PATIENCE is {seconds!r}; it must be a number of seconds.", seconds=seconds))
    return float(seconds)


class Cluster(Callback):
    """The processes that train one network together, each on its share of every batch.

    `batch_size` is that of one of them; the history is of all. If a process is gone, the others stop after a minute
    (`D2L_PATIENCE` seconds) instead of waiting for ever.
    """

    order = 0

    def __init__(self, kvstore="dist_sync"):
        """Name the kind of parameter server.

        Args:
            kvstore (str): `dist_sync`.

        Raises:
            ValueError: it is anything else.
        """
        if kvstore != "dist_sync":
            raise ValueError(say("kvstore is {kvstore!r}; it must be 'dist_sync'.", kvstore=kvstore))
        self.kvstore = kvstore

    def check(self, run):
        """Meet the others; refuse where this process is not part of a cluster, or has several devices."""
        if os.environ.get("DMLC_ROLE") != "worker":
            sentence = say(
                "There is no cluster, as the environment has no DMLC_ROLE=worker: start the training with "
                "`make scale`, or leave Cluster out."
            )
            raise ValueError(sentence)
        if len(run.devices) > 1:
            sentence = "ctx is a list of {count} devices; in a cluster each process has one."
            raise ValueError(say(sentence, count=len(run.devices)))
        for name in ("train_iter", "test_iter"):
            if not hasattr(getattr(run, name), "share"):
                sentence = "{name} must be that of load_data_fashion_mnist: other batches cannot be shared out."
                raise ValueError(say(sentence, name=name))
        self.patience, self.store = _patience(), _connect(self.kvstore)
        run.rank, run.workers, run.sum_up = self.store.rank, self.store.num_workers, self.sum_up
        run.train_iter, run.test_iter = (data.share(run.rank, run.workers) for data in (run.train_iter, run.test_iter))
        self.run, self.buffers, self.training = run, {}, next(_trainings)

    def train_begin(self, run):
        """Start to watch, once all processes have found each other."""
        self.ticks, self.last, self.over = 0, 0, threading.Event()
        self.watch = threading.Thread(target=self._watch, daemon=True)

    def batch_begin(self, run):
        """Note that the training goes on; before the first batch, give all processes the parameters of worker 0."""
        self.ticks, self.last = self.ticks + 1, time.monotonic()
        if self.ticks == 1:
            for name, parameter in self._parameters():
                value = parameter.data(run.devices[0]) * (run.rank == 0)
                self._sum(f"value of {name}", value)
                parameter.set_data(value)
        if self.ticks == 2:
            self.watch.start()

    def backward_end(self, run):
        """Replace each gradient by the mean over all processes."""
        for name, parameter in self._parameters():
            if parameter.grad_req != "null":
                gradient = parameter.grad(run.devices[0])
                self._sum(f"gradient of {name}", gradient)
                gradient /= run.workers

    def epoch_end(self, run):
        """Replace each moving average by its mean over all processes."""
        for name, parameter in self._parameters():
            if not parameter._differentiable:
                value = parameter.data(run.devices[0])
                self._sum(f"average of {name}", value)
                value /= run.workers

    def train_end(self, run):
        """Stop watching."""
        mx.nd.waitall()
        self.over.set()
        if self.watch.is_alive():
            self.watch.join()

    def sum_up(self, *numbers):
        """Return the sums of some numbers over all processes."""
        numbers = [n.as_in_context(mx.cpu()) if isinstance(n, mx.nd.NDArray) else mx.nd.array([n]) for n in numbers]
        total = mx.nd.concat(*(number.reshape(1) for number in numbers), dim=0)
        self._sum(f"{len(numbers)} numbers", total)
        return tuple(total)

    def _watch(self):
        """End this process when another seems to be gone: MXNet would wait for it for ever, in its own code."""
        while not self.over.wait(1):
            if time.monotonic() - self.last > self.patience:
                sentence = (
                    "Worker {rank} stops: no batch was finished for {seconds:.0f} seconds, so another process of the "
                    "training must be gone. Start all of them again; with a Checkpoint they go on after the last whole "
                    "epoch. (D2L_PATIENCE is the number of seconds.)"
                )
                print(say(sentence, rank=self.run.rank, seconds=self.patience), file=sys.stderr, flush=True)
                os._exit(1)

    def _parameters(self):
        return self.run.net._collect_params_with_prefix().items()

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
