"""As many threads as cores are free.

All threads of an operator wait for the slowest one. Where another process shares its core, that takes several times as
long as one thread alone: so a training looks around and leaves such a core to the other.
"""

import ctypes
import os
import time

import psutil

from .runtime import most_threads, mx, threads_are_fixed

WINDOW = 0.2  # seconds over which the use of the cores is measured
FREE = 0.65  # of a core's time, at least, that makes a thread on it worth while

_LIBRARY = mx.base._LIB
_set_threads = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(lambda _, n: _LIBRARY.MXSetNumOMPThreads(n))


def _initializer(name, result=None):
    """Return what MXNet calls before and after a fork, to end its threads and to start them again."""
    function = getattr(_LIBRARY, f"_ZN5mxnet18LibraryInitializer{len(name)}{name}Ev")
    function.restype = result
    return function


def _use(count):
    """Let MXNet's operators on the CPU compute with `count` threads each, once all that is queued is done.

    At its first call an operator sets memory apart for the threads that there are then, and would write beyond it with
    more. The thread of MXNet's engine keeps that memory; so the engine gets a new one.
    """
    mx.nd.waitall()
    initializer = ctypes.c_void_p(_initializer("Get", ctypes.c_void_p)())
    try:
        _initializer("atfork_prepare")(initializer)
    finally:
        _initializer("atfork_parent")(initializer)
    cpu = (ctypes.c_int * 2)(mx.cpu().device_typeid, mx.cpu().device_id)
    # The engine's thread sets it for itself, before all else.
    _LIBRARY.MXEnginePushSync(_set_threads, ctypes.c_void_p(count), None, cpu, None, 0, None, 0, None, 0, None)


def _available():
    """Return how many seconds the cores that this process may use were idle or its own, summed over them."""
    times, cores = psutil.cpu_times(percpu=True), getattr(os, "sched_getaffinity", lambda _: ())(0)
    times = [times[core] for core in cores if core < len(times)] or times
    return sum(one.idle + getattr(one, "iowait", 0) for one in times) + time.process_time()


class Threads:
    """The number of threads that MXNet's operators use, and how busy the cores have been."""

    def __init__(self, most, adapts):
        """Take every core; stay with that number unless `adapts`."""
        self.most = self.count = most
        self.adapts = adapts
        self.start()
        if adapts:
            _use(most)  # MXNet may have been loaded before, with fewer

    def start(self):
        """Begin to watch the cores."""
        if self.adapts:
            self.since, self.seen = time.monotonic(), _available()

    def adapt(self):
        """Use as many threads as cores have been free, if they have been watched for long enough."""
        if not self.adapts or (seconds := time.monotonic() - self.since) < WINDOW:
            return
        seen = self.seen
        self.start()
        count = min(max(int((self.seen - seen) / seconds + 1 - FREE), 1), self.most)
        if count != self.count:
            self.count = count
            _use(count)


def _can_adapt():
    """Tell whether MXNet is the build that can, and the system counts the idle time of its cores."""
    try:
        counted = any(map(sum, psutil.cpu_times(percpu=True)))
    except (psutil.Error, OSError, RuntimeError):  # /proc/stat may be hidden
        counted = False
    return counted and hasattr(_LIBRARY, "_ZN5mxnet18LibraryInitializer3GetEv")


threads = Threads(most_threads, not threads_are_fixed and most_threads > 1 and _can_adapt())
