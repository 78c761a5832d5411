"""What the chapters define, for everybody else: so that no network and no layer stands in two places."""

import functools
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def _cells(chapter):
    path = NOTEBOOKS / f"{chapter}.ipynb"
    if not path.exists():
        chapters = ", ".join(sorted(found.stem for found in NOTEBOOKS.glob("*.ipynb")))
        raise FileNotFoundError(f"chapter is {chapter!r}; it must be one of {chapters}.")
    return nbformat.read(path, as_version=4).cells


@functools.cache
def definitions(chapter):
    """Return what a chapter defines, without running its experiments.

    Args:
        chapter (str): the name of a notebook without its ending, such as `01_batch_norm`.

    Returns:
        types.SimpleNamespace: every name that the chapter's cells with the tag `definition` bind.

    Raises:
        FileNotFoundError: there is no such chapter.
    """
    namespace = {"__name__": chapter}
    for cell in _cells(chapter):
        if "definition" in cell.metadata.get("tags", []):
            exec(compile(cell.source, f"{chapter}.ipynb:{cell.id}", "exec"), namespace)
    return SimpleNamespace(**{name: value for name, value in namespace.items() if not name.startswith("__")})


def exercises(chapter):
    """Return the exercises of a chapter in order.

    Args:
        chapter (str): see `definitions`.

    Returns:
        list[tuple[str, str, str, int]]: name, title, difficulty (●○○ to ●●●) and minutes of each.

    Raises:
        FileNotFoundError: there is no such chapter.
    """
    tasks = (cell for cell in _cells(chapter) if cell.id.startswith("exercise-"))
    form = re.compile(r"### Exercise \d+ · (.+)\n\n([●○]{3}) · (\d+) minutes\n")
    found = [(task.id.removeprefix("exercise-"), *form.match(task.source).groups()) for task in tasks]
    return [(name, title, difficulty, int(minutes)) for name, title, difficulty, minutes in found]
