"""Mermaid itself reads and draws what `viz.mermaid` writes: the library is run in a browser."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from browser import chromium
from test_dot import NASTY, model_graph
from test_static import loops, training_step

import wengert as w
from wengert.viz import mermaid


def library():
    """The file of Mermaid: named in MERMAID, or where npm puts it."""
    named = os.environ.get("MERMAID")
    places = [Path(named)] if named else []
    if shutil.which("npm"):
        root = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, timeout=60).stdout.strip()
        places.append(Path(root, "mermaid/dist/mermaid.min.js"))
    places.append(Path(__file__).parents[2] / "node_modules/mermaid/dist/mermaid.min.js")
    return next((p for p in places if p.is_file()), None)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    found = library()
    if found is None:
        pytest.skip("Mermaid's own parser is run: npm install -g mermaid, or name mermaid.min.js in MERMAID")
    with chromium() as browser:
        tab = browser.new_page()
        blank = tmp_path_factory.mktemp("mermaid") / "page.html"
        blank.write_text("<!doctype html><title>Mermaid</title><body></body>")
        tab.goto(blank.as_uri())
        tab.add_script_tag(path=str(found))
        tab.evaluate("mermaid.initialize({ startOnLoad: false, maxEdges: 5000, maxTextSize: 1e7 })")
        yield tab


DRAW = """async (text) => {
    await mermaid.parse(text);
    const { svg } = await mermaid.render("drawn", text);
    const box = document.createElement("div");
    box.innerHTML = svg;
    const texts = (kind) => [...box.querySelectorAll(kind)].map((e) => e.textContent.trim());
    return { nodes: texts(".node"), groups: texts(".cluster-label"),
        edges: box.querySelectorAll("path.flowchart-link").length, scripts: box.querySelectorAll("script, img").length };
}"""


def drawn(page, text):
    alerts = []
    page.on("dialog", lambda d: (alerts.append(d.message), d.dismiss()))
    found = page.evaluate(DRAW, text)
    assert not alerts and found["scripts"] == 0
    return found


def test_it_draws_nodes_edges_and_subgraphs(page):
    found = drawn(page, mermaid(*model_graph()))
    assert len(found["nodes"]) == 8 and found["edges"] == 7
    assert sorted(found["groups"]) == ["0", "1", "2", "Sequential"]
    assert any(n.startswith("weight") and "(8, 4) float32" in n for n in found["nodes"])


def test_it_draws_backward_nodes_and_static_graphs(page):
    x = w.tensor(2.0, requires_grad=True)
    found = drawn(page, mermaid((x * x).exp(), backward=True))
    assert len(found["nodes"]) == 6 and found["edges"] == 4
    assert "while_loop" in drawn(page, mermaid(loops()))["groups"]
    assert len(drawn(page, mermaid(training_step()[0]))["nodes"]) > 30


@pytest.mark.parametrize("name", NASTY)
def test_names_are_data(page, name):
    x = w.ones(2, requires_grad=True)
    with w.record():
        with w.scope(name):
            y = x * 2
    found = drawn(page, mermaid(y, names={name: x} if name else {}))
    assert len(found["nodes"]) == 2 and found["edges"] == 1 and len(found["groups"]) == 1
    shown = found["groups"][0]
    for part in name.split("\n"):
        expected = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in part).strip()
        assert expected in shown.replace("\xa0", " "), shown
