"""Checks of chapter 2, VGG."""

from .judging import Exercises

exercises = Exercises("vgg")
