"""From an answer to a verdict: run a check on a learner's code, whatever that code may do."""

import contextlib
import html
import inspect
import random
import signal
import sys
import sysconfig
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from IPython.utils.capture import capture_output

from ..arguments import NUMPY
from ..language import Sentence, say
from ..runtime import mx, try_gpu

try:
    import resource
except ImportError:  # a system without limits
    resource = None

SECONDS = 60  # what a check may take; on two quiet cores few take more than one, those of trained networks some
MEMORY = 2**31  # bytes that a check may take on top of what the kernel has: more than any needs

# What a verdict's status is compared with, in whatever language it is shown
NOT_ATTEMPTED, NOT_YET, RIGHT = (word.template for word in (say("not attempted yet"), say("not yet"), say("right")))
_LOOKS = {NOT_ATTEMPTED: ("○", "#777777"), NOT_YET: ("✗", "#D55E00"), RIGHT: ("✓", "#009E73")}


class NotYet(Exception):
    """Raised by a check: what is wrong with the answer, and what to try next."""


class _TimeIsUp(BaseException):
    """Not an `Exception`, so that a learner's `except Exception` does not swallow it."""


@dataclass(frozen=True)
class Exercise:
    """An exercise.

    Attributes:
        name: chapter and exercise, such as `bn.freeze`.
        title: as in the chapter's heading; like `why` and the hints in English, and shown in the reader's language.
        difficulty: from ●○○ to ●●●.
        minutes: that it takes.
        check: takes the answer's parts; raises `NotYet` unless they are right.
        why: one sentence on why the right answer matters.
        hints: from the first nudge to nearly the answer.
    """

    name: str
    title: str
    difficulty: str
    minutes: int
    check: Callable
    why: str
    hints: tuple


class Exercises(dict):
    """The exercises of a chapter, by name."""

    def __init__(self, chapter):
        """Start without any; `chapter` is what their names begin with."""
        super().__init__()
        self.chapter = chapter

    def add(self, name, **described):
        """Return a decorator that makes an exercise of a check; see `Exercise`."""

        def register(check):
            full = f"{self.chapter}.{name}"
            self[full] = Exercise(full, check=check, **described)
            return check

        return register


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer: a coloured box in a notebook, one line of text elsewhere.

    Attributes:
        name: of the exercise.
        status: `not attempted yet`, `not yet` or `right`.
        sentence: what is wrong and what to try, or why the answer matters.
    """

    name: str
    status: str
    sentence: str | Sentence

    @property
    def message(self):
        """The sentence in the reader's language."""
        return str(self.sentence)

    def __str__(self):
        values = {"name": self.name, "status": say(self.status), "sentence": self.sentence}
        return str(say("{name}: {status}. {sentence}", **values))

    __repr__ = __str__

    def _repr_html_(self):
        sign, colour = _LOOKS[self.status]
        return box(f"{sign} {say(self.status)}", self.message, colour)


def box(title, text, colour):
    """Return HTML for a text with a coloured bar, which reads well on light and dark backgrounds.

    Args:
        title (str): a few words, bold.
        text (str): plain text.
        colour (str): of the bar, as #rrggbb.
    """
    style = f"border-left: 6px solid {colour}; background: {colour}22; padding: 0.5em 0.8em; max-width: 50em"
    title = say("{title}.", title=html.escape(title))
    return f'<div style="{style}"><b>{title}</b> {html.escape(text)}</div>'


class _Counter:
    """Takes the place of standard output: counts lines and keeps none, since there may be millions."""

    def __init__(self):
        self.lines = 0

    def write(self, text):
        self.lines += text.count("\n")
        return len(text)

    def flush(self):
        pass


@contextlib.contextmanager
def _quietly(counter):
    """Count what is printed, drop what is displayed or warned of."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(capture_output(stdout=False, stderr=False, display=True))
        stack.enter_context(contextlib.redirect_stdout(counter))
        stack.enter_context(contextlib.redirect_stderr(counter))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _same_state():
    """Put back the random numbers and the modes of MXNet that the answer may have changed."""
    autograd, states = mx.autograd, (np.random.get_state(), random.getstate())
    modes = autograd.is_recording(), autograd.is_training()
    numpy_modes = mx.util.is_np_shape(), mx.util.is_np_array()
    mx.npx.reset_np()  # what a check hands over, and makes, is of mx.nd
    try:
        yield
    finally:
        np.random.set_state(states[0])
        random.setstate(states[1])
        autograd.set_recording(modes[0])
        autograd.set_training(modes[1])
        mx.npx.set_np(*numpy_modes)


@contextlib.contextmanager
def _time_limit(seconds):
    """Raise `_TimeIsUp` in code that takes longer; again at its next lines, should it catch that and go on."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield  # there is no way to interrupt
        return
    guard = sys._getframe(2)  # the caller of `with`; frame 1 is contextlib's

    def raise_again(frame, event, argument):
        if event == "line":
            raise _TimeIsUp
        return raise_again

    def ring(signum, frame):
        if frame.f_code.co_filename in (__file__, contextlib.__file__):
            return  # the answer is done, and so is the time
        sys.settrace(lambda *_: None)  # switches tracing on, and traces no function that is called from now on
        while frame not in (None, guard):
            frame.f_trace = raise_again
            frame = frame.f_back
        raise _TimeIsUp

    trace, handler = sys.gettrace(), signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.settrace(trace)
        signal.signal(signal.SIGALRM, handler)


@contextlib.contextmanager
def _memory_limit(extra):
    """Make an array larger than `extra` bytes a `MemoryError`, before the machine runs out of memory."""
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, AttributeError):  # not Linux
        yield
        return
    if try_gpu().device_type == "gpu":  # CUDA reserves more addresses than it ever uses
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + extra
    resource.setrlimit(resource.RLIMIT_AS, (wanted if soft < 0 else min(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def shorten(value, length=200):
    """Return what an object prints as, on one line of at most `length` characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"


_NOT_LEARNERS = tuple({str(Path(__file__).parents[1]), *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))})


def _explain(error):
    """Say what the learner's code raised, and where."""
    if "MXNet numpy ndarray" in str(error):
        return say("Your code stopped: {reason}", reason=NUMPY)
    text = str(error).rpartition("Check failed: ")[2].strip().partition("\n")[0]  # MXNet puts a stack around it
    name = type(error).__name__
    text = f"{name}: {shorten(text)}" if text else name
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_NOT_LEARNERS)]
    if own and own[-1].line:
        sentence = "Your code stopped with {error}, in line {number} of its cell: {line}."
        return say(sentence, error=text, number=own[-1].lineno, line=shorten(own[-1].line).rstrip("."))
    return say("Your code stopped with {error}.", error=text.rstrip("."))


def join(one, other):
    """Return two sentences, one after the other."""
    return say("{one} {other}", one=one, other=other)


def judge(exercise, answer, seconds=SECONDS):
    """Run the check of an exercise on an answer.

    Args:
        exercise (Exercise): the exercise.
        answer (tuple): the arguments of its check; None, the error of an untouched stub or another number of them is no
            attempt.
        seconds (float): what the check may take.

    Returns:
        Verdict: always; only the stop button gets through.
    """
    hint = say('For a hint: d2l.hint("{name}").', name=exercise.name)
    parts = inspect.signature(exercise.check).parameters
    if len(answer) != len(parts):
        call = f'd2l.check("{exercise.name}", {", ".join(parts)})'
        reason = say("Hand over {count} of your results: {call}.", count=len(parts), call=call)
        return Verdict(exercise.name, NOT_ATTEMPTED, join(reason, hint))
    counter = _Counter()
    try:
        with _same_state(), _memory_limit(MEMORY), _quietly(counter), _time_limit(seconds):
            if any(part is None or part is ... for part in answer):
                raise NotImplementedError("exercise")
            exercise.check(*answer)
            mx.nd.waitall()  # errors of MXNet's threads show only here
        reason = None
    except NotYet as error:
        (reason,) = error.args
    except _TimeIsUp:
        sentence = "Your code was still running after {seconds:g} seconds. Is there a loop that never ends?"
        reason = say(sentence, seconds=seconds)
    except MemoryError:
        reason = say("Your code asked for more memory than there is. How large is what it makes?")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, NotImplementedError) and str(error).startswith("exercise"):
            reason = say("Fill in the whole stub, run it, then run this cell again.")
            return Verdict(exercise.name, NOT_ATTEMPTED, join(reason, hint))
        reason = _explain(error)
    with contextlib.suppress(mx.base.MXNetError):  # what is still queued may fail as well
        mx.nd.waitall()
    sentence = join(reason, hint) if reason else say(exercise.why)
    if counter.lines:
        note = say("(What your code printed meanwhile is not shown: {lines:,} lines.)", lines=counter.lines)
        sentence = join(sentence, note)
    return Verdict(exercise.name, NOT_YET if reason else RIGHT, sentence)
