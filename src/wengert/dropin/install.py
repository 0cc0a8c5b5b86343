"""The switch: while it is on, ``import torch`` and everything below it is answered by wengert."""

import importlib.abc
import importlib.machinery
import importlib.metadata
import os
import sys
from pathlib import Path

from wengert import _core

from .names import VERSION, Alias, Torch, module_of

# A folder with a package `torch` that turns the switch on: how worker processes started by `spawn` find us.
SHIM = str(Path(__file__).parent / "path")
_TOPS = ("torch", "functorch")


def _is_torch(name):
    return name.partition(".")[0] in _TOPS


class _Loader(importlib.abc.Loader):
    """Hands out a module that exists already, and leaves it as it is."""

    def __init__(self, module):
        self._module = module
        self._spec = getattr(module, "__spec__", None)

    def create_module(self, spec):
        return self._module

    def exec_module(self, module):
        module.__spec__ = self._spec


class _Distribution(importlib.metadata.Distribution):
    """What packages read of an installed torch before they import it: its name and version."""

    def read_text(self, filename):
        return f"Metadata-Version: 2.1\nName: torch\nVersion: {VERSION}\n" if filename == "METADATA" else None

    def locate_file(self, path):
        return Path(SHIM) / path


class Finder(importlib.metadata.DistributionFinder):
    """Answers the names of torch. Below our module `torch` nobody else finds anything: its search path is empty."""

    def __init__(self):
        self.torch = Torch()

    def find_spec(self, name, path=None, target=None):
        if not _is_torch(name):
            return None
        module = self.torch if name == "torch" else module_of(name)
        if module is None:
            return None
        return importlib.machinery.ModuleSpec(name, _Loader(module), is_package=True)

    def find_distributions(self, context=importlib.metadata.DistributionFinder.Context()):  # noqa: B008
        return [_Distribution()] if context.name in (None, "torch") else []


class as_torch:  # noqa: N801  (reads as a function, like torch.no_grad)
    """Answers ``import torch`` with wengert, from the call until `restore`, or inside a ``with`` block.

    Every dotted name works: ``import torch.nn.functional as F``, ``from torch.utils.data import DataLoader``. An
    installed PyTorch is neither imported nor needed; if it was imported before, it is back afterwards. Modules that
    were first imported meanwhile, and got wengert for torch, keep it. Dtypes and shapes print as ``torch.float32``
    and ``torch.Size``. In a notebook a plain call at the top is enough.

    Returns:
        An object that gives the module `torch` in a ``with`` statement and has ``restore()``.

    Example:
        >>> import wengert
        >>> with wengert.as_torch():
        ...     import torch
        ...     import torch.nn.functional as F
        ...     print(F.relu(torch.tensor([-1.0, 2.0])), torch.cuda.is_available())
        tensor([0., 2.]) False
    """

    def __init__(self):
        self._finder = Finder()
        self._before = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_torch(name)}
        self._shown = _core.show_as("torch")
        self._on = True
        sys.meta_path.insert(0, self._finder)
        sys.path.insert(1, SHIM)  # behind the program's own folder, before an installed torch
        import torch.nn.modules  # noqa: F401  (attributes of torch.nn that programs use without importing them)

    def __enter__(self):
        return self._finder.torch

    def __exit__(self, *error):
        self.restore()

    def restore(self):
        """Puts everything back: the import system, an earlier torch, and how dtypes print."""
        if not self._on:
            return
        self._on = False
        sys.meta_path.remove(self._finder)
        sys.path.remove(SHIM)
        _core.show_as(self._shown)
        for name, module in list(sys.modules.items()):
            if _is_torch(name):
                del sys.modules[name]
            elif name.partition(".")[0] == "wengert":  # importing an alias has made it an attribute of our module
                for alias in [n for n, value in vars(module).items() if isinstance(value, Alias)]:
                    delattr(module, alias)
        sys.modules.update(self._before)


def share_with_children():
    """Lets Python processes that this one starts find us under the name torch, too."""
    paths = [SHIM, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
