"""Sparse gradients of tables, their optimizers and what programs do with them, beside PyTorch."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from against_torch import assert_same

import wengert as wg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(9)
TABLE = RNG.normal(size=(7, 3))
STEPS = 12
LIBS = (wg, torch)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch announces that sparse tensors are in beta
        yield


def table(lib, **more):
    return lib.nn.Embedding(7, 3, sparse=True, _weight=lib.tensor(TABLE.copy()), **more)


def parts(grad):
    assert grad.is_sparse
    grad = grad.coalesce()
    return [grad.indices(), grad.values()]


def beside(run):
    """What `run` gives with both libraries, compared."""
    ours, theirs = (run(lib) for lib in LIBS)
    assert_same(ours, theirs)
    return ours


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_gradient_of_an_embedding(padding_idx):
    def run(lib):
        module = table(lib, padding_idx=padding_idx)
        index = lib.tensor([[1, 2, 2], [6, 0, 2]])
        (module(index) ** 3).sum().backward()
        grad = module.weight.grad
        assert isinstance(grad, lib.Tensor) and lib.is_tensor(grad)
        assert tuple(grad.shape) == (7, 3) and grad.dtype == lib.float64 and not grad.requires_grad
        return [*parts(grad), grad.to_dense(), lib.tensor([grad._nnz(), grad.sparse_dim(), grad.dense_dim()])]

    beside(run)


@pytest.mark.parametrize("kwargs", [{"mode": "mean"}, {"mode": "sum"}, {"mode": "mean", "padding_idx": 1}])
@pytest.mark.parametrize("offsets", [None, [0, 2, 2, 5]])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_of_a_bag(kwargs, offsets, weighted):
    if weighted and kwargs["mode"] == "mean":
        pytest.skip("factors go with sums")
    index = [[1, 2, 0], [3, 1, 1]] if offsets is None else [1, 2, 4, 1, 1, 0]

    def run(lib):
        bag = lib.nn.EmbeddingBag(7, 3, sparse=True, _weight=lib.tensor(TABLE.copy()), **kwargs)
        factors = None
        if weighted:
            factors = lib.arange(6, dtype=lib.float64).reshape(lib.tensor(index).shape).requires_grad_()
        result = bag(lib.tensor(index), None if offsets is None else lib.tensor(offsets), factors)
        (result**2).sum().backward()
        return [result.detach(), *parts(bag.weight.grad), *([factors.grad] if weighted else [])]

    beside(run)


def test_accumulation_over_backward_calls_and_zeroing():
    def run(lib):
        module = table(lib)
        optimizer = lib.optim.SGD(module.parameters(), lr=0.1)
        seen = []
        for k in range(3):
            (module(lib.tensor([k, k, 4])) * (k + 1)).sum().backward()
            seen += parts(module.weight.grad)
        optimizer.zero_grad(set_to_none=False)
        assert module.weight.grad.is_sparse
        seen.append(module.weight.grad.to_dense())
        module(lib.tensor([5])).sum().backward()
        seen += parts(module.weight.grad)
        optimizer.zero_grad()
        assert module.weight.grad is None
        return seen

    beside(run)


def test_one_table_sparse_and_dense():
    def run(lib):
        module = table(lib)
        index = lib.tensor([3, 3, 1])
        rows = module(index)
        (rows @ module.weight.T).logsumexp(1).sum().backward()  # both in one pass
        first = module.weight.grad.clone()
        assert not first.is_sparse
        module(index).sum().backward()  # a sparse one onto a dense one
        second = module.weight.grad.clone()
        module.weight.grad = None
        module(index).sum().backward()
        (module.weight**2).sum().backward()  # a dense one onto a sparse one
        assert not module.weight.grad.is_sparse
        return [first, second, module.weight.grad]

    beside(run)


def test_grad_hooks_inputs_and_inner_tables():
    def run(lib):
        module, seen = table(lib), []
        module.weight.register_hook(lambda g: seen.append(g.coalesce().values()) or g * 2)
        index = lib.tensor([5, 0, 5])
        module(index).sum().backward()
        seen += parts(module.weight.grad)
        (found,) = lib.autograd.grad((module(index) ** 2).sum(), module.weight)
        seen += parts(found)
        other = lib.ones(3, dtype=lib.float64, requires_grad=True)
        (module(index) * other).sum().backward(inputs=[other])
        seen += [other.grad, *parts(module.weight.grad)]
        inner = lib.tensor(TABLE.copy(), requires_grad=True)
        lib.nn.functional.embedding(index, inner * 3, sparse=True).sum().backward()
        seen.append(inner.grad.to_dense())
        return seen

    beside(run)


def test_second_order():
    def run(lib):
        module = table(lib)
        (first,) = lib.autograd.grad((module(lib.tensor([1, 4])) ** 3).sum(), module.weight, create_graph=True)
        assert first.is_sparse and first.requires_grad
        first.to_dense().square().sum().backward()
        return module.weight.grad.to_dense()

    beside(run)


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr": 0.2, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("SparseAdam", {"lr": 0.05, "betas": (0.8, 0.95)}),
    ("SparseAdam", {"lr": 0.05, "maximize": True}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
@pytest.mark.parametrize("saved", [False, True])
def test_optimizers_step_as_torch(name, options, saved):
    def run(lib):
        module = table(lib)
        optimizer = getattr(lib.optim, name)(module.parameters(), **options)
        trace = []
        for step in range(STEPS):
            index = lib.from_numpy(np.random.default_rng(step).integers(0, 7, (2, 3)))
            optimizer.zero_grad()
            loss = (module(index) ** 2).sum() + module(index[0]).sin().sum()
            loss.backward()
            optimizer.step()
            trace += [loss.detach(), module.weight.detach().clone()]
            if saved and step == STEPS // 2:
                state = copy.deepcopy(optimizer.state_dict())
                optimizer = getattr(lib.optim, name)(module.parameters(), **{**options, "lr": 1.0})
                optimizer.load_state_dict(state)
        return trace

    beside(run)


def test_sparse_adam_leaves_other_rows_alone():
    module = table(wg)
    optimizer = wg.optim.SparseAdam(module.parameters())
    (module(wg.tensor([1, 4])) * 0.0).sum().backward()  # a row of zeros is a row that was looked up
    optimizer.step()
    module(wg.tensor([1])).sum().backward()
    optimizer.step()
    assert (module.weight != wg.tensor(TABLE)).any(1).nonzero().flatten().tolist() == [1]


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "RMSprop", "Adadelta", "NAdam"])
def test_other_optimizers_say_so(name):
    for lib in LIBS:
        module = table(lib)
        module(lib.tensor([1])).sum().backward()
        with pytest.raises(RuntimeError, match="sparse gradients|dense gradients"):
            getattr(lib.optim, name)(module.parameters()).step()


def test_what_does_not_go_together():
    for lib in LIBS:
        module = table(lib)
        module(lib.tensor([1])).sum().backward()
        for optimizer in (
            lib.optim.SGD(module.parameters(), lr=0.1, weight_decay=0.1),
            lib.optim.Adagrad(module.parameters(), weight_decay=0.1),
        ):
            with pytest.raises(RuntimeError):
                optimizer.step()
        module.weight.grad = module.weight.grad.to_dense()
        with pytest.raises(RuntimeError, match="dense"):
            lib.optim.SparseAdam(module.parameters()).step()
        with pytest.raises(RuntimeError, match="scale_grad_by_freq"):
            table(lib, scale_grad_by_freq=True)(lib.tensor([1])).sum().backward()


def test_clipping_counts_each_element_once():
    module, dense = table(wg), wg.nn.Embedding(7, 3, _weight=wg.tensor(TABLE.copy()))
    for m in (module, dense):
        (m(wg.tensor([1, 1, 3])) ** 2).sum().backward()
    norms = [wg.nn.utils.clip_grad_norm_(m.parameters(), 0.5) for m in (module, dense)]
    assert_same(norms[0], torch.tensor(norms[1].item(), dtype=torch.float64))
    assert_same(module.weight.grad.to_dense(), torch.tensor(dense.weight.grad.numpy()))
    assert abs(module.weight.grad.norm().item() - 0.5) < 1e-5


def test_tensor_protocol_of_a_gradient():
    def run(lib):
        module = table(lib)
        module(lib.tensor([1, 1, 3])).exp().sum().backward()
        grad = module.weight.grad
        weight = module.weight.detach().clone()
        seen = [grad.norm(), grad.sum(), grad.abs().to_dense(), (grad * 2 - grad).to_dense(), weight + grad]
        weight.add_(grad, alpha=-0.5)
        seen.append(weight.clone())
        weight -= 0.1 * grad
        assert len(grad) == 7 and grad.size(1) == 3 and grad.dim() == 2 and grad.numel() == 21
        assert grad.layout == lib.sparse_coo and str(grad.device) == "cpu" and grad.is_floating_point()
        twins = copy.deepcopy(grad), pickle.loads(pickle.dumps(grad)), grad.clone(), grad.data, grad.to(lib.float64)
        for twin in twins:
            seen += parts(twin)
        grad.mul_(3).div_(2)
        return [*seen, weight, grad.to_dense(), grad.sparse_mask(grad.coalesce()).to_dense()]

    beside(run)


def test_gradients_in_transforms_are_dense():
    weight, index = wg.tensor(TABLE.copy()), wg.tensor([1, 1, 3])

    def loss(w):
        return (wg.nn.functional.embedding(index, w, sparse=True) ** 2).sum()

    dense = wg.func.grad(lambda w: (w[index] ** 2).sum())(weight)
    assert wg.func.grad(loss)(weight).to_dense().tolist() == dense.tolist()
    assert wg.func.jacfwd(loss)(weight).tolist() == dense.tolist()


OPTIMIZERS = {
    "SparseAdam": lambda p: wg.optim.SparseAdam(p, lr=0.1),
    "SGD": lambda p: wg.optim.SGD(p, lr=0.1, momentum=0.9),
    "Adagrad": lambda p: wg.optim.Adagrad(p, lr=0.1),
}


def trained(name, layer, compiled):
    """Losses, the table and the entries of its gradient after six steps; how many plans there are."""
    module = table(wg) if layer == "embedding" else wg.nn.EmbeddingBag(*TABLE.shape, mode="sum", sparse=True)
    with wg.no_grad():
        module.weight.copy_(wg.tensor(TABLE))
    optimizer = OPTIMIZERS[name](module.parameters())
    index = wg.tensor([[1, 1, 3]])

    def step():
        optimizer.zero_grad()
        value = (module(index) ** 2).sum()
        value.backward()
        optimizer.step()
        return value

    fast = wg.compile(step) if compiled else step
    losses = [fast().item() for _ in range(6)]
    assert module.weight.grad.is_sparse
    grad = module.weight.grad.coalesce()
    return [losses, module.weight.tolist(), grad.indices().tolist(), grad.values().tolist()], fast


@pytest.mark.parametrize("layer", ["embedding", "bag"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_compiled_functions_with_sparse_gradients_run_as_they_are_written(name, layer):
    with pytest.warns(
        UserWarning, match="has a sparse gradient, which a plan cannot make.*Use sparse=False"
    ) as seen:
        compiled, fast = trained(name, layer, True)
    assert len(seen) == 1 and fast.plans == 0
    assert compiled == trained(name, layer, False)[0]


def test_what_needs_no_gradient_of_the_table_is_captured():
    module, index = table(wg), wg.tensor([1, 1, 3])
    with pytest.raises(wg.graph.CompileError, match="sparse gradient"):
        wg.compile(lambda: module(index), fullgraph=True)()
    fast = wg.compile(lambda: module(index) * 2, fullgraph=True)
    with wg.no_grad():
        for _ in range(4):
            assert wg.equal(fast(), module(index) * 2)
    assert fast.plans == 1


def test_loops_around_sparse_lookups_run_as_they_are_written():
    module, index = table(wg), wg.tensor([[1], [3]])

    def f():
        return wg.scan(lambda c, k: (c + module(k).sum(), None), wg.zeros((), dtype=wg.float64), index)[0]

    with pytest.warns(UserWarning, match="functions with dense gradients, got embedding with sparse=True"):
        fast = wg.compile(f)
        values = [fast() for _ in range(3)]
    values[-1].backward()
    assert module.weight.grad.is_sparse and wg.equal(values[-1], f())


def test_a_failed_pass_leaves_nothing_behind():
    module = table(wg)
    rows = module(wg.tensor([1]))
    rows.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (rows.sum() + module(wg.tensor([2])).sum()).backward()
    module.weight.grad = None
    module(wg.tensor([4])).sum().backward()
    assert module.weight.grad.coalesce().indices().tolist() == [[4]]
