"""The contestants' libraries: which are installed, and how many threads they may use."""

from __future__ import annotations

import importlib
from importlib import metadata
from types import ModuleType

# Order of the columns. "pure" is plain Python (wengert._pure), "numpy" a gradient derived and written by hand.
PEERS = ("wengert", "numpy", "pure", "torch", "autograd")


class Unavailable(Exception):
    """A contestant cannot run here; the message says why and is printed in its place."""


def load(name: str) -> ModuleType:
    """Import a library or a part of one, or raise Unavailable."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"{name} cannot be imported ({error})") from None


def compiler(name: str):
    """Return the library's ``compile``, or raise Unavailable where it has none."""
    found = getattr(load(name), "compile", None)
    if found is None:
        raise Unavailable(f"{name} has no compile")
    return found


def peer_of(contestant: str) -> str:
    """Return the library of a contestant: "wengert plan" belongs to "wengert"."""
    return contestant.split()[0]


def limit_threads(names: set[str], threads: int) -> None:
    """Give every tensor library the same number of threads (NumPy's BLAS is limited by the environment)."""
    for name in names & {"wengert", "torch"}:
        try:
            load(name).set_num_threads(threads)
        except Unavailable:
            continue


def versions(names: set[str]) -> dict[str, str]:
    """Return the versions of the installed libraries among ``names``."""
    found = {}
    for name in sorted(names - {"pure"}):
        try:
            found[name] = getattr(load(name), "__version__", None) or metadata.version(name)
        except (Unavailable, metadata.PackageNotFoundError):
            continue
    return found
