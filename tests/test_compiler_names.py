"""Names around compilation that training programs use: `torch.compiler`, `torch._dynamo`; copies of functions."""

import copy
import pickle
import weakref

import pytest

import wengert as w
from wengert import nn


@w.compile
def doubled(x):
    """Doubles."""
    return x * 2


def tripled(x):
    return x * 3


def test_copies_and_pickles_of_compiled_functions():
    fast = w.compile(tripled, exact=True)
    for _ in range(4):
        assert fast(w.ones(1)).item() == 3 and doubled(w.ones(1)).item() == 2
    for twin in (copy.copy(fast), copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert twin is not fast and twin.plans == 0 and twin.exact and twin.__name__ == "tripled"
        for _ in range(4):
            assert twin(w.ones(1)).item() == 3
        assert twin.plans == 1
    assert pickle.loads(pickle.dumps(doubled)) is doubled and copy.deepcopy(doubled) is doubled
    assert (doubled.__name__, doubled.__doc__, doubled.__wrapped__(w.ones(1)).item()) == ("doubled", "Doubles.", 2)
    assert weakref.ref(fast)() is fast


def test_arguments_of_torch_compile_are_taken():
    for options in (
        {"mode": "max-autotune", "dynamic": True},
        {"backend": "eager", "options": {"trace.enabled": True}},
        {"fullgraph": True, "dynamic": False, "mode": "reduce-overhead"},
    ):
        fast = w.compile(tripled, **options)
        assert [fast(w.ones(1)).item() for _ in range(4)] == [3.0] * 4 and fast.plans == 1
    assert w.compile(tripled, disable=True) is tripled


def test_names_of_torch_compiler():
    seen = []

    def f(x):
        seen.append(w.compiler.is_compiling())
        return x * 2

    f(w.ones(1))
    with pytest.warns(UserWarning, match="seen"):
        fast = w.compile(f)
        for _ in range(4):
            fast(w.ones(1))
    assert seen[:3] == [False, True, True] and seen[-1] is False
    assert fast.reason
    w.compiler.reset()
    assert fast.reason is None and doubled.plans == 0
    assert w.compiler.disable(fast) is f and w.compiler.disable(reason="x")(f) is f
    model = nn.Linear(2, 1)
    assert w.compiler.disable(w.compile(model)) is model
    w.compiler.cudagraph_mark_step_begin()
    with w.compiler.set_stance("force_eager"):
        assert w.compiler.list_backends() == ["inductor"] and not w.compiler.is_exporting()


def test_names_of_dynamo():
    with w.as_torch() as torch:
        import torch._dynamo
        import torch._dynamo.config
        import torch._inductor.config

        torch._dynamo.config.suppress_errors = True
        torch._dynamo.config.cache_size_limit = 64
        torch._inductor.config.coordinate_descent_tuning = True
        assert torch._dynamo.config.suppress_errors and not torch._dynamo.config.verbose
        torch._dynamo.reset()
        torch._dynamo.mark_dynamic(torch.ones(2), 0)
        fast = torch.compile(torch.nn.Linear(2, 1))
        assert isinstance(fast, torch._dynamo.eval_frame.OptimizedModule) and fast._orig_mod is not fast
        assert torch._dynamo.optimize("inductor")(tripled)(torch.ones(1)).item() == 3
        assert not torch.compiler.is_compiling()
