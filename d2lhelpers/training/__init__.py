"""Training: a loop, what it measures and shows, and what may be attached to it."""

from .checkpoint import Checkpoint
from .cluster import Cluster
from .evaluate import confusion_matrix, evaluate_accuracy
from .history import History
from .loop import fit, train, train_ch5
from .run import Callback, Run
