"""What the package says to a reader, in English or in Chinese.

A sentence is written once, as an English template with names: `say("{what} has {n:,} layers", what=what, n=n)`. What it
is in Chinese stands in `locale/zh/LC_MESSAGES/d2lhelpers.po`, which `make translation` keeps in step with the code.
"""

import functools
import re
import unicodedata
from pathlib import Path

LANGUAGES = ("en", "zh")
HOLE = re.compile(r"\{\w+(?:![rs])?(?::[^{}]*)?\}")  # where a template takes a value; other braces are text
_translations = {}  # English template -> template in the chosen language; empty in English


class Sentence:
    """A template and what fills it; as a string it is in the language that is chosen then."""

    def __init__(self, template, values):
        """Write down the values at once: an object that a learner has made may change, or not let itself be shown."""
        self.template = template
        self.parts = {
            hole: value if isinstance(value := values.get(hole[1:-1]), Sentence) else hole.format(**values)
            for hole in HOLE.findall(template)
        }

    def translated(self, translations):
        """Return the sentence as a string, with these templates in place of the English ones."""
        parts = {
            hole: part.translated(translations) if isinstance(part, Sentence) else part
            for hole, part in self.parts.items()
        }
        return HOLE.sub(lambda hole: parts[hole[0]], translations.get(self.template, self.template))

    def __str__(self):
        return self.translated(_translations)

    def __repr__(self):
        return repr(str(self))


def say(template, /, **values):
    """Return a sentence for a reader.

    Args:
        template (str | Sentence): in English, with the names of values in braces; or a sentence, which is returned.
        **values: what to put there, which may be sentences themselves.
    """
    return template if isinstance(template, Sentence) else Sentence(template, values)


@functools.cache
def catalogue(language):
    """Return the templates of a language by the English ones."""
    if language == "en":
        return {}
    from babel.messages.pofile import read_po  # here, as only those who need it wait for it

    with open(Path(__file__).parent / "locale" / language / "LC_MESSAGES" / "d2lhelpers.po", "rb") as file:
        return {
            message.id: message.string
            for message in read_po(file)
            if message.id and message.string and not message.fuzzy
        }


def set_language(language):
    """Choose the language of all that the package says: checks, hints, tables, errors. Figures stay English.

    Args:
        language (str): `en` or `zh`.

    Raises:
        ValueError: it is anything else.
    """
    if language not in LANGUAGES:
        raise ValueError(say("language is {language!r}; it must be 'en' or 'zh'.", language=language))
    translations = catalogue(language)
    _translations.clear()
    _translations.update(translations)


def width(text):
    """Return how many places a text takes in a terminal: a Chinese character takes two."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def columns(rows, left=None):
    """Return lines in which the cells of some rows stand below each other, after the first `left` flush right."""
    rows = list(rows)
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        gaps = [" " * (widest - width(cell)) for cell, widest in zip(row, widths, strict=True)]
        pairs = enumerate(zip(row, gaps, strict=True))
        lines.append("  ".join(cell + gap if left is None or i < left else gap + cell for i, (cell, gap) in pairs))
    return lines
