"""How the library was built, as texts: what programs print beside their versions."""

from . import _core


def show():
    """Instruction set and build flags, one on each line."""
    facts = {"instruction set": _core.isa(), **_core.build_flags()}
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def parallel_info():
    """The number of threads."""
    return f"threads: {_core.threads()}\n"
