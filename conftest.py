"""Settings of every pytest run."""

import os

import d2lhelpers  # noqa: F401  before any test imports mxnet, whose CUDA libraries it preloads

# The stored outputs are those of the cpu budget, on a GPU too; the notebooks' kernels inherit this.
os.environ.setdefault("D2L_BUDGET", "cpu")
