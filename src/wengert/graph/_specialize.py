"""A graph with sizes by name, made concrete."""

from ._composition import substitute
from ._graph_error import GraphError
from ._symbols import evaluate, guards_given, symbolic


def sizes_of(graph, tensors):
    """The sizes by name that input tensors give.

    Raises:
        RuntimeError: an input whose sizes are no such sizes, or two inputs that disagree.
    """
    sizes = {}
    for v, t in zip(graph.inputs, tensors, strict=True):
        want, got = graph.shapes[v], tuple(t.shape)
        fits = len(want) == len(got)
        if fits:
            for n, m in zip(want, got, strict=True):
                if symbolic(n) and len(n.terms) == 1 and n.terms[0][1] == 1 and len(n.terms[0][0]) == 1:
                    fits = fits and sizes.setdefault(n.terms[0][0][0], m) == m
        if not fits or tuple(evaluate(tuple(want), sizes)) != got:
            known = ", ".join(f"{name} = {n}" for name, n in sizes.items())
            raise RuntimeError(
                f"{graph.name}: expected shape {tuple(want)} for input {graph.label(v)!r}"
                f"{' with ' + known if known else ''}, got {got}."
            )
    return sizes


def specialize(graph, sizes):
    """A copy of a graph for sizes by name; numbers of values stay."""
    unknown = set(sizes) - set(graph.symbols)
    if unknown:
        raise ValueError(
            f"specialize: expected sizes among {graph.symbols}, got {sorted(unknown)}. graph.symbols lists them."
        )
    for name, n in sizes.items():
        if isinstance(n, bool) or not hasattr(n, "__index__") or n < 0:
            raise ValueError(f"specialize: expected a size of at least 0 for {name}, got {n!r}.")
    try:
        guards = guards_given(graph.guards, sizes)
    except ValueError as error:
        raise ValueError(f"specialize: {error}") from None
    made = graph.copy()
    made.symbols = [name for name in graph.symbols if name not in sizes]
    made.guards = guards
    substitute(made, sizes)
    try:
        made.check_shapes()
    except GraphError as error:
        shown = ", ".join(f"{name} = {n}" for name, n in sizes.items())
        raise ValueError(f"specialize: expected sizes that the graph serves, got {shown}: {error}") from None
    return made
