"""Names of `torch.utils.dlpack`: memory that libraries share."""

from wengert import from_dlpack  # noqa: F401  (a name of the module)


def to_dlpack(tensor):
    """A DLPack capsule over the tensor's memory. Raises BufferError for tensors that require grad."""
    return tensor.__dlpack__()
