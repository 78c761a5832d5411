"""Each chapter in JupyterLab: all cells run, every slider moves its figure, and training can be stopped."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from d2lhelpers.exercises import CHAPTERS
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
TRANSLATED = [f"zh/{chapter}" for chapter in CHAPTERS.values()]


@pytest.mark.parametrize("chapter", [*CHAPTERS.values(), *TRANSLATED])
def test_all_cells_run_and_every_slider_changes_its_figure(open_notebook, chapter):
    notebook = open_notebook(chapter)
    notebook.run_all(seconds=240)
    assert notebook.error_outputs() == []

    cells = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4).cells
    wanted = sum("d2l.explore(" in cell.source for cell in cells if cell.cell_type == "code")
    explorers = notebook.page.locator(".widget-vbox:has(img.widget-image)")
    explorers.nth(wanted - 1).wait_for()
    assert explorers.count() == wanted >= 1
    for explorer in explorers.all():
        picture, handles = explorer.locator("img.widget-image"), explorer.locator(".noUi-handle")
        assert handles.count() >= 1
        for handle in handles.all():
            before = picture.get_attribute("src")
            at_the_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
            handle.press("ArrowLeft" if at_the_end else "ArrowRight")
            notebook.page.wait_for_function(
                "([picture, before]) => picture.src != before && picture.complete && picture.naturalWidth > 0",
                arg=[picture.element_handle(), before],
            )
    assert notebook.errors == []


TRAINING = """
import d2lhelpers as d2l
from d2lhelpers.chapters.batch_norm import lenet

net, history = lenet(), None
history = d2l.fit(net, lr=0.1, batch_size=64, num_epochs=5000, train_size=1024, test_size=256)
"""
AFTER = """
_, test_iter = d2l.load_data_fashion_mnist(64, test_size=256)
print("epochs:", 0 < len(history.test_acc) < 5000, "usable:", d2l.evaluate_accuracy(test_iter, net) > 0)
"""
# What the reader sees: measured between two calls from here, the picture may just be exchanged for the next.
EVERY_FRAME = """
milliseconds => new Promise(done => {
    const pictures = new Set(), places = new Set(), end = performance.now() + milliseconds;
    const look = now => {
        const curves = document.querySelector(".jp-Notebook .jp-OutputArea-output img");
        pictures.add(curves?.src);
        places.add(JSON.stringify(curves?.getBoundingClientRect()));
        if (pictures.size < 5 && now < end) requestAnimationFrame(look); else done([pictures.size, [...places]]);
    };
    requestAnimationFrame(look);
})
"""


def test_the_curves_stay_in_place_and_stop_leaves_a_usable_network(open_notebook, folder):
    cells = [new_code_cell(TRAINING.strip()), new_code_cell(AFTER.strip())]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), folder / "stop.ipynb")
    notebook = open_notebook("stop")
    page = notebook.page
    notebook.cells.first.click()
    page.keyboard.press("Shift+Enter")

    curves = notebook.cells.first.locator(".jp-OutputArea-output img")
    curves.wait_for()
    pictures, places = page.evaluate(EVERY_FRAME, 60_000)
    assert pictures >= 3, "the curves are not redrawn"
    assert len(places) == 1, "the curves jump"

    page.locator(
        "jp-button[data-command='notebook:interrupt-kernel'], button[data-command='notebook:interrupt-kernel']"
    ).click()
    notebook.cells.nth(1).click()
    page.keyboard.press("Shift+Enter")
    notebook.cells.nth(1).get_by_text("epochs: True usable: True").wait_for()
    assert notebook.error_outputs() == []
    assert curves.count() == 1
    assert notebook.errors == []


def test_the_workspace_of_binder_opens_chapter_1(new_page, start_lab, folder, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notebooks").symlink_to(folder)
    workspaces = {"JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces")}
    jupyter = Path(sys.executable).with_name("jupyter")
    command = [jupyter, "lab", "workspaces", "import", ROOT / "binder" / "workspace.json"]
    subprocess.run(command, check=True, env={**os.environ, **workspaces})
    with start_lab(tmp_path / "home", **workspaces) as address:
        page = new_page()
        page.goto(address)
        page.locator(".jp-Notebook h1").first.wait_for()
        assert page.locator(".jp-Notebook h1").first.inner_text().startswith("1 · Batch normalisation")
        page.locator(".jp-DirListing-itemText").nth(len(CHAPTERS) - 1).wait_for()
