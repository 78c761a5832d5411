"""Keep what the chapters define in the package, and keep the stored notebooks clean: `make notebooks` runs this.

python tools/chapters.py save    write d2lhelpers/chapters/ from the cells that begin with #@save
python tools/chapters.py clean   drop the sliders' models, which are others in each run, from the stored outputs
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDGET = "application/vnd.jupyter.widget-view+json"
HEADER = '''"""Chapter {number}, written by `make notebooks` from those cells of {name} that begin with #@save."""

'''


def notebooks(folder="notebooks"):
    """Return the paths of the chapters, in order; what they define is taken from the English ones."""
    return sorted((ROOT / folder).glob("[0-9]*.ipynb"))


def read(path):
    """Return a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))


def ruff(code, *command):
    """Return what ruff makes of some code."""
    program = Path(sys.executable).with_name("ruff")
    command = [program, *command, "--quiet", "--stdin-filename", "d2lhelpers/chapters/chapter.py", "-"]
    return subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True, check=True).stdout


def module(path):
    """Return the module of a chapter: its marked cells, without the imports that only other cells need."""
    marked = [source for cell in read(path)["cells"] if (source := "".join(cell["source"])).startswith("#@save\n")]
    code = "\n\n\n".join(source.partition("\n")[2] for source in marked)
    code = HEADER.format(number=int(path.name[:2]), name=path.name) + code + "\n"
    return ruff(ruff(code, "check", "--fix-only", "--select=F401,I"), "format")


def module_path(path):
    """Return where the module of a chapter is: 01_batch_norm.ipynb has d2lhelpers/chapters/batch_norm.py."""
    return ROOT / "d2lhelpers" / "chapters" / f"{path.stem[3:]}.py"


def save():
    """Write the modules of all chapters."""
    for path in notebooks():
        module_path(path).write_text(module(path), encoding="utf-8")


def clean():
    """Drop the models of sliders from all stored outputs."""
    for path in notebooks() + notebooks("notebooks/zh"):
        notebook = read(path)
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                output.get("data", {}).pop(WIDGET, None)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    {"save": save, "clean": clean}[sys.argv[1]]()
