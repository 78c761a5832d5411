"""The stored notebooks: clean, complete, and compared by nbval in earnest."""

import ast
import importlib.util
import re
import subprocess
import sys
import warnings
from pathlib import Path

import autocorrect_py
import nbformat
import pytest
from d2lhelpers.exercises import CHAPTERS, EXERCISES
from d2lhelpers.language import catalogue
from nbconvert import PythonExporter

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHINESE = sorted((ROOT / "notebooks" / "zh").glob("*.ipynb"))
TAGS = {"exercise", "nbval-ignore-output"}
spec = importlib.util.spec_from_file_location("chapters", ROOT / "tools" / "chapters.py")
chapters = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chapters)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
in_each_language = pytest.mark.parametrize(
    "path", NOTEBOOKS + CHINESE, ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix()
)
ENGLISH = {
    "exercise": "Exercise",
    "minutes": "minutes",
    "solution": "Solution",
    "untouched": ": not attempted yet.",
    "sections": ["Set-up", "Something to play with", "Exercises", "What you have done", "Summary", "References"],
    "last": ["The same in PyTorch", "## References"],
    "time": r"\*\*Time\*\*.*two CPU cores.*GPU",
    "described": 60,
}
IN_CHINESE = {
    "exercise": "练习",
    "minutes": "分钟",
    "solution": "参考答案",
    "untouched": "：尚未作答。",
    "sections": ["准备", "动手玩一玩", "练习", "完成情况", "小结", "参考文献"],
    "last": ["用 PyTorch 实现", "## 参考文献"],
    "time": r"\*\*时间\*\*.*两个 CPU 核.*GPU",
    "described": 20,
}


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def markdown(path):
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def words(path):
    """What the chapters of this language say in the same words."""
    return IN_CHINESE if path in CHINESE else ENGLISH


def tags(cell):
    return set(cell.metadata.get("tags", []))


def test_every_chapter_is_there_in_both_languages():
    assert NOTEBOOKS
    assert [path.name for path in CHINESE] == [path.name for path in NOTEBOOKS]


@in_each_language
def test_format_is_valid(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nbformat.validate(read(path))


@in_each_language
def test_every_cell_was_executed_in_order_without_error(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@in_each_language
def test_tags(path):
    for cell in code_cells(path):
        assert tags(cell) <= TAGS


@in_each_language
def test_cells_that_are_kept_define_and_print_nothing(path):
    kept = [cell for cell in code_cells(path) if "@save" in cell.source]
    assert kept
    for cell in kept:
        assert cell.source.startswith("#@save\n") and cell.source.count("@save") == 1
        assert not cell.outputs, cell.id


@each_notebook
def test_the_package_keeps_what_the_cells_define(path):
    assert chapters.module_path(path).read_text() == chapters.module(path), "run `make notebooks`"


def test_the_package_has_a_module_for_each_chapter_and_no_other():
    modules = {path.name for path in (ROOT / "d2lhelpers" / "chapters").glob("*.py")} - {"__init__.py"}
    assert modules == {chapters.module_path(path).name for path in NOTEBOOKS}


@in_each_language
def test_an_exercise_is_headed_as_its_check_says(path):
    pattern = r"^### {exercise} (\d+) · (.+)\n\n(.+) · (\d+) {minutes}$".format(**words(path))
    headings = re.findall(pattern, markdown(path), re.MULTILINE)
    translations = catalogue("zh") if path in CHINESE else {}
    prefix = next(prefix for prefix, chapter in CHAPTERS.items() if chapter == path.stem)
    exercises = [exercise for name, exercise in EXERCISES.items() if name.startswith(f"{prefix}.")]
    titles = [translations.get(exercise.title, exercise.title) for exercise in exercises]
    described = [(title, one.difficulty, str(one.minutes)) for title, one in zip(titles, exercises, strict=True)]
    assert headings == [(str(number), *words) for number, words in enumerate(described, 1)]
    tasks = [cell.id.removeprefix("exercise-") for cell in read(path).cells if cell.id.startswith("exercise-")]
    assert [exercise.name for exercise in exercises] == [f"{prefix}.{task}" for task in tasks]


@in_each_language
def test_most_outputs_are_compared(path):
    cells = code_cells(path)
    ignored = [cell for cell in cells if "nbval-ignore-output" in tags(cell)]
    assert len(ignored) <= len(cells) / 3


@in_each_language
def test_the_cells_are_plain_python(path):
    tree = ast.parse("\n".join(cell.source for cell in code_cells(path)))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"get_ipython", "display"}  # which only IPython defines


def test_a_chapter_runs_as_a_program_where_there_is_no_display(tmp_path, smoke, monkeypatch):
    for name in ("MPLBACKEND", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    program = tmp_path / "chapter.py"
    program.write_text(PythonExporter().from_filename(ROOT / "notebooks" / "02_vgg.ipynb")[0])
    result = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "epoch 1, loss" in result.stdout


@in_each_language
def test_what_a_cell_prints_is_in_one_piece(path):
    for cell in code_cells(path):
        kinds = [output.get("name", output.output_type) for output in cell.outputs]
        assert ("stdout", "stdout") not in zip(kinds, kinds[1:], strict=False), cell.id


@in_each_language
def test_nothing_machine_made_is_stored(path):
    text = path.read_text()
    assert path.stat().st_size < 1_500_000
    assert "widgets" not in read(path).metadata
    assert "application/vnd.jupyter.widget-view+json" not in text
    assert "image/svg+xml" not in text
    for cell in code_cells(path):
        printed = "".join(str(output.get("text", "")) for output in cell.outputs)
        assert not re.search(r"/(home|root|tmp|work|usr)/", cell.source + printed), cell.id
        if "nbval-ignore-output" not in tags(cell):
            assert not re.search(r"@[cg]pu\(|\b[cg]pu\(\d", printed), f"{cell.id} prints its device"


@pytest.mark.parametrize("path", NOTEBOOKS + CHINESE, ids=lambda path: path.stem)
def test_every_figure_is_described_for_those_who_do_not_see_it(path):
    for cell in code_cells(path):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            description = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(description) > words(path)["described"], cell.id


@in_each_language
def test_links_and_images(path):
    text = markdown(path)
    headings = {re.sub(r"\s+", "-", line.lstrip("# ").strip()) for line in text.splitlines() if line.startswith("#")}
    assert not re.search(r"!\[[^\]]*\]\(http|<img", text), "remote or raw image"
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("http"):
            assert (path.parent / target.partition("#")[0]).exists(), target


@in_each_language
def test_every_exercise_has_task_stub_check_and_solution(path):
    cells = read(path).cells
    parts = {part: [cell.id for cell in cells if cell.id.startswith(f"{part}-")] for part in ("stub", "solution")}
    stubs = [i for i, cell in enumerate(cells) if "exercise" in tags(cell)]
    assert len(stubs) >= 6
    assert [cells[i].id for i in stubs] == parts["stub"]
    assert len(parts["solution"]) == len(stubs)
    for number, i in enumerate(stubs, 1):
        task, stub, check, solution = cells[i - 1 : i + 3]
        name = stub.id.removeprefix("stub-")
        ids = [f"{part}-{name}" for part in ("exercise", "stub", "check", "solution")]
        assert [task.id, stub.id, check.id, solution.id] == ids
        assert task.source.startswith(f"### {words(path)['exercise']} {number} · ")
        assert re.search(rf"^(●○○|●●○|●●●) · \d+ {words(path)['minutes']}$", task.source, re.MULTILINE)
        assert re.fullmatch(rf'd2l\.check\("[a-z]+\.{name}", \w+(, \w+)*\)', check.source)
        assert check.outputs[0].data["text/plain"].startswith(check.source.split('"')[1] + words(path)["untouched"])
        assert solution.source.startswith(f"<details><summary>{words(path)['solution']}</summary>\n")
        assert solution.source.endswith("</details>")
        code = re.findall(r"```python\n(.*?)```", solution.source, re.DOTALL)
        assert len(code) == 1
        compile(code[0], solution.id, "exec")


@in_each_language
def test_the_sections_are_in_order(path):
    headings = re.findall(r"^## (.*)$", markdown(path), re.MULTILINE)
    order = words(path)["sections"]
    assert [heading for heading in headings if heading in order] == order
    assert headings[0] == order[0] and headings[-1] == order[-1]
    last = read(path).cells[-1].source
    assert last.index(words(path)["last"][0]) < last.index(words(path)["last"][1])
    assert re.search(r"\.ipynb\)[^\n]*\Z", last), "the last line leads to another chapter"
    assert re.search(words(path)["time"], read(path).cells[0].source, re.DOTALL)


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: path.stem)
def test_a_chinese_chapter_speaks_chinese(path):
    assert [i for i, cell in enumerate(code_cells(path)) if "set_language" in cell.source] == [0]
    assert '\nd2l.set_language("zh")' in code_cells(path)[0].source
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```|`[^`\n]*`|\$.*?\$", "code", cell.source, flags=re.DOTALL)
            assert autocorrect_py.format(text) == text, cell.id


@pytest.mark.parametrize(
    ("chapter", "cell", "least"),
    [("02_vgg", "train-result", 0.78), ("03_nin", "train-result", 0.70), ("04_googlenet", "train-result", 0.80)],
)
def test_the_stored_training_succeeded_and_the_readme_quotes_it(chapter, cell, least):
    cells = {cell.id: cell for cell in code_cells(ROOT / "notebooks" / f"{chapter}.ipynb")}
    *_, accuracy = re.findall(r"test accuracy 0(\.\d+)", cells[cell].outputs[0].text)
    assert float(accuracy) >= least
    assert accuracy in (ROOT / "README.md").read_text()


def nbval(tmp_path, cells):
    """Run nbval on a notebook with these cells; return whether it passed, and what it printed."""
    notebook = read(NOTEBOOKS[0])
    notebook.cells = cells
    nbformat.write(notebook, tmp_path / "copy.ipynb")
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--nbval", "-p", "no:cacheprovider"]
    result = subprocess.run([*command, tmp_path / "copy.ipynb"], capture_output=True, text=True, cwd=tmp_path)
    return result.returncode == 0, result.stdout


def beginning(last):
    """Return the code cells of the first chapter up to the one with the id `last`."""
    cells = code_cells(NOTEBOOKS[0])
    return cells[: [cell.id for cell in cells].index(last) + 1]


@pytest.fixture
def smoke(monkeypatch):
    monkeypatch.setenv("D2L_BUDGET", "smoke")


def test_nbval_accepts_what_is_stored_and_notices_a_number_and_an_exception(tmp_path, smoke):
    cells = beginning("train-plain")
    table = next(cell for cell in cells if cell.id == "lenet-table").outputs[0].data
    assert "44,426" in table["text/plain"]
    table["text/plain"] = table["text/plain"].replace("44,426", "44,427")
    cells[-1].metadata["tags"] = ["nbval-ignore-output"]  # even where the output is not compared
    cells[-1].source += "\nraise RuntimeError('training broke')"
    passed, printed = nbval(tmp_path, cells)
    assert not passed
    assert f"2 failed, {len(cells) - 2} passed" in printed
    assert "44,427" in printed and "training broke" in printed
