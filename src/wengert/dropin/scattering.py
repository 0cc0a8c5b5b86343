"""What `torch.nn.parallel.scatter_gather` does with one device: nothing moves, containers come back in lists."""

from wengert._missing import explain

__getattr__ = explain(__name__)


def scatter(inputs, target_gpus, dim=0):
    """The parts of `inputs` for each device: there is one, which gets all."""
    _one(target_gpus)
    return (inputs,)


def scatter_kwargs(inputs, kwargs, target_gpus, dim=0):
    """`scatter` for arguments and keyword arguments."""
    _one(target_gpus)
    return (tuple(inputs or ()),), (dict(kwargs or {}),)


def gather(outputs, target_device, dim=0):
    """What the devices gave, joined: that of the only one."""
    _one(outputs)
    return outputs[0]


def _one(devices):
    if len(devices) != 1:
        raise RuntimeError(
            f"scatter: expected one device, got {len(devices)}. This library computes on the CPU only."
        )
