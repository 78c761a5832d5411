"""What a learner has done: a small file beside the notebooks, and the table made of it."""

import csv
import datetime
import html
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..files import locked, write_whole
from ..language import columns, say

VERSION = 1


def file():
    """Return the path of the record: `$D2L_PROGRESS`, else `.d2l-progress.json` in the working folder.

    Both editions share one: from the folder `zh` it is in the folder above. Where that may only be read, as one that a
    class shares, it is in the home folder.
    """
    folder = ".." if os.path.exists("../zh") and os.path.samefile("../zh", ".") else ""
    if not os.access(folder or ".", os.W_OK):
        folder = os.path.expanduser("~")
    return Path(os.environ.get("D2L_PROGRESS") or os.path.join(folder, ".d2l-progress.json"))


def _load(path):
    """Return the entries of a record; raise `ValueError` when it is damaged, `OSError` when it cannot be used."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict) or not isinstance(content.get("version"), int):
        raise ValueError(say("it has no version"))
    if content["version"] > VERSION:
        raise PermissionError(say("{path} was written by a newer version of this course", path=path))
    entries = content.get("exercises")
    if not isinstance(entries, dict):
        raise ValueError(say("it has no exercises"))
    for name, entry in entries.items():
        if not (isinstance(entry, dict) and isinstance(entry.get("tries"), int) and isinstance(entry.get("done"), str)):
            raise ValueError(say("its entry {name} has another form", name=name))
    return entries


def read():
    """Return what is recorded, by exercise: how often it was tried, and when it was first right (or "").

    Returns:
        tuple[dict[str, dict], str | Sentence]: the entries, and a sentence if the file cannot be used.
    """
    try:
        return _load(file()), ""
    except (ValueError, OSError) as error:
        return {}, say("The record {file} cannot be used: {error}.", file=file(), error=error)


def add(name, right):
    """Record one attempt at an exercise.

    Args:
        name (str): of the exercise.
        right (bool): whether the answer was right.

    Returns:
        str | Sentence: what went wrong; empty when nothing did. A failure to record never is an error.
    """
    path, note = file(), ""
    try:
        with locked(path.with_suffix(".lock")):
            try:
                entries = _load(path)
            except ValueError as error:
                kept = path.with_name(f"{path.stem}.damaged-{datetime.datetime.now():%Y%m%d-%H%M%S}{path.suffix}")
                os.replace(path, kept)
                entries = {}
                sentence = "(The record of your progress was damaged: {error}. It is kept as {name}; a new one begins.)"
                note = say(sentence, error=error, name=kept.name)
            entry = entries.setdefault(name, {"tries": 0, "done": ""})
            entry["tries"] += 1
            if right and not entry["done"]:
                entry["done"] = datetime.datetime.now().isoformat(timespec="seconds")
            text = json.dumps({"version": VERSION, "exercises": entries}, indent=1)
            write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
    except (OSError, ValueError) as error:  # the latter of a D2L_PROGRESS that can be no file, such as "/"
        sentence = "(Your progress could not be recorded: {error}. Set D2L_PROGRESS to a file that you may write.)"
        return say(sentence, error=error)
    return note


@dataclass(frozen=True)
class Row:
    """An exercise in the table: `exercise` is its name for `check`, `done` when it was first right, or empty."""

    chapter: str
    number: int
    exercise: str
    title: str
    difficulty: str
    minutes: int
    tries: int
    done: str


class Progress(list):
    """Rows of exercises; shows as a table."""

    def __init__(self, rows, note=""):
        """Take the rows; `note` is a sentence to show below them."""
        super().__init__(rows)
        self.note = note

    def _cells(self):
        for row in self:
            minutes = say("{minutes} min", minutes=row.minutes)
            cells = (row.exercise, f"{row.number} · {say(row.title)}", row.difficulty, minutes, _mark(row))
            yield tuple(map(str, cells))

    def _summary(self):
        done = sum(bool(row.done) for row in self)
        done = say("{done} of {count} exercises done", done=done, count=len(self))
        return f"{done} · {self.note}" if self.note else str(done)

    def __str__(self):
        return "\n".join([*(line.rstrip() for line in columns(self._cells())), self._summary()])

    __repr__ = __str__

    def _repr_html_(self):
        style = 'style="text-align: left"'
        rows = [
            "<tr>" + "".join(f"<td {style}>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
            for cells in self._cells()
        ]
        names = (say("name"), say("exercise"), say("difficulty"), say("time"), say("done"))
        head = "".join(f"<th {style}>{name}</th>" for name in names)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        return f"{table}<p>{html.escape(self._summary())}</p>"

    def to_csv(self, path=None):
        """Return the table as comma-separated values, or write it to a file.

        Args:
            path (str | pathlib.Path, optional): the file to write.

        Returns:
            str | None: the text, when no path is given.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, list(Row.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(vars(row) for row in self)
        if path is None:
            return text.getvalue()
        Path(path).write_text(text.getvalue(), encoding="utf-8")


def _mark(row):
    if row.done:
        return say("✓ done")
    return say("tried {tries} ×", tries=row.tries) if row.tries else "–"
