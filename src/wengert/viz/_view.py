"""`python -m wengert view`: a saved graph in the terminal, as a picture, or in the browser."""

import sys

from ..graph import load
from ._show import save, show
from ._text import text


def run(path, out=None, *, limit=None, backward=False, browser=False):
    """Shows a saved graph.

    Args:
        path: a file that `wengert.graph.load` reads.
        out: a picture to write (`.html`, `.svg`, `.dot`, `.mmd`, `.txt`); None prints text.
        limit: the most lines of nodes and groups that are printed; None for all.
        backward: the text lists backward nodes too.
        browser: opens the interactive page in the web browser instead.

    Returns:
        The exit code: 0, or 1 with a sentence on standard error.
    """
    try:
        graph = load(path)
        if browser:
            print(show(graph).path)
        elif out is not None:
            save(graph, out)
            print(out)
        else:
            print(text(graph, limit=limit, backward=backward))
    except (OSError, ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        print(f"view: {error}", file=sys.stderr)
        return 1
    return 0
