"""Write files whole or not at all, and one process at a time."""

import contextlib
import os
import shutil

from .language import say

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


def unusable(folder):
    """Return why files cannot be written into a folder, which need not exist yet; None where they can."""
    try:
        folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # a name that the system does not take, or may not be looked at
        return getattr(error, "strerror", None) or str(error)
    nearest = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not nearest.is_dir():
        return say("{path} is no folder", path=nearest)
    return None if os.access(nearest, os.W_OK | os.X_OK) else say("nothing may be written into {path}", path=nearest)


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
