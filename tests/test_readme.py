"""The README keeps its promises: what it names exists."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)#\s]+)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_every_chapter_is_in_the_table():
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"](notebooks/{notebook.name})" in README


def test_named_targets_exist():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^make (\w+)", listed, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=[ `])", README)) <= targets


def test_named_settings_are_read_somewhere():
    code = "".join(path.read_text() for path in (ROOT / "d2lhelpers").rglob("*.py"))
    for variable in set(re.findall(r"\bD2L_\w+", README)):
        assert f'"{variable}"' in code
