"""Other functions in the place of functions, while a program is recorded."""

import builtins

from wengert.nn import Module
from wengert.nn.module import NAMES

from .node import map_aggregate
from .proxy import Proxy

_ABSENT = object()
_wrapped_fns_to_patch = {}  # (id of a module's globals, name) -> the globals
_wrapped_methods_to_patch = []  # (class, name)


def _looking_up(found_by_name):
    """A `__getattribute__` for modules that hands what they register to `found_by_name`.

    Modules repeat their parameters, buffers and children in the instance's dict, where `__getattr__` is not asked.
    """

    def lookup(module, name):
        own = object.__getattribute__(module, "__dict__")
        for registry in NAMES:
            if name in own.get(registry, ()):
                return found_by_name(module, name)
        return object.__getattribute__(module, name)

    return lookup


class _Patcher:
    """A context in which names of dicts and classes have other values; what was there comes back, the last first."""

    def __init__(self):
        self._changes = []
        self._visited = set()
        self._seen = set()

    def patch(self, frame_dict, name, new_fn, deduplicate=True):
        """Puts a function into a dict, once where `deduplicate` is set."""
        self._change(
            frame_dict, name, new_fn, deduplicate, frame_dict.__setitem__, frame_dict.__delitem__, frame_dict
        )

    def patch_method(self, cls, name, new_fn, deduplicate=True):
        """Puts a method into a class. `Module.__getattr__` is asked for all that a module registers."""
        if cls is Module and name == "__getattr__":
            name, new_fn = "__getattribute__", _looking_up(new_fn)
        own = vars(cls)
        self._change(
            cls, name, new_fn, deduplicate, lambda n, v: setattr(cls, n, v), lambda n: delattr(cls, n), own
        )

    def _change(self, owner, name, value, deduplicate, put, drop, now):
        if deduplicate and (id(owner), name) in self._seen:
            return
        self._seen.add((id(owner), name))
        self._changes.append((name, now.get(name, _ABSENT), put, drop))
        put(name, value)

    def visit_once(self, thing):
        """Whether an object is met for the first time."""
        if id(thing) in self._visited:
            return False
        self._visited.add(id(thing))
        return True

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        while self._changes:
            name, before, put, drop = self._changes.pop()
            drop(name) if before is _ABSENT else put(name, before)
        self._visited.clear()


def find_proxy(*arguments):
    """The first proxy in arguments; None where there is none."""
    found = []
    map_aggregate(arguments, lambda v: found.append(v) if isinstance(v, Proxy) else None)
    return found[0] if found else None


def recorded_whole(function):
    """A function whose calls with proxies become one node each."""

    def wrapped(*args, **kwargs):
        proxy = find_proxy(args, kwargs)
        if proxy is None:
            return function(*args, **kwargs)
        result = proxy.tracer.create_proxy("call_function", function, args, kwargs)
        result.node.meta["is_wrapped"] = True
        return result

    wrapped.__name__ = getattr(function, "__name__", "wrapped")
    return wrapped


def _recorded_method(cls, name):
    original = getattr(cls, name)

    def wrapped(*args, **kwargs):
        proxy = find_proxy(args, kwargs)
        if proxy is None:
            return original(*args, **kwargs)
        return proxy.tracer.create_proxy("call_method", name, args, kwargs)

    return wrapped


def _patch_wrapped_functions(patcher):
    """Puts functions that `fx.wrap` marked in where their modules look them up."""
    for (_, name), space in list(_wrapped_fns_to_patch.items()):
        function = space.get(name, getattr(builtins, name, None))
        if function is not None:
            patcher.patch(space, name, recorded_whole(function))
    for cls, name in _wrapped_methods_to_patch:
        patcher.patch_method(cls, name, _recorded_method(cls, name))


def _autowrap_check(patcher, frame_dict, function_ids):
    """Does the same for functions of a module's globals that are known by identity."""
    if patcher.visit_once(frame_dict):
        for name, value in list(frame_dict.items()):
            if not name.startswith("_") and callable(value) and id(value) in function_ids:
                patcher.patch(frame_dict, name, recorded_whole(value))
