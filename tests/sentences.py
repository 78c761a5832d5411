"""A sentence of the package in Chinese: whether nothing of it is left in English, and its spacing is right."""

import re

import autocorrect_py
from d2lhelpers.language import Sentence, catalogue


def check_chinese(sentence):
    """Fail unless a sentence, and all sentences in it, are translated."""
    assert sentence.template in catalogue("zh")
    for part in sentence.parts.values():
        if isinstance(part, Sentence):
            check_chinese(part)
        else:
            assert not re.search(r"^[A-Z][a-z]+ [a-z]+ [a-z]+ .*[.?]$", part), "a sentence that is no template"
    chinese = sentence.translated(catalogue("zh"))
    assert chinese == autocorrect_py.format(chinese)
