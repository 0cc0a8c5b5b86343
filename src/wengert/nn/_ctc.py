"""Connectionist temporal classification, by the forward recursion in log space."""

import math

import wengert
from wengert import _host as host

from ._losses import reduced

_IMPOSSIBLE = -1e30  # finite, so that the gradient of logsumexp is 0 there and never NaN


def _numbers(lengths):
    """Lengths as a list of ints; None where they cannot be read, as a recorder watches."""
    if not isinstance(lengths, wengert.Tensor):
        return [int(n) for n in lengths] if isinstance(lengths, (list, tuple)) else [int(lengths)]
    return None if host.watched(lengths) else [int(n) for n in lengths.reshape(-1).tolist()]


def _padded_targets(targets, target_lengths, longest):
    """Targets as (N, longest); concatenated ones are cut apart by their lengths."""
    if targets.dim() == 2:
        return targets[:, :longest]
    padded = wengert.zeros((len(target_lengths), longest), dtype=targets.dtype)
    start = 0
    for row, length in enumerate(target_lengths):
        padded[row, :length] = targets[start : start + length]
        start += length
    return padded


def _wide_targets(targets, sizes, blank):
    """Targets as (N, as many as there can be), for lengths (N,) that are tensors."""
    longest = targets.shape[-1]
    position = wengert.arange(longest)
    if targets.dim() == 1:
        places = (sizes.cumsum(0) - sizes).unsqueeze(1) + position
        places = places.clamp(max=max(longest - 1, 0))
        targets = targets.index_select(0, places.reshape(-1)).reshape(len(sizes), longest)
    return wengert.where(position < sizes.unsqueeze(1), targets, blank)


def _check_batch(batch, count, targets_count):
    if count != batch or targets_count != batch:
        raise RuntimeError(
            f"ctc_loss: expected {batch} input_lengths and target_lengths, one for each sample, got {count} and "
            f"{targets_count}."
        )


@host.check("ctc_loss.input_lengths")
def _check_input_lengths(lengths, steps):
    longest = max(_numbers(lengths), default=0)
    if not 0 <= longest <= steps:
        raise RuntimeError(
            f"ctc_loss: expected input_lengths of at most {steps}, the steps of log_probs, got {longest}."
        )


@host.check("ctc_loss.target_lengths")
def _check_target_lengths(sizes, *shape):
    """`shape` is that of the targets: (N, S), or (sum of the lengths,)."""
    sizes = _numbers(sizes)
    wanted = (len(sizes), max(sizes, default=0)) if len(shape) == 2 else (sum(sizes),)
    if shape[0] != wanted[0] or shape[-1] < wanted[-1]:
        raise RuntimeError(
            f"ctc_loss: expected targets of shape {wanted} for these target_lengths, got {tuple(shape)}."
        )


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """Connectionist temporal classification (Graves et al., 2006), by the forward recursion in log space.

    Args:
        log_probs: (T, N, C) or (T, C), log-probabilities per step.
        targets: (N, S), or the concatenation of all targets.
        input_lengths: (N,), how many steps of each sample count.
        target_lengths: (N,), how long each target is.
        blank: the class of "no label".
        reduction: "mean" divides each loss by its target length first.
        zero_infinity: impossible alignments cost 0 instead of infinity.
    """
    is_batch = log_probs.dim() == 3
    if not is_batch:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.reshape(1, -1)
    steps, batch, _ = log_probs.shape
    known, known_sizes = _numbers(input_lengths), _numbers(target_lengths)
    lengths = wengert.as_tensor(input_lengths if known is None else known).reshape(-1)
    sizes = wengert.as_tensor(target_lengths if known_sizes is None else known_sizes).reshape(-1).long()
    _check_batch(batch, len(lengths), len(sizes))
    if known is None:
        lengths = host.checked("ctc_loss.input_lengths", lengths, steps)
    else:
        _check_input_lengths(known, steps)
        steps = max(known, default=0)
    if known_sizes is None:
        sizes = host.checked("ctc_loss.target_lengths", sizes, *targets.shape)
        targets = _wide_targets(targets, sizes, blank)
    else:
        _check_target_lengths(known_sizes, *targets.shape)
        targets = _padded_targets(targets, known_sizes, max(known_sizes))
    loss = _losses(log_probs, targets, lengths.unsqueeze(1), sizes.unsqueeze(1), blank, steps)
    loss = wengert.where(loss < -0.5 * _IMPOSSIBLE, loss, 0.0 if zero_infinity else math.inf)
    if reduction == "mean":
        return (loss / sizes.clamp(min=1)).mean()
    return reduced(loss if is_batch else loss.squeeze(0), reduction)


def _losses(log_probs, targets, lengths, sizes, blank, steps):
    """The loss of each sample, after at most `steps` steps; lengths and sizes are (N, 1)."""
    batch, longest = targets.shape
    # Labels with blanks between and around them: position 2 s + 1 is label s.
    states = 2 * longest + 1
    labels = wengert.full((batch, states), blank, dtype=wengert.long)
    labels[:, 1::2] = targets
    scores = log_probs.gather(2, labels.unsqueeze(0).expand(log_probs.shape[0], batch, states))
    may_skip = wengert.zeros((batch, states), dtype=wengert.bool)
    may_skip[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    alpha = wengert.where(wengert.arange(states) < 2, scores[0], _IMPOSSIBLE)
    border = wengert.full((batch, 2), _IMPOSSIBLE, dtype=log_probs.dtype)
    for step in range(1, steps):
        shifted = wengert.cat((border, alpha), 1)
        skipped = wengert.where(may_skip, shifted[:, :-2], _IMPOSSIBLE)
        moved = wengert.stack((alpha, shifted[:, 1:-1], skipped)).logsumexp(0) + scores[step]
        alpha = wengert.where(lengths > step, moved, alpha)
    last = 2 * sizes
    final = alpha.gather(1, wengert.cat((last, (last - 1).clamp(min=0)), 1))
    final = wengert.cat((final[:, :1], wengert.where(last > 0, final[:, 1:], _IMPOSSIBLE)), 1)
    return -final.logsumexp(1)
