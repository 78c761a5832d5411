"""The record of what a learner has done: never lost, never in the way."""

import contextlib
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import d2lhelpers as d2l
import pytest
from d2lhelpers import files
from d2lhelpers.exercises import EXERCISES, record


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    monkeypatch.setenv("D2L_PROGRESS", str(path))
    return path


def rows(table):
    return {row.exercise: row for row in table}


def test_an_untouched_stub_records_nothing(path):
    def stub(*args, **options):
        raise NotImplementedError("exercise 1")

    assert d2l.check("bn.bug", stub).status == "not attempted yet"
    assert not path.exists()
    assert not any(row.done or row.tries for row in d2l.progress())


def test_wrong_then_right_then_wrong_again_stays_done(path):
    d2l.check("bn.momentum", 3, 3)
    row = rows(d2l.progress("bn"))["bn.momentum"]
    assert (row.tries, row.done) == (1, "")
    d2l.check("bn.momentum", 3.2566, 44)
    done = rows(d2l.progress("bn"))["bn.momentum"].done
    assert done
    d2l.check("bn.momentum", 3, 3)
    row = rows(d2l.progress("bn"))["bn.momentum"]
    assert (row.tries, row.done) == (3, done)


def test_by_default_it_lies_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("D2L_PROGRESS")
    monkeypatch.chdir(tmp_path)
    d2l.check("bn.momentum", 3, 3)
    assert json.loads((tmp_path / ".d2l-progress.json").read_text())["version"] == 1


def test_both_editions_share_one(tmp_path, monkeypatch):
    monkeypatch.delenv("D2L_PROGRESS")
    (tmp_path / "zh").mkdir()
    for folder in (tmp_path, tmp_path / "zh"):
        monkeypatch.chdir(folder)
        d2l.check("bn.momentum", 3, 3)
    assert rows(d2l.progress())["bn.momentum"].tries == 2
    assert not list((tmp_path / "zh").iterdir())


# Leaves root's rights behind, but that to read everything: this Python may be in root's own folder.
NOBODY = (
    "setpriv --reuid=12345 --regid=12345 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
)
CHECKED = "import d2lhelpers as d2l; print(d2l.check('bn.momentum', 3.2566, 44), d2l.progress('bn'))"


@pytest.mark.parametrize(("home", "done"), [("writable", "1 of 8"), ("read-only", "0 of 8"), (None, "0 of 8")])
def test_in_a_read_only_folder_it_lies_in_the_home_if_there_is_one(tmp_path, home, done):
    for folder in ("writable", "read-only"):
        (tmp_path / folder).mkdir()
    (tmp_path / "writable").chmod(0o777)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(d2l.__file__).parents[1])}
    if home:
        environment["HOME"] = str(tmp_path / home)
    command = [*NOBODY.split(), sys.executable, "-c", CHECKED]
    options = {"env": environment, "cwd": tmp_path / "read-only", "capture_output": True, "text": True}
    if os.getuid() or subprocess.run([*command[:-2], "-c", ""], **options).returncode:
        pytest.skip("becoming another user needs root")
    result = subprocess.run(command, **options)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("bn.momentum: right.") and done in result.stdout
    assert ("could not be recorded: [Errno 13] Permission denied" in result.stdout) == (home != "writable")
    assert (tmp_path / "writable" / ".d2l-progress.json").exists() == (home == "writable")


def test_the_table(path):
    d2l.check("bn.momentum", 3.2566, 44)
    d2l.check("bn.bug", lambda *args, **options: None)
    table = d2l.progress()
    assert [row.exercise for row in table] == list(EXERCISES)
    assert "✓ done" in str(table)
    assert "tried 1 ×" in str(table)
    assert f"1 of {len(EXERCISES)} exercises done" in table._repr_html_()
    assert table._repr_html_().count("<th ") == table._repr_html_().split("</tr>")[1].count("<td ")
    assert {row.exercise.partition(".")[0] for row in d2l.progress("nin")} == {"nin"}
    with pytest.raises(ValueError, match="chapter is 'alexnet'; it must be one of bn, vgg, nin, googlenet"):
        d2l.progress("alexnet")


def test_csv(path, tmp_path):
    d2l.check("bn.momentum", 3.2566, 44)
    text = d2l.progress().to_csv()
    entries = {entry["exercise"]: entry for entry in csv.DictReader(text.splitlines())}
    assert entries["bn.momentum"]["tries"] == "1"
    assert entries["bn.momentum"]["done"]
    assert entries["bn.freeze"]["done"] == ""
    d2l.progress().to_csv(tmp_path / "class.csv")
    assert (tmp_path / "class.csv").read_text() == text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b'{"version": 1}',
        b'{"exercises": {}}',
        b'{"version": 1, "exercises": {"bn.bug": 3}}',
        b'{"version": 1, "exercises": {"bn.bug": {"tries": 1, "done": "',
    ],
)
def test_a_damaged_record_is_set_aside(path, content):
    path.write_bytes(content)
    assert "cannot be used" in str(d2l.progress())
    verdict = d2l.check("bn.momentum", 3.2566, 44)
    assert verdict.status == "right"
    (kept,) = path.parent.glob("progress.damaged-*.json")
    assert kept.read_bytes() == content
    assert kept.name in verdict.message
    assert rows(d2l.progress())["bn.momentum"].done


def test_the_record_of_a_newer_version_is_left_alone(path):
    content = '{"version": 2, "something": "else"}'
    path.write_text(content)
    verdict = d2l.check("bn.momentum", 3.2566, 44)
    assert verdict.status == "right"
    assert "newer version" in verdict.message
    assert "newer version" in str(d2l.progress())
    assert path.read_text() == content


@pytest.mark.parametrize("path", ["/proc/nowhere/progress.json", "/", "/proc"])
def test_where_nothing_can_be_written_the_verdict_says_so(path, monkeypatch):
    monkeypatch.setenv("D2L_PROGRESS", path)
    verdict = d2l.check("bn.momentum", 3.2566, 44)
    assert verdict.status == "right"
    assert "could not be recorded" in verdict.message and "Set D2L_PROGRESS to a file" in verdict.message
    assert "0 of 8 exercises done" in str(d2l.progress("bn"))


ADD_MANY = """
import sys
from d2lhelpers.exercises import record
for i in range(50):
    assert record.add(f"{sys.argv[1]}.{i % 5}", i % 2 == 0) == ""
"""


def test_two_notebooks_at_once_lose_nothing(path):
    processes = [subprocess.Popen([sys.executable, "-c", ADD_MANY, name]) for name in ("a", "b", "c")]
    assert [process.wait() for process in processes] == [0, 0, 0]
    entries, note = record.read()
    assert not note
    assert {name: entry["tries"] for name, entry in entries.items()} == {
        f"{name}.{i}": 10 for name in "abc" for i in range(5)
    }
    assert {found.name for found in path.parent.iterdir()} == {"progress.json", "progress.lock"}


def test_a_kill_in_the_middle_of_writing_leaves_the_old_record(path, monkeypatch):
    record.add("bn.bug", True)
    before = path.read_text()

    def killed(*_):
        raise SystemExit

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(SystemExit):
        record.add("bn.freeze", True)
    assert path.read_text() == before


def test_a_full_disk_leaves_the_old_record_and_nothing_beside_it(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        monkeypatch.setenv("D2L_PROGRESS", str(disk / "progress.json"))
        record.add("bn.bug", True)
        before = (disk / "progress.json").read_bytes()
        with contextlib.suppress(OSError):
            (disk / "filler").write_bytes(bytes(2**16))
        verdict = d2l.check("bn.momentum", 3.2566, 44)
        assert verdict.status == "right"
        assert "could not be recorded" in verdict.message and "No space left" in verdict.message
        assert (disk / "progress.json").read_bytes() == before
        assert {found.name for found in disk.iterdir()} == {"progress.json", "progress.lock", "filler"}
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("mode", [None, 0o640, 0o664])
def test_the_record_has_the_mode_that_other_files_have_or_keeps_its_own(path, mode):
    record.add("bn.bug", True)
    other = path.with_name("other")
    other.touch()
    if mode:
        path.chmod(mode)
        record.add("bn.bug", True)
    assert path.stat().st_mode & 0o777 == (mode or other.stat().st_mode & 0o777)


def test_a_system_without_locks(path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    assert record.add("bn.bug", True) == ""
    assert record.read()[0]["bn.bug"]["tries"] == 1


@pytest.mark.parametrize("answer", [(), (3,), (3, 44, 5)])
def test_another_number_of_answers_is_no_attempt(path, answer):
    verdict = d2l.check("bn.momentum", *answer)
    assert verdict.status == "not attempted yet"
    assert 'Hand over 2 of your results: d2l.check("bn.momentum", after_ten, batches).' in verdict.message
    assert not path.exists()


def test_hints_come_one_at_a_time():
    hints = EXERCISES["bn.freeze"].hints
    shown = [str(d2l.hint("bn.freeze")) for _ in range(len(hints) + 1)]
    assert all(hint in text for hint, text in zip(hints, shown, strict=False))
    assert "last one" in shown[-2]
    assert shown[-1] == shown[0]
    assert shown[0].startswith(f"Hint 1 of {len(hints)}: ")
    assert d2l.hint("bn.freeze")._repr_html_().startswith("<div style=")


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_hints_and_a_reason(name):
    exercise = EXERCISES[name]
    assert 2 <= len(exercise.hints) <= 4
    assert exercise.why.endswith(".")


def test_a_misspelt_name():
    for function in (d2l.hint, d2l.check):
        with pytest.raises(
            ValueError, match="name is 'bn.Freeze', and there is no such exercise; did you mean 'bn.freeze'"
        ):
            function("bn.Freeze")
