"""The page of a training run: charts drawn here, a script that only reads the page again."""

import time
from html import escape
from importlib.resources import files

from ._chart import chart, sparkline
from ._outline import printable
from ._style import FONT, sheet
from ._summary import number

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
ROWS_AT_MOST = 200  # layers in the table


def page(live, seconds):
    """The page as bytes.

    Args:
        live: a Live. seconds: how long it has run.
    """
    assets = files("wengert.viz") / "assets"
    script = (assets / "live.js").read_text(encoding="utf-8")
    style = sheet() + (assets / "live.css").read_text(encoding="utf-8").replace("FONT", FONT)
    title, status = escape(printable(live.title)), escape(printable(live.status))
    pause = max(int(live.every), 1)
    again = (
        f'<noscript><meta http-equiv="refresh" content="{pause}"></noscript>' if live.status == "running" else ""
    )
    facts = [f"step {live.step_count:,}" + (f" of {live.total:,}" if live.total else ""), _duration(seconds)]
    text = f"""<!doctype html>
<html lang="en" data-status="{status}" data-every="{pause}" data-written="{time.time():.0f}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
{again}
<title>{status}: {title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p><strong id="status">{status}</strong> · {" · ".join(facts)} <span id="age"></span></p>
<button id="pause" type="button" hidden>Pause</button>
</header>
<main>
{_charts(live)}{_layers(live)}</main>
<script>
{script}</script>
</body>
</html>
"""
    return text.encode("utf-8", "backslashreplace")


def _charts(live):
    parts = []
    for name, series in live.numbers.items():
        shown = escape(printable(name))
        broken = ""
        if series.broken is not None:
            broken = f'<p class="broken">not a finite number since step {series.broken:,}</p>'
        facts = f"lowest {number(series.best)}" if series.best < float("inf") else ""
        parts.append(
            f'<section class="chart"><h2>{shown} <b>{number(series.last)}</b> <small>{facts}</small></h2>'
            f"{chart(printable(name), series)}{broken}</section>\n"
        )
    return "".join(parts) or '<p class="empty">No step yet.</p>\n'


def _layers(live):
    names = sorted({**live.gradients, **live.dead}, key=lambda name: live.places.get(name, 0))
    if not names:
        return ""
    rows = []
    for name in names[:ROWS_AT_MOST]:
        norm, dead = live.gradients.get(name), live.dead.get(name)
        rows.append(
            f"<tr><th scope=row>{escape(printable(name))}</th>"
            f"<td>{'' if norm is None else number(norm.last)}</td><td>{'' if norm is None else sparkline(norm)}</td>"
            f"<td>{'' if dead is None else f'{100 * dead.last:.0f} %'}</td>"
            f"<td>{'' if dead is None else sparkline(dead)}</td></tr>"
        )
    more = f"<p>… and {len(names) - ROWS_AT_MOST:,} more</p>" if len(names) > ROWS_AT_MOST else ""
    return (
        '<section class="layers"><h2>Layers</h2><table><thead><tr><th scope=col>layer</th>'
        "<th scope=col colspan=2>norm of the gradient</th><th scope=col colspan=2>dead units</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{more}</section>\n"
    )


def _duration(seconds):
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
