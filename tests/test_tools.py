"""What learners and teachers do with the project's folder: update, reset, handouts, links, limited memory."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "notebooks/01_batch_norm.ipynb"
OTHER = "notebooks/02_vgg.ipynb"


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
    for name in ("tools", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("mine", ".*", "__pycache__"))
    shutil.copy(ROOT / ".gitignore", folder)
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    commit(folder)
    return folder


@pytest.fixture
def clone(upstream, tmp_path):
    """A learner's copy of it."""
    git(tmp_path, "clone", "--quiet", str(upstream), "clone")
    return tmp_path / "clone"


def edit(folder, name, text):
    """Change a notebook and return what it then contains."""
    notebook = nbformat.read(folder / name, as_version=4)
    notebook.cells[0].source = text
    nbformat.write(notebook, folder / name)
    return (folder / name).read_text()


def mine(folder):
    return sorted((folder / "notebooks" / "mine").glob("*"))


def test_an_update_keeps_what_the_learner_has_changed(upstream, clone):
    learners, others = edit(clone, CHAPTER, "My notes"), edit(clone, OTHER, "More notes")
    new = edit(upstream, CHAPTER, "A better text")
    commit(upstream)

    result = tool(clone, "edits", "update")
    assert result.returncode == 0, result.stderr
    assert (clone / CHAPTER).read_text() == new
    assert [path.read_text() for path in mine(clone)] == [learners]
    assert str(mine(clone)[0].relative_to(clone)) in result.stdout
    assert (clone / OTHER).read_text() == others, "the update has nothing new for this chapter"

    assert tool(clone, "edits", "update").stdout == "Nothing is new.\n"
    assert (clone / OTHER).read_text() == others


def test_an_update_keeps_a_changed_chapter_that_has_gone(upstream, clone):
    learners = edit(clone, CHAPTER, "My notes")
    (upstream / CHAPTER).unlink()
    commit(upstream)
    assert tool(clone, "edits", "update").returncode == 0
    assert not (clone / CHAPTER).exists()
    assert [path.read_text() for path in mine(clone)] == [learners]


def test_an_update_touches_nothing_where_the_learner_has_made_commits(upstream, clone):
    learners = edit(clone, CHAPTER, "My notes")
    commit(clone)
    edit(upstream, CHAPTER, "A better text")
    commit(upstream)
    result = tool(clone, "edits", "update")
    assert result.returncode == 1 and "commits of its own: merge them by hand with `git pull`" in result.stderr
    assert (clone / CHAPTER).read_text() == learners and not mine(clone)


def test_an_update_without_network_or_repository_is_one_sentence(upstream, clone):
    shutil.move(upstream, upstream.with_name("moved"))
    assert "Nothing could be fetched: check the network" in tool(clone, "edits", "update").stderr
    shutil.rmtree(clone / ".git")
    assert "clone it anew" in tool(clone, "edits", "update").stderr
    assert "clone it anew" in tool(clone, "edits", "reset", "01_batch_norm").stderr


def test_a_chapter_can_be_reset(clone):
    original, learners = (clone / CHAPTER).read_text(), edit(clone, CHAPTER, "My notes")
    others = edit(clone, OTHER, "More notes")
    assert tool(clone, "edits", "reset", "01_batch_norm").returncode == 0
    assert (clone / CHAPTER).read_text() == original
    assert [path.read_text() for path in mine(clone)] == [learners]
    assert (clone / OTHER).read_text() == others
    assert git(clone, "status", "--porcelain") == f"M {OTHER}", "what was set aside is not in git's way"

    tool(clone, "edits", "reset", "01_batch_norm")
    assert len(mine(clone)) == 1, "nothing was changed, so there is nothing to keep"


def test_a_deleted_chapter_can_be_had_again(clone):
    original = (clone / CHAPTER).read_text()
    (clone / CHAPTER).unlink()
    assert tool(clone, "edits", "reset", "01_batch_norm").returncode == 0
    assert (clone / CHAPTER).read_text() == original


@pytest.mark.parametrize("name", [[], ["chapter 1"]])
def test_reset_names_the_chapters(clone, name):
    result = tool(clone, "edits", "reset", *name)
    assert result.returncode == 1
    assert "use 01_batch_norm, 02_vgg, 03_nin, 04_googlenet" in result.stderr


def test_a_handout_has_everything_but_solutions(upstream):
    (upstream / "build" / "handout").mkdir(parents=True)
    (upstream / "build" / "handout" / "old.ipynb").touch()
    assert tool(upstream, "handout").returncode == 0
    chapters = sorted(path.name for path in (upstream / "notebooks").glob("*.ipynb"))
    assert sorted(path.name for path in (upstream / "build" / "handout").iterdir()) == chapters
    for name in chapters:
        whole = nbformat.read(upstream / "notebooks" / name, as_version=4)
        handout = nbformat.read(upstream / "build" / "handout" / name, as_version=4)
        nbformat.validate(handout)
        assert not any("Solution" in cell.source or "solution is folded" in cell.source for cell in handout.cells)
        kept = {cell.id: cell for cell in handout.cells}
        gone = [cell.id for cell in whole.cells if cell.id not in kept]
        stubs = [cell.id for cell in whole.cells if cell.id.startswith("stub-")]
        assert len(stubs) >= 5
        assert gone == [stub.replace("stub", "solution") for stub in stubs]
        assert [cell.id for cell in whole.cells if cell != kept.get(cell.id, cell)] == ["exercises"]


@pytest.mark.parametrize(
    ("remote", "binder", "repository"),
    [
        ("https://github.com/OWNER/REPO.git", "gh/OWNER/REPO/main", "https%3A%2F%2Fgithub.com%2FOWNER%2FREPO"),
        ("git@github.com:OWNER/REPO.git", "gh/OWNER/REPO/main", "https%3A%2F%2Fgithub.com%2FOWNER%2FREPO"),
        ("ssh://git@github.com:22/OWNER/REPO", "gh/OWNER/REPO/main", "https%3A%2F%2Fgithub.com%2FOWNER%2FREPO"),
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
    printed = tool(upstream, "links", "https://hub.example.org/").stdout
    chapter = "lab%2Ftree%2Fnotebooks%2F01_batch_norm.ipynb"
    assert f"https://mybinder.org/v2/{binder}?urlpath={chapter}\n" in printed
    pull = f"https://hub.example.org/hub/user-redirect/git-pull?repo={repository}&branch=main"
    assert f"{pull}&urlpath=lab%2Ftree%2FREPO%2Fnotebooks%2F01_batch_norm.ipynb\n" in printed


def test_links_take_the_branch_that_is_followed(upstream, clone):
    git(upstream, "branch", "spring/term")
    git(clone, "fetch", "--quiet")
    git(clone, "checkout", "--quiet", "spring/term")
    git(clone, "remote", "set-url", "origin", "https://github.com/OWNER/REPO")
    assert "gh/OWNER/REPO/spring%2Fterm?" in tool(clone, "links").stdout


def test_links_without_a_public_remote_are_one_sentence(upstream, clone):
    assert "git knows no remote: add one" in tool(upstream, "links").stderr
    assert "no address that others can reach" in tool(clone, "links").stderr


def test_memory_is_limited(tmp_path):
    limit = [sys.executable, str(ROOT / "tools" / "limit.py"), "300", sys.executable, "-c"]
    small = subprocess.run([*limit, "bytearray(50 * 2**20); raise SystemExit(3)"], capture_output=True, text=True)
    if "Memory cannot be limited here" in small.stderr:
        pytest.skip(small.stderr.strip())
    assert small.returncode == 3
    large = subprocess.run([*limit, "bytearray(600 * 2**20)"], capture_output=True, text=True)
    assert large.returncode == 128 + 9
