"""Every figure of the course: functions that return a matplotlib figure, and the live training curves.

Colours are those of Okabe & Ito (2008), which colour-blind readers can tell apart.
"""

import io
import time

import d2lzh
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib_inline import backend_inline

BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW = "#0072B2 #E69F00 #009E73 #CC79A7 #56B4E9 #D55E00 #F0E442".split()
PALETTE = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, YELLOW)
GREY = "#999999"


def _use_png_display():
    backend_inline.set_matplotlib_formats("retina")


# d2lzh 1.0.0 asks IPython for a function that has moved to matplotlib-inline. Put right in this one place, its
# `set_figsize` and everything in it that plots works again.
d2lzh.utils.use_svg_display = _use_png_display


def _tidy(ax, xlabel=None, ylabel=None, title=None):
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


class LiveCurves:
    """Loss and accuracy curves with a progress bar, redrawn in place while a network trains.

    Only one display is made, with constant text, and then updated: so a stored notebook keeps the final picture.
    """

    def __init__(self, num_epochs):
        """Show an empty picture for a training of `num_epochs` epochs."""
        self.figure = Figure(figsize=(7.6, 2.7), dpi=120)
        # Fixed places (left, bottom, width, height) draw faster than a layout worked out anew for every picture.
        places = ((0.06, 0.85, 0.92, 0.04), (0.06, 0.19, 0.42, 0.52), (0.56, 0.19, 0.42, 0.52))
        bar, self.loss_ax, self.acc_ax = map(self.figure.add_axes, places)
        bar.set_axis_off()
        bar.set(xlim=(0, 1), ylim=(0, 1))
        bar.barh(0.5, 1, 1, color="#e8e8e8")
        (self.bar,) = bar.barh(0.5, 0, 1, color=GREEN)
        self.text = bar.set_title("", fontsize="medium", pad=3)
        (self.loss_line,) = self.loss_ax.plot([], [], color=BLUE)
        (self.train_line,) = self.acc_ax.plot([], [], color=BLUE, label="training")
        (self.test_line,) = self.acc_ax.plot([], [], "o-", color=RED, label="test", clip_on=False)
        for ax, title in ((self.loss_ax, "training loss"), (self.acc_ax, "accuracy")):
            _tidy(ax, "epoch", title=title)
            ax.set_xlim(0, num_epochs)
        self.acc_ax.set_ylim(0, 1)
        self.legend = self.acc_ax.legend(loc="center right", fontsize="small")
        self.handle = None
        self.next_draw = 0.0

    def due(self):
        """Tell whether it is time to draw: at most once a second, and at most a twentieth of the time."""
        return time.monotonic() >= self.next_draw

    def draw(self, history, fraction, text):
        """Draw the curves so far.

        Args:
            history (History): what has been measured.
            fraction (float): how much of the work is done, from 0 to 1.
            text (str): what to say above the bar.
        """
        start = time.monotonic()
        epochs, losses, accuracies = np.array(history.steps).reshape(-1, 3).T
        self.loss_line.set_data(epochs, losses)
        self.train_line.set_data(epochs, accuracies)
        self.test_line.set_data(np.arange(1, len(history.test_acc) + 1), history.test_acc)
        self.loss_ax.set_ylim(0, max(losses[np.isfinite(losses)], default=1) * 1.05)
        for entry, name, values in zip(
            self.legend.get_texts(), ("training", "test"), (history.train_acc, history.test_acc), strict=True
        ):
            entry.set_text(f"{name} {values[-1]:.3f}" if values else name)
        self.bar.set_width(fraction)
        self.text.set_text(text)
        png = io.BytesIO()
        self.figure.savefig(png, format="png")
        width, height = self.figure.get_size_inches() * 100
        bundle = {"image/png": png.getvalue(), "text/plain": "<training curves>"}
        size = {"image/png": {"width": int(width), "height": int(height)}}
        if self.handle is None:
            self.handle = display(bundle, raw=True, metadata=size, display_id=True)
        else:
            self.handle.update(bundle, raw=True, metadata=size)
        now = time.monotonic()
        self.next_draw = now + max(1.0, 20 * (now - start))


def plot_histories(histories, measures=("loss", "train_acc", "test_acc")):
    """Compare training runs, a panel for each measure.

    Args:
        histories (dict[str, History]): a name for each run.
        measures (tuple[str, ...]): which lists of a `History` to draw: `loss`, `train_acc`, `test_acc`, `seconds`.

    Returns:
        Figure: one curve a run in each panel; the epoch is on the horizontal axis.
    """
    titles = {"loss": "training loss", "train_acc": "training accuracy", "test_acc": "test accuracy"}
    figure = Figure(figsize=(3.2 * len(measures) + 1.6, 2.8), layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for ax, measure in zip(panels, measures, strict=True):
        for i, history in enumerate(histories.values()):
            values = getattr(history, measure)
            # Markers differ as well as colours, so that the curves can be told apart in grey.
            style = {"color": PALETTE[i % len(PALETTE)], "marker": "osD^vP*"[i % 7], "markersize": 4}
            ax.plot(range(1, len(values) + 1), values, **style)
        _tidy(ax, "epoch", title=titles.get(measure, measure))
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
            _tidy(ax, xlabel if i == len(rows) - 1 else None, row if j == 0 else None, column if i == 0 else None)
            ax.set_yticks([])
            mean, std = round(values.mean(), 2) + 0.0, values.std()  # + 0.0 makes −0.00 plain 0.00
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
            place = {"transform": ax.transAxes, "ha": "right", "va": "top", "fontsize": "x-small"}
            ax.text(0.98, 0.95, f"mean {mean:.2f}\nstd {std:.2f}", bbox=box, **place)
    return figure


def plot_shared_statistics():
    """Draw which numbers share one mean and one variance in batch norm.

    Returns:
        Figure: left, a dense layer's (batch, feature) matrix with one feature marked; right, a convolution's
        (batch, channel, height, width) stack of feature maps with one channel marked.
    """
    figure = Figure(figsize=(7.6, 2.9), layout="constrained")
    dense, conv = figure.subplots(1, 2, width_ratios=(2, 3))
    batch, features, side = 4, 5, 3

    def cell(ax, x, y, size, marked):
        face = ORANGE if marked else "#eef3f7"
        ax.add_patch(plt.Rectangle((x, y), size, size, facecolor=face, edgecolor="#555555", linewidth=0.6))

    for n in range(batch):
        for c in range(features):
            cell(dense, c, batch - 1 - n, 0.9, c == 1)
        for c in range(3):
            for h in range(side):
                for w in range(side):
                    cell(conv, c * 1.25 + w / side, (batch - 1 - n) * 1.25 + h / side, 1 / side, c == 1)
    dense.set_title("dense layer: one mean for each feature", fontsize="medium")
    conv.set_title("convolution: one mean for each channel", fontsize="medium")
    for ax, across in ((dense, "features"), (conv, "channels, each height × width pixels")):
        ax.set_xlabel(across)
        ax.set_ylabel("images of the batch")
        ax.set(xticks=[], yticks=[], aspect="equal")
        ax.spines[:].set_visible(False)
        ax.autoscale_view()
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
