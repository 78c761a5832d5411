"""Charts: functions that return a matplotlib figure.

Colours are those of Okabe & Ito (2008), which colour-blind readers can tell apart.
"""

import d2lzh
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from matplotlib_inline import backend_inline

BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW = "#0072B2 #E69F00 #009E73 #CC79A7 #56B4E9 #D55E00 #F0E442".split()
PALETTE = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, YELLOW)
GREY = "#999999"


def _use_png_display():
    backend_inline.set_matplotlib_formats("retina")


# d2lzh 1.0.0 asks IPython for a function that has moved to matplotlib-inline. Put right in this one place, its
# `set_figsize` and everything in it that plots works again.
d2lzh.utils.use_svg_display = _use_png_display


def tidy(ax, xlabel=None, ylabel=None, title=None):
    """Label the axes of a chart, and take away the lines that frame nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_title(title, fontsize="medium")


def show_fashion_mnist(images, labels):
    """Draw images in a row, with a caption each.

    Args:
        images (NDArray | numpy.ndarray): of shape (n, 28, 28), (n, 1, 28, 28) or a list of such images.
        labels (list[str]): n captions, for example from `get_fashion_mnist_labels`.

    Returns:
        Figure: one row of n pictures.

    Source: `d2lzh.show_fashion_mnist`.
    """
    figure = Figure(figsize=(1.2 * len(images), 1.5), layout="constrained")
    for ax, image, label in zip(figure.subplots(1, len(images), squeeze=False)[0], images, labels, strict=False):
        pixels = image.asnumpy() if hasattr(image, "asnumpy") else np.asarray(image)
        ax.imshow(pixels.reshape(pixels.shape[-2:]), cmap="gray")
        ax.set_title(label, fontsize="small")
        ax.set_axis_off()
    return figure


def plot_histories(histories, measures=("loss", "train_acc", "test_acc"), *, fine=False):
    """Compare training runs, a panel for each measure.

    Args:
        histories (dict[str, History]): a name for each run.
        measures (tuple[str, ...]): which lists of a `History` to draw: `loss`, `train_acc`, `test_acc`, `seconds`.
        fine (bool): whether to draw `loss` and `train_acc` as they were within the epochs, about twenty points each.

    Returns:
        Figure: one curve a run in each panel; the epoch is on the horizontal axis.
    """
    titles = {"loss": "training loss", "train_acc": "training accuracy", "test_acc": "test accuracy"}
    figure = Figure(figsize=(3.2 * len(measures) + 1.6, 2.8), dpi=85, layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for ax, measure in zip(panels, measures, strict=True):
        for i, history in enumerate(histories.values()):
            values = getattr(history, measure)
            epochs, every = range(1, len(values) + 1), 1
            if fine and measure in ("loss", "train_acc"):
                values = [step[1 if measure == "loss" else 2] for step in history.steps]
                epochs, every = [step[0] for step in history.steps], 10
            # Markers differ as well as colours, so that the curves can be told apart in grey.
            style = {"color": PALETTE[i % len(PALETTE)], "marker": "osD^vP*"[i % 7], "markersize": 4}
            ax.plot(epochs, values, markevery=every, **style)
        tidy(ax, "epoch", title=titles.get(measure, measure))
        ax.locator_params(axis="x", integer=True)
        if measure.endswith("acc"):
            ax.set_ylim(0, 1)
    figure.legend(panels[0].get_lines(), histories, loc="outside right center", frameon=False)
    return figure


def plot_distributions(samples, xlabel="value", bins=60):
    """Draw histograms in a grid: a row for each group and a column for each name, with mean and standard deviation.

    Args:
        samples (dict[str, dict[str, numpy.ndarray]]): row name → column name → numbers of any shape.
        xlabel (str): what the numbers are.
        bins (int): bars a histogram.

    Returns:
        Figure: the panels of a column share their horizontal axis, so that rows can be compared.
    """
    rows, columns = list(samples), list(next(iter(samples.values())))
    figure = Figure(figsize=(2.3 * len(columns), 1.7 * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex="col")
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            ax, values = grid[i, j], np.ravel(samples[row][column])
            ax.hist(values, bins=bins, color=PALETTE[i % len(PALETTE)])
            ax.axvline(values.mean(), color="black", linewidth=1)
            tidy(ax, xlabel if i == len(rows) - 1 else None, row if j == 0 else None, column if i == 0 else None)
            ax.set_yticks([])
            mean, std = round(values.mean(), 2) + 0.0, values.std()  # + 0.0 makes −0.00 plain 0.00
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
            place = {"transform": ax.transAxes, "ha": "right", "va": "top", "fontsize": "x-small"}
            ax.text(0.98, 0.95, f"mean {mean:.2f}\nstd {std:.2f}", bbox=box, **place)
    return figure


def plot_batch_norm(values, gamma=1.0, beta=0.0, eps=1e-5):
    """Draw what batch norm does to a batch of one feature: centre, scale to one, then scale by γ and shift by β.

    Args:
        values (numpy.ndarray): the feature's values over the batch, of any shape.
        gamma (float): the scale γ.
        beta (float): the shift β.
        eps (float): what is added to the variance before the root is taken.

    Returns:
        Figure: histograms before, normalised, and after, on one horizontal axis.
    """
    values = np.asarray(values, dtype=float)
    normalised = (values - values.mean()) / np.sqrt(values.var() + eps)
    stages = {"before": values, "normalised": normalised, f"γ = {gamma:g}, β = {beta:g}": gamma * normalised + beta}
    figure = plot_distributions({f"batch of {values.size}": stages}, bins=30)
    ends = np.concatenate([stage.ravel() for stage in stages.values()])
    for ax in figure.axes:
        ax.set_xlim(ends.min() - 0.5, ends.max() + 0.5)
    return figure


def plot_maps(
    rows, titles=(), *, backgrounds=None, place=(0, 1), cmap="viridis", scale="own", side=1.1, label_width=None
):
    """Draw two-dimensional arrays as small pictures, such as feature maps, filters or class maps.

    Args:
        rows (dict[str, Sequence[numpy.ndarray]]): row name → pictures of shape (height, width), which may all differ.
        titles (Sequence[str]): captions of the columns, written once at the top.
        backgrounds (dict[str, numpy.ndarray], optional): row name → a grey square picture, which is drawn first and
            then shines through every map of the row.
        place (tuple[float, float]): where the maps begin and end on their background, as shares of its side.
        cmap (str): name of matplotlib's colour map.
        scale (str): `own`, each picture uses all colours; `row`, a colour means one value in all pictures of a row;
            `symmetric`, the same with 0 in the middle of the colour map.
        side (float): of a picture, in inches.
        label_width (int, optional): characters to leave room for in front of a row; by default the longest name's.
            Give it where the names depend on a result: then the size of the figure does not.

    Returns:
        Figure: a grid of pictures.
    """
    columns = max(map(len, rows.values())) + bool(backgrounds)
    label_width = label_width or max(len(line) for name in rows for line in name.split("\n"))
    size = (side * columns + 0.08 * label_width + 0.2, (side + 0.05) * len(rows) + 0.3)
    figure = Figure(size, dpi=90, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, (name, pictures) in zip(grid, rows.items(), strict=True):
        style, values = {"cmap": cmap}, np.concatenate([np.ravel(picture) for picture in pictures])
        if scale == "row":
            style |= {"vmin": values.min(), "vmax": values.max()}
        elif scale == "symmetric":
            style |= {"vmin": -abs(values).max(), "vmax": abs(values).max()}
        if backgrounds:
            for ax in axes[: len(pictures) + 1]:
                ax.imshow(backgrounds[name], cmap="gray", extent=(0, 1, 0, 1))
            low, high = place
            style |= {"extent": (low, high, 1 - high, 1 - low), "alpha": 0.6}
        for ax, picture in zip(axes[bool(backgrounds) :], pictures, strict=False):
            ax.imshow(picture, **style)
        for ax in axes:
            if backgrounds:
                ax.set(xlim=(0, 1), ylim=(0, 1))
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize="small")
    for ax, title in zip(grid[0], titles, strict=False):
        ax.set_title(title, fontsize="small")
    return figure


def plot_bars(panels, *, shares=False, same_scale=False):
    """Draw horizontal bars side by side in panels that share their rows; a bar may be stacked of several parts.

    Args:
        panels (dict[str, dict[str, float | dict[str, float]]]): title → row → length of the bar, or of its parts by
            name; the rows, and the parts where there are any, are the same in all panels.
        shares (bool): whether to write each bar's share of the panel's total beside it, instead of its length.
        same_scale (bool): whether a length means the same in all panels.

    Returns:
        Figure: one panel a title.
    """
    rows = list(next(iter(panels.values())))
    figure = Figure(figsize=(9, 0.32 * len(rows) + 1.1), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=same_scale, sharey=True)[0]
    longest = 0.0
    for ax, (title, bars) in zip(axes, panels.items(), strict=True):
        parts = {row: bar if isinstance(bar, dict) else {"": bar} for row, bar in bars.items()}
        ends = np.zeros(len(rows))
        for i, name in enumerate(parts[rows[0]]):
            lengths = np.array([parts[row][name] for row in rows], float)
            ax.barh(range(len(rows)), lengths, left=ends, color=PALETTE[i], label=name, height=0.7)
            ends += lengths
        for row, end in enumerate(ends):
            note = f"{end / ends.sum():.1%}" if shares else EngFormatter(sep=" ", places=1)(end)
            ax.annotate(note, (end, row), xytext=(3, 0), textcoords="offset points", va="center", fontsize="small")
        longest = max(longest if same_scale else 0, *ends)
        ax.set_xlim(0, longest * 1.2)
        ax.set_yticks(range(len(rows)), rows)
        ax.locator_params(axis="x", nbins=5)
        ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
        tidy(ax, title=title)
    axes[0].invert_yaxis()
    handles, names = axes[0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside right center", frameon=False)
    return figure


def plot_by_layer(panels, *, log=True):
    """Draw one number a layer, from the input to the output, as lines: a panel for each quantity.

    Args:
        panels (dict[str, dict[str, Sequence[float]]]): title → name of the line → a number for each layer.
        log (bool): whether the vertical axes are logarithmic.

    Returns:
        Figure: the number of the layer is on the horizontal axis.
    """
    figure = Figure(figsize=(3.2 * len(panels) + 1.2, 2.8), dpi=85, layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        for i, (name, values) in enumerate(lines.items()):
            style = {"color": PALETTE[i % len(PALETTE)], "marker": "osD^vP*"[i % 7], "markersize": 4}
            ax.plot(range(1, len(values) + 1), values, label=name, **style)
        if log:
            ax.set_yscale("log")
        ax.locator_params(axis="x", integer=True)
        tidy(ax, "layer", title=title)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def plot_points(points, xlabel, ylabel, *, log_x=False):
    """Draw named points.

    Args:
        points (dict[str, tuple[float, float]]): name → (x, y).
        xlabel (str): what x is.
        ylabel (str): what y is.
        log_x (bool): whether the horizontal axis is logarithmic.

    Returns:
        Figure: points of different colour and shape, and their names in a legend.
    """
    figure = Figure(figsize=(7.4, 3.4), layout="constrained")
    ax = figure.subplots()
    for i, (name, place) in enumerate(points.items()):
        style = {"color": PALETTE[i % len(PALETTE)], "marker": "osD^vP*"[i % 7], "markersize": 8, "linestyle": "none"}
        ax.plot(*place, label=name, **style)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center", frameon=False)
    if log_x:
        ax.set_xscale("log")
    ax.margins(0.15)
    tidy(ax, xlabel, ylabel)
    return figure
