"""Python's `multiprocessing` with `spawn`, as programs import it from torch.

Tensors in shared memory (`Tensor.share_memory_`, `Module.share_memory`) travel without a copy, others by value.
"""

import multiprocessing as _multiprocessing
from multiprocessing import *  # noqa: F403


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Start processes that call ``fn(rank, *args)``.

    Args:
        fn: a function of a module; `rank` counts from 0.
        args: further arguments.
        nprocs: how many processes.
        join: wait for all of them; without it the processes are returned.
        daemon: whether they end with this process.
        start_method: "spawn", "fork" or "forkserver".

    Raises:
        RuntimeError: a process ended with another exit code than 0.
    """
    context = _multiprocessing.get_context(start_method)
    processes = [context.Process(target=fn, args=(rank, *args), daemon=daemon) for rank in range(nprocs)]
    for process in processes:
        process.start()
    if not join:
        return processes
    for process in processes:
        process.join()
    failed = [(rank, process.exitcode) for rank, process in enumerate(processes) if process.exitcode]
    if failed:
        rank, code = failed[0]
        raise RuntimeError(f"spawn: expected exit code 0 of every process, got {code} of process {rank}.")
    return None


def get_all_sharing_strategies():
    """The ways to share memory between processes that can be set."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy():
    """The way to share memory: descriptors of files without a name, whatever was set."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy):
    """Accepted; descriptors are sent in any case. ValueError for an unknown name."""
    if new_strategy not in get_all_sharing_strategies():
        raise ValueError(
            f"set_sharing_strategy: expected one of {get_all_sharing_strategies()}, got {new_strategy!r}."
        )
