"""What decides all that is random: the seed."""

import os
import random
import re

import numpy as np

from .runtime import mx
from .validation import check_whole_number


def shift_seed(seed):
    """Return a seed plus `$D2L_SEED`, with which the same program meets other random numbers.

    Args:
        seed (int): the seed that the program asks for.

    Returns:
        int: the seed to use.

    Raises:
        ValueError: `D2L_SEED` is set to anything but a whole number from 0.
    """
    shift = os.environ.get("D2L_SEED") or "0"
    if not re.fullmatch("[0-9]+", shift):
        raise ValueError(f"D2L_SEED is {shift!r}; it must be a whole number from 0.")
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


def seed_epoch(seed, epoch):
    """Seed all that is random in one epoch: MXNet cannot hand out where its generators are, so as to store it.

    Args:
        seed (int): decides the whole training.
        epoch (int): number of the epoch, from 0.
    """
    set_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]))
