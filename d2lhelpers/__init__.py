"""Helpers of the course: a drop-in for `import d2lzh as d2l` in its chapters, only faster."""

from .runtime import try_gpu  # isort: skip  (must come first: it loads MXNet)

from .data import get_fashion_mnist_labels, load_arrays, load_data_fashion_mnist
from .drawing.charts import (
    plot_bars,
    plot_batch_norm,
    plot_by_layer,
    plot_confusion,
    plot_distributions,
    plot_histories,
)
from .drawing.diagrams import plot_network, plot_pixel_network, plot_shared_statistics
from .drawing.pictures import plot_maps, plot_prediction, show_fashion_mnist
from .drawing.style import set_figsize
from .drawing.sweeps import plot_lines, plot_sweep
from .exercises import check, hint, progress
from .language import set_language
from .networks.summary import summary
from .settings import budget, by_budget, claim, set_seed
from .training import (
    Checkpoint,
    Cluster,
    History,
    confusion_matrix,
    evaluate_accuracy,
    fit,
    train,
    train_ch5,
)


def __getattr__(name):
    """Import pyplot and the sliders when they are asked for: they take a while."""
    if name == "plt":
        import matplotlib.pyplot as plt

        return plt
    if name == "explore":
        from .drawing.sliders import explore

        return explore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
