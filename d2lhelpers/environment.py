"""The environment variables that libraries read when they are loaded: the number of threads, and the home."""

import contextlib
import os
import re
from pathlib import Path

import loky

_COUNT = re.compile(r"OMP_NUM_THREADS|OMP_THREAD_LIMIT|LOKY_MAX_CPU_COUNT|MXNET_\w*THREADS")


def find_home():
    """Take `/` for the home of a user who has none, as Docker does: matplotlib is not imported without any."""
    try:
        Path.home()
    except RuntimeError:  # no HOME, and a user's number that the system does not know
        os.environ["HOME"] = "/"


def _ignore_junk():
    """Drop, and say so, what would end MXNet without a word; take the first number of OpenMP's lists."""
    for name, value in list(os.environ.items()):
        if _COUNT.fullmatch(name):
            first = value.split(",")[0].strip()
            if re.fullmatch(r"0*[1-9]\d{0,3}", first):
                os.environ[name] = first
            else:
                del os.environ[name]
                if value.strip():
                    print(f"{name} is {value!r} and is ignored: it must be a whole number of threads, such as 2.")


def count_threads():
    """Return how many threads MXNet may use at most, and whether the user has fixed that number."""
    _ignore_junk()
    os.environ.pop("OMP_DYNAMIC", None)  # oneDNN waits for ever for a thread that OpenMP has not granted
    most = int(os.environ.get("OMP_NUM_THREADS") or loky.cpu_count(only_physical_cores=True))
    most = min(most, int(os.environ.get("OMP_THREAD_LIMIT", most)))
    if os.environ.get("OMP_MAX_ACTIVE_LEVELS") == "0":
        most = 1
    return most, bool({"OMP_NUM_THREADS", "MXNET_CPU_WORKER_NTHREADS"} & os.environ.keys())


@contextlib.contextmanager
def thread_settings(count):
    """Say how many threads MXNet shall use while it is loaded; by itself it takes half of the cores."""
    before = dict(os.environ)
    # MXNet's operators are short: a thread that is done waits awake for the others, about 0.1 ms, before it sleeps.
    ours = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "10000", "OMP_NUM_THREADS": str(count)}
    os.environ.update(ours | {name: before[name] for name in before.keys() - {"OMP_NUM_THREADS"}})
    try:
        yield
    finally:  # other processes choose for themselves
        for name in ours.keys() - before.keys():
            del os.environ[name]
