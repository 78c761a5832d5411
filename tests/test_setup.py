"""Tests of the set-up: Makefile, tools/bootstrap.py, pyproject.toml and requirements/."""

import ast
import graphlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("cpu", "cu112", "dev")
TARGETS = "env lab test notebooks translation lint handout links book lock audit reference bench scale clean".split()
WITHOUT_ENVIRONMENT = "handout links book lock audit clean".split()


def run(*command, path=os.environ["PATH"], cwd=ROOT, **variables):
    """Runs a command with no variable but these: a make that runs the tests would pass its own on."""
    environment = {"PATH": str(path), "HOME": os.environ.get("HOME", "/"), **variables}
    return subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)


def script(path, text):
    """Writes a program for /bin/sh."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bootstrap():
    """The module tools/bootstrap.py."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# What the machine can run


@pytest.mark.parametrize(
    ("answer", "extra"),
    [
        ("echo 4.9", "cpu"),
        ("echo 5.0", "cu112"),
        ("echo 8.9", "cu112"),
        ("echo 9.0", "cpu"),
        ("echo 12.0", "cpu"),
        ("echo 8.6; echo 9.0", "cu112"),
        ("echo 9.0; echo 8.6", "cpu"),
        ("echo '[N/A]'", "cpu"),
        ("echo 8.6; exit 9", "cpu"),
        ("exit 0", "cpu"),
        (None, "cpu"),
    ],
)
def test_the_first_gpu_decides_the_extra(bootstrap, tmp_path, monkeypatch, answer, extra):
    if answer:
        query = "--query-gpu=compute_cap --format=csv,noheader"
        script(tmp_path / "nvidia-smi", f'[ "$*" = "{query}" ] || exit 2\n{answer}')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.probe() == extra


def pretend(bootstrap, monkeypatch, system, machine):
    monkeypatch.setattr(bootstrap.platform, "system", lambda: system)
    monkeypatch.setattr(bootstrap.platform, "machine", lambda: machine)


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "aarch64")])
def test_platforms_without_mxnet_are_told_where_it_runs(bootstrap, monkeypatch, system, machine):
    pretend(bootstrap, monkeypatch, system, machine)
    with pytest.raises(SystemExit, match=f"not run on {system} {machine}: use WSL2 .* Docker .* Binder"):
        bootstrap.env()


@pytest.mark.parametrize(("machine", "rosetta"), [("x86_64", False), ("arm64", True)])
def test_a_mac_gets_the_python_of_intels_macs(bootstrap, monkeypatch, tmp_path, machine, rosetta):
    pretend(bootstrap, monkeypatch, "Darwin", machine)
    monkeypatch.setattr(bootstrap, "works", lambda *command: rosetta and command[:2] == ("/usr/bin/arch", "-x86_64"))
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv" / ".built")
    monkeypatch.setattr(bootstrap, "find_uv", lambda: "uv")
    monkeypatch.setattr(bootstrap, "run", lambda *command, otherwise: sys.exit(" ".join(command)))
    with pytest.raises(SystemExit, match="^uv venv --python cpython-3.11-macos-x86_64-none "):
        bootstrap.env()


def test_apple_silicon_without_rosetta_is_told_how_to_get_it(bootstrap, monkeypatch):
    pretend(bootstrap, monkeypatch, "Darwin", "arm64")
    monkeypatch.setattr(bootstrap, "works", lambda *command: False)
    with pytest.raises(SystemExit, match="run `softwareupdate --install-rosetta`, then make again"):
        bootstrap.env()


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux wheel lacks libraries")
def test_only_missing_libraries_are_named_with_their_package(bootstrap, monkeypatch):
    bootstrap.check()
    monkeypatch.setitem(bootstrap.LIBRARIES, "libmissing.so.0", "libmissing0")
    with pytest.raises(SystemExit, match=r"needs libmissing\.so\.0: run `sudo apt install libmissing0` "):
        bootstrap.env()


# The project's own uv


@pytest.fixture
def project(tmp_path):
    """A copy of what the environment is built from, and a folder `bin` which is to be the whole PATH."""
    for name in ("tools/bootstrap.py", "pyproject.toml", "requirements"):
        target = tmp_path / "project" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (tmp_path / "bin").mkdir()
    for name in ("ln", "mkdir"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    return tmp_path / "project"


def boot(project, *arguments, **variables):
    """Runs the project's bootstrap with nothing on PATH but the folder `bin`."""
    return run(sys.executable, "tools/bootstrap.py", *arguments, path=project.parent / "bin", cwd=project, **variables)


def hide(project, **modules):
    """Returns a PYTHONPATH in which modules of these names hide those of Python."""
    folder = project.parent / "modules"
    folder.mkdir()
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return {"PYTHONPATH": str(folder)}


# As pip does: `--target FOLDER` gets the programs in FOLDER/bin.
FAKE_PIP = """
import pathlib, sys
if "--target" in sys.argv:
    uv = pathlib.Path(sys.argv[sys.argv.index("--target") + 1], "bin", "uv")
    uv.parent.mkdir(parents=True)
    uv.write_text("#!/bin/sh\\necho own uv $*\\n")
    uv.chmod(0o755)
"""


def test_a_uv_on_path_is_used(project):
    script(project.parent / "bin" / "uv", "echo $*")
    assert boot(project, "uv", "pip", "list").stdout == "pip list\n"
    assert not (project / ".tools").exists()


def test_pip_fetches_uv_where_venv_fails_and_the_uv_on_path_is_broken(project):
    script(project.parent / "bin" / "uv", "exit 127")
    hidden = hide(project, venv="import os; os.makedirs('.tools/bin'); raise SystemExit(1)", pip=FAKE_PIP)
    assert boot(project, "uv", "--help", **hidden).stdout == "own uv --help\n"
    assert boot(project, "uv", "--help").stdout == "own uv --help\n", "it is fetched only once"


def test_a_failed_fetch_of_uv_is_told(project):
    result = boot(project, "uv", **hide(project, venv="exit(1)", pip="import sys; exit('install' in sys.argv)"))
    assert result.returncode == 1
    assert "pip could not fetch uv" in result.stderr


def test_python_without_venv_and_pip_names_the_package_to_install(project):
    result = boot(project, "env", **hide(project, venv="raise SystemExit(1)", pip="raise SystemExit(1)"))
    assert result.returncode == 1
    assert "sudo apt install python3-venv" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (project / ".venv").exists()


# The environment

# Notes its calls in `calls`, fails at the command that the file `fail` names, and makes a Python that runs.
FAKE_UV = f"""
[ "$1" = --version ] && exit
echo "$*" >> ../calls
[ -e ../fail ] && read -r fail < ../fail && [ "$1" = "$fail" ] && exit 1
[ "$1" = venv ] && mkdir -p .venv/bin && ln -s {sys.executable} .venv/bin/python
exit 0
"""


@pytest.fixture
def build(project):
    """Runs the bootstrap with a uv that only notes its calls; returns what it called and how it ended."""
    script(project.parent / "bin" / "uv", FAKE_UV)

    def build(*extra, project=project):
        calls = project.parent / "calls"
        calls.write_text("")
        result = boot(project, "env", *extra)
        return calls.read_text(), result

    return build


def test_the_environment_is_built_from_the_locks_with_hashes_and_then_left_alone(project, build):
    calls, result = build()
    assert result.returncode == 0, result.stderr
    venv, sync, install = calls.splitlines()
    assert re.fullmatch(rf"venv --python (3\.11|cpython-3\.11-macos-\S+) {project}/\.venv", venv)
    assert sync.startswith(f"pip sync --python {project}/.venv/bin/python ")
    assert sync.endswith(" --require-hashes requirements/cpu.txt requirements/dev.txt")
    assert install.endswith(" --no-deps --editable .")
    for extra in ("", "cpu"):
        calls, result = build(extra)
        assert (calls, result.returncode, result.stdout) == ("", 0, "")


@pytest.mark.parametrize("name", ["cpu.txt", "dev.txt", "build.txt", "../pyproject.toml"])
def test_a_changed_file_builds_anew(project, build, name):
    build()
    with open(project / "requirements" / name, "a") as file:
        file.write("# changed\n")
    assert "requirements/cpu.txt" in build()[0]
    assert not build()[0]


def test_another_extra_builds_anew_and_stays(project, build):
    build()
    assert "requirements/cu112.txt" in build("cu112")[0]
    assert not build()[0]
    assert "requirements/cpu.txt" in build("cpu")[0]


def test_a_moved_project_builds_anew(project, build):
    build()
    moved = project.rename(project.parent / "moved")
    assert build(project=moved)[0]


@pytest.mark.parametrize(("step", "sentence"), [("venv", "uv found no Python 3.11"), ("pip", "could not be built")])
def test_a_failed_build_says_so_and_does_not_count(project, build, step, sentence):
    build()
    (project / "pyproject.toml").write_text("# changed\n")
    (project.parent / "fail").write_text(f"{step}\n")
    for _ in range(2):
        calls, result = build()
        assert calls
        assert result.returncode == 1
        assert sentence in result.stderr
    (project.parent / "fail").unlink()
    assert build()[1].returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux wheel lacks libraries")
def test_libraries_that_only_the_outer_python_finds_do_not_count(project, build):
    script(project.parent / "lost", "exit 1")
    script(project.parent / "bin" / "uv", FAKE_UV.replace(sys.executable, str(project.parent / "lost")))
    calls, result = build()
    assert "sudo apt install libquadmath0 libgomp1" in result.stderr
    assert "sync" not in calls


def test_an_unknown_extra_is_one_sentence():
    result = run("make", "env", "EXTRA=gpu", f"PYTHON={sys.executable}")
    assert result.returncode != 0
    assert result.stderr.startswith("EXTRA=gpu is unknown: use EXTRA=cpu or EXTRA=cu112.\n")


# Makefile


def test_make_alone_lists_every_target():
    listed = re.findall(r"^make (\w+) +\w.*$", run("make").stdout, re.MULTILINE)
    assert sorted(listed) == sorted([*TARGETS, "help"])


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_recipe(target):
    result = run("make", "-n", target)
    assert result.returncode == 0
    builds = "tools/bootstrap.py env" in result.stdout
    assert builds == (target not in WITHOUT_ENVIRONMENT)


def test_python_will_do_where_there_is_no_python3(tmp_path):
    for name in ("make", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name))
    script(tmp_path / "python", "echo $*")
    assert run("make", "-s", "env", path=tmp_path).stdout == "tools/bootstrap.py env\n"


def test_a_missing_python_is_one_sentence():
    result = run("make", "env", "PYTHON=no-such-python")
    assert result.returncode != 0
    assert result.stderr.startswith("There is no no-such-python on PATH: install Python 3.8 or newer.\n")


@pytest.mark.parametrize(
    ("variables", "present", "absent"),
    [
        ({}, "--ip=127.0.0.1", "port"),
        ({}, '--ServerApp.root_dir="work"', "--no-browser"),
        ({}, "python3 tools/work.py", "--no-browser"),
        ({"NOTEBOOKS": "notebooks"}, '--ServerApp.root_dir="notebooks"', "tools/work.py"),
        ({"NOTEBOOKS": "elsewhere"}, '--ServerApp.root_dir="elsewhere"', "--no-browser"),
        ({"BROWSER": "none"}, "--no-browser", "port"),
        ({"BROWSER": "firefox"}, "jupyter-lab", "--no-browser"),
        ({"PORT": "9999"}, "--port=9999 --ServerApp.port_retries=0", "--no-browser"),
    ],
)
def test_lab_follows_port_and_browser(variables, present, absent):
    command = run("make", "-n", "lab", **variables).stdout
    assert present in command
    assert absent not in command
    assert "token" not in command, "JupyterLab's own random token stays"
    assert ("--allow-root" in command) == (os.getuid() == 0)


@pytest.mark.parametrize("home", [None, "", "/nowhere"])
def test_a_home_that_cannot_be_written_is_replaced(tmp_path, home):
    script(tmp_path / "jupyter-lab", 'echo "$HOME"')
    variables = {"HOME": str(tmp_path) if home is None else home}
    result = run("make", "-s", "lab", "PYTHON=true", f"BIN={tmp_path}", **variables)
    assert result.stdout.strip() == str(tmp_path if home is None else ROOT / "build" / "home")


def test_make_test_runs_every_notebook_and_the_tests(tmp_path):
    script(tmp_path / "pytest", 'echo "$*"; exit 1')
    result = run("make", "-s", "test", "PYTHON=true", f"BIN={tmp_path}")
    assert result.returncode != 0
    options, _, named = result.stdout.partition(" --nbval ")
    assert options == "--numprocesses=auto --dist=loadfile --no-loadscope-reorder"
    english, chinese = (sorted((ROOT / "notebooks").glob(pattern)) for pattern in ("*.ipynb", "zh/*.ipynb"))
    assert named.split() == [*(str(path.relative_to(ROOT)) for path in (*english, *chinese)), "tests"]


# Lock files


def pins(name):
    """The versions of each package in a lock file; a package may have several, for different Pythons."""
    found = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        if match := re.match(r"([a-z0-9-]+)==(\S+)", line):
            found.setdefault(match[1], set()).add(match[2])
    return found


def test_the_locks_agree():
    versions = {}
    for name in LOCKS:
        for package, pinned in pins(name).items():
            assert versions.setdefault(package, pinned) == pinned, package
    assert pins("cpu").keys() - pins("cu112").keys() == {"mxnet"}


@pytest.mark.parametrize("name", [*LOCKS, "book", "build"])
def test_a_lock_has_hashes_and_no_address_or_path(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "#    make lock\n" in text
    assert not re.findall(r".*(?:://|file:| @ |(?:^|[ =])[./]).*", text, re.MULTILINE)
    requirements = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert requirements
    assert all("--hash=sha256:" in requirement for requirement in requirements)


@pytest.mark.parametrize("name", [*LOCKS, "book"])
def test_a_lock_holds_what_pyproject_asks_for(name):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, locked = settings["project"], pins(name)
    needs = settings["dependency-groups"].get(name) or project["dependencies"] + project["optional-dependencies"][name]
    for requirement in map(Requirement, needs):
        versions = locked[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


# Settings of the tools


def test_nbval_compares_outputs_in_the_running_python(tmp_path):
    cells = [
        {
            "cell_type": "code",
            "execution_count": 1,
            "id": f"cell{number}",
            "metadata": {},
            "outputs": [
                {"data": {"text/plain": stored}, "execution_count": 1, "metadata": {}, "output_type": "execute_result"}
            ],
            "source": source,
        }
        for number, (source, stored) in enumerate(
            [("1 + 1", "2"), ("1 + 1", "3"), ("import sys; sys.executable", repr(sys.executable))]
        )
    ]
    metadata = {"kernelspec": {"name": "nowhere", "display_name": "nowhere", "language": "python"}}
    notebook = tmp_path / "wrong.ipynb"
    notebook.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    options = ("-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-p", "conftest", "--nbval")
    result = run(sys.executable, "-m", "pytest", *options, notebook, cwd=tmp_path, PYTHONPATH=ROOT)
    assert "1 failed, 2 passed" in result.stdout, result.stdout
    assert "wrong.ipynb: 2 cells passed, 1 cells failed in " in result.stdout


@pytest.mark.parametrize(("cores", "processes"), [("3", 3), ("16", 8)])
def test_side_by_side_there_is_a_process_of_one_thread_for_each_core(pytestconfig, monkeypatch, cores, processes):
    for name in ("OMP_THREAD_LIMIT", "OMP_MAX_ACTIVE_LEVELS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", cores)
    assert pytestconfig.hook.pytest_xdist_auto_num_workers(config=pytestconfig) == processes
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_the_chinese_notebooks_are_run_only_when_they_are_named(tmp_path):
    cell = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "outputs": [], "source": ""}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "notebooks" / "zh").mkdir(parents=True)
    for name in ("notebooks/english.ipynb", "notebooks/zh/chinese.ipynb"):
        (tmp_path / name).write_text(json.dumps(content))
    command = (sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--collect-only", "--nbval")
    for folder, name in (("notebooks", "english"), ("notebooks/zh", "chinese")):
        found = run(*command, tmp_path / folder, cwd=tmp_path).stdout
        assert re.findall(r"(\w+)\.ipynb>", found) == [name], found


@pytest.mark.parametrize(
    ("name", "code", "rules"),
    [
        ("d2lhelpers/x.py", "def f():\n    pass\n", {"D100", "D103"}),
        ("tests/x.py", "def f():\n    pass\n", set()),
        ("tools/x.py", "x = 1\nx\nimport os\n\nos.sep\n", {"B018", "E402"}),
        ("notebooks/x.py", "x = 1\nx\nimport os\n\nos.sep\n", set()),
    ],
)
def test_ruff_asks_for_docstrings_in_the_package_and_bears_with_notebooks(name, code, rules):
    ruff = Path(sys.executable).with_name("ruff")
    command = (ruff, "check", "--no-cache", "--output-format=json", "--stdin-filename", name, "-")
    result = subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True)
    assert {finding["code"] for finding in json.loads(result.stdout)} == rules


# What others read


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest, date = re.search(r"^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE).groups()
    assert citation["version"] == newest == version
    assert citation["date-released"] == date
    assert f"version {version}" in (ROOT / "README.md").read_text()


WORKFLOWS = {path.stem: yaml.safe_load(path.read_text())["jobs"] for path in ROOT.glob(".github/workflows/*.yml")}
JOBS = {f"{workflow}/{name}": job["steps"] for workflow, jobs in WORKFLOWS.items() for name, job in jobs.items()}


def test_the_workflow_runs_ci():
    assert JOBS["ci/test"][-1]["run"] == ".ci/run"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_what_it_runs(job):
    steps = JOBS[job]
    commands = "\n".join(step.get("run", "") for step in steps)
    assert set(re.findall(r"^make (?:-C \S+ )?(\w+)", commands, re.MULTILINE)) <= set(TARGETS)
    if installed := re.findall(r"apt-get install .*|(?<='additional-packages': ').*?(?=')", str(steps)):
        assert set((ROOT / "binder" / "apt.txt").read_text().split()) <= set(re.findall(r"[\w-]+", installed[0]))
    for action in filter(None, (step.get("uses") for step in steps)):  # GitHub's own, or what cannot be replaced
        assert re.fullmatch(r"actions/\w+@v\d+|[\w/-]+@[0-9a-f]{40}|docker://\S+:[\d.]+", action)


def test_the_pages_say_which_job_proves_which_platform():
    page = (ROOT / "docs" / "platforms.md").read_text()
    assert set(re.findall(r"[Jj]ob `(\w+)`", page)) == WORKFLOWS["platforms"].keys()


def test_a_codespace_opens_chapter_1_in_the_environment_of_make():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert "binder/apt.txt" in container["onCreateCommand"]
    assert container["updateContentCommand"] == "make env && python3 tools/work.py"
    for chapter in container["customizations"]["codespaces"]["openFiles"]:
        assert (ROOT / chapter.replace("work/", "notebooks/")).exists()
    settings = container["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"] == "${containerWorkspaceFolder}/.venv/bin/python"
    assert "/.devcontainer" in container["remoteEnv"]["JUPYTER_CONFIG_PATH"]
    config = json.loads((ROOT / ".devcontainer" / "jupyter_server_config.json").read_text())
    origin = config["ServerApp"]["allow_origin_pat"]
    assert re.match(origin, "https://odd-name-8888.app.github.dev")
    assert not re.match(origin, "https://odd-name-8888.app.github.dev.example.org")


# What the code leaves to others


def calls(path):
    """The names of all that a file calls or imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.name for alias in node.names)
            yield getattr(node, "module", None) or ""


def test_nothing_is_unpickled_evaluated_or_unpacked():
    dangerous = re.compile(
        r"(.*\.)?(pickle|dill|eval|exec|extractall|unpack_archive|load_states|save_states|os\.system)"
    )
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for folder in ("d2lhelpers", "tools", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for name in calls(path)
        if dangerous.fullmatch(name)
    }
    assert found == {("benchmarks/pytorch.py", "module.eval")}  # PyTorch's name for "not in training"


def test_the_package_uses_no_network():
    modules = {"socket", "urllib", "http", "requests", "urllib3", "pooch", "ftplib"}
    for path in (ROOT / "d2lhelpers").rglob("*.py"):
        assert not {name.partition(".")[0] for name in calls(path)} & modules, path


# The package

FLOORS = (
    "environment language",
    "files runtime",
    "arguments threads",
    "settings networks",
    "data drawing chapters",
    "training",
    "exercises",
    "__init__",
)


def imported(path):
    """The modules of the package that a file imports, as their path below d2lhelpers, and the line."""
    inside = path.relative_to(ROOT / "d2lhelpers").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = inside[: len(inside) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (((*above, *name.split(".")), node.lineno) for name in names)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("d2lhelpers"):
            yield tuple(node.module.split("."))[1:], node.lineno


def test_no_module_imports_one_above_it():
    floor_of = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
    paths = list((ROOT / "d2lhelpers").rglob("*.py"))
    assert {path.relative_to(ROOT / "d2lhelpers").parts[0].removesuffix(".py") for path in paths} == set(floor_of)
    for path in paths:
        own = path.relative_to(ROOT / "d2lhelpers").with_suffix("").parts[0]
        for (other, *_), line in imported(path):
            assert other == own or floor_of[other] < floor_of[own], f"{path}:{line}"


def test_no_two_modules_import_each_other():
    graph = {}
    for path in (ROOT / "d2lhelpers").rglob("*.py"):
        name = path.relative_to(ROOT / "d2lhelpers").with_suffix("").parts
        graph[name[:-1] if name[-1] == "__init__" else name] = {other for other, _ in imported(path)}
    graphlib.TopologicalSorter(graph).prepare()  # raises where there is a circle


def test_the_sizes():
    """Small enough to be read: of the package, what is neither exercise nor chapter."""
    sizes = {
        path: len(path.read_text().splitlines())
        for path in (ROOT / "d2lhelpers").rglob("*.py")
        if not {"exercises", "chapters"} & set(path.parts)
    }
    assert max(sizes.values()) <= 300, max(sizes, key=sizes.get)
