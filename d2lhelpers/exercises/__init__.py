"""Exercises that check themselves: `check`, `hint` and `progress`; the checks are in a file for each chapter."""

import difflib

from ..language import say
from . import bn, googlenet, nin, record, vgg
from .judging import NOT_ATTEMPTED, RIGHT, Verdict, box, join, judge
from .record import Progress, Row

CHAPTERS = {"bn": "01_batch_norm", "vgg": "02_vgg", "nin": "03_nin", "googlenet": "04_googlenet"}
EXERCISES = {
    exercise.name: exercise for chapter in (bn, vgg, nin, googlenet) for exercise in chapter.exercises.values()
}
_hints_given = {}


def _find(name):
    if name not in EXERCISES:
        close = difflib.get_close_matches(str(name), EXERCISES, n=1) or [next(iter(EXERCISES))]
        sentence = "name is {name!r}, and there is no such exercise; did you mean {close!r}?"
        raise ValueError(say(sentence, name=name, close=close[0]))
    return EXERCISES[name]


def check(name, *answer):
    """Check an answer to an exercise, and record the attempt.

    Args:
        name (str): chapter and exercise, such as `bn.freeze`.
        *answer: what the exercise asks for: a function, a class, a number or a word, not called and not printed.

    Returns:
        Verdict: a coloured box in a notebook, one line elsewhere. Whatever the answer does, nothing is raised.

    Raises:
        ValueError: there is no such exercise.
    """
    verdict = judge(_find(name), answer)
    if verdict.status == NOT_ATTEMPTED:
        return verdict
    note = record.add(name, verdict.status == RIGHT)
    return Verdict(name, verdict.status, join(verdict.sentence, note)) if note else verdict


class Hint(str):
    """A hint: a box in a notebook, a line of text elsewhere."""

    def __new__(cls, title, text):
        """Take the two parts of the box."""
        made = super().__new__(cls, say("{title}: {text}", title=title, text=text))
        made.parts = str(title), str(text)
        return made

    __repr__ = str.__str__

    def _repr_html_(self):
        return box(*self.parts, "#0072B2")


def hint(name):
    """Return the next hint for an exercise; after the last one the first again.

    Args:
        name (str): chapter and exercise, such as `bn.freeze`.

    Returns:
        Hint: a box in a notebook, one line elsewhere.

    Raises:
        ValueError: there is no such exercise.
    """
    hints = _find(name).hints
    given = _hints_given.get(name, 0) % len(hints)
    _hints_given[name] = given + 1
    text = say(hints[given])
    if given + 1 == len(hints):
        text = join(text, say("(This was the last one.)"))
    return Hint(say("Hint {number} of {count}", number=given + 1, count=len(hints)), text)


def progress(chapter=None):
    """Return which exercises are done, as recorded in `.d2l-progress.json`.

    Args:
        chapter (str, optional): `bn`, `vgg`, `nin` or `googlenet`; all without it.

    Returns:
        Progress: a table; `to_csv()` gives it to a spreadsheet.

    Raises:
        ValueError: there is no such chapter.
    """
    if chapter is not None and chapter not in CHAPTERS:
        sentence = "chapter is {chapter!r}; it must be one of {chapters}."
        raise ValueError(say(sentence, chapter=chapter, chapters=", ".join(CHAPTERS)))
    entries, note = record.read()
    rows = []
    for prefix in [chapter] if chapter else CHAPTERS:
        exercises = (exercise for name, exercise in EXERCISES.items() if name.startswith(f"{prefix}."))
        for number, exercise in enumerate(exercises, 1):
            entry = entries.get(exercise.name, {"tries": 0, "done": ""})
            described = (exercise.name, exercise.title, exercise.difficulty, exercise.minutes)
            rows.append(Row(CHAPTERS[prefix], number, *described, entry["tries"], entry["done"]))
    return Progress(rows, note)
