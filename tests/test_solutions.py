"""Every solution, put into its stub: the whole chapter runs, and every check says right, ten times.

It runs on `cpu(1)`: parameters and compiled networks refuse an array left behind on `cpu(0)`, as they would on a GPU.
"""

import json
import re
from pathlib import Path

import nbformat
import pytest
from d2lhelpers.exercises import CHAPTERS, EXERCISES
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
REPEATED = """
_verdicts = [{check} for _ in range(10)]
print(len(_verdicts), *{{verdict.status for verdict in _verdicts}}, sep=": ")
print(*{{verdict for verdict in _verdicts if verdict.status != "right"}})
"""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_solution_is_right(chapter, tmp_path, monkeypatch):
    notebook = nbformat.read(NOTEBOOKS / f"{CHAPTERS[chapter]}.ipynb", as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    names = [id.removeprefix("stub-") for id in cells if id.startswith("stub-")]
    assert [f"{chapter}.{name}" for name in names] == [name for name in EXERCISES if name.startswith(f"{chapter}.")]
    for name in names:
        cells[f"stub-{name}"].source = re.search(r"```python\n(.*?)```", cells[f"solution-{name}"].source, re.DOTALL)[1]
        cells[f"check-{name}"].source = REPEATED.format(check=cells[f"check-{name}"].source)
    record = tmp_path / "progress.json"
    monkeypatch.setenv("D2L_BUDGET", "smoke")
    monkeypatch.setenv("D2L_DEVICE", "cpu(1)")
    monkeypatch.setenv("D2L_PROGRESS", str(record))
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute(cwd=NOTEBOOKS)

    said = {name: cells[f"check-{name}"].outputs[0].text for name in names}
    assert {name: text.strip() for name, text in said.items()} == dict.fromkeys(names, "10: right")
    entries = json.loads(record.read_text())["exercises"]
    assert {name: entry["tries"] for name, entry in entries.items()} == {f"{chapter}.{name}": 10 for name in names}
    assert f"{len(names)} of {len(names)} exercises done" in cells["progress"].outputs[0].data["text/plain"]
