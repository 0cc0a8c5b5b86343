"""Modules of torch that programs import only to ask, and futures."""

import os
import threading

import pytest

import wengert

LINES = {
    "torch.onnx.export(torch.nn.Linear(1, 1), (), 'x')": "Export the state",
    "torch.hub.load('a/b', 'c')": "wengert.load",
    "torch.hub.load_state_dict_from_url('https://a')": "wengert.load",
    "torch.quantization.quantize_dynamic(torch.nn.Linear(1, 1))": "quantised",
    "torch.ao.quantization.prepare(torch.nn.Linear(1, 1))": "quantised",
}
IMPORTS = "import torch, torch.onnx, torch.hub, torch.quantization, torch.ao.quantization\n"


@pytest.mark.parametrize("line", LINES)
def test_names_are_there_and_say_so_when_used(line, tmp_path):
    with wengert.as_torch():
        exec(IMPORTS, space := {})
        with pytest.raises(NotImplementedError, match=LINES[line]):
            eval(line, space)
    path = tmp_path / "program.py"
    path.write_text(f"{IMPORTS}{line}\n")
    report = str(wengert.dropin.check(path))
    assert report.count(line) == 1 and "1 name of torch" in report


def test_questions_have_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with wengert.as_torch():
        import torch

        assert torch.onnx.is_in_onnx_export() is False
        assert torch.hub.get_dir() == os.path.join(str(tmp_path), "hub")
        torch.hub.set_dir(str(tmp_path))
        assert torch.hub.get_dir() == str(tmp_path)
        torch.hub.set_dir("~/.cache/torch/hub")
        x = torch.ones(2)
        assert torch.quantization.DeQuantStub()(torch.quantization.QuantStub()(x)) is x
        from torch.nn.parallel.scatter_gather import gather, scatter

        assert gather(scatter((x,), [0]), 0) == (x,)
        with pytest.raises(RuntimeError, match="one device"):
            scatter(x, [0, 1])
        from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass
        from torch.utils.flop_counter import FlopCounterMode

        for mode in (TorchDispatchMode, FlopCounterMode):
            with pytest.raises(NotImplementedError, match="dispatch modes"), mode():
                pass
        assert not is_traceable_wrapper_subclass(x)
        assert "instruction set" in torch.__config__.show() and "threads" in torch.__config__.parallel_info()


def test_classes_below_functions_are_refused():
    class Below(wengert.Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return func(*args)

    class More(Below):
        def __new__(cls, data):
            return wengert.Tensor._make_subclass(cls, data)

    for make in (Below, More, lambda data: data.as_subclass(Below)):
        with pytest.raises(NotImplementedError, match="__torch_dispatch__"):
            make(wengert.ones(2))
    with pytest.raises(NotImplementedError, match="wrapper"):
        wengert.Tensor._make_wrapper_subclass(wengert.Tensor, (2,))


def test_subclasses_made_of_data():
    class Tagged(wengert.Tensor):
        @staticmethod
        def __new__(cls, data, tag=None):
            return wengert.Tensor._make_subclass(cls, data, True)

        def __init__(self, data, tag=None):
            self.tag = tag

    x = Tagged(wengert.ones(2), tag="a")
    assert type(x) is Tagged and x.tag == "a" and x.requires_grad and x.is_leaf and type(x * 2) is Tagged


def test_functions_that_ask():
    class Answer:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__, args[1:]

    @wengert.overrides.wrap_torch_function(lambda x, y: (x,))
    def scale(x, y):
        return x * y

    assert scale(2, 3) == 6 and scale(Answer(), 3) == ("scale", (3,))
    assert wengert.overrides.has_torch_function_unary(Answer())
    assert wengert.overrides.has_torch_function_variadic(1, Answer())
    assert not wengert.overrides.has_torch_function_variadic(1, wengert.ones(1))


def test_futures():
    first, second = wengert.futures.Future(), wengert.futures.Future()
    seen = []
    first.add_done_callback(lambda f: seen.append(f.value()))
    later = first.then(lambda f: f.value() * 2)
    assert not first.done()
    with pytest.raises(RuntimeError, match="done"):
        first.value()
    thread = threading.Thread(target=first.set_result, args=(4,))
    thread.start()
    assert later.wait() == 8 and seen == [4]
    thread.join()
    with pytest.raises(RuntimeError, match="not done"):
        first.set_result(1)
    both = wengert.futures.collect_all([first, second])
    assert not both.done()
    second.set_exception(ValueError("no"))
    assert both.wait() == [first, second]
    with pytest.raises(ValueError, match="no"):
        wengert.futures.wait_all([first, second])
    assert wengert.futures.collect_all([]).wait() == []
    with pytest.raises(ZeroDivisionError):
        first.then(lambda f: 1 / 0).wait()
