"""Whatever a learner's code does, there is a verdict, and the notebook goes on."""

import random
import sys
import threading
import time

import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.exercises import judging
from d2lhelpers.exercises.judging import Exercise, judge
from mxnet import autograd, nd
from mxnet.gluon import nn


def verdict_on(function, *answer, seconds=0.5):
    return judge(Exercise("t.name", "Title", "●○○", 5, function, "It matters.", ("a hint",)), answer, seconds)


def endless():
    while True:
        pass


def endless_and_deaf():
    while True:
        try:
            while True:
                time.sleep(0.001)
        except:  # noqa: E722  what learners write
            pass


def endless_and_deaf_twice():
    try:
        endless_and_deaf()
    finally:
        endless_and_deaf()


def grows():
    while True:
        print("again")


@pytest.mark.parametrize("function", [endless, endless_and_deaf, endless_and_deaf_twice, grows])
def test_an_endless_loop(function):
    start = time.monotonic()
    verdict = verdict_on(function)
    assert time.monotonic() - start < 5
    assert verdict.status == "not yet"
    assert "still running after 0.5 seconds" in verdict.message
    assert sys.gettrace() is None


def test_the_clock_is_stopped_afterwards():
    assert verdict_on(lambda: None).status == "right"
    time.sleep(0.7)  # an alarm would end the tests here


def test_in_another_thread_it_works_without_a_clock():
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(verdict_on(lambda: 1 / 0)))
    thread.start()
    thread.join()
    assert "ZeroDivisionError" in verdicts[0].message


def divides():
    return 1 / 0


def mismatched():
    return nd.zeros((3, 4)) + nd.zeros((5, 6))


def fails_late():
    layer = nn.Conv2D(3, kernel_size=5)
    layer.initialize()
    layer(nd.zeros((1, 1, 3, 3)))


def recursive():
    return recursive()


def leaves():
    sys.exit(1)


def asserts():
    raise AssertionError


def long_message():
    raise ValueError("x" * 10_000)


def of_the_numpy_interface():
    nd.exp(mx.np.ones(3))


def for_the_numpy_interface():
    mx.np.exp(nd.ones(3))


def not_implemented():
    nn.Block()(nd.zeros(1))  # raises the error of a stub, but is none


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (divides, f"division by zero, in line {divides.__code__.co_firstlineno + 1} of its cell: return 1 / 0"),
        (mismatched, "could not be broadcast together with shapes [3,4] [5,6]"),
        (fails_late, "kernel size exceed input"),
        (recursive, "RecursionError"),
        (leaves, "SystemExit"),
        (asserts, "AssertionError, in line"),
        (long_message, "ValueError: xxx"),
        (of_the_numpy_interface, "Your code stopped: d2lhelpers works with mx.nd, not with MXNet's NumPy interface"),
        (for_the_numpy_interface, "Your code stopped: d2lhelpers works with mx.nd, not with MXNet's NumPy interface"),
        (not_implemented, "NotImplementedError"),
    ],
)
def test_an_exception(function, words):
    verdict = verdict_on(function)
    assert verdict.status == "not yet"
    assert words in verdict.message
    assert len(verdict.message) < 600
    assert "\n" not in str(verdict)


@pytest.mark.parametrize("make", [np.zeros, np.ones])
def test_an_array_that_does_not_fit(make):
    verdict = verdict_on(lambda: make((10**6, 10**6)) + 1)
    assert verdict.status == "not yet"
    assert "more memory than there is" in verdict.message
    assert verdict_on(lambda: np.ones((1000, 1000)) + 1).status == "right"


def test_with_a_gpu_memory_is_not_limited(monkeypatch):
    monkeypatch.setattr(judging, "try_gpu", lambda: mx.gpu())
    limits = judging.resource.getrlimit(judging.resource.RLIMIT_AS)
    seen = []
    verdict_on(lambda: seen.append(judging.resource.getrlimit(judging.resource.RLIMIT_AS)))
    assert seen == [limits]


def test_the_stop_button_gets_through():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verdict_on(stop)


def test_what_is_printed_is_counted_and_not_shown(capsys):
    def chatters():
        for i in range(12_345):
            print("epoch", i)
        print("warning", file=sys.stderr)

    verdict = verdict_on(chatters, seconds=20)
    assert verdict.status == "right"
    assert "12,346 lines" in verdict.message
    assert capsys.readouterr() == ("", "")


def test_the_state_of_the_notebook_is_put_back():
    def meddles():
        np.random.seed(1)
        random.seed(1)
        autograd.set_recording(True)
        autograd.set_training(True)
        mx.npx.set_np()
        raise ValueError

    np.random.seed(5)
    random.seed(5)
    expected = np.random.RandomState(5).rand(), random.Random(5).random()
    verdict_on(meddles)
    assert (np.random.rand(), random.random()) == expected
    assert not autograd.is_recording()
    assert not autograd.is_training()
    assert not mx.util.is_np_shape() and not mx.util.is_np_array()


def stub():
    raise NotImplementedError("exercise 3")


@pytest.mark.parametrize(("function", "answer"), [(stub, ()), (lambda a: None, (None,)), (lambda a, b: None, (1, ...))])
def test_a_stub_is_not_attempted(function, answer):
    verdict = verdict_on(function, *answer)
    assert verdict.status == "not attempted yet"
    assert str(verdict).startswith("t.name: not attempted yet. Fill in the whole stub")


def test_a_verdict_is_a_line_or_a_box():
    verdict = judging.Verdict("t.name", "not yet", "use <b> & run")
    assert repr(verdict) == "t.name: not yet. use <b> & run"
    assert "use &lt;b&gt; &amp; run" in verdict._repr_html_()
    boxes = {judging.Verdict("t.name", status, "")._repr_html_()[:200] for status in judging._LOOKS}
    assert len(boxes) == 3
