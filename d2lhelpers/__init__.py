"""Helpers of the course: a drop-in for `import d2lzh as d2l` in its chapters, only faster."""

from .runtime import budget, by_budget, try_gpu, verdict  # isort: skip  (must come first: it loads MXNet)

import matplotlib.pyplot as plt
from d2lzh import get_fashion_mnist_labels, set_figsize

from .chapters import definitions
from .data import load_arrays, load_data_fashion_mnist
from .diagrams import plot_network, plot_shared_statistics
from .exercises import check, hint, progress
from .history import History
from .plotting import (
    plot_bars,
    plot_batch_norm,
    plot_by_layer,
    plot_confusion,
    plot_distributions,
    plot_histories,
    plot_maps,
    plot_points,
    plot_prediction,
    show_fashion_mnist,
)
from .seeds import set_seed
from .summary import summary
from .training import confusion_matrix, evaluate_accuracy, fit, train, train_ch5
from .widgets import explore

__all__ = [
    "History",
    "budget",
    "by_budget",
    "check",
    "confusion_matrix",
    "definitions",
    "evaluate_accuracy",
    "explore",
    "fit",
    "get_fashion_mnist_labels",
    "hint",
    "load_arrays",
    "load_data_fashion_mnist",
    "plot_bars",
    "plot_batch_norm",
    "plot_by_layer",
    "plot_confusion",
    "plot_distributions",
    "plot_histories",
    "plot_maps",
    "plot_network",
    "plot_points",
    "plot_prediction",
    "plot_shared_statistics",
    "plt",
    "progress",
    "set_figsize",
    "set_seed",
    "show_fashion_mnist",
    "summary",
    "train",
    "train_ch5",
    "try_gpu",
    "verdict",
]
