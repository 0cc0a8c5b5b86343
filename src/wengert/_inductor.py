"""The settings of `torch._inductor` that training programs set. They change nothing."""

from . import _compile_settings as config

__all__ = ["config"]
