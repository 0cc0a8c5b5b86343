"""Stand-ins for what programs import from torch and may never call: the names are there and say so when they are used.

`wengert check` counts a stand-in as missing where a program calls it.
"""


def stand_in(name, instead):
    """A function of that name which raises NotImplementedError.

    Args:
        name: the name below `torch.`, for the message.
        instead: what to do, as a sentence without its point.
    """

    def absent(*args, **kwargs):
        raise NotImplementedError(f"{name}: expected PyTorch's own, got wengert, which has none. {instead}.")

    absent.__name__ = absent.__qualname__ = name.rpartition(".")[2]
    absent.__doc__ = f"Raises NotImplementedError. {instead}."
    absent.stands_in = True
    return absent


def stand_in_class(name, instead):
    """A class of that name without instances: isinstance() and subclassing work, making one raises NotImplementedError."""
    refuse = stand_in(name, instead)
    own = {"__init__": refuse, "__doc__": refuse.__doc__, "stands_in": True}
    return type(name.rpartition(".")[2], (), own)
