"""The questions that programs ask `torch.distributed` before they use it, answered as by a torch built without it.

One process computes; there are no collectives.
"""

from ._missing import explain

__getattr__ = explain(__name__)


def is_available():
    """Whether there are collectives: no."""
    return False


def is_initialized():
    """Whether a group of processes has been formed: no."""
    return False


def is_torchelastic_launched():
    """Whether torch's launcher started the process: no."""
    return False
