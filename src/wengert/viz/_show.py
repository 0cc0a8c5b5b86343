"""Pictures: one call that shows a graph, one that saves it."""

import os
import sys
import tempfile
from html import escape

from ._build import build, caller_names
from ._dot import dot
from ._mermaid import mermaid
from ._page import html
from ._svg import svg
from ._text import text

WRITERS = {
    ".html": html,
    ".svg": svg,
    ".dot": lambda model: dot(model, backward=True) + "\n",
    ".txt": lambda model: text(model, limit=None) + "\n",
    ".mmd": lambda model: mermaid(model) + "\n",
}


class Picture:
    """What `show` returns: a picture of a graph that notebooks display.

    Attributes:
        path: the page that was opened in the browser, or None.
    """

    def __init__(self, model, path=None):
        self._model = model
        self.path = path

    def _repr_html_(self):
        """The page inside a frame of its own, so that it and the notebook leave each other alone."""
        return (
            f'<iframe srcdoc="{escape(html(self._model))}" sandbox="allow-scripts" loading="lazy" '
            'style="width:100%;height:640px;border:1px solid #8884;border-radius:8px"></iframe>'
        )

    def __repr__(self):
        where = f", {self.path}" if self.path else ""
        return f"<Picture of {self._model.title}: {len(self._model)} nodes{where}>"


def picture(x, *example, names=None):
    """A picture of a graph, for notebooks: see `show`."""
    return Picture(build(x, *example, names=caller_names() if names is None else names))


def show(x, *example, names=None):
    """Shows a graph as an interactive page: in a notebook right there, else in the web browser.

    The page steps through the forward and the backward pass, finds nodes and paths, and opens groups. Make the graph
    inside `with wengert.record():` to see the values and gradients of all its nodes.

    Args:
        x: a tensor with history or a list of them, a Graph, a Plan or a compiled function or module (beside its graph), or a
            module.
        example: the inputs of a module; of static graphs inputs, where their values are to be shown.
        names: a dict from names to tensors and modules; the variables of the caller where it is None.

    Returns:
        A Picture, which notebooks display. Its `path` is the page that was opened (a file in the system's folder for
        temporary files), or None in a notebook.

    Raises:
        TypeError: something else is given.
        RuntimeError: no tensor has a history.
    """
    model = build(x, *example, names=caller_names() if names is None else names)
    if _in_notebook():
        return Picture(model)
    import webbrowser
    from pathlib import Path

    handle, path = tempfile.mkstemp(".html", "wengert-")
    os.close(handle)
    save(model, path)
    webbrowser.open(Path(path).as_uri())
    return Picture(model, path)


def _in_notebook():
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None and hasattr(shell.get_ipython(), "kernel")


def save(x, path, *example, names=None):
    """Saves a picture of a graph; the name's ending says which.

    `.html`: the interactive page, one file that needs no network. `.svg`: the picture alone. `.dot`: for Graphviz.
    `.mmd`: for Mermaid. `.txt`: aligned text. The file is there in whole or not at all.

    Args:
        x: a tensor with history or a list of them, a Graph, a Plan or a compiled function or module (beside its graph), or a
            module.
        example: the inputs of a module; of static graphs inputs, where their values are to be shown.
        path: where to, a string or path.
        names: a dict from names to tensors and modules; the variables of the caller where it is None.

    Raises:
        ValueError: another ending.
        OSError: the file cannot be written; what was there before stays.
        TypeError, RuntimeError: as `show`.

    Example:
        >>> import wengert, tempfile, pathlib
        >>> x = wengert.tensor(2.0, requires_grad=True)
        >>> path = pathlib.Path(tempfile.mkdtemp(), "square.svg")
        >>> wengert.viz.save(x * x, path)
        >>> path.read_text()[:4]
        '<svg'
    """
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in WRITERS:
        raise ValueError(f"save: expected a name that ends in {', '.join(WRITERS)}, got {os.fspath(path)!r}.")
    model = build(x, *example, names=caller_names() if names is None else names)
    write(path, WRITERS[ending](model).encode("utf-8", "backslashreplace"), "save")


def write(path, content, who):
    """Writes a file in whole or not at all; errors name the function that the user called."""
    from ..serialization.files import write_atomically

    try:
        write_atomically(path, [content])
    except OSError as error:
        reason = error.strerror or error
        raise type(error)(
            error.errno,
            f"{who}: expected a path that can be written ({reason}). Choose another folder",
            os.fspath(path),
        ) from error
