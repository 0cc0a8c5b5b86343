"""A graph as SVG: stands alone, prints, and shows what the page shows at first."""

from html import escape

import numpy as np

from ._groups import REPEAT
from ._layout import ACROSS, DOWN, GAP, HALF, WIDTH, Layout
from ._model import CONSTANT, GRADIENT, KINDS
from ._outline import printable
from ._style import DARK, FONT, LIGHT
from ._texts import facts_text, fitted, settings_text

MARGIN, CAPTION = 28.0, 30.0
FORWARD, BACK, SAVED, OUT = range(4)
FAR = 3 * (WIDTH + ACROSS)  # from there on the edges of what is given are drawn faintly


def svg(model, layout=None):
    """The SVG text of a model.

    Args:
        model: a Model. layout: its Layout, where it is there already.
    """
    layout = layout or Layout(model)
    return _Drawing(model, layout).text()


class _Drawing:
    def __init__(self, model, layout):
        self.model = model
        self.layout = layout
        self.x, self.y, self.scale = layout.world()
        self.parts = []

    def text(self):
        layout, model = self.layout, self.model
        wide, tall = layout.inside
        notes = [line for note in model.notes for line in wrapped(note, max(60, int(wide / 6.2)))]
        total_w, total_h = wide + 2 * MARGIN, tall + 2 * MARGIN + CAPTION + 17 * len(notes)
        shown = self.visible()
        frames = [g for g in range(1, layout.groups.size) if layout.open[g] and shown[layout.n + g]]
        for group in sorted(frames, key=lambda g: layout.groups.depth[g]):
            self.frame(group)
        self.edges()
        for item in np.flatnonzero(shown).tolist():
            if item < layout.n:
                self.cell(item)
            elif not layout.open[item - layout.n]:
                self.closed(item)
        counts = f"{len(layout.cells)} nodes" + (", each with its gradient below it" if layout.mirrored else "")
        title = printable(model.title) or "Graph"
        body = "\n".join(self.parts)
        caption = f'<text x="{MARGIN}" y="{MARGIN + 8}" class="h">{escape(title)}</text>'
        caption += f'<text x="{total_w - MARGIN}" y="{MARGIN + 8}" class="s" text-anchor="end">{counts}</text>'
        for k, note in enumerate(notes):
            y = total_h - MARGIN / 2 - 17 * (len(notes) - 1 - k)
            caption += f'\n<text x="{MARGIN}" y="{y}" class="s">{escape(note)}</text>'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_w:g} {total_h:g}" width="{total_w:g}" '
            f'height="{total_h:g}" role="img" aria-label="Graph of {escape(title)}, {counts}">\n'
            f"<title>{escape(title)}</title>\n<style>{_sheet()}</style>\n"
            f'<rect width="100%" height="100%" class="paper"/>\n{caption}\n'
            f'<g transform="translate({MARGIN:g} {MARGIN + CAPTION:g})">\n{body}\n</g>\n</svg>\n'
        )

    def visible(self):
        """Which items are seen: those all of whose groups are open."""
        groups, layout = self.layout.groups, self.layout
        inside = np.zeros(groups.size, bool)
        inside[0] = True
        for level in range(1, int(groups.depth.max(initial=0)) + 1):
            chosen = np.flatnonzero(groups.depth == level)
            inside[chosen] = inside[groups.parent[layout.n + chosen]] & layout.open[chosen]
        shown = inside[groups.parent]
        shown[layout.n] = False
        self.inside = inside
        return shown

    # ---- boxes ------------------------------------------------------------------------------------------------

    def frame(self, group):
        layout = self.layout
        item = layout.n + group
        x, y, w, h = self.x[item], self.y[item], layout.width[item], layout.height[item]
        label = escape(fitted(printable(self.group_label(group)), w - 24, 12))
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="10" class="f"/>'
            f'<text x="{x + 14:g}" y="{y + 21:g}" class="g">{label}</text>'
        )

    def group_label(self, group):
        groups = self.layout.groups
        times = f" ×{groups.times[group]}" if groups.kind[group] == REPEAT else ""
        return groups.label(group) + times

    def closed(self, item):
        layout = self.layout
        group = item - layout.n
        x, y, w, h = self.x[item], self.y[item], layout.width[item], layout.height[item]
        count = int(layout.groups.count[group])
        label = escape(fitted(printable(self.group_label(group)), w - 28, 13))
        stack = "".join(
            f'<rect x="{x + d:g}" y="{y + d:g}" width="{w:g}" height="{h:g}" rx="8" class="c"/>' for d in (8, 4, 0)
        )
        self.parts.append(
            f"<g>{stack}"
            f'<text x="{x + 14:g}" y="{y + 24:g}" class="t">{label}</text>'
            f'<text x="{x + 14:g}" y="{y + 43:g}" class="s">{count} nodes</text></g>'
        )

    def cell(self, item):
        model, layout = self.model, self.layout
        node = int(layout.cells[item])
        x, y = self.x[item], self.y[item]
        kind = KINDS[model.kind[node]]
        op = model.ops[model.op[node]]
        title = layout.groups.title(node)
        right = (
            settings_text(model.attrss[model.attrs[node]])
            if node not in model.names
            else ""
            if op in ("leaf", "input")
            else op
        )
        facts = facts_text(model, node)
        value = model.values.get(node)
        self.box(x, y, kind, title, right, value.short() if value else "", facts, node in model.outputs)
        mirror = int(model.link[node])
        if mirror >= 0:
            gradient = model.gradients.get(node)
            label = ("∂" if node in model.names else "∂ ") + title
            self.box(
                x,
                y + HALF + GAP,
                "gradient",
                label,
                "",
                gradient.short() if gradient else "",
                model.ops[model.op[mirror]],
            )

    def box(self, x, y, kind, title, right, value, facts, output=False):
        title = fitted(printable(title), WIDTH - 26, 13)
        room = WIDTH - 36 - 7.2 * len(title)
        right = fitted(printable(right), room, 11) if room > 30 else ""
        room = WIDTH - 34 - 6.3 * len(value)
        sides = [text for text in (facts, facts.partition(" ")[0]) if value and 6.3 * len(text) < room]
        below = value or facts
        dash = " o" if output else ""
        self.parts.append(
            f'<g class="k {kind}{dash}"><rect x="{x:g}" y="{y:g}" width="{WIDTH:g}" height="{HALF:g}" rx="7"/>'
            f'<path d="M{x + 1.75:g} {y + 8:g}v{HALF - 16:g}"/>'
            f'<text x="{x + 14:g}" y="{y + 21:g}" class="t">{escape(title)}</text>'
            + (f'<text x="{x + WIDTH - 11:g}" y="{y + 21:g}" class="s e">{escape(right)}</text>' if right else "")
            + f'<text x="{x + 14:g}" y="{y + 40:g}" class="{"v" if value else "s"}">'
            f"{escape(fitted(below, WIDTH - 24, 12))}</text>"
            + (
                f'<text x="{x + WIDTH - 11:g}" y="{y + 40:g}" class="s e">{escape(sides[0])}</text>'
                if sides
                else ""
            )
            + "</g>"
        )

    # ---- edges ------------------------------------------------------------------------------------------------

    def edges(self):
        """Each edge once between what is seen, forward and, where gradients flow, backward."""
        layout, model, groups = self.layout, self.model, self.layout.groups
        n = layout.n
        closed = np.full(groups.size, -1)
        for level in range(1, int(groups.depth.max(initial=0)) + 1):
            chosen = np.flatnonzero(groups.depth == level)
            above = closed[groups.parent[n + chosen]]
            closed[chosen] = np.where(above >= 0, above, np.where(layout.open[chosen], -1, n + chosen))
        shown = closed[groups.parent[:n]]
        shown = np.where(shown >= 0, shown, np.arange(n))
        item = np.full(len(model), -1)
        item[layout.cells] = shown
        a, b = item[model.source], item[model.target]
        flows = model.flows & (model.link[model.source] >= 0) & (model.link[model.target] >= 0)
        own = (a >= 0) & (b >= 0) & (a != b)
        pairs, first, which = np.unique(np.stack([a[own], b[own]]), axis=1, return_index=True, return_inverse=True)
        back = flows[own][first]
        way = np.full(pairs.shape[1], OUT)
        np.minimum.at(way, which.ravel(), self.ways()[own])
        for k in range(pairs.shape[1]):
            a, b = int(pairs[0, k]), int(pairs[1, k])
            if way[k] == SAVED:
                continue
            if way[k] in (BACK, OUT):
                faint = " far" if way[k] == OUT else ""
                self.parts.append(f'<path d="{self.path(a, b, back=way[k] == BACK)}" class="b{faint}"/>')
                continue
            cut = (
                " cut"
                if layout.mirrored and not back[k] and model.kind[layout.cells[min(a, n - 1)]] != CONSTANT
                else ""
            )
            far = " far" if layout.given[a] and not -FAR < self.x[a] - self.x[b] < 0 else ""
            self.parts.append(f'<path d="{self.path(a, b)}" class="w{cut}{far}"/>')
            if back[k]:
                self.parts.append(f'<path d="{self.path(b, a, back=True)}" class="b{far}"/>')

    def ways(self):
        """The way of each edge of a static graph: between values, between gradients, what a gradient rule reads, or what
        leaves the gradients. Everything else runs between values."""
        model = self.model
        rule = (model.kind == GRADIENT) & (model.link < 0)
        source, target = rule[model.source], rule[model.target]
        return np.where(target, np.where(source, BACK, SAVED), np.where(source, OUT, FORWARD))

    def port(self, item, right, back):
        """Where an edge leaves or enters a box."""
        x = self.x[item] + (self.layout.width[item] if right else 0.0)
        tall = self.layout.height[item]
        low = (HALF + GAP if self.layout.mirrored else 0.0) + HALF / 2 if item < self.layout.n else tall * 0.72
        high = HALF / 2 if item < self.layout.n else tall * 0.28
        return x, self.y[item] + (low if back else high)

    def siblings(self, a, b):
        """What holds a and b where they have the same parent: themselves or frames around them."""
        groups, n = self.layout.groups, self.layout.n
        while groups.parent[a] != groups.parent[b]:
            deep_a, deep_b = groups.depth[groups.parent[a]], groups.depth[groups.parent[b]]
            if deep_a >= deep_b:
                a = n + groups.parent[a]
            if deep_b >= deep_a:
                b = n + groups.parent[b]
        return a, b

    def path(self, a, b, back=False):
        """The way of an edge from a to b: straight out of the frames around a and into those around b; between them a
        curve, or around what stands between."""
        (x1, y1), (x2, y2) = self.port(a, not back, back), self.port(b, back, back)
        out, into = self.siblings(a, b)
        away = -1.0 if back else 1.0
        right = self.x + self.layout.width
        leave = x1 if out == a else self.x[out] if back else right[out]
        enter = x2 if into == b else right[into] if back else self.x[into]
        across = (enter - leave) * away
        if out == a and into == b and self.x[a] == self.x[b]:  # one stands below the other
            return rounded([(self.x[a], y1), (self.x[a] - 11, y1), (self.x[a] - 11, y2), (self.x[a], y2)], 9.0)
        if 0 < across <= 2.2 * ACROSS:
            bend = away * across / 2
            return (
                f"M{x1:g} {y1:g}L{leave:g} {y1:g}C{leave + bend:g} {y1:g} {enter - bend:g} {y2:g} {enter:g} {y2:g}"
                f"L{x2:g} {y2:g}"
            )
        if across < 0:  # back to the start of a line, or from there: above the lower of the two
            lane = max(self.y[out], self.y[into]) - DOWN / 2 + (4 if back else -4)
        else:  # over what lies between, forward above the reader and backward below it
            lane = self.y[out] + self.layout.height[out] + DOWN / 2 if back else self.y[into] - DOWN / 2
        leave, enter = leave + away * ACROSS * 0.35, enter - away * ACROSS * 0.35
        return rounded([(x1, y1), (leave, y1), (leave, lane), (enter, lane), (enter, y2), (x2, y2)], 9.0)


def rounded(points, radius):
    """A path of straight pieces with round corners."""
    out = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for (ax, ay), (bx, by), (cx, cy) in zip(points, points[1:], points[2:], strict=False):
        before, after = abs(bx - ax) + abs(by - ay), abs(cx - bx) + abs(cy - by)
        r = min(radius, before / 2, after / 2)
        if r < 0.5:
            out.append(f"L{bx:g} {by:g}")
            continue
        px, py = bx - (bx - ax) / before * r, by - (by - ay) / before * r
        qx, qy = bx + (cx - bx) / after * r, by + (cy - by) / after * r
        out.append(f"L{px:g} {py:g}Q{bx:g} {by:g} {qx:g} {qy:g}")
    out.append(f"L{points[-1][0]:g} {points[-1][1]:g}")
    return "".join(out)


def wrapped(text, width):
    """Lines of at most `width` characters."""
    lines = [""]
    for word in printable(text).split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _sheet():
    """The rules, in light colours; in dark ones where the reader's system asks for them on a screen."""
    return (
        f"svg{{font-family:{FONT};font-variant-numeric:tabular-nums}}.h{{font-size:16px;font-weight:600}}"
        ".t{font-size:13px;font-weight:600}.g{font-size:12px;font-weight:600}.s{font-size:11px}.v{font-size:12px}"
        ".e{text-anchor:end}.f,.c,.k rect{stroke-width:1.2}.k path{stroke-width:3.5;stroke-linecap:round;fill:none}"
        ".o rect{stroke-width:1.8}.w,.b{fill:none;stroke-width:1.5}.cut{stroke-dasharray:4 4}.far{opacity:.4}"
        f"{_colours(LIGHT)}@media screen and (prefers-color-scheme:dark){{{_colours(DARK)}}}"
    )


def _colours(c):
    kinds = "".join(f".{k} path{{stroke:{c[k]}}}" for k in KINDS)
    return (
        f".paper{{fill:{c['paper']}}}.h,.t,.v{{fill:{c['ink']}}}.g,.s{{fill:{c['soft']}}}"
        f".f{{fill:{c['frame']};stroke:{c['faint']}}}.c,.k rect{{fill:{c['card']};stroke:{c['faint']}}}"
        f".gradient rect{{fill:{c['gradient-card']}}}.o rect{{stroke:{c['ink']}}}"
        f".w{{stroke:{c['flow']}}}.b{{stroke:{c['back']}}}{kinds}"
    )
