"""Charts: curves, histograms, bars and points."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from ..arguments import check_named, check_number, check_numbers, check_same_names
from ..language import say
from .style import ORANGE, PALETTE, curve, tidy


def plot_histories(histories, measures=("loss", "train_acc", "test_acc"), *, fine=False):
    """Compare training runs, a panel for each measure.

    Args:
        histories (dict[str, History | list[History]]): a name for each run, or for several of one colour.
        measures (tuple[str, ...]): which lists of a `History` to draw: `loss`, `train_acc`, `test_acc`, `seconds`.
        fine (bool): whether to draw `loss` and `train_acc` as they were within the epochs, about twenty points each.

    Returns:
        Figure: one curve a run in each panel; the epoch is on the horizontal axis.

    Raises:
        ValueError: an argument is not as described.
    """
    check_named("histories", histories, say("name → History"))
    runs = [(i, run) for i, one in enumerate(histories.values()) for run in (one if isinstance(one, list) else [one])]
    for measure in measures:
        if any(not isinstance(getattr(history, measure, None), list) for _, history in runs):
            sentence = "{measure!r} is nothing that these histories have measured: give the results of train."
            raise ValueError(say(sentence, measure=measure))
    titles = {"loss": "training loss", "train_acc": "training accuracy", "test_acc": "test accuracy"}
    figure = Figure(figsize=(3.2 * len(measures) + 1.6, 2.8), dpi=85, layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for ax, measure in zip(panels, measures, strict=True):
        for i, history in runs:
            values = getattr(history, measure)
            epochs, every = range(1, len(values) + 1), 1
            if fine and measure in ("loss", "train_acc"):
                values = [step[1 if measure == "loss" else 2] for step in history.steps]
                epochs, every = [step[0] for step in history.steps], 10
            ax.plot(epochs, values, markevery=every, **curve(i))
        tidy(ax, "epoch", title=titles.get(measure, measure))
        ax.locator_params(axis="x", integer=True)
        if measure.endswith("acc"):
            ax.set_ylim(0, 1)
    lines = dict(zip((i for i, _ in runs), panels[0].get_lines(), strict=True))  # the last run of each name
    figure.legend(lines.values(), histories, loc="outside right center", frameon=False)
    return figure


def plot_distributions(samples, xlabel="value", bins=60):
    """Draw histograms in a grid: a row for each group and a column for each name, with mean and standard deviation.

    Args:
        samples (dict[str, dict[str, numpy.ndarray]]): row name → column name → numbers of any shape.
        xlabel (str): what the numbers are.
        bins (int): bars a histogram.

    Returns:
        Figure: the panels of a column share their horizontal axis, so that rows can be compared.

    Raises:
        ValueError: there is nothing to draw, a number is not finite, or the rows have different columns.
    """
    check_named("samples", samples, say("row → column → numbers"))
    for row in samples.values():
        check_named(say("a row of samples"), row, say("column → numbers"))
    check_same_names("samples", samples)
    rows, columns = list(samples), list(next(iter(samples.values())))
    figure = Figure(figsize=(2.3 * len(columns), 1.7 * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex="col")
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            ax, values = grid[i, j], check_numbers(f"samples[{row!r}][{column!r}]", samples[row][column]).ravel()
            ax.hist(values, bins=bins, color=PALETTE[i % len(PALETTE)])
            ax.axvline(values.mean(), color="black", linewidth=1)
            tidy(ax, xlabel if i == len(rows) - 1 else None, row if j == 0 else None, column if i == 0 else None)
            ax.set_yticks([])
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
            place = {"transform": ax.transAxes, "ha": "right", "va": "top", "fontsize": 9}
            ax.text(0.98, 0.95, _mean_and_std(values).replace("-", "−"), bbox=box, **place)
    return figure


def plot_batch_norm(values, gamma=1.0, beta=0.0, eps=1e-5, *, mark=None, figure=None):
    """Draw what batch norm does to a batch of one feature: centre, scale to one, then scale by γ and shift by β.

    Args:
        values (numpy.ndarray): the feature's values over the batch, of any shape.
        gamma (float): the scale γ.
        beta (float): the shift β.
        eps (float): what is added to the variance before the root is taken.
        mark (int, optional): which of the values gets an orange line.
        figure (Figure, optional): an earlier result, to be redrawn in place.

    Returns:
        Figure: histograms before, normalised, and after, on one horizontal axis.

    Raises:
        ValueError: there are no values, or one is not finite.
    """
    values = check_numbers("values", values).astype(float).ravel()
    normalised = (values - values.mean()) / np.sqrt(values.var() + eps)
    stages = {"before": values, "normalised": normalised, f"γ = {gamma:g}, β = {beta:g}": gamma * normalised + beta}
    if figure is None:
        figure = plot_distributions({"": stages}, bins=30)
        for ax in figure.axes:
            ax.texts[0].remove()  # bars may come to stand below it: the title says it
    ends = np.concatenate(list(stages.values()))
    for ax, (title, stage) in zip(figure.axes, stages.items(), strict=True):
        _redraw_histogram(ax, stage)
        if mark is not None:
            (line,) = ax.lines[1:] or [ax.axvline(color=ORANGE, linewidth=3)]
            line.set_xdata([stage[mark]] * 2)
        ax.set_title(f"{title}\n{_mean_and_std(stage, ', ')}".replace("-", "−"), fontsize="medium")
        ax.set_xlim(ends.min() - 0.5, ends.max() + 0.5)
    figure.axes[0].set_ylabel(f"batch of {values.size}")
    return figure


def _redraw_histogram(ax, values):
    """Give a panel of `plot_distributions` other numbers."""
    low, high, count = values.min(), values.max(), len(ax.patches)
    margin = (high - low) / (count - 1) / 2  # so that the first and the last number are in the middle of their bars
    heights, edges = np.histogram(values, count, (low - margin, high + margin))
    for bar, height, left, width in zip(ax.patches, heights, edges[:-1], np.diff(edges), strict=True):
        bar.set(x=left, width=width, height=height)
    ax.lines[0].set_xdata([values.mean()] * 2)
    ax.set_ylim(0, 1.05 * heights.max())


def _mean_and_std(values, between="\n"):
    return f"mean {round(values.mean(), 2) + 0.0:.2f}{between}std {values.std():.2f}"  # + 0.0 makes −0.00 plain 0.00


def plot_bars(panels, *, shares=False, same_scale=False, figure=None):
    """Draw horizontal bars side by side in panels that share their rows; a bar may be stacked of several parts.

    Args:
        panels (dict[str, dict[str, float | dict[str, float]]]): title → row → length of the bar, or of its parts by
            name; the rows, and the parts where there are any, are the same in all panels.
        shares (bool): whether to write each bar's share of the panel's total beside it, instead of its length.
        same_scale (bool): whether a length means the same in all panels.
        figure (Figure, optional): an earlier result with as many panels, rows and parts, to be redrawn in place.

    Returns:
        Figure: one panel a title.

    Raises:
        ValueError: there are no bars, they differ in their rows or parts, or a length is no number of at least 0.
    """
    check_named("panels", panels, say("title → row → length"))
    for bars in panels.values():
        check_named(say("a panel"), bars, say("row → length"))
    check_same_names("panels", panels)
    parts_of = {(title, row): parts for title, bars in panels.items() for row, parts in bars.items()}
    names = {bar: parts if isinstance(parts, dict) else ["one length"] for bar, parts in parts_of.items()}
    check_same_names("panels", names)
    for (title, row), parts in parts_of.items():
        for part, length in parts.items() if isinstance(parts, dict) else [("", parts)]:
            check_number(f"panels[{title!r}][{row!r}]" + (f"[{part!r}]" if part else ""), length, 0)
    rows = list(next(iter(panels.values())))
    if figure is None:
        figure = _empty_bars(panels, rows, same_scale)
    longest = 0.0
    for ax, (title, bars) in zip(figure.axes, panels.items(), strict=True):
        ends = np.zeros(len(rows))
        for container, lengths in zip(ax.containers, _parts(bars).values(), strict=True):
            for bar, left, length in zip(container, ends, lengths, strict=True):
                bar.set(x=left, width=length)
            ends = ends + lengths
        for text, row, end in zip(ax.texts, range(len(rows)), ends, strict=True):
            text.xy = (end, row)
            share = end / (ends.sum() or 1)
            text.set_text(f"{share:.1%}" if shares else _amount(end))
        longest = max(longest if same_scale else 0, *ends)
        ax.set_xlim(0, longest * 1.2 or 1)
        ax.set_title(title, fontsize="medium")
    return figure


def _amount(number):
    """Write a number in a few characters: 1.5 M, 832, 0.25."""
    return EngFormatter(sep=" ", places=1)(number) if number >= 1000 else f"{number:.3g}"


def _parts(bars):
    """Return the lengths of bars, as one list of all rows for each part."""
    names = bars[next(iter(bars))]
    if not isinstance(names, dict):
        return {"": np.array(list(bars.values()), float)}
    return {name: np.array([bar[name] for bar in bars.values()], float) for name in names}


def _empty_bars(panels, rows, same_scale):
    figure = Figure(figsize=(9, 0.32 * len(rows) + 1.1), layout="constrained")
    figure.get_layout_engine().set(wspace=0.08)  # the last number of one axis stands clear of the next one's 0
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=same_scale, sharey=True)[0]
    for ax, bars in zip(axes, panels.values(), strict=True):
        for i, name in enumerate(_parts(bars)):
            ax.barh(range(len(rows)), np.zeros(len(rows)), color=PALETTE[i % len(PALETTE)], label=name, height=0.7)
        for row in range(len(rows)):
            ax.annotate("", (0, row), xytext=(3, 0), textcoords="offset points", va="center", fontsize=9)
        ax.set_yticks(range(len(rows)), rows)
        ax.locator_params(axis="x", nbins=5)
        ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
        tidy(ax)
    axes[0].invert_yaxis()
    handles, names = axes[0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside right center", frameon=False)
    return figure


def plot_by_layer(panels):
    """Draw one number a layer, from the input to the output, as lines: a panel for each quantity.

    Args:
        panels (dict[str, dict[str, Sequence[float]]]): title → name of the line → a number for each layer.

    Returns:
        Figure: the number of the layer is on the horizontal axis; the vertical ones are logarithmic.

    Raises:
        ValueError: there is nothing to draw.
    """
    check_named("panels", panels, say("title → name → a number for each layer"))
    for lines in panels.values():
        check_named(say("a panel"), lines, say("name → a number for each layer"))
    figure = Figure(figsize=(3.2 * len(panels) + 1.2, 2.8), dpi=85, layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        for i, (name, values) in enumerate(lines.items()):
            values = check_numbers(f"panels[{title!r}][{name!r}]", values, (None,))
            ax.plot(range(1, len(values) + 1), values, label=name, **curve(i))
        ax.set_yscale("log")
        ax.locator_params(axis="x", integer=True)
        tidy(ax, "layer", title=title)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def plot_confusion(matrix, names):
    """Draw how often each class was taken for each other one.

    Args:
        matrix (numpy.ndarray): counts of shape (true class, predicted class), as from `confusion_matrix`.
        names (Sequence[str]): of the classes.

    Returns:
        Figure: a square of numbers; the darker a mistake, the larger its share of the row. Right answers stay white.

    Raises:
        ValueError: the matrix is not a square with a row for each name.
    """
    matrix = check_numbers("matrix", matrix, (len(names), len(names)))
    figure = Figure(figsize=(6.4, 5), dpi=75, layout="constrained")
    ax = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    mistakes = np.where(np.eye(len(names)), 0, shares)
    darkest = max(0.3, mistakes.max())
    ax.imshow(mistakes, cmap="Oranges", vmax=darkest)
    for (row, column), count in np.ndenumerate(matrix):
        style = {"weight": "bold"} if row == column else {}
        style["color"] = "white" if mistakes[row, column] > 0.6 * darkest else "black"
        ax.text(column, row, count or "", ha="center", va="center", fontsize="small", **style)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    tidy(ax, "predicted", "true")
    ax.spines[:].set_visible(False)
    return figure
