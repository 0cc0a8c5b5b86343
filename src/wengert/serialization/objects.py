"""Objects of classes in a saved state: how they are taken apart, and which may be put together again.

An object is written as Python's own protocol for copying describes it (`__reduce_ex__`): a function, its arguments, and a
state. Reading one imports the module of its class and calls into it, which plain states never need; so it is done
only for classes that the caller has named safe, or where the caller trusts the file (`weights_only=False`).
"""

import contextlib
import copyreg
import importlib
import types

from wengert.serialization.files import FormatError

_safe = {}  # "module.name" -> class or function


def path_of(thing):
    """The place of a class or a function as "module.name", or None: it cannot be found there again."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if isinstance(thing, types.BuiltinFunctionType) and module is None:
        module = "builtins"
    if not module or not name or "<" in name:
        return None
    try:
        found = _find(module, name)
    except (ImportError, AttributeError):
        return None
    return (module, name) if found is thing else None


def _find(module, name):
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def add_safe_globals(safe_globals):
    """Classes and functions that `load` may use although a file names them.

    Args:
        safe_globals: classes or functions, or pairs of one and the name "module.name" that stands for it in files.

    Example:
        >>> import argparse, io, wengert
        >>> file = io.BytesIO()
        >>> wengert.save({"args": argparse.Namespace(lr=0.1)}, file)
        >>> with wengert.serialization.safe_globals([argparse.Namespace]):
        ...     _ = file.seek(0)
        ...     wengert.load(file)
        {'args': Namespace(lr=0.1)}
    """
    for entry in safe_globals:
        thing, name = entry if isinstance(entry, tuple) else (entry, None)
        _safe[name or f"{thing.__module__}.{thing.__qualname__}"] = thing


def get_safe_globals():
    """The classes and functions given to `add_safe_globals`."""
    return list(_safe.values())


def clear_safe_globals():
    """Forgets the classes and functions given to `add_safe_globals`."""
    _safe.clear()


@contextlib.contextmanager
def safe_globals(safe_globals):
    """A block in which the given classes and functions are safe, as by `add_safe_globals`."""
    before = dict(_safe)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _safe.clear()
        _safe.update(before)


def taken_apart(obj, place):
    """The parts of an object: function, arguments, state, items of a list, items of a dict; None for what has a name.

    Raises:
        TypeError: its class says that it cannot be copied.
    """
    try:
        parts = (
            copyreg.dispatch_table[type(obj)](obj) if type(obj) in copyreg.dispatch_table else obj.__reduce_ex__(4)
        )
    except TypeError as error:
        raise TypeError(
            f"save: expected an object that can be copied, got {type(obj).__module__}.{type(obj).__qualname__} at "
            f"{place} ({error}). Save its state instead, or leave it out."
        ) from None
    if isinstance(parts, str):
        return None
    function, arguments, state, items, pairs = (*parts, None, None, None)[:5]
    return (
        function,
        arguments,
        state,
        None if items is None else list(items),
        None if pairs is None else list(pairs),
    )


def found(module, name, trusted):
    """The class or function that a file names.

    Raises:
        FormatError: it is neither safe nor trusted, or not there.
    """
    known = _safe.get(f"{module}.{name}")
    if known is not None:
        return known
    if not trusted:
        raise FormatError(
            f"load: expected plain state, got {module}.{name}. If you trust the file, pass weights_only=False, or "
            "name the class with wengert.serialization.add_safe_globals."
        )
    try:
        return _find(module, name)
    except (ImportError, AttributeError) as error:
        raise FormatError(f"load: expected {module}.{name}, which the file names, got {error}.") from error


def maker(module, name, trusted):
    """The function that makes an object, before its state is set; the ones that only make an instance of their first
    argument, a class that `found` has looked up, are safe."""
    if module == "copyreg" and name in ("__newobj__", "__newobj_ex__"):
        return getattr(copyreg, name)
    return found(module, name, trusted)


def restore(obj, state, items, pairs):
    """Sets the state of an object that has been made."""
    if items is not None:
        obj.extend(items)
    for key, value in pairs or ():
        obj[key] = value
    if state is None:
        return
    if hasattr(obj, "__setstate__"):
        obj.__setstate__(state)
        return
    plain, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if plain:
        obj.__dict__.update(plain)
    for name, value in (slots or {}).items():
        setattr(obj, name, value)
