"""What several runs reached: at each of several settings, or as they went on."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..arguments import check_named, check_numbers, check_same_names
from ..language import say
from .style import curve, tidy


def plot_sweep(panels, xlabel, ylabel=None, *, log=False, colours=None):
    """Draw what came out at each setting, such as a learning rate: a dot for each run, and a line through their means.

    Args:
        panels (dict[str, dict[str, dict[float | str, Sequence[float]]]]): title → name of the line → setting → a number
            for each run.
        xlabel (str): what the settings are; they are sorted, and drawn at equal distances.
        ylabel (str, optional): what the numbers are.
        log (bool): whether the vertical axes are logarithmic; the line then goes through the geometric means.
        colours (Sequence[int], optional): the lines' places in the palette, by default 0, 1, 2 …

    Returns:
        Figure: panels side by side, each with axes of its own.

    Raises:
        ValueError: there is nothing to draw, or a number is not finite.
    """
    check_named("panels", panels, say("title → name → setting → numbers"))
    for lines in panels.values():
        check_named(say("a panel"), lines, say("name → setting → numbers"))
        for name, runs in lines.items():
            check_named(f"{name!r}", runs, say("setting → numbers"))
            for setting, values in runs.items():
                check_numbers(say("{name!r} at {setting}", name=name, setting=setting), values, (None,))
    figure = Figure(figsize=(3.5 * len(panels) + 1.8, 3), layout="constrained")
    for ax, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        settings = sorted({setting for runs in lines.values() for setting in runs})
        for j, (i, (name, runs)) in enumerate(zip(colours or range(len(lines)), lines.items(), strict=True)):
            aside = 0.06 * (j - (len(lines) - 1) / 2)  # beside each other, not on each other
            places = [settings.index(setting) + aside for setting in runs]
            means = [np.exp(np.log(values).mean()) if log else np.mean(values) for values in runs.values()]
            every = np.repeat(places, [len(values) for values in runs.values()])
            ax.plot(every, np.concatenate(list(runs.values())), linestyle="none", label=name, **curve(i, markersize=5))
            ax.plot(places, means, **curve(i, markersize=0))
        if log:
            ax.set_yscale("log")
        ax.set_xticks(range(len(settings)), [s if isinstance(s, str) else f"{s:g}" for s in settings])
        tidy(ax, xlabel, ylabel if ax is figure.axes[0] else None, title)
    handles, names = figure.axes[0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside right center", frameon=False)
    return figure


def plot_lines(panels, ylabel):
    """Draw lines that carry their names, such as an accuracy against images and against seconds.

    Args:
        panels (dict[str, dict[str, tuple[Sequence[float], Sequence[float]]]]): what is on the horizontal axis → name of
            the line → (x, y); the same names in all panels.
        ylabel (str): what the numbers are.

    Returns:
        Figure: panels side by side with one vertical axis; each line has its name at its end.

    Raises:
        ValueError: there is nothing to draw, a number is not finite, or a line has more x than y.
    """
    check_named("panels", panels, say("label → name → (x, y)"))
    for lines in panels.values():
        check_named(say("a panel"), lines, say("name → (x, y)"))
    check_same_names("panels", panels)
    figure = Figure(figsize=(4.6 * len(panels), 3.4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for ax, (xlabel, lines) in zip(axes, panels.items(), strict=True):
        ends = {}
        for i, (name, (x, y)) in enumerate(lines.items()):
            x = check_numbers(say("x of {name!r}", name=name), x, (None,))
            y = check_numbers(say("y of {name!r}", name=name), y, (len(x),))
            ax.plot(x, y, **curve(i))
            ends[i] = name, x[-1], y[-1]
        width, height = (high - low for low, high in (ax.get_xlim(), ax.get_ylim()))
        placed = []
        for i, (name, x, y) in sorted(ends.items(), key=lambda end: end[1][2]):
            near = [below for beside, below in placed if abs(beside - x) < 0.15 * width]
            place = x, max([y, *(below + 0.07 * height for below in near)])  # one name above the other
            placed.append(place)
            style = {"textcoords": "offset points", "va": "center", "color": curve(i)["color"]}
            halo = [withStroke(linewidth=3, foreground="white")]  # another line may pass below
            ax.annotate(name, place, xytext=(6, 0), annotation_clip=False, path_effects=halo, **style)
        tidy(ax, xlabel, ylabel if ax is axes[0] else None)
    return figure
