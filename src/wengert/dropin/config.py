"""Names of `torch.__config__`: how the library was built."""

from wengert import _core


def show():
    """The library and the instruction set that it uses, as text."""
    return f"wengert\n  - CPU capability usage: {_core.isa()}\n"


def parallel_info():
    """How many threads compute, as text."""
    return f"wengert\n  threads: {_core.threads()}\n"
