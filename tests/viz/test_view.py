"""`python -m wengert view`: text, pictures, and errors as sentences."""

import pytest

import wengert as w
from wengert.__main__ import main


@pytest.fixture
def saved(monkeypatch):
    """A loader beside the command: the command's own part is choosing a picture and reporting failures."""

    def load(path):
        if path == "missing":
            raise FileNotFoundError(2, "No such file", path)
        if path == "cycle":
            raise ValueError("graph: expected a graph without cycles, got one.")
        return w.graph.record(lambda x: (x * 2).tanh().sum(), w.zeros(3))

    monkeypatch.setattr(w.graph, "load", load, raising=False)


def test_prints_text(saved, capsys):
    assert main(["view", "some.graph"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1 mul, 1 tanh, 1 sum, 1 given") and len(lines) == 5
    assert main(["view", "some.graph", "--limit", "2"]) == 0
    assert "…" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["html", "svg", "dot", "mmd", "txt"])
def test_writes_pictures(saved, tmp_path, capsys, ending):
    path = tmp_path / f"graph.{ending}"
    assert main(["view", "some.graph", "--out", str(path)]) == 0
    assert "tanh" in path.read_text("utf-8") and capsys.readouterr().out.strip() == str(path)


def test_failures_are_sentences(saved, tmp_path, capsys):
    for arguments, said in (
        (["view", "missing"], "No such file"),
        (["view", "cycle"], "without cycles"),
        (["view", "some.graph", "--out", str(tmp_path / "graph.png")], "ends in .html"),
        (["view", "some.graph", "--out", str(tmp_path / "no" / "graph.svg")], "path that can be written"),
    ):
        assert main(arguments) == 1
        caught = capsys.readouterr()
        assert said in caught.err and caught.err.startswith("view: ") and caught.out == ""
    assert not list(tmp_path.iterdir())


def test_a_version_that_loads_nothing_says_so(monkeypatch, capsys):
    monkeypatch.delattr(w.graph, "load", raising=False)
    assert main(["view", "some.graph"]) == 1
    assert "saves no graphs" in capsys.readouterr().err
