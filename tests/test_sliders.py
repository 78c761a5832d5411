"""Sliders around charts."""

from unittest.mock import Mock

import d2lhelpers as d2l
import ipywidgets
import pytest
from matplotlib.figure import Figure


def make_chart():
    """Return a chart of one bar, and the list of what it was called with."""
    calls = []

    def chart(figure=None, *, length=3, share=0.5, letter="B", other=1):
        calls.append((figure, length, share, letter))
        if length > 8:
            raise ValueError("length is <9>, and more than 8 does not fit")
        return d2l.plot_bars({"bar": {"x": length, letter: share}}, figure=figure)

    return chart, calls


def explorer():
    chart, calls = make_chart()
    return d2l.explore(chart, length=(1, 9), share=(0.0, 1.0), letter=list("ABC")), calls


def test_it_starts_with_the_defaults_and_redraws_the_same_figure():
    sliders, calls = explorer()
    assert calls == [(None, 3, 0.5, "B")]
    first = bytes(sliders.image.value)
    assert first.startswith(b"\x89PNG")
    sliders.controls["length"].value = 5
    assert calls[1:] == [(sliders.figure, 5, 0.5, "B")]
    assert isinstance(sliders.figure, Figure)
    assert bytes(sliders.image.value) != first


def test_kinds_of_sliders():
    sliders, _ = explorer()
    kinds = [type(control) for control in sliders.controls.values()]
    assert kinds == [ipywidgets.IntSlider, ipywidgets.FloatSlider, ipywidgets.SelectionSlider]
    assert sliders.controls["share"].step == pytest.approx(0.01)
    stepped = d2l.explore(make_chart()[0], length=(1, 9, 2))
    assert stepped.controls["length"].step == 2


def test_what_is_not_possible_is_said_and_the_picture_stays():
    sliders, _ = explorer()
    before = bytes(sliders.image.value)
    sliders.controls["length"].value = 9
    assert sliders.message.value == "<b>Not possible:</b> length is &lt;9&gt;, and more than 8 does not fit"
    assert bytes(sliders.image.value) == before
    sliders.controls["length"].value = 8
    assert sliders.message.value == ""
    assert bytes(sliders.image.value) != before


def test_a_picture_that_cannot_be_drawn_is_said(monkeypatch):
    sliders, _ = explorer()
    monkeypatch.setattr(Figure, "savefig", Mock(side_effect=RuntimeError("latex could not be found")))
    sliders.controls["length"].value = 5
    assert sliders.message.value == "<b>Not possible:</b> latex could not be found"


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"length": (5, 9)}, "length is .5, 9. with the default 3, which makes no slider: 3 is not from 5 to 9"),
        ({"share": (0.0, 0.7)}, "share is .0.0, 0.7. with the default 0.5.*whole number of steps of 0.007 from 0.0"),
        ({"length": (1, 9, 4)}, "3 is not a whole number of steps of 4 from 1"),
        ({"length": 5}, "length is 5 with the default 3"),
        ({"length": (1,)}, "length is .1,. with the default 3"),
        ({"letter": ["X", "Y"]}, "letter is .*'X', 'Y'.* with the default 'B'"),
        (
            {"share": (0.5, 0.5)},
            "share is .0.5, 0.5. with the default 0.5, which makes no slider: there is nothing to move",
        ),
        ({"share": (0.0, 1.0, 0)}, "there is nothing to move: it needs a highest above the lowest, and a step above 0"),
        ({"length": (1, 9, -1)}, "length is .1, 9, -1. .* there is nothing to move"),
        ({"length": (1, 9, 1, 1)}, "length is .1, 9, 1, 1. with the default 3"),
        ({"width": (1, 2)}, "width is no argument of the chart; it has figure, length"),
    ],
)
def test_a_choice_that_makes_no_slider(choices, words):
    with pytest.raises(ValueError, match=words):
        d2l.explore(make_chart()[0], **choices)


def test_a_chart_that_fails_at_once_is_an_error():
    with pytest.raises(ValueError, match="does not fit"):
        d2l.explore(lambda figure=None, length=9: make_chart()[0](figure, length=length), length=(1, 9))


def test_what_a_notebook_shows():
    shown = explorer()[0]._repr_mimebundle_()
    assert set(shown) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert shown["text/plain"] == "Sliders for length, share, letter: run this cell to use them."
