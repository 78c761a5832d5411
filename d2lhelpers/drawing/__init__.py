"""Figures: functions that return a matplotlib figure, in one style, and sliders around them."""
