"""What lies behind a Python object: the functions, classes, containers and values that code which uses it can read.

Code of the standard library, of NumPy and of this package is taken as it is: nothing behind it is looked at.
"""

import functools
import sys
import types

_LIBRARIES = frozenset({"wengert", "torch", "numpy", "builtins", *sys.stdlib_module_names}) - {"__main__"}
_HIDDEN = frozenset(
    {"__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__slots__", "_abc_impl"}
)


def is_library(module):
    """Whether a module of this name is taken as it is."""
    return (module or "").partition(".")[0] in _LIBRARIES


def is_own(value):
    """Whether a value is an instance of a class of this package."""
    return (type(value).__module__ or "").partition(".")[0] == "wengert"


def code_names(code):
    """The global names and attributes that a code object and those inside of it name, in order."""
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(code_names(constant))
    return names


def globals_of(function):
    """Triples (scope, name, value) of what a function reads by name: globals, and attributes of modules among them."""
    names = code_names(function.__code__)
    scopes = [function.__globals__]
    met = set()
    while scopes:
        scope = scopes.pop()
        for name in names:
            if name not in scope:
                continue
            value = scope[name]
            yield scope, name, value
            if isinstance(value, types.ModuleType) and id(value) not in met and not is_library(value.__name__):
                met.add(id(value))
                scopes.append(vars(value))


def cells_of(function):
    """Pairs (name, cell) of what a function closes over."""
    return zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)


def classes_of(cls):
    """A class and its bases, those of libraries left out."""
    return [c for c in cls.__mro__ if not is_library(c.__module__)]


def members_of(cls):
    """Pairs (name, value) of what instances of a class find in it: functions out of their descriptors, and values."""
    for name, value in list(vars(cls).items()):
        if name in _HIDDEN:
            continue
        if isinstance(value, property):
            yield from ((name, f) for f in (value.fget, value.fset) if f is not None)
        elif isinstance(value, (staticmethod, classmethod)):
            yield name, value.__func__
        elif isinstance(value, functools.cached_property):
            yield name, value.func
        else:
            yield name, value


def slots_of(cls):
    """The names of the slots of a class and its bases."""
    found = []
    for c in cls.__mro__:
        if is_library(c.__module__):
            continue
        slots = vars(c).get("__slots__", ())
        private = "_" + c.__name__.lstrip("_")
        for name in [slots] if isinstance(slots, str) else slots:
            found.append(private + name if name.startswith("__") and not name.endswith("__") else name)
    return tuple(name for name in found if name not in _HIDDEN)
