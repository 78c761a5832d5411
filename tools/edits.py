"""Bring the project up to date, or a chapter back to how it came, without losing what a learner has changed.

python3 tools/edits.py update           what `make update` does
python3 tools/edits.py reset CHAPTER    what `make reset CHAPTER=01_batch_norm` does

What would be overwritten is first copied to notebooks/mine/, with the time in its name.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINE = ROOT / "notebooks" / "mine"


def git(*arguments, otherwise):
    """Return what a git command prints; where it fails, stop with the sentence `otherwise`."""
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{otherwise} (git says: {(result.stderr.strip() or 'nothing').splitlines()[-1]})")
    return result.stdout.strip()


def changed(*revisions):
    """Return the files that differ between two revisions, or between one and the folder as it is now."""
    names = git("diff", "--name-only", "-z", *revisions, otherwise="This folder is no git repository: clone it anew.")
    return {name for name in names.split("\0") if name}


def set_aside(name):
    """Copy a changed file to notebooks/mine/, then make it again what it was in the last commit."""
    path = ROOT / name
    if path.exists():
        MINE.mkdir(exist_ok=True)
        copy = MINE / f"{path.stem} {time.strftime('%Y-%m-%d %H.%M.%S')}{path.suffix}"
        shutil.copy2(path, copy)
        print(f"Your {name} is now {copy.relative_to(ROOT)}.")
    git("checkout", "--quiet", "HEAD", "--", name, otherwise=f"{name} could not be restored.")


def update():
    """Take over what is new upstream; files that it changes and the learner has changed too are set aside first."""
    git("rev-parse", "@{upstream}", otherwise="This folder follows no repository: clone it anew, or set an upstream.")
    git("fetch", "--quiet", otherwise="Nothing could be fetched: check the network.")
    if not changed("HEAD", "@{upstream}"):
        print("Nothing is new.")
        return
    own = "This folder has commits of its own: merge them by hand with `git pull`."
    git("merge-base", "--is-ancestor", "HEAD", "@{upstream}", otherwise=own)
    for name in sorted(changed("HEAD") & changed("HEAD", "@{upstream}")):
        set_aside(name)
    git("merge", "--quiet", "--ff-only", "@{upstream}", otherwise="The update could not be taken over.")
    print("Up to date.")


def reset(chapter=""):
    """Make one chapter again what it was when it came; the learner's version is set aside."""
    tracked = git("ls-files", "notebooks/*.ipynb", otherwise="This folder is no git repository: clone it anew.")
    chapters = {Path(name).stem: name for name in tracked.splitlines()}
    if chapter not in chapters:
        sys.exit(f"CHAPTER={chapter} is none of the chapters: use {', '.join(sorted(chapters))}.")
    if chapters[chapter] in changed("HEAD"):
        set_aside(chapters[chapter])
    print(f"{chapters[chapter]} is as it came.")


if __name__ == "__main__":
    {"update": update, "reset": reset}[sys.argv[1]](*sys.argv[2:])
