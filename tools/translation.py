"""Keep the Chinese edition in step with the English one: `make translation` says what is to be done.

python tools/translation.py                       write new sentences to the catalogue; list what is to be done
python tools/translation.py start NAME            make notebooks/zh/NAME.ipynb, or give it the cells that it lacks
python tools/translation.py done NAME [CELL ...]  note that cells, or all of them, say what the English ones say now
"""

import ast
import difflib
import hashlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "d2lhelpers"
CATALOGUE = PACKAGE / "locale" / "zh" / "LC_MESSAGES" / "d2lhelpers.po"
ENGLISH = ROOT / "notebooks"
KEY = "translated"  # in the metadata of a Chinese cell: the hash of the English source that it was made from
CHINESE = re.compile(r"[\u4e00-\u9fff]")
HEADER = """# What d2lhelpers says, in Chinese. `make translation` keeps the English sentences in step with the code.
msgid ""
msgstr ""
"Language: zh_CN\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""

# The sentences of the package

TEMPLATES = {"say": 0, "expect": 1, "refuse": 2}  # function -> which of its arguments is one


def sentences(code):
    """Yield the templates in some Python code: where `TEMPLATES` says, in variables called `sentence`, in exercises."""
    for node in ast.walk(ast.parse(code)):
        found = []
        if isinstance(node, ast.Call):
            name, place = ast.unparse(node.func), TEMPLATES.get(ast.unparse(node.func))
            if place is not None:
                found = node.args[place : place + 1]
            if name == "exercises.add":
                described = [word.value for word in node.keywords if word.arg in ("title", "why", "hints")]
                found = [inner for value in described for inner in ast.walk(value)]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "sentence":
            found = [node.value]
        for value in found:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.lineno, value.value


def extracted():
    """Return the catalogue of all sentences, without translations."""
    catalogue = Catalog(fuzzy=False)
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for _, sentence in sorted(sentences(path.read_text(encoding="utf-8"))):
            catalogue.add(sentence, locations=[(name, 0)])
    return catalogue


def merged():
    """Return the stored catalogue with the sentences of the package as they are; a changed one is marked as fuzzy."""
    with open(CATALOGUE, "rb") as file:
        catalogue = read_po(file, locale="zh_CN", domain="d2lhelpers")
    catalogue.update(extracted(), update_creation_date=False)
    return catalogue


def as_po(catalogue):
    """Return a catalogue as the bytes of its file."""
    file = io.BytesIO(HEADER.encode())
    file.seek(0, io.SEEK_END)
    write_po(file, catalogue, width=120, omit_header=True, ignore_obsolete=True, include_lineno=False)
    return file.getvalue()


# The notebooks


def parse(text):
    """Return a notebook, the source of each cell as one string."""
    notebook = json.loads(text)
    cells = [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]
    return {**notebook, "cells": cells}


def read(path):
    """Return a notebook from its file, see `parse`."""
    return parse(path.read_text(encoding="utf-8"))


def write(path, notebook):
    """Write a notebook as Jupyter does."""
    cells = [{**cell, "source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]]
    text = json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False) + "\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def digest(cell):
    """Return the hash of a cell's source."""
    return hashlib.sha256(cell["source"].encode()).hexdigest()[:16]


class _Strings(ast.NodeTransformer):
    """Takes the strings out of a syntax tree."""

    def __init__(self, code):
        self.found = []
        self.tree = ast.dump(self.visit(ast.parse(code)))

    def visit_Expr(self, node):
        return None if ast.unparse(node) == "d2l.set_language('zh')" else self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, str):
            self.found.append(node.value)
            node.value = ""
        return node

    def visit_JoinedStr(self, node):
        self.found.append("".join(part.value for part in node.values if isinstance(part, ast.Constant)))
        values = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        node.values = sorted(values, key=ast.dump)  # another language may want another order
        return node


def code(cell):
    """Return the program in a cell: in one of text, such as a solution, what stands between ```python and ```."""
    if cell["cell_type"] == "code":
        return cell["source"]
    return "\n".join(re.findall(r"```python\n(.*?)```", cell["source"], re.DOTALL))


def same_code(ours, theirs):
    """Tell whether two cells are the same program but for comments, the language, and strings that are Chinese."""
    ours, theirs = _Strings(code(ours)), _Strings(code(theirs))
    pairs = zip(ours.found, theirs.found, strict=False)
    return ours.tree == theirs.tree and all(a == b or CHINESE.search(b) for a, b in pairs)


def problems(english, chinese):
    """Yield (id of a cell, what is wrong with it) of a Chinese notebook."""
    ours, theirs = ({cell["id"]: cell for cell in notebook["cells"]} for notebook in (english, chinese))
    for name in [name for name in theirs if name not in ours]:
        yield name, "is gone from the English notebook"
    if [name for name in ours if name in theirs] != [name for name in theirs if name in ours]:
        yield next(iter(ours)), "and others stand in another order"
    for name, cell in ours.items():
        if name not in theirs:
            yield name, "is missing"
            continue
        made, made_from = theirs[name], theirs[name]["metadata"].get(KEY)
        if made["cell_type"] != cell["cell_type"] or made["metadata"].get("tags") != cell["metadata"].get("tags"):
            yield name, "has another type or other tags"
        if made_from != digest(cell):
            yield name, "is behind" if made_from else "is not translated"
        elif not same_code(cell, made):
            yield name, "is another program"


def pairs(folder=ENGLISH):
    """Yield the name of each chapter, and both its notebooks; None for a Chinese one that is not there."""
    for path in sorted(folder.glob("[0-9]*.ipynb")):
        translated = folder / "zh" / path.name
        yield path.stem, read(path), read(translated) if translated.exists() else None


def start(name, folder=ENGLISH):
    """Give the Chinese notebook the cells of the English one, in its order; new ones are marked as not translated."""
    english, path = read(folder / f"{name}.ipynb"), folder / "zh" / f"{name}.ipynb"
    made = {cell["id"]: cell for cell in read(path)["cells"]} if path.exists() else {}
    cells = []
    for cell in english["cells"]:
        ours = made.get(cell["id"], {**cell, "metadata": {KEY: ""}})
        metadata = {**cell["metadata"], **ours["metadata"], "tags": cell["metadata"].get("tags")}
        cells.append({**ours, "metadata": {key: value for key, value in metadata.items() if value is not None}})
    write(path, {**english, "cells": cells})


def done(name, *cells, folder=ENGLISH):
    """Note that the Chinese cells say what the English ones say now."""
    path = folder / "zh" / f"{name}.ipynb"
    hashes = {cell["id"]: digest(cell) for cell in read(folder / f"{name}.ipynb")["cells"]}
    notebook = read(path)
    if unknown := set(cells) - {cell["id"] for cell in notebook["cells"] if cell["id"] in hashes}:
        sys.exit(f"{name} has no cell {', '.join(sorted(unknown))}.")
    for cell in notebook["cells"]:
        if cell["id"] in hashes and (not cells or cell["id"] in cells):
            cell["metadata"][KEY] = hashes[cell["id"]]
    write(path, notebook)


def git(*command):
    """Return what a git command prints, or nothing where it fails."""
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True).stdout


def earlier(name, cell, made_from):
    """Return the source that an English cell had when its hash was another; empty where git does not know it."""
    path = f"notebooks/{name}.ipynb"
    for commit in git("log", "--format=%H", "--diff-filter=AM", "--", path).split():
        for old in parse(git("show", f"{commit}:{path}"))["cells"]:
            if old.get("id") == cell["id"] and digest(old) == made_from:
                return old["source"]
    return ""


def main():
    """Write the catalogue, and list what is to do."""
    catalogue = merged()
    CATALOGUE.write_bytes(as_po(catalogue))
    for message in catalogue:
        if message.id and (message.fuzzy or not message.string):
            print(f"{CATALOGUE.relative_to(ROOT)}: {message.id!r} is {'changed' if message.fuzzy else 'new'}")
    for name, english, chinese in pairs():
        if chinese is None:
            print(f"zh/{name}: there is none; begin with `python tools/translation.py start {name}`")
            continue
        ours, theirs = ({cell["id"]: cell for cell in notebook["cells"]} for notebook in (english, chinese))
        for cell, problem in problems(english, chinese):
            print(f"zh/{name}: {cell} {problem}")
            if problem == "is behind":
                old = earlier(name, ours[cell], theirs[cell]["metadata"][KEY])
                lines = (text.splitlines() for text in (old, ours[cell]["source"]))
                print(*list(difflib.unified_diff(*lines, lineterm="", n=1))[2:], sep="\n")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        {"start": start, "done": done}[sys.argv[1]](*sys.argv[2:])
