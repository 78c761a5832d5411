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
    return sorted(path for path in (folder / "notebooks" / "mine").rglob("*") if path.is_file())


def test_an_update_keeps_what_the_learner_has_changed(upstream, clone):
    learners, others = edit(clone, CHAPTER, "My notes"), edit(clone, OTHER, "More notes")
    new = edit(upstream, CHAPTER, "A better text")
    commit(upstream)

    result = tool(clone, "edits", "update")
    assert result.returncode == 0, result.stderr
    assert (clone / CHAPTER).read_text() == new
    assert [path.read_text() for path in mine(clone)] == [learners]
    assert str(mine(clone)[0].relative_to(clone)).removesuffix(f"/{CHAPTER}") in result.stdout
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


def test_files_of_one_name_are_kept_apart(upstream, clone):
    names = [f"{folder}/notes.txt" for folder in ("tools", "tools/deep", "notebooks")]
    for folder, text in ((upstream, "old"), (clone, None), (upstream, "new")):
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text or f"mine: {name}")
        if text:
            commit(folder, text)
        if text == "old":
            git(clone, "pull", "--quiet")
    assert tool(clone, "edits", "update").returncode == 0
    assert {path.read_text() for path in mine(clone)} == {f"mine: {name}" for name in names}


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("staged", [False, True])
def test_a_file_that_the_update_brings_too_is_kept(upstream, clone, ignored, staged):
    name = "notebooks/05 Übung.ipynb"
    (clone / name).write_text("My own")
    if ignored:
        (clone / ".git" / "info" / "exclude").write_text("*Übung*")
    if staged:
        git(clone, "add", "--force", name)
    (upstream / name).write_text("A new chapter")
    commit(upstream)
    result = tool(clone, "edits", "update")
    assert result.returncode == 0, result.stderr
    assert (clone / name).read_text() == "A new chapter"
    assert [path.read_text() for path in mine(clone)] == ["My own"]


def test_what_is_staged_is_kept_too(upstream, clone):
    staged = edit(clone, CHAPTER, "Staged")
    git(clone, "add", CHAPTER)
    now = edit(clone, CHAPTER, "Changed again")
    edit(upstream, CHAPTER, "A better text")
    commit(upstream)
    assert tool(clone, "edits", "update").returncode == 0
    assert [path.read_text() for path in mine(clone)] == [now, staged]


def test_a_renamed_chapter_and_a_folder_in_the_place_of_a_file(upstream, clone):
    learners = edit(clone, CHAPTER, "My notes")
    (clone / OTHER).unlink()
    (clone / OTHER).mkdir()
    (clone / OTHER / "inside").write_text("Mine")
    git(upstream, "mv", CHAPTER, "notebooks/01_normalisation.ipynb")
    new = edit(upstream, OTHER, "A better text")
    commit(upstream)
    assert tool(clone, "edits", "update").returncode == 0
    assert not (clone / CHAPTER).exists() and (clone / "notebooks/01_normalisation.ipynb").exists()
    assert (clone / OTHER).read_text() == new
    assert [path.read_text() for path in mine(clone)] == [learners, "Mine"]


def test_an_update_touches_nothing_where_the_ways_have_parted(upstream, clone):
    edit(clone, CHAPTER, "My notes")
    commit(clone)
    assert tool(clone, "edits", "update").stdout == "Nothing is new.\n"
    learners = edit(clone, CHAPTER, "More notes")
    edit(upstream, CHAPTER, "A better text")
    commit(upstream)
    result = tool(clone, "edits", "update")
    assert result.returncode == 1 and "gone different ways" in result.stderr
    assert (clone / CHAPTER).read_text() == learners and not mine(clone)


def test_what_stands_in_the_way_of_an_update_is_one_sentence(upstream, clone):
    def refused(*command):
        result = tool(clone, "edits", *(command or ["update"]))
        assert result.returncode == 1 and "Traceback" not in result.stderr
        return result.stderr

    shutil.move(upstream, upstream.with_name("moved"))
    assert "Nothing could be fetched: check the network" in refused()
    git(clone, "checkout", "--quiet", "--detach")
    assert "on no branch: go back to one" in refused()
    git(clone, "checkout", "--quiet", "-b", "own")
    assert "follows no other" in refused()
    (clone / ".git" / "MERGE_HEAD").touch()
    assert "in the middle of something" in refused()
    assert "in the middle of something" in refused("reset", "02_vgg")
    shutil.rmtree(clone / ".git")
    assert "no git repository" in refused()
    git(clone.parent, "init", "--quiet")
    assert "no git repository of its own" in refused()
    assert "no git repository of its own" in refused("reset", "02_vgg")
    for command in ([""], ["update", "all"], ["reset", "a", "b"]):
        assert "Use `make update` or `make reset CHAPTER=02_vgg`" in refused(*command)


@pytest.mark.parametrize("command", [["edits", "update"], ["edits", "reset", "02_vgg"], ["links"]])
def test_without_git_there_is_one_sentence(clone, command):
    name, *arguments = command
    script = [sys.executable, f"tools/{name}.py", *arguments]
    result = subprocess.run(script, cwd=clone, env={"PATH": ""}, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "There is no git on PATH: install it.\n"


def test_a_chapter_can_be_reset(clone):
    original, learners = (clone / CHAPTER).read_text(), edit(clone, CHAPTER, "My notes")
    others = edit(clone, OTHER, "More notes")
    assert tool(clone, "edits", "reset", "01_batch_norm").returncode == 0
    assert (clone / CHAPTER).read_text() == original
    assert [path.read_text() for path in mine(clone)] == [learners]
    assert (clone / OTHER).read_text() == others
    assert git(clone, "status", "--porcelain") == f"M {OTHER}", "what was set aside is not in git's way"

    tool(clone, "edits", "reset", "batch_norm")
    assert len(mine(clone)) == 1, "nothing was changed, so there is nothing to keep"


def test_a_chapter_is_reset_to_how_it_came_after_commits_too(clone):
    original, learners = (clone / CHAPTER).read_text(), edit(clone, CHAPTER, "My notes")
    commit(clone)
    assert tool(clone, "edits", "reset", "01_batch_norm").returncode == 0
    assert (clone / CHAPTER).read_text() == original
    assert [path.read_text() for path in mine(clone)] == [learners]


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


def test_links_take_the_branch_that_is_followed(upstream, clone):
    git(upstream, "branch", "spring/term")
    git(clone, "fetch", "--quiet")
    git(clone, "checkout", "--quiet", "spring/term")
    git(clone, "remote", "set-url", "origin", "https://github.com/OWNER/REPO")
    assert "gh/OWNER/REPO/spring%2Fterm?" in tool(clone, "links").stdout


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
    assert result.returncode == 1 and result.stderr.startswith(f"{CHAPTER} is no notebook")
    assert (upstream / "build" / "handout" / "01_batch_norm.ipynb").exists()


@pytest.mark.parametrize("arguments", [[], ["100"], ["2G", "true"], ["-5", "true"], ["100", "no-such-command"]])
def test_limits_that_are_none(arguments):
    result = tool(ROOT, "limit", *arguments)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1


def test_memory_is_limited():
    limit = [sys.executable, str(ROOT / "tools" / "limit.py"), "300", sys.executable, "-c"]
    small = subprocess.run([*limit, "bytearray(50 * 2**20); raise SystemExit(3)"], capture_output=True, text=True)
    if "Memory cannot be limited here" in small.stderr:
        pytest.skip(small.stderr.strip())
    assert small.returncode == 3
    large = subprocess.run([*limit, "bytearray(600 * 2**20)"], capture_output=True, text=True)
    assert large.returncode == 128 + 9
