"""Helpers that optimizers outside of this library import from `torch.utils._foreach_utils`."""

__all__ = []


def _get_foreach_kernels_supported_devices():
    """No device here has kernels for lists of tensors."""
    return []


def _get_fused_kernels_supported_devices():
    """No device here has fused optimizers under that name."""
    return []


def _group_tensors_by_device_and_dtype(tensorlistlist, with_indices=False):
    """Columns of parallel lists of tensors (or None), grouped by device and dtype of the first list's.

    Returns:
        A dict from (device, dtype) to the lists of the group and the columns' numbers (empty unless asked for).
    """
    groups = {}
    for column, entries in enumerate(zip(*tensorlistlist, strict=True)):
        key = (entries[0].device, entries[0].dtype)
        lists, indices = groups.setdefault(key, ([[] for _ in tensorlistlist], []))
        for own, entry in zip(lists, entries, strict=True):
            own.append(entry)
        if with_indices:
            indices.append(column)
    return groups
