"""DOT is accepted by Graphviz, Mermaid by a strict reading of its grammar (and by Mermaid: test_mermaid.py); names are data
in both."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

import wengert as w
from wengert import nn
from wengert.viz import dot, mermaid

NASTY = ['quote " backslash \\ end', "two\nlines", "</text><script>alert(1)</script>", "&amp; &lt; #35; `code`", "\\n",
         "];n9 -> n8", "end", "ünïcode ∂ 漢", "nul\x00 bell\x07", "subgraph", '"]:::x', "%% comment", ""]  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"

needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")


def graphviz(source):
    """Titles and texts of what Graphviz draws."""
    done = subprocess.run(["dot", "-Tsvg"], input=source.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    root = ET.fromstring(done.stdout)
    kinds = {}
    for g in root.iter(f"{SVG}g"):
        texts = ["".join(t.itertext()) for t in g.findall(f"{SVG}text")]
        texts += ["".join(t.itertext()) for a in g.findall(f"{SVG}g") for t in a.findall(f"{SVG}text")]
        kinds.setdefault(g.get("class"), []).append((g.find(f"{SVG}title").text, texts))
    return kinds


def model_graph():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return model, w.ones(3, 4)


@needs_graphviz
def test_graphviz_draws_nodes_edges_and_clusters():
    x, y, z = (w.tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
    with w.record():
        q = x + y
        f = q * z
    f.backward()
    drawn = graphviz(dot(f))
    assert len(drawn["node"]) == 5 and len(drawn["edge"]) == 4
    texts = [texts for _, texts in drawn["node"]]
    assert ["x", "() float32", "= -2", "grad -4"] in texts and ["f = mul", "() float32", "= -12", "grad 1"] in texts
    drawn = graphviz(dot(*model_graph()))
    names = [texts[0] for _, texts in drawn["cluster"]]
    assert names == ["Sequential", "0", "1", "2"] and len(drawn["node"]) == 8


@needs_graphviz
def test_backward_nodes_are_drawn_on_request():
    x = w.tensor(2.0, requires_grad=True)
    assert len(graphviz(dot((x * x).exp(), backward=True))["node"]) == 6


@needs_graphviz
@pytest.mark.parametrize("name", NASTY)
def test_names_are_data_in_dot(name):
    x = w.ones(2, requires_grad=True)
    with w.record():
        with w.scope(name):
            y = x * 2
    drawn = graphviz(dot(y, names={name: x} if name else {}))
    assert len(drawn["node"]) == 2 and len(drawn["edge"]) == 1 and len(drawn["cluster"]) == 1
    shown = drawn["cluster"][0][1]
    expected = [re.sub(r"[\x00-\x1f]", lambda m: f"\\x{ord(m[0]):02x}", part) for part in name.split("\n")]
    assert [t.replace("\xa0", " ").strip() for t in shown] == [e.strip() for e in expected if e]


# ---- Mermaid: the part of its flowchart grammar that is used, read strictly -------------------------------------------

LABEL = r'"((?:[\w _.,:=+\-/()\[\]…µ]|<br>|#\d+;)*)"'
LINES = {
    "node": re.compile(rf"(n\d+)(?:\(\[{LABEL}\]\)|\[{LABEL}\])(?::::(\w+))?"),
    "edge": re.compile(r"(n\d+) (?:-->|-\.->) (n\d+)"),
    "open": re.compile(rf"subgraph (s\d+)\[{LABEL}\]"),
    "close": re.compile("end"),
    "class": re.compile(r"classDef (\w+) [a-z]+:#[0-9a-f]{6}(?:,[a-z]+:#[0-9a-f]{6})*"),
}


def parse(source):
    """Labels of nodes and subgraphs, and edges; fails where a line is none of the grammar's."""
    lines = source.split("\n")
    assert lines[0] == "flowchart TB"
    nodes, edges, groups, classes, used, depth = {}, [], [], set(), set(), 0
    for line in lines[1:]:
        kind, found = next(((k, m) for k, p in LINES.items() if (m := p.fullmatch(line.strip()))), (None, None))
        assert kind, f"not of the grammar: {line!r}"
        if kind == "node":
            assert found[1] not in nodes
            nodes[found[1]] = decoded(found[2] if found[2] is not None else found[3])
            used |= {found[4]} - {None}
        elif kind == "edge":
            edges.append((found[1], found[2]))
        elif kind == "open":
            groups.append(decoded(found[2]))
            depth += 1
        elif kind == "close":
            depth -= 1
            assert depth >= 0
        else:
            classes.add(found[1])
    assert depth == 0 and used == classes and all(a in nodes and b in nodes for a, b in edges)
    return nodes, edges, groups


def decoded(label):
    return re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label.replace("<br>", "\n"))


def test_mermaid_has_nodes_edges_and_subgraphs():
    nodes, edges, groups = parse(mermaid(*model_graph()))
    assert len(nodes) == 8 and len(edges) == 7 and groups == ["Sequential", "0", "1", "2"]
    assert any(label.startswith("weight\n(8, 4) float32") for label in nodes.values())
    x = w.tensor(2.0, requires_grad=True)
    nodes, edges, _ = parse(mermaid((x * x).exp(), backward=True))
    assert len(nodes) == 6 and len(edges) == 4


@pytest.mark.parametrize("name", NASTY)
def test_names_are_data_in_mermaid(name):
    x = w.ones(2, requires_grad=True)
    with w.record():
        with w.scope(name):
            y = x * 2
    nodes, edges, groups = parse(mermaid(y, names={name: x} if name else {}))
    assert len(nodes) == 2 and len(edges) == 1
    assert groups == [re.sub(r"[\x00-\x09\x0b-\x1f]", lambda m: f"\\x{ord(m[0]):02x}", name) or " "]


def test_what_has_no_graph_is_refused():
    for draw in (dot, mermaid):
        with pytest.raises(RuntimeError, match="tensor with history"):
            draw(w.ones(2))
        with pytest.raises(TypeError):
            draw("graph")
