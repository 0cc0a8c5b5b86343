"""Arguments of wengert.compile, and what it refuses."""

import pytest

import wengert as torch

OPTIONS = [
    {"dynamic": True},
    {"dynamic": False},
    {"mode": "reduce-overhead"},
    {"mode": "max-autotune"},
    {"backend": "eager"},
    {"backend": "inductor", "options": {"max_autotune": True}},
    {"backend": lambda module, inputs: module},
    {"disable": True},
    {"fullgraph": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options(options):
    f = torch.compile(lambda x: x * 2, **options)
    for n in (2, 2, 2, 2, 3, 4, 5):
        assert torch.equal(f(torch.ones(n)), torch.full((n,), 2.0))
    assert getattr(f, "plans", 0) == (0 if "disable" in options else 1)


def test_options_that_contradict():
    with pytest.raises(RuntimeError, match="expected a mode among default, .*got 'fast'"):
        torch.compile(torch.sin, mode="fast")
    with pytest.raises(RuntimeError, match="expected either mode or options"):
        torch.compile(torch.sin, mode="default", options={})


def test_generators_and_coroutines_are_refused():
    def items(x):
        yield x * 2

    async def later(x):
        return x * 2

    async def stream(x):
        yield x * 2

    for f, what in ((items, "generator"), (later, "coroutine"), (stream, "asynchronous generator")):
        with pytest.raises(
            TypeError, match=f"compile: expected a function that returns its results, got the {what}"
        ):
            torch.compile(f)
