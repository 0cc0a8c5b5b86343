"""Objects of classes in a saved state: all of them come back from a trusted file, and none from another."""

import argparse
import functools
import io
import math
import os
import pathlib

import pytest

import wengert
from wengert.serialization import FormatError


class Custom(dict):
    """A container of the user's."""


class Slots:
    """A class without a __dict__."""

    __slots__ = ("x",)


class Tree:
    """A class whose instances know each other."""

    def __init__(self, parent=None):
        self.parent, self.children = parent, []


class Net(wengert.nn.Module):
    """A model with everything that a module may hold."""

    def __init__(self):
        super().__init__()
        self.a, self.act = wengert.nn.Linear(2, 3), wengert.nn.functional.relu
        self.b = self.a  # the same module under two names
        self.register_buffer("count", wengert.tensor(3))

    def forward(self, x):
        return self.act(self.b(x)) * self.count


def trusted(obj):
    file = io.BytesIO()
    wengert.save(obj, file)
    file.seek(0)
    return wengert.load(file, weights_only=False)


def test_objects_come_back_from_a_trusted_file():
    model, x = Net(), wengert.ones(1, 2)
    again = trusted(model)
    assert type(again) is Net and again.a is again.b and (again(x) == model(x)).all()
    optimizer = wengert.optim.Adam(model.parameters())
    model(x).sum().backward()
    optimizer.step()
    both = trusted({"m": model, "o": optimizer})
    assert both["o"].param_groups[0]["params"][0] is both["m"].a.weight
    assert (both["o"].state[both["m"].a.weight]["exp_avg"] == optimizer.state[model.a.weight]["exp_avg"]).all()
    slots = Slots()
    slots.x = [1]
    assert trusted(slots).x == [1]
    tree = Tree()
    tree.children.append(Tree(tree))
    tree = trusted(tree)
    assert tree.children[0].parent is tree
    custom = trusted(Custom(a=1))
    assert type(custom) is Custom and custom == {"a": 1}
    plain = [
        pathlib.Path("a/b"),
        argparse.Namespace(lr=0.1),
        slice(1, 2),
        math.sqrt,
        Net,
        functools.partial(int, base=2),
    ]
    for value, back in zip(plain[:-1], trusted(plain)[:-1], strict=True):
        assert back == value and type(back) is type(value)
    assert trusted(plain)[-1]("101") == 5


def test_objects_are_refused_unless_they_are_named_safe():
    file = io.BytesIO()
    wengert.save({"m": Custom(a=1)}, file)
    name = f"{Custom.__module__}.Custom"
    for attempt in (dict(), dict(weights_only=True)):
        file.seek(0)
        with pytest.raises(FormatError, match=f"{name}.*weights_only=False"):
            wengert.load(file, **attempt)
    with wengert.serialization.safe_globals([Custom]):
        assert wengert.serialization.get_safe_globals() == [Custom]
        file.seek(0)
        assert wengert.load(file) == {"m": {"a": 1}}
    assert wengert.serialization.get_safe_globals() == []
    wengert.serialization.add_safe_globals([(Custom, name)])
    file.seek(0)
    assert type(wengert.load(file)["m"]) is Custom
    wengert.serialization.clear_safe_globals()


class Harmful:
    """What an attacker writes: a call with arguments instead of a class."""

    def __reduce__(self):
        return os.system, ("touch /tmp/harm-done",)


def test_a_file_that_names_a_function_does_not_call_it():
    file = io.BytesIO()
    wengert.save(Harmful(), file)
    file.seek(0)
    with wengert.serialization.safe_globals([Harmful]), pytest.raises(FormatError, match="posix.system|nt.system"):
        wengert.load(file)
