"""torch's counter of floating-point operations can be imported; nothing is counted."""

from ._python_dispatch import TorchDispatchMode


class FlopCounterMode(TorchDispatchMode):
    """Accepted to be made; entering it raises NotImplementedError."""

    def __init__(self, mods=None, depth=2, display=True, custom_mapping=None):
        pass
