"""Whatever learners do to notebooks and names, checks, hints and progress judge by what the course defines."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import d2lhelpers as d2l
from d2lhelpers.chapters import batch_norm, googlenet, nin, vgg
from d2lhelpers.exercises import EXERCISES
from mxnet.gluon import nn

ROOT = Path(__file__).resolve().parent.parent

# What each learner's kernel does: chapter 3 uses chapter 2, and a check compares with the chapter's own network.
SESSION = """
import d2lhelpers as d2l
from d2lhelpers.chapters.vgg import VGG, vgg
from d2lhelpers.chapters import nin
print(d2l.check("vgg.deep", lambda depth: vgg(VGG[{11: "A", 13: "B", 16: "D", 19: "E"}[depth]])).status)
print(d2l.check("vgg.deep", lambda depth: vgg(VGG["A"])).status)
print(d2l.check("nin.guess-loss", 6.9078, 5).status)
print(d2l.hint("bn.freeze").startswith("Hint 1 of 3"), len(d2l.progress()), d2l.progress("vgg")[0].title)
print(d2l.summary(nin.nin(), (1, 1, 224, 224)).total_params)
"""
EXPECTED = ["right", "not yet", "right", "True 32 VGG-16 and VGG-19 from a table", "1992166"]


def change(notebook, pattern, replacement):
    """Change the source of the first cell in which a pattern is found."""
    content = json.loads(notebook.read_text())
    cell = next(cell for cell in content["cells"] if re.search(pattern, "".join(cell["source"])))
    cell["source"] = [re.sub(pattern, replacement, "".join(cell["source"]), count=1)]
    notebook.write_text(json.dumps(content))


def drop_ids(notebook):
    content = json.loads(notebook.read_text())
    for cell in content["cells"]:
        del cell["id"]
    notebook.write_text(json.dumps(content))


EDITS = {
    "a 5 × 5 kernel in vgg_block": lambda folder: change(
        folder / "02_vgg.ipynb", "num_channels, kernel_size=3", "num_channels, kernel_size=5"
    ),
    "%timeit in front of a definition": lambda folder: change(folder / "02_vgg.ipynb", "def vgg", "%timeit 1\ndef vgg"),
    "a note above a heading": lambda folder: change(
        folder / "02_vgg.ipynb", "### Exercise 1", "Hard!\n\n### Exercise 1"
    ),
    "a syntax error": lambda folder: change(folder / "03_nin.ipynb", "def nin", "def def nin"),
    "a chapter renamed": lambda folder: (folder / "02_vgg.ipynb").rename(folder / "my vgg.ipynb"),
    "a chapter copied": lambda folder: shutil.copy(folder / "02_vgg.ipynb", folder / "02_vgg-Copy1.ipynb"),
    "a chapter moved": lambda folder: (folder / "02_vgg.ipynb").rename(folder.parent / "02_vgg.ipynb"),
    "a chapter emptied": lambda folder: (folder / "02_vgg.ipynb").write_text(""),
    "cell ids lost": lambda folder: [drop_ids(path) for path in folder.glob("*.ipynb")],
    "the folder deleted": shutil.rmtree,
}


def session(folder, edit):
    """Copy the package and the notebooks, edit them as a learner does, and return what the session prints there."""
    notebooks = folder / "notebooks"
    shutil.copytree(ROOT / "d2lhelpers", folder / "d2lhelpers", ignore=shutil.ignore_patterns("__pycache__", "*.gz"))
    notebooks.mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, notebooks)
    EDITS[edit](notebooks)
    environment = {**os.environ, "PYTHONPATH": str(folder), "D2L_PROGRESS": str(folder / "progress.json")}
    command = [sys.executable, "-c", f"import d2lhelpers\nassert {str(folder)!r} in d2lhelpers.__file__\n{SESSION}"]
    where = notebooks if notebooks.exists() else folder
    return subprocess.Popen(command, cwd=where, env=environment, stdout=subprocess.PIPE, text=True)


def test_notebooks_may_be_edited(tmp_path):
    edits = list(EDITS)
    for pair in zip(edits[::2], edits[1::2], strict=True):  # two at a time: most of it is waiting for imports
        sessions = {edit: session(tmp_path / edit, edit) for edit in pair}
        for edit, process in sessions.items():
            assert process.communicate()[0].splitlines() == EXPECTED, edit


def block(kernel_size):
    def make(num_convs, num_channels):
        layers = nn.Sequential()
        for _ in range(num_convs):
            layers.add(nn.Conv2D(num_channels, kernel_size, padding=kernel_size // 2, activation="relu"))
        layers.add(nn.MaxPool2D(2, 2))
        return layers

    return make


def test_names_may_be_bound_anew(monkeypatch):
    """All names of the package and of the chapters' modules, so that whoever asks for one there gets another thing."""
    for module in (batch_norm, vgg, nin, googlenet):
        assert getattr(d2l.chapters, module.__name__.rpartition(".")[2]) is module
        for name in vars(module):
            if not name.startswith("__"):
                monkeypatch.setattr(module, name, block(5))
    for name in dir(d2l):
        if not name.startswith("__") and name not in ("check", "hint", "progress"):
            monkeypatch.setattr(d2l, name, None)
    for name, answer in (
        ("vgg.bug", block(3)),
        ("googlenet.channels", lambda c1, c2, c3, c4: c1 + c2[1] + c3[1] + c4),
        ("bn.backward", gradient),
        ("nin.one-step", nin_late),
    ):
        assert d2l.check(name, answer).status == "right", d2l.check(name, answer)
    wrong = d2l.check("vgg.bug", block(5))
    assert wrong.status == "not yet" and "0 convolutions of 3 × 3" in wrong.message
    assert len(d2l.progress()) == len(EXERCISES)
    assert d2l.hint("vgg.bug")


def gradient(g, X_hat, gamma, s):
    return gamma / s * (g - g.mean(axis=0) - X_hat * (g * X_hat).mean(axis=0))


def nin_late(norm, ratio, last_pool):
    """NiN with a late step to ten channels, written by a learner who imports nothing."""
    net, wide = nn.HybridSequential(), 384 // ratio
    for channels, *shape in ((96 // ratio, 11, 4, 0), (256 // ratio, 5, 1, 2), (wide, 3, 1, 1), (10, 3, 1, 1)):
        inner = wide if channels == 10 else channels
        for width, settings in ((inner, shape), (inner, (1,)), (channels, (1,))):
            net.add(nn.Conv2D(width, *settings), *([norm()] if norm else []), nn.Activation("relu"))
        if channels != wide or last_pool:
            net.add(nn.GlobalAvgPool2D() if channels == 10 else nn.MaxPool2D(3, 2))
        if channels == wide:
            net.add(nn.Dropout(0.5))
    net.add(nn.Flatten())
    return net
