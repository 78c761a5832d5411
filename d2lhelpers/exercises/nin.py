"""Checks of chapter 3, NiN."""

from .judging import Exercises

exercises = Exercises("nin")
