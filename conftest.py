"""Settings of every pytest run."""

import collections
import os
import tempfile
from pathlib import Path

import d2lhelpers  # noqa: F401  before any test imports mxnet, whose CUDA libraries it preloads
import pytest
from d2lhelpers.environment import count_threads

# The stored outputs are those of the cpu budget, on a GPU too; the notebooks' kernels inherit this.
os.environ.setdefault("D2L_BUDGET", "cpu")

# A learner's record of exercises is neither read nor touched; each notebook and each file of tests begins without one.
_folder = tempfile.TemporaryDirectory()
_record = Path(_folder.name, "progress.json")
os.environ["D2L_PROGRESS"] = str(_record)


def pytest_runtest_teardown(item, nextitem):
    """Forget what the cells of a notebook, or the tests of a file, have solved."""
    if nextitem is None or nextitem.path != item.path:
        _record.unlink(missing_ok=True)


@pytest.hookimpl(optionalhook=True)  # there may be no xdist
def pytest_xdist_auto_num_workers():
    """Say how many processes `pytest -n auto` starts, one for each core that MXNet would use; each gets one thread."""
    cores, _ = count_threads()
    os.environ["OMP_NUM_THREADS"] = "1"
    return min(cores, 8)


_cells = collections.defaultdict(collections.Counter)  # notebook -> how its cells came out, and seconds


def pytest_runtest_logreport(report):
    """Note how each cell of a notebook came out."""
    notebook = report.nodeid.partition("::")[0]
    if notebook.endswith(".ipynb"):
        _cells[notebook]["seconds"] += report.duration
        if report.when == "call":
            _cells[notebook][report.outcome] += 1


def pytest_terminal_summary(terminalreporter):
    """Write a line for each notebook."""
    for notebook, count in sorted(_cells.items()):
        words = [f"{count[outcome]} cells {outcome}" for outcome in ("passed", "failed") if count[outcome]]
        terminalreporter.write_line(f"{notebook}: {', '.join(words)} in {count['seconds']:.0f} s")
