"""Sliders around charts."""

import html
import inspect
import io

import ipywidgets as widgets
from matplotlib.figure import Figure
from traitlets import TraitError

from ..arguments import describe, reason_of, refuse
from ..language import say


def explore(chart, **choices):
    """Put sliders around a chart: it is redrawn in place while they move.

    Args:
        chart (callable): chart(figure=None, **values) → Figure. It draws the first time, and redraws the figure that it
            is given after that. Its defaults are where the sliders start. What it raises later is shown, and
            the last picture stays.
        **choices (tuple | list): for each slider by its argument: (lowest, highest) or (lowest, highest, step), or a
            list of values to choose from.

    Returns:
        Explorer: shows itself as the last value of a cell.

    Raises:
        ValueError: the chart is no such function, or a choice has another form or does not allow the chart's default.
    """
    return Explorer(chart, choices)


def _control(name, choice, value):
    """Make the slider for one argument."""
    look = {"description": name.replace("_", " "), "value": value, "style": {"description_width": "9em"}}
    try:
        if isinstance(choice, list):
            return widgets.SelectionSlider(options=choice, layout={"width": "28em"}, **look)
        low, high, *step = choice
        (step,) = step or [1 if isinstance(value, int) else (high - low) / 100]
        if not low <= value <= high:
            raise ValueError(say("{value} is not from {low} to {high}", value=value, low=low, high=high))
        if low == high or not step > 0:
            raise ValueError(say("there is nothing to move: it needs a highest above the lowest, and a step above 0"))
        steps = (value - low) / step
        if abs(steps - round(steps)) > 1e-6:  # the slider would start beside the default
            sentence = "{value} is not a whole number of steps of {step:g} from {low}"
            raise ValueError(say(sentence, value=value, step=step, low=low))
        kind = widgets.IntSlider if isinstance(value, int) else widgets.FloatSlider
        return kind(min=low, max=high, step=step, layout={"width": "28em"}, **look)
    except (TypeError, ValueError, TraitError) as error:
        sentence = "{name} is {choice!r} with the default {value!r}, which makes no slider: {error}."
        raise ValueError(say(sentence, name=name, choice=choice, value=value, error=error)) from error


class Explorer:
    """A chart with sliders.

    Attributes:
        controls (dict[str, ipywidgets.Widget]): the slider of each argument.
        image (ipywidgets.Image): the picture, as PNG.
        message (ipywidgets.HTML): why the chosen values cannot be drawn, or empty.
    """

    def __init__(self, chart, choices):
        """Draw the chart with its defaults; see `explore`."""
        if not callable(chart):
            refuse("chart", chart, "a function that returns a figure")
        defaults = {name: parameter.default for name, parameter in inspect.signature(chart).parameters.items()}
        for name in choices:
            if name not in defaults:
                sentence = "{name} is no argument of the chart; it has {names}."
                raise ValueError(say(sentence, name=name, names=", ".join(defaults)))
        self.chart, self.figure = chart, None
        self.controls = {name: _control(name, choice, defaults[name]) for name, choice in choices.items()}
        self.image, self.message = widgets.Image(format="png"), widgets.HTML()
        self._draw()
        for control in self.controls.values():
            control.observe(self.redraw, "value")
        self.box = widgets.VBox([*self.controls.values(), self.message, self.image])

    def redraw(self, change=None):
        """Draw the chart with the values that the sliders have now, or say why that is not possible."""
        try:
            self._draw()
            self.message.value = ""
        except Exception as error:  # a notebook does not show what is raised while a slider moves
            self.message.value = str(say("<b>Not possible:</b> {reason}", reason=html.escape(reason_of(error))))

    def _draw(self):
        figure = self.chart(self.figure, **{name: control.value for name, control in self.controls.items()})
        if not isinstance(figure, Figure):
            sentence = "chart returned {value}; it must return the figure that it has drawn."
            raise ValueError(say(sentence, value=describe(figure)))
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=2 * figure.dpi)  # for screens with small pixels
        if self.figure is None:
            figure.set_layout_engine("none")  # the layout stays: working it out takes longer than drawing
            self.image.layout.width = f"{figure.get_size_inches()[0] * figure.dpi:.0f}px"
            self.image.layout.max_width = "100%"
        self.figure, self.image.value = figure, png.getvalue()

    def _repr_mimebundle_(self, **options):
        text = say("Sliders for {names}: run this cell to use them.", names=", ".join(self.controls))
        return self.box._repr_mimebundle_(**options) | {"text/plain": str(text)}
