"""A graph as one HTML page that needs nothing else: data, style and script in one file, no network.

The page's sources are the files of assets/. Data is JSON in a script element of a type that no browser runs; the
characters that could end the element or a line are written as escapes, and the script puts texts into the page as
texts only. Columns of numbers are base64 of little-endian arrays.
"""

import base64
import json
import math
from html import escape
from importlib.resources import files

import numpy as np

from ._layout import ACROSS, DOWN, GAP, HALF, WIDTH, Layout
from ._model import KINDS
from ._outline import printable
from ._rules import rule_text
from ._style import FONT, sheet
from ._summary import BINS
from ._texts import facts_text, settings_text, size_text

SCRIPTS = ("data.js", "paint.js", "view.js", "side.js", "page.js")
WHOLE_AT_MOST = 400_000  # elements of small tensors that a page holds in all


def html(model, layout=None):
    """The page of a model.

    Args:
        model: a Model; its `after`, where there is one, is shown beside it. layout: its Layout, where it is there.
    """
    data = payload(model, layout)
    data["after"] = payload(model.after) if model.after is not None else None
    assets = files("wengert.viz") / "assets"
    parts = {
        "title": escape(printable(model.title) or "Graph"),
        "style": sheet() + (assets / "page.css").read_text(encoding="utf-8").replace("FONT", FONT),
        "script": "\n".join((assets / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "data": script_json(data),
        "fallback": _fallback(model),
    }
    page = (assets / "page.html").read_text(encoding="utf-8")
    head, *rest = page.split("{{")
    return head + "".join(parts[name] + after for name, _, after in (piece.partition("}}") for piece in rest))


def script_json(data):
    """JSON that is safe inside a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = text.encode("utf-8", "replace").decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _fallback(model):
    """What a reader without scripts sees: the first nodes as a list."""
    rows = []
    for node in range(min(len(model), 200)):
        rows.append(f"<li>{escape(printable(model.label(node)))} {escape(facts_text(model, node))}</li>")
    return "<ol>" + "".join(rows) + "</ol>"


def payload(model, layout=None):
    """What the script needs of a model, as plain data."""
    layout = layout or Layout(model)
    groups, n = layout.groups, layout.n
    cells = layout.cells
    order = np.argsort(groups.depth, kind="stable")  # parents come first
    place = np.empty(groups.size, np.int64)
    place[order] = np.arange(groups.size)
    cell_of = np.full(len(model), -1)
    cell_of[cells] = np.arange(n)
    link = model.link[cells]
    back = np.where(link >= 0, model.step[link], 0)
    own = (cell_of[model.source] >= 0) & (cell_of[model.target] >= 0)
    edge_of = np.cumsum(own) - 1
    return {
        "title": printable(model.title) or "Graph",
        "notes": [printable(note) for note in model.notes],
        "n": n,
        "steps": model.steps,
        "mirrored": layout.mirrored,
        "inside": list(layout.inside),
        "size": {
            "width": WIDTH,
            "half": HALF,
            "gap": GAP,
            "height": layout.cell_height,
            "across": ACROSS,
            "down": DOWN,
        },  # fmt: skip
        "tables": _tables(model),
        "cells": {
            "kind": column(model.kind[cells]),
            "op": column(model.op[cells]),
            "shape": column(model.shape[cells]),
            "dtype": column(model.dtype[cells]),
            "scope": column(model.scope[cells]),
            "line": column(model.line[cells]),
            "attrs": column(model.attrs[cells]),
            "step": column(model.step[cells]),
            "back": column(back),
            "beside": column(np.where(model.beside[cells] >= 0, cell_of[model.beside[cells]], -1)),
            "backOp": column(np.where(link >= 0, model.op[link], 0)),
            "parent": column(place[groups.parent[:n]]),
            "x": column(layout.x[:n].astype(np.float32)),
            "y": column(layout.y[:n].astype(np.float32)),
            "bytes": column(model.bytes[cells].astype(np.float64)),
            "seconds": column(model.seconds[cells].astype(np.float32)),
            "backSeconds": column(np.where(link >= 0, model.seconds[link], np.nan).astype(np.float32)),
        },
        "edges": {
            "count": int(own.sum()),
            "source": column(cell_of[model.source[own]]),
            "target": column(cell_of[model.target[own]]),
            "place": column(model.place[own]),
            "flows": column(model.flows[own].astype(np.int64)),
        },
        "cuts": [[int(edge_of[e]), printable(how)] for e, how in model.cuts.items() if own[e]],
        "names": [[int(cell_of[i]), _title(groups, i)] for i in model.names if cell_of[i] >= 0],
        "partials": [
            [int(cell_of[i]), [[int(step), s.short()] for step, s in sums]] for i, sums in model.partials.items()
        ],
        "outputs": [int(cell_of[i]) for i in model.outputs if cell_of[i] >= 0],
        "fused": [{"name": printable(name), "cells": cell_of[nodes].tolist()} for name, nodes in model.groups],
        "passes": [{"name": printable(name), "cells": cell_of[nodes].tolist()} for name, nodes in model.passes],
        "alive": column(model.alive().astype(np.float32)),
        "groups": {
            "count": groups.size,
            "names": [[int(place[k]), printable(name)] for k, name in groups.names.items()],
            "columns": _group_columns(layout, order, place, back),
        },
        "values": _summaries({int(cell_of[i]): s for i, s in model.values.items() if cell_of[i] >= 0}),
        "gradients": _summaries({int(cell_of[i]): s for i, s in model.gradients.items() if cell_of[i] >= 0}),
    }


def _title(groups, node):
    return printable(groups.title(node))


def _tables(model):
    return {
        "kinds": KINDS,
        "ops": [printable(op) for op in model.ops.values],
        "rules": [rule_text(op) for op in model.ops.values],
        "shapes": [size_text(s) for s in model.shapes.values],
        "dtypes": [printable(d) for d in model.dtypes.values],
        "scopes": [" › ".join(printable(part) for part in scope) for scope in model.scopes.values],
        "lines": [printable(line) for line in model.lines.values],
        "attrTexts": [printable(settings_text(attrs)) for attrs in model.attrss.values],
    }


def _group_columns(layout, order, place, back):
    """The groups' columns, parents first; low and high: the first and last step inside."""
    groups, n, model = layout.groups, layout.n, layout.model
    steps = model.step[layout.cells]
    behind = model.beside[layout.cells] >= 0
    steps, back = np.where(behind, 0, steps), np.where(behind, steps, back)
    low, high = np.full(groups.size, 2**31 - 1), np.zeros(groups.size, np.int64)
    back_low, back_high = low.copy(), high.copy()
    up = groups.parent[:n]
    for first, last, values in ((low, high, steps), (back_low, back_high, back)):
        runs = values > 0
        np.minimum.at(first, up[runs], values[runs].astype(first.dtype))
        np.maximum.at(last, up[runs], values[runs].astype(last.dtype))
        for level in range(int(groups.depth.max(initial=0)), 0, -1):
            inner = np.flatnonzero(groups.depth == level)
            np.minimum.at(first, groups.parent[n + inner], first[inner])
            np.maximum.at(last, groups.parent[n + inner], last[inner])
        first[last == 0] = 0
    given = {
        "kind": groups.kind, "first": groups.first, "last": groups.last, "times": groups.times, "size": groups.count,
        "low": low, "high": high, "backLow": back_low, "backHigh": back_high, "open": layout.open.astype(np.int64),
        "scale": layout.scale.astype(np.float64), "left": layout.left, "top": layout.top,
        "x": layout.x[n:], "y": layout.y[n:], "w": layout.width[n:], "h": layout.height[n:],
    }  # fmt: skip
    return {name: column(values[order]) for name, values in given.items()} | {
        "parent": column(place[groups.parent[n:]][order])
    }


def column(values):
    """A column as the page reads it: the smallest type that holds it, or one constant."""
    values = np.asarray(values)
    if len(values) and (values == values[0]).all() and np.isfinite(values[0]):
        return {"c": values[0].item()}
    if values.dtype.kind == "f":
        code = "f4" if values.dtype == np.float32 else "f8"
    else:
        least, most = (int(values.min()), int(values.max())) if len(values) else (0, 0)
        code = "i4" if least < 0 else "u1" if most < 256 else "u2" if most < 65536 else "u4"
    return {"t": code, "d": base64.b64encode(values.astype("<" + code).tobytes()).decode()}


def _summaries(found):
    """Summaries by cell, as columns."""
    chosen = sorted(found)
    some = [found[i] for i in chosen]
    room = WHOLE_AT_MOST
    whole = []
    for s in some:
        size = math.prod(s.shape)
        room -= size if s.whole is not None else 0
        whole.append(_plain(s.whole) if s.whole is not None and room >= 0 else None)
    bins = np.array([s.histogram or [0] * BINS for s in some], np.float64).reshape(len(some), BINS)
    bins *= 255.0 / np.maximum(bins.max(axis=1, keepdims=True, initial=1), 1)
    facts = {
        name: column(np.array([getattr(s, name) for s in some], np.float64).astype(np.float32))
        for name in ("zeros", "nans", "infs")
    }
    ends = {
        name: column(np.array([getattr(s, name) for s in some], np.float64)) for name in ("low", "high", "mean")
    }
    return {
        "cells": chosen, "whole": whole, "bins": BINS, **facts, **ends,
        "histogram": column(np.ceil(bins).astype(np.int64).ravel()),
    }  # fmt: skip


def _plain(value):
    """Lists of numbers that JSON can hold: seven digits, and texts for what is no finite number."""
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else str(value)
    return str(value) if isinstance(value, complex) else value
