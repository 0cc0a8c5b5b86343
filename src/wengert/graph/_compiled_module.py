"""Compiled functions and modules: a module around a module whose calls run by plans."""

import functools

from ..nn.module import Module
from ._compiled import Compiled
from ._page import Page


class CompiledModule(Page, Module):
    """What wengert.compile returns for a module: its child `_orig_mod` is the module itself, whose attributes it shows."""

    def __init__(self, module, fullgraph=False, memory_budget=None, exact=False):
        super().__init__()
        self._orig_mod = module
        self.train(module.training)

        def call(*args, **kwargs):
            return module(*args, **kwargs)

        self.__dict__["_compiled"] = Compiled(
            call, fullgraph, type(module).__name__, [("module", module)], memory_budget, exact
        )

    def forward(self, *args, **kwargs):
        return self._compiled(*args, **kwargs)

    def __reduce__(self):
        # A copy compiles a copy of the module, not the module itself.
        made = self._compiled
        return CompiledModule, (self._orig_mod, made.fullgraph, made.memory_budget, made.exact)

    @property
    def plan(self):
        """The plan that ran last, or was made last; None where there is none."""
        return self._compiled.plan

    def explain(self):
        """What became of the calls so far, as text."""
        return self._compiled.explain()

    def __getitem__(self, index):
        return self._orig_mod[index]

    def __len__(self):
        return len(self._orig_mod)

    def __getattr__(self, name):
        if "_orig_mod" not in self.__dict__:
            return super().__getattr__(name)
        return getattr(self._orig_mod, name)


def compiled(model, fullgraph, memory_budget=None, exact=False):
    """A function or module that runs by plans."""
    if isinstance(model, Module):
        return CompiledModule(model, fullgraph, memory_budget, exact)
    made = Compiled(model, fullgraph, memory_budget=memory_budget, exact=exact)
    return functools.update_wrapper(made, model, updated=())
