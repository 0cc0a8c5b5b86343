"""Making a batch of samples."""

import collections.abc
import copy
import re

import numpy as np

import wengert


def _is_named_tuple(value):
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _rebuild_mapping(original, entries):
    """Return ``entries`` in a mapping of the type of ``original``, or a dict where that type cannot be made."""
    try:
        if isinstance(original, collections.abc.MutableMapping):
            result = copy.copy(original)
            result.update(entries)
            return result
        return type(original)(entries)
    except TypeError:
        return entries


def _rebuild_sequence(original, entries):
    """Return ``entries`` in a sequence of the type of ``original``; tuples become lists, as in torch."""
    if isinstance(original, tuple):
        return entries
    try:
        if isinstance(original, collections.abc.MutableSequence):
            result = copy.copy(original)
            result[:] = entries
            return result
        return type(original)(entries)
    except TypeError:
        return entries


# Dtypes of NumPy arrays of texts and objects; packages use it by this name.
np_str_obj_array_pattern = re.compile(r"[SaUO]")


def _is_text_array(value):
    return (
        isinstance(value, (np.ndarray, np.generic)) and np_str_obj_array_pattern.search(value.dtype.str) is not None
    )


def default_convert(data):
    """Turn the NumPy arrays inside a sample into tensors; the rest stays as it is.

    Example:
        >>> import numpy, wengert
        >>> wengert.utils.data.default_convert({"x": numpy.zeros(2), "name": "a"})
        {'x': tensor([0., 0.], dtype=wengert.float64), 'name': 'a'}
    """
    if isinstance(data, wengert.Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if _is_text_array(data) else wengert.as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        return _rebuild_mapping(data, {key: default_convert(data[key]) for key in data})
    if _is_named_tuple(data):
        return type(data)(*map(default_convert, data))
    if isinstance(data, collections.abc.Sequence) and not isinstance(data, (str, bytes)):
        return _rebuild_sequence(data, [default_convert(entry) for entry in data])
    return data


def default_collate(batch):
    """Make one batch of a list of samples.

    Tensors and arrays are stacked along a new first axis, numbers become tensors (floats of float64), strings stay
    as they are; mappings, tuples and sequences are batched entry by entry, and tuples become lists.

    Raises:
        TypeError: a sample holds something else.
        RuntimeError: sequences of different lengths.

    Example:
        >>> import wengert
        >>> wengert.utils.data.default_collate([(1, "a"), (2, "b")])
        [tensor([1, 2]), ('a', 'b')]
    """
    first = batch[0]
    if isinstance(first, wengert.Tensor):
        return wengert.stack(list(batch), 0)
    if isinstance(first, np.ndarray):
        if _is_text_array(first):
            raise TypeError(_unknown(first.dtype))
        return default_collate([wengert.as_tensor(entry) for entry in batch])
    if isinstance(first, np.generic) and not _is_text_array(first):
        return wengert.as_tensor(np.asarray(batch))
    if isinstance(first, float):
        return wengert.tensor(batch, dtype=wengert.float64)
    if isinstance(first, int):
        return wengert.tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, collections.abc.Mapping):
        for sample in batch:
            if not first.keys() <= sample.keys():
                missing = sorted(map(repr, first.keys() - sample.keys()))
                raise KeyError(
                    f"default_collate: expected samples with the keys of the first, got one without {missing}."
                )
        return _rebuild_mapping(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if _is_named_tuple(first):
        return type(first)(*map(default_collate, zip(*batch, strict=True)))
    if isinstance(first, collections.abc.Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError(
                "default_collate: expected samples of equal size, got lengths "
                f"{sorted({len(sample) for sample in batch})}. Pad them, or pass a collate_fn."
            )
        return _rebuild_sequence(first, [default_collate(column) for column in zip(*batch, strict=True)])
    raise TypeError(_unknown(type(first)))


def _unknown(kind):
    return f"default_collate: expected tensors, numpy arrays, numbers, strings, dicts or lists, got {kind}."
