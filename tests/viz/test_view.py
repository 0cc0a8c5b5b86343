"""`python -m wengert view`: text, pictures, and errors as sentences."""

import pytest

import wengert as w
from wengert.__main__ import main


@pytest.fixture
def saved(tmp_path):
    """A graph in a file, whose path it returns."""
    path = tmp_path / "some.graph"
    w.graph.record(lambda x: (x * 2).tanh().sum(), w.zeros(3)).save(path)
    return str(path)


def test_prints_text(saved, capsys):
    assert main(["view", saved]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1 mul, 1 tanh, 1 sum, 1 given") and len(lines) == 5
    assert main(["view", saved, "--limit", "2"]) == 0
    assert "…" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["html", "svg", "dot", "mmd", "txt"])
def test_writes_pictures(saved, tmp_path, capsys, ending):
    path = tmp_path / f"graph.{ending}"
    assert main(["view", saved, "--out", str(path)]) == 0
    assert "tanh" in path.read_text("utf-8") and capsys.readouterr().out.strip() == str(path)


def test_failures_are_sentences(saved, tmp_path, capsys):
    (tmp_path / "foreign").write_bytes(b"no graph")
    graph = w.graph.record(lambda x: (x * 2).tanh(), w.zeros(3))
    text = graph.to_text().replace("mul(%0", "mul(%2")
    w.save({"kind": "wengert.graph", "version": 1, "text": text, "states": {}}, tmp_path / "circular")
    for arguments, said in (
        (["view", str(tmp_path / "missing")], "missing"),
        (["view", str(tmp_path / "foreign")], "expected a file of wengert"),
        (["view", str(tmp_path / "circular"), "--out", str(tmp_path / "graph.html")], "a cycle: mul %1 <- tanh %2"),
        (["view", saved, "--out", str(tmp_path / "graph.png")], "ends in .html"),
        (["view", saved, "--out", str(tmp_path / "no" / "graph.svg")], "path that can be written"),
    ):
        assert main(arguments) == 1
        caught = capsys.readouterr()
        assert said in caught.err and caught.err.startswith("view: ") and caught.out == ""
    assert {p.name for p in tmp_path.iterdir()} == {"circular", "foreign", "some.graph"}
