"""Programs that are run twice, as they are written and compiled, and must do the same."""

import warnings

import wengert as w


def run(program):
    """What a program gives plainly, what it gives compiled, and the compiled functions.

    A program takes `compile`, calls compiled functions often enough for plans to be made, and returns a list of Python
    values: whatever the calls gave and changed.
    """
    made = []

    def compiled(fn):
        fast = w.compile(fn, exact=True)
        made.append(getattr(fast, "_compiled", fast))
        return fast

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return program(lambda fn: fn), program(compiled), made


class Programs:
    """A list of programs: those that plans must run, and those that must say why not."""

    def __init__(self):
        self.all = []
        self.reasons = {}

    def __call__(self, program):
        """One that plans run, at least in part."""
        self.all.append(program)
        return program

    def refused(self, reason):
        """One that is not captured; `reason` is part of the message."""

        def take(program):
            self.all.append(program)
            self.reasons[program.__name__] = reason
            return program

        return take

    def unlike_any(self, program):
        """One whose calls run plainly without a word: another call may be captured."""
        self.all.append(program)
        self.reasons[program.__name__] = ""
        return program

    def check(self, program):
        plain, compiled, made = run(program)
        assert repr(plain) == repr(compiled)
        reason = self.reasons.get(program.__name__)
        if reason is None:
            assert any(fast.plans for fast in made), [fast.reason for fast in made]
        elif reason:
            assert any(fast.reason and reason in fast.reason for fast in made), [fast.reason for fast in made]
