"""A real Chromium, and JupyterLab, started as `make lab` does."""

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
# Without the last ones Chromium asks the internet for updates, and waits where there is none.
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="module")
def browser():
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("CI must run the browser tests, and there is no Chromium.")
        pytest.skip("There is no Chromium: `sudo tools/chromium.sh` installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES.split())
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser):
    """Open a page, in a context of its own with some options of Playwright's."""
    contexts = []

    def new_page(**options):
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(120_000)  # other tests run beside it, and may take every core
        return contexts[-1].new_page()

    yield new_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Copies of the chapters, since JupyterLab saves what it has run; and without outputs, to see the new ones come."""
    folder, notebooks = tmp_path_factory.mktemp("notebooks"), ROOT / "notebooks"
    for path in (*notebooks.glob("*.ipynb"), *notebooks.glob("zh/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        copy = folder / path.relative_to(notebooks)
        copy.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, copy)
    return folder


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """A folder of JupyterLab's settings: all cells on the page at once, and no question about news."""
    folder = tmp_path_factory.mktemp("settings") / "@jupyterlab"
    for name, content in (
        ("notebook-extension/tracker", {"windowingMode": "none"}),
        ("apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False}),
    ):
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    return folder


@contextlib.contextmanager
def running_lab(settings, folder, **variables):
    """Start JupyterLab in a folder, as `make lab` does; gives its address, with its token."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment |= {"D2L_BUDGET": "smoke", "JUPYTERLAB_SETTINGS_DIR": str(settings.parent), **variables}
    command = ["make", "lab", "BROWSER=none", f"NOTEBOOKS={folder}"]
    options = {"cwd": ROOT, "env": environment, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", line):
            break
    else:
        pytest.fail("JupyterLab did not start.")
    threading.Thread(target=process.stdout.read, daemon=True).start()  # it must not wait for a reader
    try:
        yield found[0]
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


@pytest.fixture(scope="session")
def start_lab(settings):
    """Start JupyterLab: with start_lab(folder) as address."""
    return functools.partial(running_lab, settings)


@pytest.fixture(scope="module")
def lab(folder, start_lab, tmp_path_factory):
    """The address of JupyterLab on the chapters."""
    record = tmp_path_factory.mktemp("record") / "progress.json"
    with start_lab(folder, D2L_PROGRESS=str(record)) as address:
        yield address


class Notebook:
    """A notebook in JupyterLab."""

    def __init__(self, page, lab, name):
        self.page, self.errors = page, []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        address, _, token = lab.partition("?")
        page.goto(f"{address}/tree/{name}.ipynb?{token}&reset")
        page.locator(".jp-Notebook").wait_for()
        sessions = f"{address.removesuffix('/lab')}/api/sessions?{token}"
        for _ in range(240):  # the page says "idle" before it is connected, and asks for a kernel when told to run
            kernels = [entry["kernel"] for entry in page.request.get(sessions).json() if name in entry["path"]]
            if any(kernel["execution_state"] == "idle" and kernel["connections"] for kernel in kernels):
                break
            page.wait_for_timeout(500)
        else:
            pytest.fail("The kernel has not become idle.")
        page.wait_for_timeout(1000)

    @property
    def cells(self):
        return self.page.locator(".jp-Notebook .jp-CodeCell")

    def run_all(self, seconds):
        """Run all cells and wait for the last one."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator("li[data-command='runmenu:run-all']").click()
        self.page.wait_for_function(
            """() => [...document.querySelectorAll(".jp-Notebook .jp-CodeCell .jp-InputPrompt")]
                .every(prompt => /[0-9]/.test(prompt.textContent))""",
            timeout=1000 * seconds,
        )

    def error_outputs(self):
        """Return what cells have raised."""
        return self.page.locator("[data-mime-type='application/vnd.jupyter.error']").all_inner_texts()


@pytest.fixture
def open_notebook(new_page, lab, request, tmp_path):
    """Open a notebook by its name; a failure leaves a picture of the page."""
    pages = []

    def open_notebook(name):
        pages.append(new_page(viewport={"width": 1200, "height": 1000}))
        return Notebook(pages[-1], lab, name)

    failed = request.session.testsfailed
    yield open_notebook
    for page in pages if request.session.testsfailed > failed else ():
        page.screenshot(path=tmp_path / "failure.png")
        print(f"screenshot: {tmp_path / 'failure.png'}")
