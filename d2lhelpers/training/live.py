"""The live training curves."""

import io
import math
import time

import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from ..arguments import reason_of
from ..drawing.style import BLUE, GREEN, RED, tidy
from ..language import say


class LiveCurves:
    """Loss and accuracy curves with a progress bar, redrawn in place while a network trains.

    Only one display is made, with constant text, and then updated: so a stored notebook keeps the final picture.
    """

    def __init__(self, num_epochs):
        """Show an empty picture for a training of `num_epochs` epochs."""
        self.figure = Figure(figsize=(7.6, 2.7), dpi=100)
        # Fixed places (left, bottom, width, height) draw faster than a layout worked out anew for every picture.
        places = ((0.06, 0.85, 0.92, 0.04), (0.06, 0.19, 0.42, 0.52), (0.56, 0.19, 0.42, 0.52))
        bar, self.loss_ax, self.acc_ax = map(self.figure.add_axes, places)
        bar.set_axis_off()
        bar.set(xlim=(0, 1), ylim=(0, 1))
        bar.barh(0.5, 1, 1, color="#e8e8e8")
        (self.bar,) = bar.barh(0.5, 0, 1, color=GREEN)
        self.text = bar.set_title("", fontsize="medium", pad=3)
        (self.loss_line,) = self.loss_ax.plot([], [], color=BLUE)
        (self.train_line,) = self.acc_ax.plot([], [], color=BLUE, label="training accuracy")
        (self.test_line,) = self.acc_ax.plot([], [], "o-", color=RED, label="test accuracy", clip_on=False)
        for ax, title in ((self.loss_ax, "training loss"), (self.acc_ax, None)):
            tidy(ax, "epoch", title=title)
            ax.set_xlim(0, num_epochs)
        self.acc_ax.set_ylim(0, 1)
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "borderaxespad": 0}  # where the title would be
        self.legend = self.acc_ax.legend(ncols=2, frameon=False, fontsize="small", **place)
        self.handle = None
        self.next_draw = 0.0

    def due(self):
        """Tell whether it is time to draw: at most once a second, and at most a twentieth of the time."""
        return time.monotonic() >= self.next_draw

    def draw(self, history, fraction, text):
        """Draw the curves so far. Where that fails, it is said once and not tried again: the training goes on.

        Args:
            history (History): what has been measured.
            fraction (float): how much of the work is done, from 0 to 1.
            text (str): what to say above the bar.
        """
        if self.next_draw == math.inf:
            return
        start = time.monotonic()
        try:
            self._show(history, fraction, text)
        except Exception as error:  # of matplotlib, with the settings of its user, or of the notebook's display
            sentence = "The training curves cannot be drawn ({reason}); the training goes on without them."
            print(say(sentence, reason=reason_of(error)))
            self.next_draw = math.inf
        else:
            now = time.monotonic()
            self.next_draw = now + max(1.0, 20 * (now - start))

    def _show(self, history, fraction, text):
        epochs, losses, accuracies = np.array(history.steps).reshape(-1, 3).T
        self.loss_line.set_data(epochs, losses)
        self.train_line.set_data(epochs, accuracies)
        self.test_line.set_data(np.arange(1, len(history.test_acc) + 1), history.test_acc)
        self.loss_ax.set_ylim(0, max(losses[np.isfinite(losses)], default=1) * 1.05)
        for entry, name, values in zip(
            self.legend.get_texts(),
            ("training accuracy", "test accuracy"),
            (history.train_acc, history.test_acc),
            strict=True,
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
