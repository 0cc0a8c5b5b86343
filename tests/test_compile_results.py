"""What compiled functions take and give beside tensors: objects, dicts of all kinds, views of what was there before."""

import collections
import dataclasses

import pytest
from compile_users import Users, X

import wengert as torch
from wengert.utils import _pytree

program = Users()


@dataclasses.dataclass
class Batch:
    x: torch.Tensor
    scale: float = 1.0
    tags: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.made = "by init"


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    first: torch.Tensor
    second: object = None


class Registered:
    def __init__(self, x, name):
        self.x, self.name = x, name


_pytree.register_pytree_node(Registered, lambda r: ([r.x], r.name), lambda parts, name: Registered(*parts, name))


class Scores(dict):
    """A dict with an attribute."""

    unit = None


def told(v):
    """Objects as tuples, for comparison."""
    if isinstance(v, Registered):
        return Registered, v.x, v.name
    if isinstance(v, Batch):
        return Batch, v.x, v.scale, v.tags, v.made
    return (Pair, v.first, told(v.second)) if isinstance(v, Pair) else v


def given(f, make, times=8):
    return [told(f(make(k))) for k in range(times)]


@program
def dataclasses_as_results(compile):
    f = compile(lambda x: Batch(x * 2, 3.0, [x + 1, "a"]))
    seen = given(f, lambda k: X + k)
    first, second = f(X), f(X)
    first.tags.append("b")  # of this one alone
    return [*seen, told(first), told(second)]


@program
def dataclasses_as_arguments(compile):
    f = compile(lambda batch: batch.x * batch.scale + len(batch.tags))
    return given(f, lambda k: Batch(X + k, float(k), ["tag"] * (k // 6)))


@program
def frozen_ones_inside_of_each_other(compile):
    f = compile(lambda p: Pair(p.second.first * 2, Pair(p.first, {"sum": p.first + p.second.first})))
    return given(f, lambda k: Pair(X + k, Pair(X * k)))


@program
def a_dataclass_that_is_always_the_same(compile):
    state = Batch(X.clone())

    def f(x):
        state.x.add_(x)
        return state

    fast, seen = compile(f), []
    for _ in range(6):
        out = fast(X)
        seen += [out is state, out.x is state.x, out.x.clone()]
    return seen


@program
def classes_that_were_registered(compile):
    f = compile(lambda r: Registered(r.x * 2, r.name + "!"))
    return given(f, lambda k: Registered(X + k, "even" if k < 4 else "odd"))


@program
def dicts_of_all_kinds(compile):
    def f(x):
        scores = Scores(a=x * 3)
        scores.unit = "m"
        lists = collections.defaultdict(list, last=[x * 2])
        return scores, lists, collections.OrderedDict(b=x, a=x + 1), collections.deque([x - 1], maxlen=2)

    fast, seen = compile(f), []
    for k in range(5):
        scores, lists, ordered, last = fast(X + k)
        seen += [type(scores), scores.unit, scores["a"], lists.default_factory, lists["new"], lists["last"][0]]
        seen += [type(ordered), list(ordered), last.maxlen, last[0]]
    return seen


@program
def gradients_of_what_an_object_holds(compile):
    weight = torch.ones(3, requires_grad=True)
    f, seen = compile(lambda p: Pair((p.first * weight).sum(), (p.first * weight**2).mean())), []
    for k in range(5):
        out = f(Pair(X + k))
        (out.first + out.second).backward()
        seen += [out.first, weight.grad.clone()]
    return seen


@program
def second_gradients_of_what_an_object_holds(compile):
    f, seen = compile(lambda p: Pair((p.first**3).sum())), []
    for k in range(5):
        x = (X + k).requires_grad_()
        (g,) = torch.autograd.grad(f(Pair(x)).first, x, create_graph=True)
        seen += [g.detach(), *torch.autograd.grad(g.sum(), x)]
    return seen


@program
def views_of_parameters(compile):
    w, seen = torch.nn.Parameter(X.clone()), []
    f = compile(lambda x: ((x * w).sum(), w.view(6), w.t()[1], w[0].expand(4, 3)))
    for k in range(5):
        w.grad = None
        total, flat, row, wide = f(X + k)
        (total + flat.sum() * 2 + (row * row).sum() + (wide**3).sum()).backward()
        with torch.no_grad():
            flat.mul_(0.9)
        seen += [w.detach().clone(), w.grad, flat, row, wide, flat._base is w, flat.grad_fn.name()]
    return seen


@program
def views_of_arguments(compile):
    f, seen = compile(lambda x: (x.view(6), x[0], x.unbind(1)[2], x * 2)), []
    for k in range(6):
        leaf = (X + k).requires_grad_()
        x = leaf if k % 3 else leaf * 1
        flat, row, column, double = f(x)
        (flat.sum() * 2 + (row * row).sum() + column.prod() + double.sum()).backward()
        flat.detach().fill_(7.0)
        seen += [leaf.grad, flat, row.data_ptr() == x.data_ptr(), x]
    return seen


@program
def views_without_history(compile):
    w, seen = torch.nn.Parameter(X.clone()), []

    def f(x):
        with torch.no_grad():
            view = w.view(6)
        return view, x[1:], x * w

    fast = compile(f)
    for k in range(5):
        view, part, out = fast(X + k)
        seen += [view.clone(), view.requires_grad, part, out.detach()]
    return seen


@program
def a_view_with_another_history(compile):
    w, seen = torch.nn.Parameter(X.clone()), []
    f = compile(lambda x: (w.detach().requires_grad_().view(6), x * w))
    for k in range(5):
        w.grad = None
        view, out = f(X + k)
        (view.sum() + out.sum()).backward()
        seen += [view, w.grad]
    return seen


@program
def arguments_that_are_changed(compile):
    def f(d, batch, x):
        d["out"] = x * d["n"]
        batch.scale += 1
        d["items"].append(batch.scale)
        return x + d["n"]

    fast, seen = compile(f), []
    for k in range(8):
        d, batch = {"n": float(k // 3), "items": []}, Batch(X, k / 2)
        seen += [fast(d, batch, X), d, batch.scale]
    return seen


@pytest.mark.parametrize("name", program)
def test_program(name, capsys):
    made = program.check(name, capsys)
    reasons = {
        "a_view_with_another_history": "its history is another",
        "arguments_that_are_changed": "the call changes its arguments",
    }
    if name in reasons:
        assert reasons[name] in made[0].reason
    else:
        assert made[0].plans and made[0].reason is None, made[0].reason


def test_objects_that_hold_themselves_are_left_whole():
    @dataclasses.dataclass(eq=False)
    class Link:
        x: torch.Tensor
        other: object = None

    link = Link(X)
    link.other = link
    f = torch.compile(lambda link: link.other.x * 2)
    with pytest.warns(UserWarning, match="different tensors from outside"):
        for k in range(5):
            link.x = X + k
            assert torch.equal(f(link), link.x * 2)


def test_a_loss_whose_backward_has_run_is_what_plain_calls_return():
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    @torch.compile(fullgraph=True)
    def step(x):
        optimizer.zero_grad()
        y = model(x).tanh()
        loss = y.square().mean()
        loss.backward()
        optimizer.step()
        return loss, y

    for _ in range(6):
        loss, y = step(torch.randn(4, 3))
        for t in (loss, y):
            assert t.requires_grad and not t.is_leaf
            with pytest.raises(RuntimeError, match="has freed"):
                t.sum().backward()
            with pytest.raises(RuntimeError, match="requires grad"):
                t.numpy()
        assert (loss.grad_fn.name(), y.grad_fn.name()) == ("MeanBackward0", "TanhBackward0")
        assert not loss.detach().requires_grad
    assert step.plans == 1


def test_a_loss_whose_backward_has_run_beside_one_that_is_still_to_run():
    p, q = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)

    def step(x):
        first, second = (p * x).exp().sum(), (q * x).exp().sum()
        first.backward()
        return first, second

    with pytest.raises(torch.graph.CompileError, match="others still need gradients"):
        fast = torch.compile(step, fullgraph=True)
        for _ in range(4):
            fast(X)


def test_rows_of_a_table_that_are_kept_short():
    def trained(compile):
        torch.manual_seed(0)
        table, bag = (
            torch.nn.Embedding(6, 3, max_norm=1.0),
            torch.nn.EmbeddingBag(6, 3, max_norm=0.7, norm_type=1.0),
        )
        optimizer = torch.optim.SGD([*table.parameters(), *bag.parameters()], 0.5)

        def step(index):
            optimizer.zero_grad()
            loss = (table(index).exp().sum(1) * bag(index)).mean()
            loss.backward()
            optimizer.step()
            return loss

        step = compile(step)
        losses = [step(torch.randint(0, 6, (4, 3))).item() for _ in range(8)]
        return losses, table.weight.tolist(), bag.weight.tolist(), step

    plain, captured = trained(lambda f: f), trained(lambda f: torch.compile(f, fullgraph=True, exact=True))
    assert repr(plain[:3]) == repr(captured[:3]) and captured[3].plans == 1
