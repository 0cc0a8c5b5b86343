"""The questions that programs ask `torch.distributed` before they use it, answered as by a torch built without it.

One process computes; there are no collectives. Packages import their names all the same: they are there, and say so when
they are called.
"""

import types

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


def _without_group(name):
    def collective(*args, **kwargs):
        raise RuntimeError(
            f"distributed.{name}: expected a group of processes, got one process. Ask is_available() or is_initialized() "
            "first; both are False."
        )

    collective.__name__ = collective.__qualname__ = name
    collective.__doc__ = "Raises RuntimeError: there is no group of processes."
    return collective


all_gather, all_gather_object, all_reduce = map(_without_group, ("all_gather", "all_gather_object", "all_reduce"))
all_to_all, barrier, broadcast = map(_without_group, ("all_to_all", "barrier", "broadcast"))
broadcast_object_list, destroy_process_group = map(
    _without_group, ("broadcast_object_list", "destroy_process_group")
)
gather, get_rank, get_world_size = map(_without_group, ("gather", "get_rank", "get_world_size"))
get_backend, init_process_group, new_group = map(_without_group, ("get_backend", "init_process_group", "new_group"))
recv, reduce, reduce_scatter, scatter, send = map(
    _without_group, ("recv", "reduce", "reduce_scatter", "scatter", "send")
)
monitored_barrier = _without_group("monitored_barrier")


class ReduceOp:
    """The names of what collectives compute."""

    SUM, AVG, PRODUCT, MIN, MAX = "sum", "avg", "product", "min", "max"


class group:  # noqa: N801  (torch's name)
    """The group of all processes: none."""

    WORLD = None


class ProcessGroup:
    """A group of processes; there is none to make."""

    __init__ = _without_group("ProcessGroup")


class ZeroRedundancyOptimizer:
    """An optimizer whose state is shared among processes; there is none to make."""

    __init__ = _without_group("optim.ZeroRedundancyOptimizer")


class DTensor:
    """A tensor that is spread over processes; there is none to make."""

    __init__ = _without_group("tensor.DTensor")


# Collectives with gradients, under the names of torch.distributed.nn.
nn = types.SimpleNamespace(all_gather=all_gather, all_reduce=all_reduce, broadcast=broadcast, reduce=reduce)
# Calls between processes: packages look whether `rpc` has parts before they use it.
rpc = types.SimpleNamespace()
tensor = types.SimpleNamespace(DTensor=DTensor)
optim = types.SimpleNamespace(ZeroRedundancyOptimizer=ZeroRedundancyOptimizer)
