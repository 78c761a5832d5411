"""A bank of wrong answers: each with words from the hint that its check must give."""

WRONG = []  # (name of the exercise, words of the message, parts of the answer)


def wrong(name, words, *answer):
    """Add a wrong answer; without one, decorate the function or class that is one."""

    def add(*answer):
        WRONG.append((name, words, answer))
        return answer[0]

    return add(*answer) if answer else add


from . import bn, googlenet, nin, vgg  # noqa: E402, F401  (each adds its own)
