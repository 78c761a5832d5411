"""Checks of chapter 4, GoogLeNet."""

from .judging import Exercises

exercises = Exercises("googlenet")
