"""The README and docs/ keep their promises: what they name exists."""

import json
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "docs" / "results.md").read_text()
CHINESE = (ROOT / "README.zh.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^make (\w+)", listed, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=[ `])", text)) <= targets
    code = "".join(path.read_text() for path in (ROOT / "d2lhelpers").rglob("*.py"))
    for variable in set(re.findall(r"\bD2L_\w+", text)):
        assert f'"{variable}"' in code


def test_the_readme_is_one_page_and_leads_to_every_other():
    assert README.count("\n") <= 120
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name.startswith("index.") or f"](docs/{page.name})" in README


def test_every_chapter_is_in_the_table():
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"](notebooks/{notebook.name})" in README


def test_results_of_chapter_1_are_those_that_were_measured():
    measured = json.loads((ROOT / "benchmarks" / "reference" / "batch_norm.json").read_text())
    *runs, plain = measured.values()
    for runs_by_seed in runs:
        seeds = runs_by_seed.values()
        columns = ([run[name][-1] for run in seeds] for name in ("loss", "train_acc", "test_acc"))
        values = [*columns, [run["test_acc_reestimated"] for run in seeds]]
        assert " | ".join(f"{statistics.median(value):.3f}"[1:] for value in values) in RESULTS
    assert statistics.median(run["train_acc"][0] for run in plain.values()) < 0.40


def test_the_readme_sums_up_the_results():
    rows = re.findall(r"^\| .* epochs? \| .* \| (\.\d+) \| (\.\d+) \|$", README, re.MULTILINE)
    assert len(rows) == 4
    for ours, reference in rows:
        assert any(f" {ours} " in line and f" {reference} " in line for line in RESULTS.splitlines())


def test_results_of_chapter_1_are_good():
    measured = json.loads((ROOT / "benchmarks" / "reference" / "batch_norm.json").read_text())

    def median(name, measure):
        return statistics.median(measure(run) for run in measured[name].values())

    for name, least in (
        ("hand-written, momentum 0", 0.885),
        ("nn.BatchNorm", 0.885),
        ("nn.BatchNorm, γ and β frozen", 0.88),
    ):
        assert median(name, lambda run: run["train_acc"][-1]) >= least
    for name in ("hand-written, momentum 0", "nn.BatchNorm"):
        assert median(name, lambda run: run["test_acc_reestimated"]) >= 0.88
    assert median("nn.BatchNorm", lambda run: max(run["test_acc"])) >= 0.87


def facts(text):
    """Return minutes, accuracies and commands; English writes .82 for 0.82."""
    patterns = (r"(\d) (?:to|到) (\d) (?:minutes|分钟)", r"\.\d{3}\b", r"^make \w+")
    return [re.findall(pattern, text, re.MULTILINE) for pattern in patterns]


def test_the_chinese_readme_tells_the_same():
    assert facts(CHINESE) == facts(README) and all(facts(README))
    assert CHINESE.count("\n") <= 120
