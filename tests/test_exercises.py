"""Wrong answers get the hint meant for them, lazy ones never pass, and right ones may be written in many ways."""

import collections
import inspect

import d2lhelpers as d2l
import numpy as np
import pytest
from d2lhelpers.chapters.googlenet import chain
from d2lhelpers.exercises import EXERCISES
from mxnet import nd, util
from right_answers import RIGHT
from sentences import check_chinese
from wrong_answers import WRONG


@pytest.mark.parametrize(
    ("name", "words", "answer"), WRONG, ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(WRONG)]
)
def test_a_wrong_answer_gets_its_hint(name, words, answer):
    verdict = d2l.check(name, *answer)
    assert verdict.status == "not yet", verdict
    assert words in verdict.message, verdict
    check_chinese(verdict.sentence)


def test_the_bank_is_large_enough():
    counts = collections.Counter(name for name, *_ in WRONG)
    assert set(counts) == set(EXERCISES)
    assert min(counts.values()) >= 3
    assert sum(counts.values()) >= 100
    assert len({words for _, words, _ in WRONG}) > 70  # and they are told apart


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[f"{name}-{i}" for i, (name, _) in enumerate(RIGHT)])
def test_a_right_answer_written_in_another_way_is_right(name, answer):
    verdict = d2l.check(name, *answer)
    assert verdict.status == "right", verdict


@pytest.mark.parametrize("name", ["bn.freeze", "bn.momentum", "vgg.deep", "nin.memory", "googlenet.smoothing"])
def test_right_answers_under_mxnets_numpy_interface(name, numpy_interface):
    verdict = d2l.check(name, *next(answer for known, answer in RIGHT if known == name))
    assert verdict.status == "right", verdict
    assert util.is_np_shape() and util.is_np_array()


LAZY = {
    "zero": lambda *args, **kwargs: 0,
    "one": lambda *args, **kwargs: 1.0,
    "the input itself": lambda *args, **kwargs: args[0] if args else None,
    "zeros in the shape of the input": lambda *args, **kwargs: np.zeros(getattr(args[0], "shape", 3)),
    "zeros in the shape of the input, MXNet": lambda *args, **kwargs: nd.zeros(getattr(args[0], "shape", 3)),
    "none": lambda *args, **kwargs: None,
    "a text": lambda *args, **kwargs: "42",
    "NaN": lambda *args, **kwargs: float("nan"),
    "an array of NaN": lambda *args, **kwargs: np.full(getattr(args[0], "shape", 3), np.nan),
    "an empty list": lambda *args, **kwargs: [],
    "a large list": lambda *args, **kwargs: [0] * 10**7,
    "a network without layers": lambda *args, **kwargs: chain(),
}


@pytest.mark.parametrize("kind", LAZY)
@pytest.mark.parametrize("name", EXERCISES)
def test_no_check_accepts_a_lazy_answer(name, kind):
    parts = inspect.signature(EXERCISES[name].check).parameters
    verdict = d2l.check(name, *[LAZY[kind]] * len(parts))
    assert verdict.status == "not yet", verdict
    assert len(verdict.message) < 700
