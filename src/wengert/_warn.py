"""Warnings that point at the user's line, however deep in the library they are raised."""

import sys
import warnings


def warn(message, category=UserWarning):
    """`warnings.warn` at the nearest caller outside of the library, so that filters by module and the shown line are
    the user's."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
