"""`viz.Live`: what the page, the terminal and the event files say while a model trains."""

import io
import math
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

import wengert as w
from wengert import nn
from wengert.viz import Live
from wengert.viz._chart import Series, chart
from wengert.viz._live import dead_share


def small_model():
    model = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 1))
    return model, w.optim.SGD(model.parameters(), lr=0.1)


def train(live, model, optimizer, steps):
    data = w.randn(16, 4)
    for _ in range(steps):
        loss = (model(data) - data[:, :1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        live(loss)
    return loss


def svgs(text):
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text, re.S)]


def test_page_shows_loss_rate_norms_and_dead_units(tmp_path):
    model, optimizer = small_model()
    with w.no_grad():
        model[0].bias[:3] = -1000.0  # three of ten units never answer
    path = tmp_path / "run.html"
    with Live(path, model=model, optimizer=optimizer, every=0, terminal=False) as live:
        loss = train(live, model, optimizer, 5)
        assert 'data-status="running"' in path.read_text()
    text = path.read_text()
    assert 'data-status="finished"' in text and "step 5" in text
    assert live.numbers["loss"].last == pytest.approx(loss.item())
    assert live.numbers["learning rate"].last == pytest.approx(0.1)
    assert live.dead["1"].last >= 0.3 and live.dead["1"].count == 5
    assert set(live.gradients) == {"0", "2"}
    expected = math.hypot(*[p.grad.norm().item() for p in model[2].parameters()])
    assert live.gradients["2"].last == pytest.approx(expected, rel=1e-4)
    whole = math.hypot(*[s.last for s in live.gradients.values()])
    assert live.numbers["gradient norm"].last == pytest.approx(whole)
    for name in ("loss", "learning rate", "gradient norm", "dead units", "Layers"):
        assert name in text
    assert len(svgs(text)) >= 4
    assert all(series.steps == [1, 2, 3, 4, 5] for series in live.numbers.values())
    assert model[1]._forward_hooks == {} and not optimizer._optimizer_step_pre_hooks


def test_page_needs_nothing_else_and_is_there_in_whole(tmp_path):
    path = tmp_path / "run.html"
    with Live(path, terminal=False) as live:
        live(1.0)
        assert [p.name for p in tmp_path.iterdir()] == ["run.html"]
    text = path.read_text()
    assert "http://" not in text and "https://" not in text and "src=" not in text and "@import" not in text
    assert str(tmp_path) not in text and "default-src 'none'" in text
    assert text.count("</html>") == 1


def test_names_are_data(tmp_path):
    path = tmp_path / "run.html"
    nasty = "</title><script>alert(1)</script>\n&"
    with Live(path, title=nasty, terminal=False, every=0) as live:
        live(1.0, **{nasty: 2.0})
        live(1.0, **{nasty: 3.0})
    text = path.read_text()
    assert text.count("<script>") == 1 and "alert(1)&lt;/script&gt;" in text


def test_looks_only_when_a_page_is_due(tmp_path):
    model, optimizer = small_model()
    with Live(tmp_path / "run.html", model=model, optimizer=optimizer, every=1000, terminal=False) as live:
        train(live, model, optimizer, 50)
        assert live.numbers["loss"].count == 50
        assert live.numbers["gradient norm"].count == 1 and live.dead["1"].count == 1


def test_without_an_optimizer_and_without_a_page():
    model, optimizer = small_model()
    with Live(None, model=model, every=0, terminal=False) as live:
        train(live, model, optimizer, 3)
    assert live.numbers["gradient norm"].count == 3 and "learning rate" not in live.numbers


def test_numbers_that_are_not_finite_are_told(tmp_path):
    path = tmp_path / "run.html"
    with Live(path, terminal=False, every=0) as live:
        for value in (1.0, 2.0, math.nan, math.inf, 3.0):
            live(value)
    assert live.numbers["loss"].broken == 3 and live.numbers["loss"].values == [1.0, 2.0, 3.0]
    assert "not a finite number since step 3" in path.read_text()


def test_a_failing_run_says_so(tmp_path):
    path = tmp_path / "run.html"
    with pytest.raises(ZeroDivisionError), Live(path, terminal=False) as live:
        live(1.0)
        raise ZeroDivisionError
    assert 'data-status="stopped by ZeroDivisionError"' in path.read_text()
    live.close()
    assert live.status == "stopped by ZeroDivisionError"


def test_terminal_line(tmp_path, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    model, optimizer = small_model()
    with Live(None, model=model, optimizer=optimizer, every=0, terminal=True, total=3) as live:
        train(live, model, optimizer, 3)
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 3
    assert re.match(r"step 3/3  loss \S+  lr 0.1  \|grad\| \S+  dead \d+ %", lines[-1])

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Live(None, every=0) as live:
        live(0.5)
        live(0.25, **{"a\x1b[31m": 1})
    shown = screen.getvalue()
    assert shown.count("\r\x1b[K") == 3 and shown.endswith("\n") and "\x1b[31m" not in shown
    assert "step 2  loss 0.25" in shown


def test_quiet_where_standard_error_is_no_terminal(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Live(None, every=0) as live:
        live(1.0)
    assert stream.getvalue() == ""


def test_series_keeps_its_memory_and_the_mean():
    series = Series(limit=64)
    for k in range(100_000):
        series.add(k, float(k))
    assert len(series.values) < 64 and series.count == 100_000 and series.last == 99_999
    assert series.steps == sorted(series.steps) and series.steps[-1] > 95_000
    for (a, x), (b, y) in zip(series.points()[:-1], series.points()[1:], strict=True):
        assert y - x == pytest.approx(b - a)  # a straight line stays straight
    with pytest.raises(ValueError):
        Series(limit=1)


@pytest.mark.parametrize(
    "values", [[], [1.0], [0.0, 0.0], [1e-300, 1e300], [-1.0, 1.0], [5.0] * 10, [1e-8, 1.0], [-1e308, 1e308]]
)
def test_charts_are_drawn_inside_their_frame(values):
    series = Series()
    for k, v in enumerate(values):
        series.add(k, v)
    root = ET.fromstring(chart('a "chart" <b>', series))
    points = [p for line in root.iter("polyline") for p in line.get("points").split()]
    assert len(points) == len(values)
    assert all(0 <= float(x) <= 520 and 0 <= float(y) <= 180 for x, y in (p.split(",") for p in points))


def test_dead_units():
    out = w.tensor([[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 1.0]])
    assert dead_share(out) == 0.5 and dead_share(out[0]) == 0.5
    images = w.zeros(2, 4, 3, 3)
    images[1, 2, 0, 0] = 1
    assert dead_share(images) == 0.75


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.html"):
        Live(tmp_path / "run.txt")
    with pytest.raises(ValueError, match="at least 0 seconds"):
        Live(None, every=-1)
    with pytest.raises(ValueError, match="at least 0 seconds"):
        Live(None, every=math.nan)
    with pytest.raises(FileNotFoundError, match="expected a path that can be written"):
        Live(tmp_path / "missing" / "run.html")
    with Live(None, terminal=False) as live:
        with pytest.raises(TypeError, match="expected a number for loss"):
            live([1.0])
        with pytest.raises(ValueError, match="expected a number for accuracy"):
            live(accuracy="high")
        with pytest.raises(RuntimeError):
            live(w.ones(2))
        assert live.step_count == 0
    assert not list(tmp_path.iterdir())


def test_tensorboard_event_files(tmp_path):
    pytest.importorskip("tensorboardX", reason="event files are written with tensorboardX: pip install it")
    from tensorboardX.proto.event_pb2 import Event

    model, optimizer = small_model()
    with Live(None, model=model, optimizer=optimizer, every=0, terminal=False, tensorboard=tmp_path) as live:
        train(live, model, optimizer, 4)
        live(math.nan)
    (path,) = tmp_path.iterdir()
    data, found = path.read_bytes(), {}
    while data:
        size = int.from_bytes(data[:8], "little")
        for value in Event.FromString(data[12 : 12 + size]).summary.value:
            found.setdefault(value.tag, []).append(value.simple_value)
        data = data[12 + size + 4 :]
    tags = {tag.replace("_", " ") for tag in found}
    assert {"loss", "learning rate", "gradient norm", "dead units", "gradient norm/2", "dead units/1"} <= tags
    assert len(found["loss"]) == 4 and found["loss"][-1] == pytest.approx(live.numbers["loss"].values[-1])


def test_event_files_without_tensorboardx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match="pip install tensorboardX"):
        Live(None, tensorboard=tmp_path)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize(
    ("status", "paused", "reloads"), [("running", "0", 3), ("running", "1", 0), ("finished", "0", 0)]
)
def test_the_script_reads_the_page_again(tmp_path, status, paused, reloads):
    """The page's own script, run with stand-ins for the browser's clock and page: three seconds at one second."""
    from importlib.resources import files

    script = (files("wengert.viz") / "assets" / "live.js").read_text("utf-8")
    stage = f"""
      let reloads = 0; const timers = [], stored = {{"wengert-live-paused": "{paused}"}};
      const made = () => ({{hidden: true, textContent: "", setAttribute() {{}}, addEventListener() {{}}}});
      const parts = {{pause: made(), age: made()}};
      globalThis.document = {{documentElement: {{dataset: {{status: "{status}", every: "1", written: "0"}}}},
                             getElementById: (id) => parts[id], hidden: false}};
      globalThis.location = {{reload: () => reloads++}};
      globalThis.sessionStorage = {{getItem: (k) => stored[k] ?? null, setItem: (k, v) => stored[k] = v}};
      globalThis.setInterval = (f, ms) => timers.push([f, ms]);
      {script}
      for (let t = 0; t < 3; t++) for (const [f, ms] of timers) f();
      console.log(JSON.stringify([reloads, parts.pause.hidden, parts.age.textContent.includes("no news")]));
    """
    file = tmp_path / "stage.js"
    file.write_text(stage)
    done = subprocess.run(["node", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    running = status == "running"
    assert done.stdout.strip() == f"[{reloads},{str(not running).lower()},{str(running).lower()}]"
