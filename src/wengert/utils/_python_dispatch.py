"""What programs import of torch's dispatch modes: there is no level below `__torch_function__` that they could see."""


class TorchDispatchMode:
    """A context that sees every operation: it can be subclassed, entering it raises NotImplementedError."""

    def __enter__(self):
        raise NotImplementedError(
            f"{type(self).__name__}: expected a library that asks dispatch modes, got wengert. Use wengert.record or the "
            "profiler to see operations."
        )

    def __exit__(self, kind, value, trace):
        pass


def is_traceable_wrapper_subclass(t):
    """Whether a tensor wraps others; none does."""
    return False
