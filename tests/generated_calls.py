"""Calls of public functions for the tests of bad input: arguments that many functions accept, to be spoilt one by one."""

import inspect

NAMESPACES = ("", "nn.functional", "linalg", "special", "Tensor")

# Shapes and dtypes of common arguments, over a module `t`.
M, V, N = "t.eye(4)", "t.ones(4)", "t.arange(4)"
LINE, IMAGE, BOX = "t.ones(1, 4, 4)", "t.ones(1, 4, 4, 4)", "t.ones(1, 4, 4, 4, 4)"
GRID = f"{N}.expand(4, 4)"
CALLS = [
    *(f"({x},)" for x in (M, V, N)),
    *(f"({x}, {y})" for x, y in [(M, M), (M, V), (V, V), (N, N), (M, N), (V, M), (LINE, LINE), (V, N)]),
    *(f"({x}, {n})" for x in (M, V, N, LINE, IMAGE, BOX) for n in (1, 2)),
    *(f"({M}, {rest})" for rest in ("0.5", "1, 1", "(4, 4)", "2.0, 1, 0")),
    *(f"({M}, 0, {rest})" for rest in (N, f"{N}, {M}", f"{N}, {V}", GRID, f"{GRID}, {M}", f"{GRID}, 1", f"{V}")),
    *(f"({M}, {rest})" for rest in (f"{M} > 1, 1", f"{M} > 1", f"{M} > 1, {M}", f"{GRID}, 0", f"{N}, {V}")),
    *(f"({x}, {y}, {z})" for x, y, z in [(M, M, M), (V, M, V), (V, V, V), (M, V, V), (M, LINE, LINE), (LINE,) * 3]),
    f"({M}, {M}, {V})",
    f"({M} > 1, {M}, {M})",
    f"({LINE}, 2.0, 2)",
    *(f"({x}, 2{p}, 2)" for x in (IMAGE, BOX) for p in ("", ".0")),
    f"({LINE}, t.ones(4, 4, 2))",
    f"({LINE}, t.ones(4, 4, 2), {V})",
    f"({IMAGE}, t.ones(4, 4, 2, 2))",
    f"({IMAGE}, t.ones(4, 4, 2, 2), {V})",
    f"({BOX}, t.ones(4, 4, 2, 2, 2))",
    f"({BOX}, t.ones(4, 4, 2, 2, 2), {V})",
    f"({IMAGE}, t.zeros(1, 2, 2, 2))",
    f"([{M}, {M}],)",
    f"({M}, {M}, {M}, {M}, {V}, {V})",
    f"('ij,jk', {M}, {M})",
    f"({LINE}, (2, 2), 1)",
]
# These set what other tests rely on, or write files.
SETTINGS = {"seed", "manual_seed", "save", "from_file", "share_memory_", "compile"}


def members(module, namespace):
    """The functions of a namespace by name."""
    for part in filter(None, namespace.split(".")):
        module = getattr(module, part)
    found = {
        n: getattr(module, n, None) for n in dir(module) if not n.startswith(("_", "set_")) and n not in SETTINGS
    }
    return {n: f for n, f in found.items() if callable(f) and not inspect.isclass(f) and not inspect.ismodule(f)}


def raised(function, arguments):
    """The exception of a call, or None."""
    try:
        function(*arguments)
    except Exception as error:
        return error
    return None


def replaced(module, call, place, thing):
    """The arguments of a call, one of which is another thing."""
    arguments = list(eval(call, {"t": module}))
    arguments[place] = thing
    return arguments
