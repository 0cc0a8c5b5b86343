"""The contestants' libraries: which are installed, and how many threads they may use."""

from __future__ import annotations

import functools
import importlib
from importlib import metadata
from types import ModuleType

# Order of the columns. "pure" is plain Python (wengert._pure), "numpy" a gradient derived and written by hand.
PEERS = ("wengert", "numpy", "pure", "torch", "torch.compile", "jax", "autograd")


class Unavailable(Exception):
    """A contestant cannot run here; the message says why and is printed in its place."""


def load(name: str) -> ModuleType:
    """Import a library or a part of one, or raise Unavailable."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"{name} cannot be imported ({error})") from None


def compiler(name: str):
    """Return the library's ``compile``, or raise Unavailable where it has none, or none that works."""
    library = load(name)
    found = getattr(library, "compile", None)
    if found is None:
        raise Unavailable(f"{name} has no compile")
    if name == "torch":
        problem = _problem(library)
        if problem:
            raise Unavailable(f"torch.compile does not work here ({problem})")
    return found


@functools.cache
def _problem(torch: ModuleType) -> str:
    """What torch.compile says to a function of one operation: it needs a compiler of C++ that it finds."""
    try:
        torch.compile(lambda x: x * 2)(torch.ones(2))
    except Exception as error:  # whatever its compilers raise
        return str(error).strip().partition("\n")[0]
    return ""


def peer_of(contestant: str) -> str:
    """Return the peer of a contestant: "wengert plan" belongs to "wengert"."""
    return contestant.split()[0]


def _libraries(names: set[str]) -> set[str]:
    """The libraries of peers: "torch.compile" is torch."""
    return {name.partition(".")[0] for name in names}


def limit_threads(names: set[str], threads: int) -> None:
    """Give tensor libraries the same number of threads (NumPy's BLAS and jax are limited by the environment)."""
    for name in _libraries(names) & {"wengert", "torch"}:
        try:
            load(name).set_num_threads(threads)
        except Unavailable:
            continue


def versions(names: set[str]) -> dict[str, str]:
    """Return the versions of the installed libraries among ``names``."""
    found = {}
    for name in sorted(_libraries(names) - {"pure"}):
        try:
            found[name] = getattr(load(name), "__version__", None) or metadata.version(name)
        except (Unavailable, metadata.PackageNotFoundError):
            continue
    return found
