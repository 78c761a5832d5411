"""Copy the chapters to work/, where learners change them, and bring those up to date that they have not changed.

python3 tools/work.py [FOLDER]    what `make lab` does first; FOLDER is work/ if it is not given

What a learner has changed is never overwritten, and nothing of a learner's is deleted.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTE = ".copied.json"  # for each chapter the hash of what was copied, or several while it is being replaced
EMPTY = hashlib.sha256().hexdigest()


def chapters(source, target):
    """Return the chapters by name, such as zh/01_vgg.ipynb: nothing hidden, and nothing in the target."""
    files = {path.relative_to(source): path for path in sorted(source.rglob("*.ipynb")) if os.path.isfile(str(path))}
    return {
        name.as_posix(): path
        for name, path in files.items()
        if not any(part.startswith(".") for part in name.parts) and target.resolve() not in path.resolve().parents
    }


def state(path):
    """Return the hash of a file, "" where nothing is there, None where something else is, such as a link or folder."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(os.lstat(str(path)).st_mode) else None
    except FileNotFoundError:
        return ""


def put(content, path, expected):
    """Put a file in place, whole or not at all, if what is there is as expected; else raise FileExistsError."""
    temporary = path.with_name(f".copied-{uuid.uuid4().hex}.tmp")
    try:
        with open(str(temporary), "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not expected:
            try:
                os.link(str(temporary), str(path))  # unlike a renaming, it never replaces what has appeared meanwhile
                return
            except FileExistsError:
                raise
            except OSError:  # this file system has no links
                with open(str(path), "xb"):
                    expected = EMPTY
        if state(path) != expected:
            raise FileExistsError(errno.EEXIST, "It has just been changed")
        os.replace(str(temporary), str(path))
    finally:
        temporary.unlink(missing_ok=True)


def read_note(path):
    """Return the hashes by chapter; none where the note cannot be used."""
    try:
        note = json.loads(path.read_bytes() if state(path) else "{}")
        return {name: list(map(str, hashes)) for name, hashes in note.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def write_note(path, note):
    """Write the hashes by chapter, unless they are what is there."""
    content, found = json.dumps(note, indent=1, sort_keys=True).encode(), state(path)
    if hashlib.sha256(content).hexdigest() != found:
        put(content, path, found)


@contextlib.contextmanager
def going_on(failed, name):
    """Note what failed for which reason, and go on."""
    try:
        yield
    except OSError as error:
        failed.setdefault(error.strerror, {})[name] = True


def refresh(originals, target):
    """Copy the chapters that are missing, bring up to date those that are untouched, and say so."""
    note, waiting, copied, replaced, kept, failed = read_note(target / NOTE), [], [], [], [], {}
    for name, original in originals.items():
        with going_on(failed, name):
            content, found = original.read_bytes(), state(target / name)
            new, ours = hashlib.sha256(content).hexdigest(), note.get(name, [])
            if found == new:
                note[name] = [new]
            elif found == "" or found in ours:
                # Noted before it is done: if this run is killed, the next one knows both for copies of ours.
                note[name] = list(dict.fromkeys([*ours, new])) if found else [new, EMPTY]
                waiting.append((name, content, found, new))
            elif ours[:1] != [new]:
                kept.append(name)
                note.setdefault(name, [new])  # without a note, nobody knows what it was copied from: say it once
    with going_on(failed, NOTE):
        write_note(target / NOTE, note)
    for name, content, found, new in waiting:
        with going_on(failed, name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            put(content, target / name, found)
            note[name] = [new]
            (replaced if found else copied).append(name)
    with going_on(failed, NOTE):
        write_note(target / NOTE, note)

    if copied:
        print(f"Copied {len(copied)} chapter{'s' * (len(copied) > 1)} to {target.name}/.")
    if replaced:
        print(f"Brought up to date in {target.name}/: {', '.join(replaced)}.")
    for name in kept:
        hint = "To get the new one, rename yours and run `make lab` again."
        print(f"{target.name}/{name} is yours and stays as it is; the chapter is different now. {hint}")
    for reason, names in failed.items():
        print(f"Not brought up to date in {target.name}/: {', '.join(names)} ({reason}).", file=sys.stderr)


def main(target=ROOT / "work", source=ROOT / "notebooks"):
    """Stop only where there can be no folder: JupyterLab can be opened with whatever else is in it."""
    sys.stdout.reconfigure(errors="backslashreplace")  # for names that the terminal cannot show
    try:
        target.mkdir(parents=True, exist_ok=True)
        folder = os.open(str(target), os.O_RDONLY)
    except OSError as error:
        reason = "something else has that name" if isinstance(error, FileExistsError) else error.strerror
        sys.exit(f"There can be no folder {target.name}/: {reason}.")
    try:
        originals = chapters(source, target)
        with contextlib.suppress(OSError):  # where there are no locks, two runs at once do no harm either
            fcntl.flock(folder, fcntl.LOCK_EX)
            for name in (NOTE, *originals):
                for left in (target / name).parent.glob(".copied-" + 32 * "[0-9a-f]" + ".tmp"):
                    left.unlink()  # of a run that was killed
        refresh(originals, target)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    finally:
        os.close(folder)


if __name__ == "__main__":
    main(*(Path(os.path.abspath(folder)) for folder in sys.argv[1:2]))
