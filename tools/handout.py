"""Write the chapters without their solutions to build/handout/, for a class: `make handout`."""

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HANDOUT = ROOT / "build" / "handout"
POINTER = " The solution is folded up below it."


def without_solutions(notebook):
    """Return a notebook without the cells that hold a solution and without the sentence that points to them."""
    cells = [cell for cell in notebook["cells"] if not cell.get("id", "").startswith("solution-")]
    for cell in cells:
        if cell.get("id") == "exercises":
            cell["source"] = "".join(cell["source"]).replace(POINTER, "").splitlines(keepends=True)
    return {**notebook, "cells": cells}


def main():
    """Write all chapters anew, once all could be read."""
    handouts = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        try:
            handouts[path.name] = without_solutions(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError) as error:
            sys.exit(
                f"{path.relative_to(ROOT)} is no notebook ({error}): `git checkout -- {path.relative_to(ROOT)}` brings "
                "back how it came."
            )
    shutil.rmtree(str(HANDOUT), ignore_errors=True)
    HANDOUT.mkdir(parents=True)
    for name, notebook in handouts.items():
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        (HANDOUT / name).write_text(text, encoding="utf-8")
        print((HANDOUT / name).relative_to(ROOT))


if __name__ == "__main__":
    main()
