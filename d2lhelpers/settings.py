"""What a chapter is run with: how much work, whether its claims hold, and which random numbers."""

import os
import random
import re

import numpy as np

from .arguments import check_whole_number
from .language import say
from .runtime import mx, try_gpu

BUDGETS = ("smoke", "cpu", "gpu")


def budget():
    """Return how much work this machine should be given: `smoke`, `cpu` or `gpu`.

    Returns:
        str: `$D2L_BUDGET` where it is set, else `gpu` on a GPU and `cpu` elsewhere.

    Raises:
        ValueError: `D2L_BUDGET` is set to anything else.
    """
    name = os.environ.get("D2L_BUDGET") or try_gpu().device_type
    if name not in BUDGETS:
        sentence = "D2L_BUDGET is {name!r}; it must be one of {budgets}."
        raise ValueError(say(sentence, name=name, budgets=", ".join(BUDGETS)))
    return name


def by_budget(*, smoke, cpu, gpu):
    """Pick one of three values by the budget of this machine.

    Args:
        smoke: the value for a quick look that proves only that everything runs.
        cpu: the value for two CPU cores and a few minutes.
        gpu: the value for a GPU and the full data set.

    Returns:
        The argument named by `budget()`.

    Raises:
        ValueError: `D2L_BUDGET` is set to anything else.
    """
    return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[budget()]


def claim(sentence, holds):
    """Say so where a sentence of the text does not hold for the numbers just measured.

    Nothing is printed where it holds, nor at the smoke budget, which is too small to judge.

    Args:
        sentence (str): what the text says of the numbers.
        holds (bool): whether they bear it out.
    """
    if not holds and budget() != "smoke":
        print(say("Unlike in the text: it is not so here that {claim}.", claim=sentence))


def shift_seed(seed):
    """Return a seed plus `$D2L_SEED`, with which the same program meets other random numbers."""
    shift = os.environ.get("D2L_SEED") or "0"
    if not re.fullmatch("[0-9]+", shift):
        raise ValueError(say("D2L_SEED is {shift!r}; it must be a whole number from 0.", shift=shift))
    return int(seed) + int(shift)  # Python's generator takes no number of NumPy


def set_seed(seed):
    """Seed MXNet (weights, dropout), NumPy and Python, so that a run can be repeated.

    The environment variable `D2L_SEED` is added to the seed.

    Args:
        seed (int): any whole number from 0 to 2³² − 1.

    Raises:
        ValueError: it is anything else, or `D2L_SEED` is.
    """
    check_whole_number("seed", seed, 0, 2**32 - 1)
    seed = shift_seed(seed) % 2**32
    mx.random.seed(seed)
    np.random.seed(seed)
    random.seed(seed)
