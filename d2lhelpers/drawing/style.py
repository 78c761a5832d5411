"""One look for all figures; colours are those of Okabe & Ito (2008), which colour-blind readers can tell apart."""

import IPython.display
from matplotlib.figure import Figure
from matplotlib_inline import backend_inline
from matplotlib_inline.config import InlineBackend

BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW = "#0072B2 #E69F00 #009E73 #CC79A7 #56B4E9 #D55E00 #F0E442".split()
PALETTE = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, YELLOW)
GREY = "#999999"

# d2lzh 1.0.0 asks IPython for a function that has moved to matplotlib-inline: here again, whatever it plots works.
if not hasattr(IPython.display, "set_matplotlib_formats"):
    IPython.display.set_matplotlib_formats = backend_inline.set_matplotlib_formats


def _sharpen(shell):
    """Let a notebook show figures with two pixels for one, unless something else has been chosen."""
    inline = InlineBackend.instance(parent=shell)
    shown_as = [kind for kind, by in shell.display_formatter.formatters.items() if Figure in by.type_printers]
    if "figure_formats" not in inline.config.InlineBackend and shown_as in ([], ["image/png"]):
        inline.shell, inline.figure_formats = shell, {"retina"}


if IPython.get_ipython():  # here, as a magic in the chapters would keep them from being run as plain Python
    _sharpen(IPython.get_ipython())


def set_figsize(figsize=(3.5, 2.5)):
    """Set the size of the figures that `plt` makes.

    Args:
        figsize (tuple[float, float]): width and height in inches.

    Source: `d2lzh.set_figsize`.
    """
    import matplotlib.pyplot as plt  # here, as only those who plot by hand wait for it

    plt.rcParams["figure.figsize"] = figsize


def tidy(ax, xlabel=None, ylabel=None, title=None):
    """Label the axes of a chart, and take away the lines that frame nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_title(title, fontsize="medium")


def curve(i, markersize=4):
    """Return how to draw the i-th curve; markers differ as well as colours, to be told apart in grey."""
    return {"color": PALETTE[i % len(PALETTE)], "marker": "osD^vP*"[i % 7], "markersize": markersize}
