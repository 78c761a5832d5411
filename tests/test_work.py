"""The learner's folder work/: what tools/work.py copies there, what it brings up to date, what it leaves alone."""

import ast
import errno
import fcntl
import importlib.util
import itertools
import json
import linecache
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOL = Path(__file__).resolve().parent.parent / "tools" / "work.py"
ONE, TWO, THREE, ZH = "01_one.ipynb", "02_two.ipynb", "03_three.ipynb", "zh/01_one.ipynb"
COPIED = "Copied 4 chapters to work/.\n"
MINE = b"mine at last"
HINT = "To get the new one, rename yours and run `make lab` again.\n"
WRITES = ("mkdir(", "flock(", "unlink(")  # lines that change something, outside of put()


def kept(name):
    return f"work/{name} is yours and stays as it is; the chapter is different now. {HINT}"


def write(folder, **versions):
    """Write files, such as one="a" for the first version of the first chapter; return them by name."""
    names = {"one": ONE, "two": TWO, "three": THREE, "zh": ZH}
    files = {names.get(key, f"{key}.ipynb"): f'{{"{key}": "{text}"}}'.encode() for key, text in versions.items()}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return files


@pytest.fixture
def tmp_path():
    """A folder in memory, where there is one: hundreds of runs would otherwise wait for the disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder).resolve()


@pytest.fixture
def project(tmp_path):
    """A project with four chapters, and with notebooks that are none."""
    folder = tmp_path / "project"
    write(folder / "notebooks", one="a", two="a", three="a", zh="a")
    for name in (".ipynb_checkpoints", "zh/.ipynb_checkpoints"):
        write(folder / "notebooks" / name, no="chapter")
    (folder / "notebooks" / ".~01_one.ipynb").write_text("JupyterLab is saving")
    (folder / "notebooks" / "folder.ipynb").mkdir()
    return folder


def serve():
    """Run the tool again and again, each time in a process of its own: forked from this one, which has little in it."""
    spec = importlib.util.spec_from_file_location("work", TOOL)
    work = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(work)
    linecache.getlines(str(TOOL))
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
        elif process := os.fork():
            print(process, flush=True)
        else:
            work_once(work, **order)


def refuse(*arguments):
    raise OSError(errno.EPERM, "Operation not permitted")


def work_once(work, folder, links=True, locks=True, syncs=True, at=None, what=None, path=None):
    """Run the tool in this process; before the line number `at` of those that may write (to `path`), do `what`."""
    code, lines, folder = 99, itertools.count(1), Path(folder)

    def trace(frame, event, argument):
        if frame.f_code.co_filename != str(TOOL):
            return None
        line = linecache.getline(str(TOOL), frame.f_lineno)
        writes = frame.f_code.co_name == "put" or any(call in line for call in WRITES)
        there = not path or (frame.f_locals.get("path") == Path(path) and "os.replace(" not in line)
        if event == "line" and writes and there and next(lines) == at:
            disturb(what, folder, path)
        return trace

    signal.alarm(20)  # should it wait for something that never comes, such as what a pipe brings
    try:
        sys.stdout, sys.stderr = open(folder / "out", "w"), open(folder / "err", "w")
        os.link = os.link if links else refuse
        fcntl.flock = fcntl.flock if locks else refuse
        os.fsync = os.fsync if syncs else refuse
        sys.settrace(trace if at else None)
        work.main(folder / "work", folder / "notebooks")
        code = 0
    except SystemExit as stop:
        code = print(stop.code, file=sys.stderr) or 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.settrace(None)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def disturb(what, folder, path):
    """Kill or interrupt the tool, or let the learner save something where it is about to write."""
    (folder / "disturbed").touch()
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "interrupt":
        raise KeyboardInterrupt
    Path(path).unlink(missing_ok=True)
    Path(path).write_bytes(MINE) if what == "file" else Path(path).symlink_to(folder / "mine")


@pytest.fixture(scope="module", autouse=True)
def server():
    global ask
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:

        def ask(**order):
            print(json.dumps(order, default=str), file=server.stdin, flush=True)
            return int(server.stdout.readline())

        yield
        server.stdin.close()


def run(folder, **options):
    """Run the tool to its end; return its exit status and what it printed."""
    code = ask(wait=ask(folder=folder, **options))
    return SimpleNamespace(code=code, out=(folder / "out").read_text(), err=(folder / "err").read_text())


def says(folder, out="", err="", code=0, **options):
    """Run the tool and compare what it prints."""
    said = run(folder, **options)
    assert (said.out, said.err, said.code) == (out, err, code)


def files(folder, hidden=False):
    """Return the files in a folder, by name."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if hidden or not name.rpartition("/")[2].startswith(".")}


def marks(folder):
    """Return what changes when anything in a folder is written."""
    paths = [folder, *folder.rglob("*")]
    return {path: (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns, os.lstat(path).st_ctime_ns) for path in paths}


def chapters(folder):
    return {name: (folder / "notebooks" / name).read_bytes() for name in (ONE, TWO, THREE, ZH)}


def silent(folder):
    """Run the tool where there is nothing to do."""
    before = marks(folder / "work")
    says(folder)
    assert marks(folder / "work") == before


# What is copied, brought up to date, and kept


def test_chapters_are_copied_once(project):
    says(project, COPIED)
    assert files(project / "work") == chapters(project)
    assert set(json.loads((project / "work/.copied.json").read_bytes())) == set(chapters(project))
    silent(project)


def test_an_untouched_copy_follows_the_original(project):
    run(project)
    write(project / "notebooks", one="b", zh="b")
    says(project, f"Brought up to date in work/: {ONE}, {ZH}.\n")
    assert files(project / "work") == chapters(project)
    silent(project)
    write(project / "notebooks", one="a")
    says(project, f"Brought up to date in work/: {ONE}.\n")
    assert files(project / "work") == chapters(project)
    write(project / "work", one="mine", zh="mine")
    silent(project)


def test_what_only_the_learner_has_changed_stays(project):
    run(project)
    learners = {**write(project / "work", one="mine", own="mine"), THREE: b""}
    (project / "work" / THREE).write_bytes(b"")
    silent(project)
    write(project / "notebooks", three="b")
    says(project, kept(THREE))
    assert files(project / "work") == {**chapters(project), **learners}


def test_what_both_have_changed_stays_and_is_said_each_time(project):
    run(project)
    learners = write(project / "work", one="mine", zh="mine")
    write(project / "notebooks", one="b", zh="b", two="b")
    says(project, f"Brought up to date in work/: {TWO}.\n{kept(ONE)}{kept(ZH)}")
    before = marks(project / "work")
    says(project, kept(ONE) + kept(ZH))
    assert marks(project / "work") == before
    assert files(project / "work") == {**chapters(project), **learners}

    (project / "work" / ONE).rename(project / "work" / "my one.ipynb")
    says(project, "Copied 1 chapter to work/.\n" + kept(ZH))
    write(project / "notebooks", zh="a")
    silent(project)
    assert files(project / "work") == {**chapters(project), ZH: learners[ZH], "my one.ipynb": learners[ONE]}


def test_a_copy_changed_to_what_is_new_is_untouched(project):
    run(project)
    write(project / "notebooks", one="b")
    write(project / "work", one="b")
    says(project)
    write(project / "notebooks", one="c")
    says(project, f"Brought up to date in work/: {ONE}.\n")


def test_a_chapter_that_is_gone_upstream_stays(project):
    run(project)
    before = files(project / "work")
    (project / "notebooks" / ONE).rename(project / "notebooks" / "04_four.ipynb")
    says(project, "Copied 1 chapter to work/.\n")
    silent(project)
    assert files(project / "work") == {**before, "04_four.ipynb": before[ONE]}


def test_what_the_learner_has_deleted_is_copied_again(project):
    run(project)
    shutil.rmtree(project / "work" / "zh")
    (project / "work" / ONE).unlink()
    write(project / "notebooks", one="b")
    says(project, "Copied 2 chapters to work/.\n")
    assert files(project / "work") == chapters(project)
    silent(project)


# The note

NOT_OURS = [b"", b"{", b"\xff\x00", b"[" * 100_000, b"1" * 5000, b"[]", b"null", b'{"01_one.ipynb": 5}']
NOT_OURS += [b'{"01_one.ipynb": "text"}', b'{"01_one.ipynb": []}', b'{"01_one.ipynb": {"a": [null]}}']


@pytest.mark.parametrize("content", [None, *NOT_OURS], ids=range(1 + len(NOT_OURS)))
def test_without_a_note_what_equals_the_original_is_untouched(project, content):
    run(project)
    note, learners = project / "work/.copied.json", write(project / "work", own="mine", two="mine")
    note.unlink() if content is None else note.write_bytes(content)
    says(project, kept(TWO))
    silent(project)
    write(project / "notebooks", one="b")
    says(project, f"Brought up to date in work/: {ONE}.\n")
    assert files(project / "work") == {**chapters(project), **learners}


@pytest.mark.parametrize("how", ["folder", "link", "dangling", "loop", "fifo"])
def test_what_is_no_note_stays_and_nothing_is_lost(project, tmp_path, how):
    run(project)
    learners = write(project / "work", two="mine")
    in_the_way(project / "work/.copied.json", how, tmp_path / "elsewhere")
    write(project / "notebooks", one="b")
    old = files(project / "work")[ONE]
    before = [marks(project / "work/.copied.json"), marks(tmp_path / "elsewhere")]
    for _ in range(2):
        says(project, kept(ONE) + kept(TWO), "Not brought up to date in work/: .copied.json (File exists).\n")
    assert [marks(project / "work/.copied.json"), marks(tmp_path / "elsewhere")] == before
    assert {ONE: old, **learners}.items() <= files(project / "work").items()


def test_without_a_note_any_other_copy_is_the_learners(project):
    run(project)
    before = files(project / "work")
    (project / "work/.copied.json").unlink()
    write(project / "notebooks", one="b")
    says(project, kept(ONE))
    silent(project)
    write(project / "notebooks", one="c")
    says(project, kept(ONE))
    says(project, kept(ONE))
    assert files(project / "work") == before


# What stands in the way


def in_the_way(path, how, elsewhere):
    path.unlink()
    elsewhere.mkdir()
    write(elsewhere, other="learner's")
    if how == "folder":
        write(path, inside="mine")
    elif how == "fifo":
        os.mkfifo(path)
    elif how == "hard link":
        path.hardlink_to(elsewhere / "other.ipynb")
    else:
        targets = {"link": "other.ipynb", "dangling": "nowhere", "loop": path, "link to folder": "."}
        path.symlink_to(elsewhere / targets[how])


@pytest.mark.parametrize("how", ["link", "dangling", "loop", "link to folder", "hard link", "folder", "fifo"])
def test_whatever_has_taken_the_place_of_a_copy_stays(project, tmp_path, how):
    run(project)
    in_the_way(project / "work" / ONE, how, tmp_path / "elsewhere")
    before, theirs = marks(project / "work" / ONE), marks(tmp_path / "elsewhere")
    silent(project)
    write(project / "notebooks", one="b", two="b")
    says(project, f"Brought up to date in work/: {TWO}.\n{kept(ONE)}")
    assert (marks(project / "work" / ONE), marks(tmp_path / "elsewhere")) == (before, theirs)


def test_links_to_what_was_copied(project, tmp_path):
    """The other name of a copy keeps its content; a link to an untouched copy is the learner's all the same."""
    run(project)
    one, two, old = project / "work" / ONE, project / "work" / TWO, (project / "work" / ONE).read_bytes()
    (tmp_path / "backup.ipynb").hardlink_to(one)
    two.rename(tmp_path / "moved.ipynb")
    two.symlink_to(tmp_path / "moved.ipynb")
    write(project / "notebooks", one="b", two="b")
    says(project, f"Brought up to date in work/: {ONE}.\n{kept(TWO)}")
    assert (tmp_path / "backup.ipynb").read_bytes() == old
    assert two.is_symlink()
    assert two.read_bytes() != chapters(project)[TWO]


def test_a_link_to_the_original_is_left_alone(project):
    run(project)
    (project / "work" / ONE).unlink()
    (project / "work" / ONE).hardlink_to(project / "notebooks" / ONE)
    with (project / "notebooks" / ONE).open("wb") as file:
        file.write(b"b")
    says(project)
    assert (project / "work" / ONE).samefile(project / "notebooks" / ONE)


@pytest.mark.parametrize("how", ["file", "dangling"])
def test_a_folder_of_chapters_that_is_none_stops_only_these(project, how):
    learners = write(project / "work", own="mine")
    zh = project / "work" / "zh"
    zh.symlink_to("nowhere") if how == "dangling" else zh.write_text("mine")
    reason = {"file": "Not a directory", "dangling": "File exists"}[how]
    for out in ("Copied 3 chapters to work/.\n", ""):
        says(project, out, f"Not brought up to date in work/: {ZH} ({reason}).\n")
    assert {**chapters(project), **learners}.items() - files(project / "work").items() == {(ZH, chapters(project)[ZH])}
    assert os.readlink(zh) == "nowhere" if how == "dangling" else zh.read_text() == "mine"


def test_a_read_only_copy(project):
    run(project)
    learners = write(project / "work", two="mine")
    for name in (ONE, TWO):
        (project / "work" / name).chmod(0o444)
    write(project / "notebooks", one="b", two="b")
    says(project, f"Brought up to date in work/: {ONE}.\n{kept(TWO)}")
    assert files(project / "work") == {**chapters(project), **learners}


def test_copies_can_be_written_whatever_the_original_can(project):
    (project / "notebooks" / ONE).chmod(0o444)
    run(project)
    (project / "other").touch()
    modes = {(project / "work" / name).stat().st_mode for name in chapters(project)}
    assert modes == {(project / "other").stat().st_mode}


@pytest.mark.parametrize("how", ["file", "dangling", "loop"])
def test_no_folder_can_be_made(project, how):
    folder = project / "work"
    folder.write_text("mine") if how == "file" else folder.symlink_to({"dangling": "nowhere", "loop": "work"}[how])
    before = marks(project)
    result = subprocess.run([sys.executable, TOOL, folder], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "There can be no folder work/: something else has that name.\n"
    assert marks(project) == before


def test_a_link_to_a_folder_is_used(project, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (project / "work").symlink_to(tmp_path / "elsewhere")
    says(project, COPIED)
    assert files(tmp_path / "elsewhere") == chapters(project)
    assert (project / "work").is_symlink()


def test_copies_inside_the_originals_are_not_copied_again(project):
    before = files(project / "notebooks", hidden=True)
    (project / "work").symlink_to("notebooks/copies")
    (project / "notebooks" / "copies").mkdir()
    says(project, COPIED)
    silent(project)
    (project / "work").unlink()
    shutil.rmtree(project / "notebooks" / "copies")
    (project / "work").symlink_to("notebooks")
    says(project)
    note = {".copied.json": (project / "notebooks" / ".copied.json").read_bytes()}
    assert files(project / "notebooks", hidden=True) == {**before, **note}


def test_an_original_that_cannot_be_read(project, tmp_path):
    (project / "notebooks" / ONE).unlink()
    (project / "notebooks" / ONE).symlink_to("/proc/self/mem")  # for root too
    if not (project / "notebooks" / ONE).is_file():
        pytest.skip("there is no such file here")
    says(project, "Copied 3 chapters to work/.\n", f"Not brought up to date in work/: {ONE} (Input/output error).\n")


# Disks


@pytest.fixture
def disk(project):
    """A disk of 64 kB for work/, where mounting is allowed."""
    folder = project / "work"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("links", [True, False])
def test_full_disk(project, disk, links):
    write(project / "notebooks", one="a" * 9000)
    says(project, COPIED, links=links)
    learners = write(disk, two="mine")
    write(project / "notebooks", one="b" * 9000, two="b", three="b" * 30_000, four="a" * 60_000)
    before = files(disk)
    (disk / "filler").write_bytes(bytes(12 * 1024))
    said = run(project, links=links)
    assert said.code == 0
    assert said.out == f"Brought up to date in work/: {ONE}.\n{kept(TWO)}", "what there is space for"
    assert said.err == f"Not brought up to date in work/: {THREE}, four.ipynb (No space left on device).\n"
    (disk / "filler").write_bytes(bytes(28 * 1024))
    write(project / "notebooks", one="c" * 9000)
    said = run(project, links=links)
    assert (said.code, said.out) == (0, kept(TWO))
    assert said.err.endswith(f"{ONE}, {THREE}, four.ipynb (No space left on device).\n")
    assert said.err.count("\n") == 1
    assert files(disk).keys() == before.keys() | {"filler"}
    assert files(disk)[THREE] == before[THREE]
    assert temporary(project) == []

    (disk / "filler").unlink()
    (project / "notebooks" / "four.ipynb").unlink()
    write(project / "notebooks", three="c")
    says(project, f"Brought up to date in work/: {ONE}, {THREE}.\n{kept(TWO)}", links=links)
    assert files(disk) == {**chapters(project), **learners}


def test_what_does_not_reach_the_disk_is_not_put_in_place(project):
    run(project)
    before = marks(project / "work" / ONE)
    write(project / "notebooks", one="b", four="a")
    names = f".copied.json, {ONE}, four.ipynb"
    says(project, err=f"Not brought up to date in work/: {names} (Operation not permitted).\n", syncs=False)
    assert marks(project / "work" / ONE) == before
    assert (temporary(project), (project / "work" / "four.ipynb").exists()) == ([], False)


def test_full_from_the_beginning(project, disk):
    (disk / "filler").write_bytes(bytes(64 * 1024))
    names = f"{ONE}, {TWO}, {THREE}, {ZH}"
    said = run(project)
    assert (said.code, said.out) == (0, "")
    assert said.err == f"Not brought up to date in work/: .copied.json, {names} (No space left on device).\n"
    (disk / "filler").unlink()
    says(project, COPIED)


def test_read_only_folder(project, disk):
    run(project)
    learners = write(disk, two="mine")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    silent(project)
    before = marks(disk)
    write(project / "notebooks", one="b", two="b")
    said = run(project)
    assert (said.code, said.out) == (0, kept(TWO))
    assert said.err == f"Not brought up to date in work/: .copied.json, {ONE} (Read-only file system).\n"
    assert marks(disk) == before
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    says(project, f"Brought up to date in work/: {ONE}.\n{kept(TWO)}")
    assert files(disk) == {**chapters(project), **learners}


def test_no_folder_on_a_read_only_disk(project, disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    command = [sys.executable, str(TOOL), str(disk / "new")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "There can be no folder new/: Read-only file system.\n"


# Killed, disturbed, and several at once


@pytest.fixture
def under_way(project):
    """A project where one copy is to be brought up to date, one is to be made, and two are the learner's."""
    run(project)
    shutil.rmtree(project / "work" / "zh")
    learners = write(project / "work", two="mine", three="mine", own="mine")
    write(project / "notebooks", one="b", two="b", zh="b")
    (project / "work" / f".copied-{'0' * 32}.tmp").write_bytes(b"half of a chap")
    return project, learners


def copies(project):
    """Return copies of a project without end."""
    for number in itertools.count(1):
        folder = project.parent / str(number)
        shutil.copytree(project, folder)
        yield number, folder


def temporary(folder):
    return [name for name in files(folder / "work", hidden=True) if name.endswith(".tmp")]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_killed_before_any_line(under_way, links):
    project, learners = under_way
    old, new = files(project / "work"), chapters(project)
    half_done = set()
    for number, folder in copies(project):
        said = run(folder, links=links, at=number, what="kill")
        found = files(folder / "work")
        assert learners.items() <= found.items(), "whatever happens"
        for name in (ONE, ZH):
            allowed = [old.get(name), new[name]] + ([b""] if not links and name not in old else [])
            assert found.get(name) in allowed, "nothing half-written"
        state = tuple(sorted(files(folder / "work", hidden=True).values()))
        if said.code and state in half_done:
            continue  # as it was before the last line
        half_done.add(state)
        shutil.copytree(folder, folder / "later")
        write(folder / "later" / "notebooks", one="c", zh="c")
        for again in (folder, folder / "later"):
            rerun = run(again, links=links)
            assert (rerun.err, rerun.code) == ("", 0)
            assert rerun.out.endswith(kept(TWO))
            assert files(again / "work") == {**chapters(again), **learners}
            assert temporary(again) == []
        if said.code != -signal.SIGKILL:
            break
    assert (said.code, said.err) == (0, "")
    assert len(half_done) >= (10 if links else 11)


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("name", [ONE, ZH], ids=["update", "new copy"])
@pytest.mark.parametrize("how", ["file", "link"])
def test_what_appears_meanwhile_stays(under_way, links, name, how):
    """Only between the last look and os.replace it would not: Python has no call that does both at once."""
    project, learners = under_way
    for number, folder in copies(project):
        path = folder / "work" / name
        (folder / "mine").write_bytes(MINE)
        said = run(folder, links=links, at=number, what=how, path=path)
        if not (folder / "disturbed").exists():
            break
        for again in (False, True):
            said = run(folder, links=links) if again else said
            assert said.code == 0
            assert said.err == "" or said.err.startswith(f"Not brought up to date in work/: {name} (")
            assert (path.read_bytes(), path.is_symlink()) == (MINE, how == "link")
            assert files(folder / "work") == {**chapters(folder), **learners, name: MINE}
            assert temporary(folder) == []
    assert number > 6


def test_leftovers_are_removed_and_nothing_like_them(under_way):
    project, learners = under_way
    ours = [f".copied-{'0f' * 16}.tmp", f"zh/.copied-{'a' * 32}.tmp"]
    theirs = [".copied-mine.tmp", f".copied-{'g' * 32}.tmp", f"copied-{'0' * 32}.tmp", ".copied.json.tmp"]
    (project / "work" / "zh").mkdir()
    for name in ours + theirs:
        (project / "work" / name).write_bytes(b"left")
    run(project)
    found = files(project / "work", hidden=True)
    assert found.keys() == {*chapters(project), *learners, *theirs, ".copied.json"}


def test_one_waits_for_the_other(project):
    (project / "work").mkdir()
    before = marks(project / "work")
    folder = os.open(project / "work", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    process = ask(folder=project)
    time.sleep(0.3)
    meanwhile = marks(project / "work")
    os.close(folder)
    assert ask(wait=process) == 0
    assert meanwhile == before
    assert files(project / "work") == chapters(project)


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
def test_several_at_once(under_way, links, locks):
    project, learners = under_way
    many = write(project / "notebooks", **{f"chapter{number}": "a" for number in range(20)})
    processes = [ask(folder=project, links=links, locks=locks) for _ in range(8)]
    assert [ask(wait=process) for process in processes] == [0] * 8
    if locks:
        assert files(project / "work") == {**chapters(project), **many, **learners}
    run(project, links=links)
    assert files(project / "work") == {**chapters(project), **many, **learners}
    assert temporary(project) == []
    says(project, kept(TWO))


# The command


def test_the_command(project, tmp_path):
    shutil.copytree(TOOL.parent, project / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    expected = chapters(project)

    def command(*arguments, **variables):
        line = [sys.executable, str(project / "tools" / "work.py"), *arguments]
        environment = {**os.environ, **variables}
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment)

    assert command().stdout == COPIED
    assert files(project / "work") == expected
    assert (command().stdout, command().returncode) == ("", 0)
    (project / "notebooks" / ONE).rename(project / "notebooks" / "第一章.ipynb")
    assert command("there/").stdout == "Copied 4 chapters to there/.\n"
    write(tmp_path / "there", 第一章="mine")
    (tmp_path / "there" / ".copied.json").unlink()
    said = command("there", PYTHONIOENCODING="ascii")
    assert (said.returncode, said.stdout.count("\\u7b2c"), said.stderr) == (0, 1, "")


def test_nothing_to_copy(tmp_path):
    assert run(tmp_path).code == 0
    (tmp_path / "notebooks").mkdir()
    says(tmp_path)


def test_interrupted(project):
    said = run(project, at=12, what="interrupt")
    assert (said.code, said.out, said.err) == (1, "", "Interrupted.\n")
    assert temporary(project) == []
    run(project)
    assert files(project / "work") == chapters(project)


def test_any_python_runs_it():
    ast.parse(TOOL.read_text(), feature_version=(3, 8))


if __name__ == "__main__":
    serve()
