"""Bring the project up to date, or a chapter back to how it came, without losing what a learner has changed.

python3 tools/edits.py update           what `make update` does
python3 tools/edits.py reset CHAPTER    what `make reset CHAPTER=02_vgg` does

What would be overwritten is first copied to notebooks/mine/, into a folder named by the time.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINE = ROOT / "notebooks" / "mine"
UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "index.lock")


def git(*arguments, otherwise="git failed."):
    """Return the bytes that a git command prints; where it fails, stop with the sentence `otherwise`."""
    result = subprocess.run(["git", *arguments], cwd=str(ROOT), capture_output=True)
    if result.returncode:
        said = " ".join(os.fsdecode(result.stderr).split())
        sys.exit(otherwise + (f" (git says: {said[:500]})" if said else ""))
    return result.stdout


def succeeds(*arguments):
    """Whether a git command succeeds; what it prints is dropped."""
    return not subprocess.run(
        ["git", *arguments], cwd=str(ROOT), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode


def content(revision, name):
    """Return a file as it is in a revision, or in the index where that is empty; None where it is not there."""
    return git("show", f"{revision}:{name}") if succeeds("cat-file", "-e", f"{revision}:{name}") else None


def names(*arguments):
    """Return the file names that a git command prints with -z."""
    return {name for name in os.fsdecode(git(*arguments)).split("\0") if name}


def changed(*revisions):
    """Return the files that differ between two revisions, or between one and the folder or the index."""
    found = names("diff", "--name-only", "--no-renames", "-z", *revisions)
    return found | names("diff", "--cached", "--name-only", "--no-renames", "-z", *revisions[:1])


def check_repository():
    """Stop where this folder is no repository of its own, or where git is in the middle of something."""
    top = git("rev-parse", "--show-toplevel", otherwise="This folder is no git repository that can be used.")
    if Path(os.fsdecode(top).strip()).resolve() != ROOT:
        sys.exit("This folder is no git repository of its own: clone the project instead of copying it.")
    folder = Path(os.fsdecode(git("rev-parse", "--absolute-git-dir")).strip())
    if any((folder / name).exists() for name in UNDER_WAY):
        sys.exit("git is in the middle of something, such as a merge: finish it first; `git status` says how.")


def set_aside(files):
    """Copy changed files to notebooks/mine/: as they are now, and as they are staged where that is different."""
    if not files:
        return
    stamp, number = time.strftime("%Y-%m-%d %H.%M.%S"), 1
    folder = MINE / stamp
    while folder.exists():
        number += 1
        folder = MINE / f"{stamp} ({number})"
    for name in sorted(files):
        path, copy = ROOT / name, folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(str(path), str(copy), symlinks=True)
        elif path.exists():
            shutil.copy2(str(path), str(copy))
        staged = content("", name)
        if staged not in (None, content("HEAD", name), path.read_bytes() if path.is_file() else None):
            copy.with_name(copy.name + ".staged").write_bytes(staged)
        print(f"Your {name} is kept in {folder.relative_to(ROOT)}.")


def restore(name, revision):
    """Make a file what it is in a revision, or remove it where it is not there."""
    path = ROOT / name
    if path.is_dir():
        shutil.rmtree(str(path))
    if content(revision, name) is not None:
        git("checkout", "--quiet", revision, "--", name, otherwise=f"{name} could not be restored.")
    else:
        git("rm", "--quiet", "--cached", "--ignore-unmatch", "--", name)
        if path.exists():
            path.unlink()


def update():
    """Take over what is new upstream; what it would overwrite of the learner's is set aside first."""
    check_repository()
    if not succeeds("symbolic-ref", "--quiet", "HEAD"):
        sys.exit("This folder is on no branch: go back to one, for example with `git checkout main`.")
    git("rev-parse", "--verify", "@{upstream}", otherwise="This branch follows no other, so nothing can be new.")
    git("fetch", "--quiet", otherwise="Nothing could be fetched: check the network.")
    if not int(git("rev-list", "--count", "HEAD..@{upstream}")):
        print("Nothing is new.")
        return
    if not succeeds("merge-base", "--is-ancestor", "HEAD", "@{upstream}"):
        sys.exit(
            "This folder and the original have gone different ways: commit what you have changed, "
            "then run `git pull --no-rebase`."
        )
    incoming = names("diff", "--name-only", "--no-renames", "-z", "HEAD", "@{upstream}")
    tracked = names("ls-tree", "-r", "--name-only", "-z", "HEAD")
    own = incoming & (changed("HEAD") | {name for name in incoming - tracked if os.path.lexists(str(ROOT / name))})
    set_aside(own)
    for name in own:
        restore(name, "HEAD")
    failed = "The update could not be taken over; what is yours is in notebooks/mine."
    git("merge", "--quiet", "--ff-only", "--no-overwrite-ignore", "@{upstream}", otherwise=failed)
    print("Up to date.")


def reset(chapter=""):
    """Make one chapter again what it was when it came; the learner's version is set aside."""
    check_repository()
    origin = "HEAD"  # or, where the learner has made commits, what they began from
    if succeeds("rev-parse", "--verify", "@{upstream}"):
        origin = os.fsdecode(git("merge-base", "HEAD", "@{upstream}")).strip()
    files = [name for name in names("ls-tree", "-z", "--name-only", origin, "notebooks/") if name.endswith(".ipynb")]
    chapters = {Path(name).stem: name for name in sorted(files)}
    found = [stem for stem in chapters if chapter in (stem, stem.partition("_")[2])]
    if not chapter or not found:
        sys.exit(f"CHAPTER={chapter} is none of the chapters: use {', '.join(chapters)}.")
    name = chapters[found[0]]
    if name in changed(origin):
        set_aside([name])
    restore(name, origin)
    print(f"{name} is as it came.")


def main(command="", *arguments):
    """Run one of the two commands."""
    if (command, len(arguments)) not in (("update", 0), ("reset", 0), ("reset", 1)):
        sys.exit("Use `make update` or `make reset CHAPTER=02_vgg`.")
    try:
        {"update": update, "reset": reset}[command](*arguments)
    except FileNotFoundError as error:
        sys.exit("There is no git on PATH: install it." if error.filename == "git" else f"Not done: {error}.")
    except OSError as error:
        sys.exit(f"Not done: {error}.")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")


if __name__ == "__main__":
    main(*sys.argv[1:])
