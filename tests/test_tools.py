"""What teachers make of the project: handouts and links."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "notebooks/01_batch_norm.ipynb"


def git(folder, *arguments):
    identity = ("-c", "user.name=A learner", "-c", "user.email=learner@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def tool(folder, name, *arguments):
    command = [sys.executable, f"tools/{name}.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def commit(folder, message="A change"):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@pytest.fixture
def upstream(tmp_path):
    """A repository with this project's tools and chapters."""
    folder = tmp_path / "upstream"
    for name in ("tools", "notebooks", "d2lhelpers/exercises"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    shutil.copy(ROOT / ".gitignore", folder)
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    commit(folder)
    return folder


@pytest.fixture
def chinese(upstream):
    """The chapters in Chinese: copies with the words by which solutions are told."""
    folder = upstream / "notebooks" / "zh"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in upstream.glob("notebooks/*.ipynb"):
        text = path.read_text().replace("<summary>Solution<", "<summary>参考答案<")
        text = text.replace(" The solution is folded up below it.", "参考答案折叠在它的下面。")
        (folder / path.name).write_text(text)
    commit(upstream)


@pytest.fixture
def clone(upstream, tmp_path):
    """A learner's copy of it."""
    git(tmp_path, "clone", "--quiet", str(upstream), "clone")
    return tmp_path / "clone"


def test_without_git_there_is_one_sentence(clone):
    script = [sys.executable, "tools/links.py"]
    result = subprocess.run(script, cwd=clone, env={"PATH": ""}, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "There is no git on PATH: install it.\n"


def test_a_handout_has_everything_but_solutions(upstream, chinese):
    (upstream / "build" / "handout").mkdir(parents=True)
    (upstream / "build" / "handout" / "old.ipynb").touch()
    assert tool(upstream, "handout").returncode == 0
    chapters, made = (
        sorted(path.relative_to(folder) for path in folder.rglob("*.ipynb"))
        for folder in (upstream / "notebooks", upstream / "build" / "handout")
    )
    assert made == chapters and len(made) == 8
    for name in chapters:
        whole = nbformat.read(upstream / "notebooks" / name, as_version=4)
        handout = nbformat.read(upstream / "build" / "handout" / name, as_version=4)
        nbformat.validate(handout)
        assert not any(re.search("Solution|solution is folded|参考答案", cell.source) for cell in handout.cells)
        kept = {cell.id: cell for cell in handout.cells}
        gone = [cell.id for cell in whole.cells if cell.id not in kept]
        stubs = [cell.id for cell in whole.cells if cell.id.startswith("stub-")]
        assert len(stubs) >= 5
        assert gone == [stub.replace("stub", "solution") for stub in stubs]
        assert [cell.id for cell in whole.cells if cell != kept.get(cell.id, cell)] == ["exercises"]


def edited(folder, edit):
    """Let a function change the cells of the first chapter, in a list of dicts."""
    path = folder / CHAPTER
    notebook = json.loads(path.read_text())
    edit(notebook["cells"])
    path.write_text(json.dumps(notebook))


def at(cells, id):
    """Where the cell with this id is."""
    return [cell["id"] for cell in cells].index(id)


def rename(cells):
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"


def strip(cells):
    for cell in cells:
        del cell["id"]
        cell["source"] = "".join(cell["source"])


@pytest.mark.parametrize("edit", [rename, strip])
def test_a_handout_needs_no_ids(upstream, edit):
    edited(upstream, edit)
    assert tool(upstream, "handout").returncode == 0
    handout = (upstream / "build" / "handout" / Path(CHAPTER).name).read_text()
    assert "<summary>Solution" not in handout and "solution is folded" not in handout
    assert handout.count("d2l.check(") == handout.count("### Exercise ") >= 5


def merge(first, second):
    def edit(cells):
        cells[at(cells, first)]["source"] += ["\n\n", *cells.pop(at(cells, second))["source"]]

    return edit


def replace(id, old, new):
    def edit(cells):
        cell = cells[at(cells, id)]
        assert old in "".join(cell["source"])
        cell["source"] = "".join(cell["source"]).replace(old, new)

    return edit


def split(cells):
    place = at(cells, "solution-bias")
    source = cells[place]["source"]
    cells[place]["source"] = source[:3]
    cells.insert(place + 1, {**cells[place], "id": "rest", "source": source[3:]})


def to_the_end(cells):
    cells.append(cells.pop(at(cells, "solution-bias")))


def twice(cells):
    cells.append({**cells[at(cells, "solution-bias")], "id": "again"})


def own_exercise(cells):
    place = at(cells, "check-bias")
    cells.insert(place + 2, {**cells[place], "id": "check-own", "source": 'd2l.check("bn.own", 1)'})


def without(cells):
    del cells[at(cells, "stub-bias") - 1 : at(cells, "solution-bias") + 1]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (merge("solution-freeze", "exercise-bias"), "below the check of bn.freeze is not its solution and nothing"),
        (merge("stub-bias", "check-bias"), "no empty stub above the check of bn.bias"),
        (replace("solution-bias", "<details><summary>Solution", "<details><summary>Answer"), "check of bn.bias"),
        (replace("solution-bias", "</details>", ""), "check of bn.bias is not its solution"),
        (replace("stub-bias", "raise NotImplementedError", "return 1  #"), "no empty stub above the check of bn.bias"),
        (replace("stub-momentum", "= None", "= 3"), "no empty stub above the check of bn.momentum"),
        (replace("check-bias", "d2l.check", "print"), "a solution stands where no exercise ends: '<details>"),
        (split, "check of bn.bias is not its solution"),
        (to_the_end, "check of bn.bias is not its solution"),
        (twice, "a solution stands where no exercise ends: '<details>"),
        (own_exercise, "bn.own is checked twice, or no exercise of the package"),
        (without, "without bn.bias: `git checkout -- notebooks`"),
        (lambda cells: cells.append("text"), "`git checkout -- notebooks/01_batch_norm.ipynb`"),
    ],
)
def test_there_is_no_handout_unless_all_solutions_are_found(upstream, edit, reason):
    edited(upstream, edit)
    result = tool(upstream, "handout")
    assert result.returncode == 1
    assert result.stderr.startswith("There is no handout ") and result.stderr.count("\n") == 1
    assert reason in result.stderr
    assert not (upstream / "build").exists()


@pytest.mark.parametrize(
    ("remote", "binder", "repository"),
    [
        ("https://github.com/OWNER/REPO.git", "gh/OWNER/REPO/main", "https%3A%2F%2Fgithub.com%2FOWNER%2FREPO"),
        ("git@github.com:OWNER/REPO.git", "gh/OWNER/REPO/main", "https%3A%2F%2Fgithub.com%2FOWNER%2FREPO"),
        ("ssh://git@github.com:22/OWNER/REPO", "gh/OWNER/REPO/main", "https%3A%2F%2Fgithub.com%2FOWNER%2FREPO"),
        ("git@github.com:123/REPO", "gh/123/REPO/main", "https%3A%2F%2Fgithub.com%2F123%2FREPO"),
        ("git@GitHub.com:/OWNER/REPO.git", "gh/OWNER/REPO/main", "https%3A%2F%2Fgithub.com%2FOWNER%2FREPO"),
        ("ssh://git@ssh.github.com:443/A/REPO.git", "gh/A/REPO/main", "https%3A%2F%2Fgithub.com%2FA%2FREPO"),
        (
            "https://oauth2:SECRET@git.example.org:8443/A/REPO",
            "git/https%3A%2F%2Fgit.example.org%3A8443%2FA%2FREPO/main",
            "https%3A%2F%2Fgit.example.org%3A8443%2FA%2FREPO",
        ),
        ("https://x:y@gitlab.com/A/B/REPO/", "gl/A%2FB%2FREPO/main", "https%3A%2F%2Fgitlab.com%2FA%2FB%2FREPO"),
        (
            "https://git.example.org/REPO.git",
            "git/https%3A%2F%2Fgit.example.org%2FREPO/main",
            "https%3A%2F%2Fgit.example.org%2FREPO",
        ),
    ],
)
def test_links_follow_the_remote(upstream, remote, binder, repository):
    git(upstream, "remote", "add", "origin", remote)
    printed = tool(upstream, "links", "hub.example.org/").stdout
    assert "SECRET" not in printed
    chapter = "lab%2Ftree%2Fnotebooks%2F01_batch_norm.ipynb"
    assert f"https://mybinder.org/v2/{binder}?urlpath={chapter}\n" in printed
    pull = f"https://hub.example.org/hub/user-redirect/git-pull?repo={repository}&branch=main"
    assert f"{pull}&urlpath=lab%2Ftree%2FREPO%2Fnotebooks%2F01_batch_norm.ipynb\n" in printed


def test_links_to_the_chinese_chapters(upstream, chinese):
    git(upstream, "remote", "add", "origin", "https://github.com/OWNER/REPO")
    printed = tool(upstream, "links").stdout
    assert len(re.findall(r"^.*, in Chinese:\n  https://.*notebooks%2Fzh%2F01_batch_norm.ipynb$", printed, re.M)) == 2


def test_links_take_the_branch_that_is_followed(upstream, clone):
    git(upstream, "branch", "spring/term")
    git(clone, "fetch", "--quiet")
    git(clone, "checkout", "--quiet", "spring/term")
    git(clone, "remote", "set-url", "origin", "https://github.com/OWNER/REPO")
    assert "gh/OWNER/REPO/spring%2Fterm?" in tool(clone, "links").stdout


def test_binder_starts_from_the_image_of_main_where_there_is_one(upstream, clone):
    git(upstream, "branch", "binder")
    git(clone, "fetch", "--quiet")
    git(clone, "remote", "set-url", "origin", "https://github.com/OWNER/REPO")
    printed = tool(clone, "links").stdout
    assert "gh/OWNER/REPO/binder?" in printed and "&branch=main&" in printed
    git(clone, "checkout", "--quiet", "-b", "spring")
    assert "gh/OWNER/REPO/spring?" in tool(clone, "links").stdout


def test_links_without_a_public_remote_are_one_sentence(upstream, clone):
    assert "git knows no remote: add one" in tool(upstream, "links").stderr
    for remote in (None, "https://SECRET@intranet/A/REPO", "http://192.168.1.5/A/REPO", "file:///A/REPO"):
        if remote:
            git(clone, "remote", "set-url", "origin", remote)
        said = tool(clone, "links").stderr
        assert "no address that others can reach" in said and "SECRET" not in said
    git(clone, "checkout", "--quiet", "--detach")
    assert "on no branch" in tool(clone, "links").stderr


def test_a_handout_is_not_lost_to_a_broken_chapter(upstream):
    assert tool(upstream, "handout").returncode == 0
    (upstream / CHAPTER).write_text("{")
    result = tool(upstream, "handout")
    assert result.returncode == 1 and result.stderr.startswith(f"There is no handout of {CHAPTER} (")
    assert (upstream / "build" / "handout" / "01_batch_norm.ipynb").exists()
