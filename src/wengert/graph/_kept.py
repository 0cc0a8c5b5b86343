"""Which values of a loop's body its backward pass reads from a stack, instead of computing them again."""

from ..ops import TABLE
from ._needed import needed
from ._symbols import same_sizes

_PRODUCTS = frozenset({"matmul", "linear", "matmul_rows"})
_SUMS = frozenset({"add", "sub"})
_INNER = 16  # multiply-adds of an element from which on a stack is cheaper than the product


def worth_keeping(body, read):
    """The values of a body that are to be stacked over the steps, in order.

    A product is kept, or the sum that it is a part of, where nothing else reads it. Elementwise operations, views and
    lookups are computed again.

    Args:
        body: the graph.
        read: which of its values the backward pass reads, itself or to compute values again.
    """
    readers = {}
    for node in body.nodes:
        for v in node.values:
            readers.setdefault(v, []).append(node)
    ends = {v for _, v in body.outputs}
    found = {}
    for node in needed(body):
        if node.op not in _PRODUCTS:
            continue
        inner = body.shapes[node.inputs[0]][-1]
        if type(inner) is int and inner < _INNER:
            continue
        v = best = node.results[0]
        while v not in ends and len(readers.get(v, ())) == 1:
            (reader,) = readers[v]
            if not _is_elementwise(reader) or not same_sizes(body.shapes[reader.results[0]], body.shapes[v]):
                break
            v = reader.results[0]
            if v in read:
                best = v
            if reader.op not in _SUMS:
                break
        if best in read and body.dtypes[best].is_inexact:
            found[best] = None
    return list(found)


def _is_elementwise(node):
    row = TABLE.get(node.op)
    return row is not None and row.elementwise
