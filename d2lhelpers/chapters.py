"""What the chapters define, for everybody else: so that no network and no layer stands in two places."""

import functools
from pathlib import Path
from types import SimpleNamespace

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


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
    path = NOTEBOOKS / f"{chapter}.ipynb"
    if not path.exists():
        chapters = ", ".join(sorted(found.stem for found in NOTEBOOKS.glob("*.ipynb")))
        raise FileNotFoundError(f"chapter is {chapter!r}; it must be one of {chapters}.")
    namespace = {"__name__": chapter}
    for cell in nbformat.read(path, as_version=4).cells:
        if "definition" in cell.metadata.get("tags", []):
            exec(compile(cell.source, f"{path.name}:{cell.id}", "exec"), namespace)
    return SimpleNamespace(**{name: value for name, value in namespace.items() if not name.startswith("__")})
