"""show, save, SVG and the page as files: safe, whole, atomic."""

import base64
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html import unescape
from shutil import which

import numpy as np
import pytest

import wengert
from wengert.ops import TABLE
from wengert.viz import _page
from wengert.viz._build import build
from wengert.viz._svg import svg

NASTY = '</script><script>alert(1)</script>" onload="x\u2028\u2029\n<b>&amp;\u202e\ud800'


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def nasty_graph():
    x = wengert.tensor([1.0, 2.0], requires_grad=True)
    with wengert.record(), wengert.scope(NASTY):
        y = (x * 2).sum()
    y.backward()
    return build(y, names={NASTY: x, "y": y})


def small():
    x = wengert.tensor([1.0, 2.0], requires_grad=True)
    return (x * x).sum()


def test_names_are_data_in_a_page():
    page = _page.html(nasty_graph())
    data = data_of(page)
    assert any("alert(1)" in name for _, name in data["names"])
    assert any("alert(1)" in name for _, name in data["groups"]["names"])
    block = re.search(r'id="data">(.*?)</script>', page, re.S)[1]
    assert not re.search("[<>&\u2028\u2029]", block)
    assert page.count("<script") == page.count("</script>") == 2
    assert "alert(1)</script>" not in page and 'onload="x' not in page


def test_names_are_data_in_svg():
    text = svg(nasty_graph())
    root = ElementTree.fromstring(text)
    tags = {e.tag.rpartition("}")[2] for e in root.iter()}
    assert tags <= {"svg", "title", "style", "rect", "g", "text", "path"}
    assert not any(name.startswith("on") for e in root.iter() for name in e.attrib)
    assert any("alert(1)" in (e.text or "") for e in root.iter())


def test_a_page_needs_nothing_else_and_names_no_place_of_this_machine():
    with wengert.record():
        y = small()
    page = _page.html(build(y))
    rest = page.replace("http://www.w3.org/2000/svg", "")
    assert "http://" not in rest and "https://" not in rest and "@import" not in rest
    assert os.getcwd() not in page and os.path.expanduser("~") + os.sep not in page
    lines = data_of(page)["tables"]["lines"]
    assert any(line.startswith("test_show.py:") for line in lines)
    assert "default-src 'none'" in page


def test_the_code_that_draws_is_short():
    from importlib.resources import files

    assets = files("wengert.viz") / "assets"
    drawing = [f for f in assets.iterdir() if f.name.endswith(("js", "css"))]
    lines = sum(len(f.read_text(encoding="utf-8").splitlines()) for f in drawing)
    assert lines < 1500


def test_columns_are_as_small_as_they_can_be():
    def decoded(given, count):
        if "c" in given:
            return np.full(count, given["c"])
        return np.frombuffer(base64.b64decode(given["d"]), "<" + given["t"])

    for values in ([1, 2, 255], [1, 256], [1, 70_000], [-1, 3], [7, 7, 7], [], [0.5, np.nan], [np.nan, np.nan]):
        a = np.array(values)
        given = _page.column(a)
        np.testing.assert_array_equal(decoded(given, len(a)), a)
    assert _page.column(np.array([1, 255]))["t"] == "u1" and _page.column(np.array([4, 4])) == {"c": 4}


def test_values_that_json_cannot_hold_are_texts():
    x = wengert.tensor([float("nan"), float("inf"), 1.0], requires_grad=True)
    data = data_of(_page.html(build(x * 2, names={"x": x})))
    assert ["nan", "inf", 1.0] in data["values"]["whole"]


@pytest.mark.parametrize("ending", ["html", "svg", "dot", "txt", "mmd"])
def test_save(tmp_path, ending):
    path = tmp_path / f"graph.{ending}"
    wengert.viz.save(small(), path)
    assert path.stat().st_size > 100
    assert os.listdir(tmp_path) == [path.name]
    if ending == "svg":
        ElementTree.parse(path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        wengert.viz.save(wengert.ones(2), path)
    assert path.read_bytes() == before


def test_save_says_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match=r"save: expected a name that ends in \.html, .*, got 'graph\.png'"):
        wengert.viz.save(small(), "graph.png")
    with pytest.raises(FileNotFoundError, match="save: expected a path that can be written"):
        wengert.viz.save(small(), tmp_path / "missing" / "graph.html")
    (tmp_path / "graph.html").mkdir()
    with pytest.raises(OSError, match="save: expected a path that can be written"):
        wengert.viz.save(small(), tmp_path / "graph.html")
    assert os.listdir(tmp_path) == ["graph.html"]


def test_save_takes_modules_graphs_and_lists(tmp_path):
    wengert.viz.save(wengert.nn.Linear(2, 3), tmp_path / "a.html", wengert.ones(1, 2))
    wengert.viz.save(wengert.graph.record(lambda a: a.sin(), wengert.ones(2)), tmp_path / "b.html")
    x = wengert.ones(2, requires_grad=True)
    wengert.viz.save([x.sin(), x.cos()], tmp_path / "c.html")
    assert data_of((tmp_path / "c.html").read_text())["n"] == 3


def test_show_opens_the_page(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    f = small()
    picture = wengert.viz.show(f)
    try:
        assert len(opened) == 1 and opened[0].startswith("file:") and picture.path.endswith(".html")
        page = open(picture.path, encoding="utf-8")
        with page:
            assert data_of(page.read())["title"] == "f"
    finally:
        os.unlink(picture.path)


def test_notebooks_get_a_frame():
    x = wengert.ones(2, requires_grad=True)
    frame = wengert.viz.picture(x.exp())._repr_html_()
    assert frame.startswith("<iframe") and 'sandbox="allow-scripts"' in frame and frame.count("<") == 2
    assert data_of(unescape(re.search('srcdoc="(.*?)"', frame, re.S)[1]))["n"] == 2


def test_notebooks_show_graphs_and_plans_by_themselves():
    graph = wengert.graph.record(lambda t: t.sin().exp(), wengert.ones(2))
    for shown in (graph, wengert.graph.Plan(graph)):
        page = unescape(re.search('srcdoc="(.*?)"', shown._repr_html_(), re.S)[1])
        assert (data_of(page)["after"] is None) == (shown is graph)


@pytest.mark.skipif(not which("rsvg-convert"), reason="no rsvg-convert, which renders SVG")
def test_svg_renders(tmp_path):
    path = tmp_path / "graph.svg"
    wengert.viz.save(small(), path)
    out = subprocess.run(["rsvg-convert", "-f", "png", str(path)], capture_output=True, check=True).stdout
    assert out[:8] == b"\x89PNG\r\n\x1a\n" and len(out) > 3000


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_row_is_drawn(name):
    """A graph with one node of the op: it has its name, its rule, and its mirror where it is differentiable."""
    row = TABLE[name]
    graph = wengert.graph.Graph("one")
    operands = [graph.add_input((2, 2), wengert.float32, a) for a in row.inputs]
    graph.add_node(name, operands, [None] * len(row.fields), [((2, 2), wengert.float32)] * len(row.outputs))
    graph.outputs = [("", v) for v in graph.nodes[0].results]
    model = build(graph)
    data = data_of(_page.html(model))
    assert name in data["tables"]["ops"]
    rule = data["tables"]["rules"][data["tables"]["ops"].index(name)]
    assert bool(rule) == row.differentiable
    assert data["edges"]["count"] == len(operands)
    texts = [e.text for e in ElementTree.fromstring(svg(model)).iter() if e.tag.endswith("text")]
    assert any(t and (t == name or (t.endswith("…") and name.startswith(t[:-1]))) for t in texts)


def test_pictures_are_not_imported_before_they_are_used():
    code = "import sys, wengert; print([m for m in sys.modules if m.startswith('wengert.viz')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_notebooks_show_all_that_holds_a_graph():
    g = wengert.Graph("hand")
    g.output(g.input("x", shape=(None, 2)) * 2)
    compiled = wengert.compile(lambda x: x.sin())
    assert compiled._repr_html_().startswith("<pre>"), "there is no plan yet"
    for _ in range(2):
        compiled(wengert.ones(2))
    for thing in (g, g.compile(), compiled, compiled.plan, wengert.viz.picture(g)):
        assert thing._repr_html_().startswith("<iframe")
