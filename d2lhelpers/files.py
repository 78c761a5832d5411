"""Write files whole or not at all, and one process at a time."""

import contextlib
import os
import shutil

try:
    import fcntl
except ImportError:  # a system that has no such locks: nobody else is kept out
    fcntl = None


@contextlib.contextmanager
def locked(path, wait=True):
    """Keep other processes out meanwhile; without `wait`, BlockingIOError where one is in. It leaves an empty file."""
    with open(path, "a") as lock:  # the system lets go of it even when the process is killed
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def write_whole(path, write):
    """Let `write(path)` write a file beside `path`, then put it in its place; OSError leaves nothing behind."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, partial)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
