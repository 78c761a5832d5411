"""Write the chapters without their solutions to build/handout/, for a class: `make handout`."""

import json
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HANDOUT = ROOT / "build" / "handout"
POINTER = " The solution is folded up at the end."


def without_solutions(notebook):
    """Return a notebook without the cells that hold a solution and without the sentence that points to them."""
    cells = [cell for cell in notebook["cells"] if not cell["id"].startswith("solution-")]
    for cell in cells:
        if cell["id"] == "exercises":
            cell["source"] = "".join(cell["source"]).replace(POINTER, "").splitlines(keepends=True)
    return {**notebook, "cells": cells}


def main():
    """Write all chapters anew."""
    shutil.rmtree(HANDOUT, ignore_errors=True)
    HANDOUT.mkdir(parents=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = without_solutions(json.loads(path.read_text(encoding="utf-8")))
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        (HANDOUT / path.name).write_text(text, encoding="utf-8")
        print((HANDOUT / path.name).relative_to(ROOT))


if __name__ == "__main__":
    main()
