"""Settings of every pytest run."""

import os
import tempfile

import d2lhelpers  # noqa: F401  before any test imports mxnet, whose CUDA libraries it preloads

# The stored outputs are those of the cpu budget, on a GPU too; the notebooks' kernels inherit this.
os.environ.setdefault("D2L_BUDGET", "cpu")

# A learner's record of exercises is neither read nor touched; each run begins without one.
_record = tempfile.TemporaryDirectory()
os.environ["D2L_PROGRESS"] = os.path.join(_record.name, "progress.json")
