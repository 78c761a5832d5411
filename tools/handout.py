"""Write the chapters without their solutions to build/handout/, for a class: `make handout`.

Nothing is written unless the solutions of exactly those exercises are found that the package checks, in each language.
Cells are told by what is in them and by their order, stub, check, solution: tools take ids away, and teachers merge
cells.
"""

import json
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HANDOUT = ROOT / "build" / "handout"
POINTER = re.compile(r" The solution is folded up below it\.|参考答案折叠在它的下面。")
STUB = re.compile(r"^ *raise NotImplementedError|^\w+ = None", re.MULTILINE)
CHECK = re.compile(r'^d2l\.check\("(.+?)"', re.MULTILINE)
SOLUTION = re.compile(r"<details><summary>(Solution|参考答案)</summary>\n.*</details>\s*", re.DOTALL)
LEFT = re.compile(r"<summary>[^<]*(solution|答案)", re.IGNORECASE)


def exercises():
    """Return the names of all exercises, such as bn.freeze, from the source of their checks."""
    names = set()
    for path in (ROOT / "d2lhelpers" / "exercises").glob("*.py"):
        code = path.read_text(encoding="utf-8")
        for chapter in re.findall(r'^exercises = Exercises\("(.+)"\)', code, re.MULTILINE):
            names |= {f"{chapter}.{name}" for name in re.findall(r'^@exercises\.add\(\s*"(.+?)"', code, re.MULTILINE)}
    return names


def without_solutions(notebook, missing):
    """Return a notebook without its solutions and without the sentence that points to them.

    The exercises that it has are taken out of the set `missing`; ValueError where one is not as it should be.
    """
    sources = [POINTER.sub("", "".join(cell["source"])) for cell in notebook["cells"]]
    solutions = set()
    for i, cell in enumerate(notebook["cells"]):
        for name in CHECK.findall(sources[i]) if cell["cell_type"] == "code" else ():
            if name not in missing:
                raise ValueError(f"{name} is checked twice, or no exercise of the package")
            if not STUB.search(sources[i - 1]):
                raise ValueError(f"there is no empty stub above the check of {name}")
            if not SOLUTION.fullmatch("".join(sources[i + 1 : i + 2])):
                raise ValueError(f"the cell below the check of {name} is not its solution and nothing else")
            missing.remove(name)
            solutions.add(i + 1)
    for i in sorted(set(range(len(sources))) - solutions):
        if LEFT.search(sources[i]):
            raise ValueError(f"a solution stands where no exercise ends: {sources[i].strip()[:60]!r}")
    whole = enumerate(notebook["cells"])
    cells = [{**cell, "source": sources[i].splitlines(keepends=True)} for i, cell in whole if i not in solutions]
    return {**notebook, "cells": cells}


def main():
    """Write all chapters anew, once all could be read."""
    handouts, notebooks = {}, ROOT / "notebooks"
    for folder in filter(Path.exists, (notebooks, notebooks / "zh")):
        missing = exercises()
        for path in sorted(folder.glob("*.ipynb")):
            name = path.relative_to(ROOT)
            try:
                handout = without_solutions(json.loads(path.read_text(encoding="utf-8")), missing)
            except (ValueError, KeyError, TypeError) as error:
                remedy = f"mend it, or `git checkout -- {name}` brings it back"
                sys.exit(f"There is no handout of {name} ({error}): {remedy}.")
            handouts[HANDOUT / path.relative_to(notebooks)] = handout
        if missing:
            names = ", ".join(sorted(missing))
            remedy = f"`git checkout -- {folder.relative_to(ROOT)}` brings that back"
            sys.exit(f"There is no handout without {names}: {remedy}.")
    shutil.rmtree(str(HANDOUT), ignore_errors=True)
    for path, notebook in handouts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"There is no whole handout: {error}.")
