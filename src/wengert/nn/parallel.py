"""`DataParallel` as it is on a machine without a GPU, a wrapper; what takes several processes says that there is one."""

from .module import Module


class DataParallel(Module):
    """Calls the module that it wraps: without GPUs there is nothing to divide a batch over.

    Its state has the keys of the module's, with "module." in front, as in PyTorch.

    Args:
        module: the module, also there as the attribute `module`.
        device_ids, output_device, dim: accepted.

    Example:
        >>> import wengert
        >>> wrapped = wengert.nn.DataParallel(wengert.nn.Linear(2, 1))
        >>> list(wrapped.state_dict())
        ['module.weight', 'module.bias']
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module = module
        self.device_ids = []
        self.dim = dim

    def forward(self, *inputs, **kwargs):
        """The module's result."""
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """The name that programs import. Making one raises: training is in one process.

    Raises:
        RuntimeError: always; programs make one where `distributed.is_available()`, which is False.
    """

    def __init__(self, module, *args, **kwargs):
        raise RuntimeError(
            "DistributedDataParallel: expected a group of processes, got one process. Use the module itself."
        )
