"""What a training run measures, and how far Python may run ahead of the device."""

import time
from collections import deque
from dataclasses import dataclass, field

from ..runtime import mx
from ..threads import threads

SECONDS_AHEAD = 0.25  # of work that may be queued on the device: so long does the stop button take
BATCHES_AHEAD = 2, 32  # whatever that time says: enough to keep the device busy, few enough to hold in memory


@dataclass
class History:
    """What a training run measured; lists have one entry an epoch unless said otherwise.

    Attributes:
        loss: mean training loss over the epoch.
        train_acc: training accuracy over the epoch, measured while the weights were changing, from 0 to 1.
        test_acc: test accuracy after the epoch, from 0 to 1.
        seconds: duration, the test included.
        steps: (epochs done, loss, accuracy) about twenty times an epoch, each a mean since the entry before.
        stopped: why training ended early; empty when it did not.
    """

    loss: list = field(default_factory=list)
    train_acc: list = field(default_factory=list)
    test_acc: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    stopped: str = ""


def number(value):
    """Return a number as one of Python, and bring it from the device if it is there."""
    return float(value.asscalar()) if isinstance(value, mx.nd.NDArray) else value


def total(arrays):
    """Return the sum of numbers that lie on several devices, on the first of them."""
    first, *rest = arrays
    return mx.nd.add_n(first, *(array.as_in_context(first.context) for array in rest)) if rest else first


class Queue(deque):
    """Results that the device has yet to compute; waits where too much work is queued.

    It waits seldom and then for half of the queue: on two cores, each time that this thread wakes up between two
    batches it takes a core from the step, and all threads of the operator that runs then wait for that one.
    """

    def __init__(self):
        """Start the clock, and with the shortest queue."""
        super().__init__()
        self.limit, self.clock = BATCHES_AHEAD[0], time.perf_counter()
        threads.start()

    def push(self, array):
        """Add the newest result."""
        self.append(array)
        if len(self) > self.limit:
            done = [self.popleft() for _ in range(len(self) // 2 or 1)]
            done[-1].wait_to_read()
            now = time.perf_counter()
            pace, self.clock = (now - self.clock) / len(done), now
            least, most = BATCHES_AHEAD
            self.limit = min(max(int(SECONDS_AHEAD / pace), least), most)
            if array.context == mx.cpu():
                threads.adapt()
