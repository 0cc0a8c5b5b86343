"""vmap: a function of one element becomes a function of a batch."""

import functools

from ._batching import BatchFrame, RandomWatch, wrap
from ._levels import call, expand, is_tensor, payload, recording
from ._trees import flatten, spread, unflatten


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """A function that runs `func` on every slice of its arguments at once and stacks the results.

    Args:
        func: takes and returns tensors, or trees of them (tuples, lists, dicts).
        in_dims: the dimension of each argument that counts the batch; None for arguments that all share. One int
            for all arguments, or a tuple with one entry (or tree of entries) for each.
        out_dims: where the batch goes in each result; an int for all, or a tuple.
        randomness: "error", "different" (each element draws its own numbers) or "same".
        chunk_size: elements at once; None for all.

    Raises:
        ValueError: dims do not fit the arguments, or batch sizes differ.
        RuntimeError: a random operation with randomness="error"; a value is read inside.

    Example:
        >>> import wengert
        >>> dots = wengert.func.vmap(lambda a, b: (a * b).sum())
        >>> dots(wengert.tensor([[1.0, 2.0], [3.0, 4.0]]), wengert.tensor([[1.0, 1.0], [2.0, 2.0]]))
        tensor([ 3., 14.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"vmap: expected randomness 'error', 'different' or 'same', got {randomness!r}.")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"vmap: expected a chunk_size of at least 1, got {chunk_size}.")

    @functools.wraps(func)
    def batched(*args, **kwargs):
        leaves, structure = flatten(args)
        if not args and not kwargs:
            raise ValueError("vmap: expected at least one argument, got none.")
        dims = spread(in_dims, args, "vmap")
        named, named_structure = flatten(kwargs)
        leaves = leaves + named
        dims = dims + [0 if is_tensor(v) else None for v in named]
        moved, size = _to_front(leaves, dims)

        def run(part, count):
            frame = BatchFrame(count, randomness)
            with frame, recording(RandomWatch(frame)):
                values = [wrap(frame, v) if d is not None else v for v, d in zip(part, dims, strict=True)]
                first = unflatten(values[: len(values) - len(named)], structure)
                out = func(*first, **unflatten(values[len(values) - len(named) :], named_structure))
            return _unwrap(frame, out, out_dims)

        if chunk_size is None or chunk_size >= size:
            results, form, _ = run(moved, size)
            return unflatten(results, form)
        parts = []
        for start in range(0, size, chunk_size):
            count = min(chunk_size, size - start)
            part = [
                call("slice", v, attrs=(0, start, count, 1)) if d is not None else v
                for v, d in zip(moved, dims, strict=True)
            ]
            parts.append(run(part, count))
        form, places = parts[0][1], parts[0][2]
        joined = []
        for k, place in enumerate(places):
            column = [part[0][k] for part in parts]
            joined.append(column[0] if place is None else call("cat", *column, attrs=(place,)))
        return unflatten(joined, form)

    return batched


def _move(t, source, target):
    """Dimension `source` at place `target`."""
    rank = len(t.shape)
    order = [d for d in range(rank) if d != source]
    order.insert(target, source)
    return t if order == list(range(rank)) else call("permute", t, attrs=(tuple(order),))


def _to_front(leaves, dims):
    """The batched leaves with the batch as dimension 0, and its size."""
    out, size = [], None
    for v, d in zip(leaves, dims, strict=True):
        if d is None:
            out.append(v)
            continue
        if not is_tensor(v):
            raise ValueError(
                f"vmap: expected a tensor for an argument with dim {d}, got {type(v).__name__}. Use None."
            )
        rank = len(v.shape)
        if not -rank <= d < rank:
            raise ValueError(f"vmap: expected a dim in [{-rank}, {rank - 1}] for shape {tuple(v.shape)}, got {d}.")
        n = v.shape[d % rank]
        if size is not None and n != size:
            raise ValueError(f"vmap: expected batches of one size, got {size} and {n}.")
        size = n
        out.append(_move(v, d % rank, 0))
    if size is None:
        raise ValueError("vmap: expected at least one batched argument, got None for all in_dims.")
    return out, size


def _unwrap(frame, out, out_dims):
    """Results without wrappers of `frame`, the batch where out_dims wants it: (leaves, structure, places)."""
    leaves, structure = flatten(out)
    dims = spread(tuple(out_dims) if isinstance(out_dims, list) else out_dims, out, "vmap")
    results, places = [], []
    for v, d in zip(leaves, dims, strict=True):
        if not is_tensor(v):
            raise ValueError(f"vmap: expected the function to return tensors, got {type(v).__name__}.")
        p = payload(v)
        mine = p is not None and p.frame is frame
        if d is None:
            if mine:
                raise ValueError("vmap: expected a result without a batch for out_dims=None, got one with a batch.")
            results.append(v)
            places.append(None)
            continue
        value = p.value if mine else expand(call("unsqueeze", v, attrs=(0,)), (frame.size, *v.shape))
        rank = len(value.shape)
        if not -rank <= d < rank:
            raise IndexError(f"vmap: expected out_dims in [{-rank}, {rank - 1}], got {d}.")
        results.append(_move(value, 0, d % rank))
        places.append(d % rank)
    return results, structure, places
