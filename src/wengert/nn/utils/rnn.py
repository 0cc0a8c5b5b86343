"""Batches of sequences of different length: padded, and packed step by step."""

from typing import NamedTuple

import wengert


class _PackedFields(NamedTuple):
    data: object
    batch_sizes: object
    sorted_indices: object
    unsorted_indices: object


class PackedSequence(_PackedFields):
    """All steps of a batch without padding: `data` holds the first step of every sequence, then the second, and so
    on.

    Attributes:
        data: (sum of lengths, ...).
        batch_sizes: int64, how many sequences have each step; never increasing.
        sorted_indices: the order that made the lengths descending, or None if they were.
        unsorted_indices: its inverse.
    """

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """The same sequences with `data.to(...)`."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def float(self):
        """The same sequences as float32."""
        return type(self)(self.data.float(), *self[1:])

    def double(self):
        """The same sequences as float64."""
        return type(self)(self.data.double(), *self[1:])

    def cpu(self):
        """The same sequences: they are on the CPU."""
        return self

    @property
    def is_cuda(self):
        return False


def invert_permutation(permutation):
    """The permutation that undoes `permutation`; None for None."""
    if permutation is None:
        return None
    inverse = wengert.empty_like(permutation)
    inverse[permutation] = wengert.arange(permutation.numel())
    return inverse


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack (T, N, ...), or (N, T, ...) with `batch_first`, given each sequence's length.

    Raises:
        RuntimeError: a length is not positive, or `enforce_sorted` and the lengths are not descending.

    Example:
        >>> pack_padded_sequence(wengert.zeros(3, 2, 1), [3, 1]).batch_sizes.tolist()
        [2, 1, 1]
    """
    lengths = wengert.as_tensor(lengths, dtype=wengert.int64)
    order = None
    if not enforce_sorted:
        lengths, order = wengert.sort(lengths, descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = input.transpose(0, 1)
    sizes = lengths.tolist()
    if len(sizes) != input.shape[1]:
        raise RuntimeError(
            f"pack_padded_sequence: expected a length for each of {input.shape[1]} samples, got {len(sizes)} lengths."
        )
    if not sizes or sizes[-1] <= 0:
        raise RuntimeError(
            f"pack_padded_sequence: expected lengths of all samples above 0, got {min(sizes, default=0)}."
        )
    if any(a < b for a, b in zip(sizes, sizes[1:], strict=False)):
        raise RuntimeError(
            f"pack_padded_sequence: expected lengths in decreasing order, got {sizes[:8]}. Sort the samples, or pass "
            "enforce_sorted=False."
        )
    batch_sizes = [sum(size > step for size in sizes) for step in range(sizes[0])]
    data = wengert.cat([input[step, :count] for step, count in enumerate(batch_sizes)])
    return PackedSequence(data, wengert.tensor(batch_sizes, dtype=wengert.int64), order)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """Undo `pack_padded_sequence`: the padded tensor and the lengths, in the original order.

    Raises:
        ValueError: `total_length` is shorter than the longest sequence.
    """
    counts = sequence.batch_sizes.tolist()
    longest, batch = len(counts), counts[0]
    if total_length is not None and total_length < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input,"
            f" but got total_length={total_length} and max sequence length being {longest}"
        )
    steps = sequence.data.split(counts)
    shape = tuple(sequence.data.shape[1:])
    rows = []
    for step in steps:
        gap = batch - step.shape[0]
        if gap:
            step = wengert.cat((step, wengert.full((gap, *shape), padding_value, dtype=step.dtype)))
        rows.append(step)
    padded = wengert.stack(rows)
    if total_length is not None and total_length > longest:
        tail = wengert.full((total_length - longest, batch, *shape), padding_value, dtype=padded.dtype)
        padded = wengert.cat((padded, tail))
    lengths = wengert.tensor([sum(count > row for count in counts) for row in range(batch)], dtype=wengert.int64)
    if batch_first:
        padded = padded.transpose(0, 1)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(0 if batch_first else 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return padded, lengths


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Stack tensors (L_i, ...) to (longest, N, ...), or (N, longest, ...) with `batch_first`.

    Example:
        >>> pad_sequence([wengert.ones(2), wengert.ones(1)], batch_first=True).tolist()
        [[1.0, 1.0], [1.0, 0.0]]
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f"padding_side should be one of 'right' or 'left', but got {padding_side}")
    sequences = list(sequences)
    longest = max(sequence.shape[0] for sequence in sequences)
    rows = []
    for sequence in sequences:
        gap = longest - sequence.shape[0]
        if gap:
            fill = wengert.full((gap, *sequence.shape[1:]), padding_value, dtype=sequence.dtype)
            sequence = wengert.cat((sequence, fill) if padding_side == "right" else (fill, sequence))
        rows.append(sequence)
    return wengert.stack(rows, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The list of sequences that `pad_sequence` padded."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[: int(n)] for row, n in zip(padded_sequences, lengths, strict=True)]


def pack_sequence(sequences, enforce_sorted=True):
    """Pack a list of tensors (L_i, ...)."""
    lengths = wengert.tensor([sequence.shape[0] for sequence in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The list of sequences in a `PackedSequence`."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)
