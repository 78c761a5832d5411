"""The web book, as `make book` builds it, in a real Chromium without any network."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from d2lhelpers.exercises import CHAPTERS

ROOT = Path(__file__).resolve().parents[2]
TRANSLATED = [f"zh/{chapter}" for chapter in CHAPTERS.values()]
PAGES = ("index", *CHAPTERS.values(), *TRANSLATED)


def make_book(folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", "book"], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of what the book is made from."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("docs", "notebooks", "requirements", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("mine", ".*", "__pycache__"))
    if (ROOT / ".tools").exists():  # the project's own uv
        (folder / ".tools").symlink_to(ROOT / ".tools")
    return folder


@pytest.fixture(scope="module")
def book(project):
    result = make_book(project)
    if any(sign in result.stderr for sign in ("dns error", "error sending request", "Failed to fetch")):
        pytest.skip("the package index cannot be reached")
    assert result.returncode == 0, result.stderr
    return project / "build" / "book"


@pytest.fixture
def open_page(new_page, book):
    """Open a page of the book by its name, and note what it asks for and what goes wrong."""

    def open_page(name, scheme="light"):
        page = new_page(color_scheme=scheme, viewport={"width": 1200, "height": 900})
        page.requested, page.failed = [], []
        page.on("request", lambda request: page.requested.append(request.url))
        page.on("requestfailed", lambda request: page.failed.append(request.url))
        page.on("pageerror", lambda error: page.failed.append(str(error)))
        page.goto(f"file://{book}/{name}.html", wait_until="load")
        return page

    return open_page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_no_other_host(open_page, name):
    page = open_page(name)
    page.wait_for_load_state("networkidle")
    assert page.failed == []
    assert {url.partition(":")[0] for url in page.requested} <= {"file", "data"}


@pytest.mark.parametrize("chapter", [*CHAPTERS.values(), *TRANSLATED])
def test_a_chapter_has_formulas_figures_code_to_copy_and_folded_solutions(open_page, chapter):
    page = open_page(chapter)
    page.locator("mjx-container svg:visible").first.wait_for()
    assert page.locator("mjx-merror").count() == 0
    figures = page.locator(".cell_output img")
    cells = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text())["cells"]
    stored = [cell for cell in cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})]
    assert figures.count() == len(stored)
    described = [cell["metadata"]["mystnb"]["image"]["alt"] for cell in stored if "mystnb" in cell["metadata"]]
    assert set(described) <= set(figures.evaluate_all("images => images.map(image => image.alt)"))
    shapes = figures.evaluate_all(
        "images => images.map(image => [image.naturalWidth / image.naturalHeight, image.width / image.height])"
    )
    assert all(drawn == pytest.approx(natural, rel=0.02) for natural, drawn in shapes)
    cells = page.locator(".cell_input pre").count()
    assert cells >= 40 and page.locator("button.copybtn").count() == cells

    solution = page.locator("details:has(summary:text-matches('Solution|参考答案'))").first
    assert not solution.locator("pre").first.is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").first.is_visible()


@pytest.mark.parametrize("chapter", TRANSLATED)
def test_the_other_edition_opens_at_the_same_section(open_page, chapter):
    page, top = open_page(chapter), "document.querySelectorAll('article section')[4].getBoundingClientRect().top"
    for address in (chapter.removeprefix("zh/"), chapter):
        page.evaluate("document.querySelectorAll('article section')[4].scrollIntoView({behavior: 'instant'})")
        page.evaluate("document.querySelector('a.edition').click()")
        page.wait_for_url(f"**/{address}.html#section-*")
        page.wait_for_function(f"Math.abs({top}) < innerHeight")


def test_search_finds_a_chapter(open_page):
    page = open_page("search")
    page.goto(page.url + "?q=plateau")
    found = page.locator("#search-results li a").first
    found.wait_for()
    assert "Network in Network" in " ".join(page.locator("#search-results li").all_inner_texts())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_reader(open_page, scheme):
    page = open_page("02_vgg", scheme)
    red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]")
    assert (int(red) < 60) == (scheme == "dark")


def test_a_broken_link_fails_the_build(project, book):
    index = project / "docs" / "index.md"
    whole = index.read_text()
    index.write_text(whole + "\n[a chapter](05_resnet.ipynb)\n")
    result = make_book(project)
    index.write_text(whole)
    assert result.returncode != 0
    assert "05_resnet.ipynb" in result.stderr
