"""Who answers a call: the modes that are entered, then the classes of the arguments, by `__torch_function__`.

Note [Exchanged code]. Functions of the package that are written in Python must not pay for a protocol that hardly a program
uses. Where something overrides calls, each of them gets other code, which asks first; its identity, which user code
compares, stays. When the last mode is left, and no class of the user's overrides, it has its own code again.
"""

import sys
import threading
from importlib import import_module
from types import FunctionType

from . import _core
from ._published import unseen

Tensor = _core.Tensor


class _Modes(threading.local):
    """The modes that this thread has entered, the innermost last."""

    stack = ()


_modes = _Modes()


def entered():
    """The modes that the thread has entered, the innermost last."""
    return _modes.stack


def enter(mode):
    """Makes a mode the innermost."""
    count(1, 1)
    _modes.stack = (*_modes.stack, mode)


def leave():
    """Takes the innermost mode away."""
    _modes.stack = _modes.stack[:-1]
    count(-1, -1)


class WithoutInnermost:
    """A context without the innermost mode: what a mode calls is not for itself."""

    def __enter__(self):
        self.stack = _modes.stack
        _modes.stack = self.stack[:-1]
        return self.stack[-1]

    def __exit__(self, *exception):
        _modes.stack = self.stack


def overrides(value):
    """Whether the class of a value has a `__torch_function__` that is not Tensor's own, and does not give way."""
    kind = type(value)
    own = getattr(kind, "__torch_function__", None)
    if own is None or getattr(kind, "_plain_results", False) or isinstance(value, type):
        return False
    return getattr(own, "__func__", own) is not Tensor.__torch_function__.__func__


def _takes_part(value):
    return overrides(value) or isinstance(value, Tensor) and type(value) is not Tensor and not _gives_way(value)


def _gives_way(value):
    return getattr(type(value), "_plain_results", False)


def asked(values):
    """One value of each class that takes part, subclasses before what they derive from; none where no class overrides."""
    if _core.subclasses_are_off():
        return []
    found = []
    for value in values:
        if _takes_part(value) and type(value) not in [type(v) for v in found]:
            place = next((i for i, v in enumerate(found) if issubclass(type(value), type(v))), len(found))
            found.insert(place, value)
    return found if any(overrides(v) for v in found) else []


def answer(function, values, args, kwargs):
    """What the innermost mode or else the classes of values make of a call.

    Raises:
        TypeError: all of them returned NotImplemented.
    """
    found = asked(values)
    types = tuple(type(v) for v in found)
    if _modes.stack:
        with WithoutInnermost() as mode:
            result = mode.__torch_function__(function, types, args, kwargs)
        if result is not NotImplemented:
            return result
    for value in found:
        result = value.__torch_function__(function, types, args, kwargs)
        if result is not NotImplemented:
            return result
    name = getattr(function, "__name__", function)
    who = [t.__name__ for t in types] or [type(m).__name__ for m in _modes.stack]
    raise TypeError(f"{name}: expected a __torch_function__ that takes it, got NotImplemented from {who}.")


def _given(args, kwargs):
    """The arguments and what lies in lists and tuples among them."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value


def _ask(function, args, kwargs):
    """answer() for a call of a public function; NOT_ASKED where nothing overrides it."""
    values = list(_given(args, kwargs))
    if not _modes.stack and not asked(values):
        return NOT_ASKED
    return answer(function, values, args, kwargs)


NOT_ASKED = _core.set_override_call(_ask)


# ---- functions in Python --------------------------------------------------------------------------------------------

_SPECIAL = frozenset(("__deepcopy__", "__format__", "__repr__"))  # methods that modes see
_MODULES = ("nn.functional", "nn.init", "linalg", "fft", "special")


def places():
    """Where public functions stand: a dict from a prefix of their names ("", "Tensor.", "linalg.") to what is there."""
    found = {"Tensor.": vars(Tensor), "": vars(sys.modules[__package__])}
    for name in _MODULES:
        names = vars(import_module(f"{__package__}.{name}"))
        found[f"{name}."] = {n: f for n, f in names.items() if n in names.get("__all__", (n,))}
    return found


def public_functions():
    """The public functions in Python that take part, each once."""
    found = {}
    for prefix, names in places().items():
        for name, value in names.items():
            hidden = unseen(prefix + name) or name.startswith("_") and name not in _SPECIAL
            if type(value) is FunctionType and not hidden:
                found[value] = None
    return list(found)


class _Exchanged:
    """What a public function does while something overrides calls: it asks, then runs its own code."""

    def __init__(self, function):
        self.function = function
        self.code = function.__code__
        self.own = FunctionType(
            self.code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        self.own.__kwdefaults__ = function.__kwdefaults__
        self.asking = _asking_code(self)

    def __call__(self, args, kwargs):
        result = _ask(self.function, args, kwargs)
        return self.own(*args, **kwargs) if result is NOT_ASKED else result


_TEMPLATES = {}  # by the number of free variables: code that calls a constant


def _asking_code(exchanged):
    """Code that hands its arguments to `exchanged`. Python demands as many free variables as the function has."""
    free = len(exchanged.code.co_freevars)
    if free not in _TEMPLATES:
        names = ", ".join(f"v{k}" for k in range(free))
        kept = f"\n        {names}," if free else ""
        text = (
            "def make():\n"
            + (f"    {' = '.join(names.split(', '))} = None\n" if free else "")
            + f"    def asking(*args, **kwargs):\n        exchanged = '<exchanged>'\n"
            f"        return exchanged(args, kwargs){kept}\n    return asking\n"
        )
        space = {}
        exec(compile(text, __file__, "exec"), space)
        _TEMPLATES[free] = space["make"]().__code__
    code = _TEMPLATES[free]
    constants = tuple(exchanged if c == "<exchanged>" else c for c in code.co_consts)
    return code.replace(co_consts=constants, co_name=exchanged.code.co_name)


_exchanged = {}  # function -> _Exchanged
_lock = threading.RLock()  # the collector may end a count while another one is taken


def count(change, modes=0):
    """Adds to the number of what overrides calls; functions in Python ask from the first on until the last is gone."""
    with _lock:
        now = _core.count_overriding(change, modes)
        if now == 0:
            for function, exchanged in _exchanged.items():
                function.__code__ = exchanged.code
        elif change > 0:
            for function in public_functions():
                if function not in _exchanged:
                    _exchanged[function] = _Exchanged(function)
                function.__code__ = _exchanged[function].asking


_counted = False


def count_class(cls):
    """Notes that a class overrides calls; from the first one on, all calls ask."""
    global _counted
    own = cls.__dict__.get("__torch_function__")
    if own is not None and isinstance(own, (classmethod, staticmethod, FunctionType)):
        count(0 if _counted else 1)
        _counted = True
