"""Mistakes that users make: each raises what PyTorch users expect, names the op, and says what to do.

Each line, here and in training_mistakes.py, is code over a module `t`, run with wengert and, where torch is installed, with
torch: both must raise, and the kind of the error must be the same. Every message follows "op: expected ..., got ...".
Nothing may be left behind.
"""

import gc
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from optools import core, tensor, values, wengert
from training_mistakes import TRAINING

# code; the exception; what the message must contain. "x" is a leaf of shape (2, 3) that requires grad.
MISTAKES = [
    # ops that several rows compute go by the name that users know
    ("t.ones(2, 3).softmax(5)", IndexError, r"^softmax: "),
    ("t.ones(2, 3).log_softmax(5)", IndexError, r"^log_softmax: "),
    ("t.ones(2, 3).std(4)", IndexError, r"^std: "),
    ("t.ones(2, 3).max(3)", IndexError, r"^max: "),
    ("t.nn.functional.nll_loss(t.ones(2, 3), t.tensor([0, 7]))", IndexError, r"^nll_loss: "),
    ("t.nn.functional.embedding(t.tensor([9]), t.ones(2, 3))", IndexError, r"^embedding: "),
    # shapes
    ("t.ones(2, 3) + t.ones(4)", RuntimeError, r"add: .*\(2, 3\).*\(4,\)"),
    ("t.ones(2, 3) - t.ones(3, 2)", RuntimeError, r"sub: "),
    ("t.ones(2, 3) * t.ones(2)", RuntimeError, r"mul: "),
    ("t.ones(2, 3) / t.ones(2, 2)", RuntimeError, r"div: "),
    ("t.ones(2, 3) ** t.ones(2, 2)", RuntimeError, r"pow: "),
    ("t.ones(2, 3) < t.ones(5)", RuntimeError, r"lt: "),
    ("t.maximum(t.ones(2), t.ones(3))", RuntimeError, r"maximum: "),
    ("t.atan2(t.ones(2), t.ones(3))", RuntimeError, r"atan2: "),
    ("t.where(t.ones(2).bool(), t.ones(3), t.ones(3))", RuntimeError, r"where: "),
    ("t.lerp(t.ones(2), t.ones(3), 0.5)", RuntimeError, r"lerp: "),
    ("t.ones(2, 3) @ t.ones(2, 3)", RuntimeError, r"matmul: .*\(2, 3\)"),
    ("t.ones(3) @ t.ones(4)", RuntimeError, r"matmul: "),
    ("t.ones(2, 3, 4) @ t.ones(3, 4, 5)", RuntimeError, r"matmul: "),
    ("t.ones(()) @ t.ones(3)", RuntimeError, r"matmul: "),
    ("t.mm(t.ones(2, 3), t.ones(4, 2))", RuntimeError, r"matmul: "),
    ("t.ones(2, 3).view(5)", RuntimeError, r"view: .*\(2, 3\)"),
    ("t.ones(2, 3).view(-1, -1)", RuntimeError, r"view: "),
    ("t.ones(2, 3).view(4, -1)", RuntimeError, r"view: "),
    ("t.ones(2, 3).reshape(7)", RuntimeError, r"reshape: .*\(2, 3\)"),
    ("t.ones(2, 3).transpose(0, 1).view(6)", RuntimeError, r"view: .*reshape"),
    ("t.ones(2, 3).expand(2, 4)", RuntimeError, r"expand: "),
    ("t.ones(2, 3).expand(3)", RuntimeError, r"expand: "),
    ("t.ones(2, 3).permute(0)", RuntimeError, r"permute: "),
    ("t.ones(2, 3).permute(0, 0)", RuntimeError, r"permute: "),
    ("t.ones(5).unfold(0, 7, 1)", RuntimeError, r"unfold: "),
    # dimensions and indices
    ("t.ones(2, 3).sum(2)", IndexError, r"sum: .*2"),
    ("t.ones(2, 3).sum(-3)", IndexError, r"sum: .*-3"),
    ("t.ones(2, 3).sum((0, 0))", RuntimeError, r"sum: "),
    ("t.ones(2, 3).amax(5)", IndexError, r"amax: "),
    ("t.ones(0).amax(0)", IndexError, r"amax: "),
    ("t.ones(2, 3).transpose(0, 2)", IndexError, r"transpose: "),
    ("t.ones(2, 3).permute(0, 2)", IndexError, r"permute: "),
    ("t.ones(2, 3).unsqueeze(4)", IndexError, r"unsqueeze: "),
    ("t.ones(2, 3).squeeze(2)", IndexError, r"squeeze: "),
    ("t.ones(2, 3).select(0, 2)", IndexError, r"select: "),
    ("t.ones(2, 3).select(2, 0)", IndexError, r"select: "),
    ("t.ones(2, 3)[2]", IndexError, r"index"),
    ("t.ones(2, 3)[-3]", IndexError, r"index"),
    ("t.ones(2, 3)[0, 0, 0]", IndexError, r"index"),
    ("t.ones(2, 3)[0, 3]", IndexError, r"index"),
    ("t.ones(2, 3)['a']", (IndexError, TypeError), r"index"),
    ("t.ones(2, 3)[1.5]", (IndexError, TypeError), r"index"),
    ("t.ones(2, 3)[::-1]", ValueError, r"step"),
    ("t.ones(())[0]", IndexError, r"select: "),
    ("t.ones(2, 3).diagonal(0, 0, 0)", RuntimeError, r"diagonal: "),
    ("t.ones(3).diagonal()", (IndexError, RuntimeError), r"diagonal: "),
    # dtypes
    ("t.ones(3) & t.ones(3)", RuntimeError, r"bitwise_and: .*float32"),
    ("~t.ones(3)", (RuntimeError, TypeError), r"bitwise_not: .*float32"),
    ("t.ones(3) << 1.5", (RuntimeError, TypeError), r"bitwise_left_shift: "),
    ("t.arange(3).requires_grad_()", RuntimeError, r"requires_grad: .*int64"),
    ("t.tensor([1, 2], requires_grad=True)", RuntimeError, r"float"),
    ("t.arange(3).to('float31')", (RuntimeError, TypeError), r"float31"),
    ("t.ones(3).to(np.float16)", TypeError, r"to: "),
    ("t.zeros(3, dtype='float32')", TypeError, r"dtype"),
    ("-t.ones(3).bool()", RuntimeError, r"neg: .*bool"),
    ("t.where(t.ones(2), t.ones(2), t.ones(2))", RuntimeError, r"where: .*bool"),
    ("t.ones(3, dtype=t.float32) @ t.ones(3, dtype=t.float64)", RuntimeError, r"matmul: "),
    # operands
    ("t.ones(3) + 'a'", TypeError, r"Tensor|operand"),
    ("t.ones(3) + [1, 2, 3]", TypeError, r"Tensor|operand"),
    ("t.ones(3) + None", TypeError, r"Tensor|operand"),
    ("{} * t.ones(3)", TypeError, r"Tensor|operand"),
    ("t.tanh(3.0)", TypeError, r"tanh: .*float"),
    ("t.tanh([1.0])", TypeError, r"tanh: .*list"),
    ("t.exp(None)", TypeError, r"exp: "),
    ("t.tanh()", TypeError, r"tanh: "),
    ("t.tanh(t.ones(2), t.ones(2))", TypeError, r"tanh: "),
    ("t.tanh(t.ones(2), foo=1)", TypeError, r"tanh: .*foo"),
    ("t.ones(2, 3).transpose(0)", TypeError, r"transpose: "),
    ("t.ones(2, 3).transpose('a', 'b')", (TypeError, RuntimeError), r"transpose: "),
    ("t.ones(2, 3).transpose(0.5, 1)", TypeError, r"transpose: "),
    ("t.ones(2, 3).view('x')", TypeError, r"view: "),
    ("t.maximum(t.ones(2))", TypeError, r"maximum: "),
    ("t.ones(2).view()", TypeError, r"view: "),
    ("t.mul(t.ones(2), input=t.ones(2))", TypeError, r"mul: "),
    # creation
    ("t.ones(-1)", RuntimeError, r"-1"),
    ("t.zeros(2.5)", TypeError, r"float"),
    ("t.zeros('a')", TypeError, r"str"),
    ("t.full((2,), 'a')", TypeError, r"str"),
    ("t.tensor([[1, 2], [3]])", ValueError, r"2.*1|1.*2"),
    ("t.tensor('abc')", (TypeError, ValueError), r"str"),
    ("t.tensor([1, 'a'])", (TypeError, ValueError), r"str"),
    ("t.tensor({'a': 1})", (TypeError, RuntimeError), r"dict"),
    ("t.tensor(object())", (TypeError, RuntimeError), r"object"),
    ("t.tensor([1, None])", (TypeError, RuntimeError), r"None"),
    ("t.arange(0, 1, 0)", RuntimeError, r"arange: .*0"),
    ("t.arange(0, 5, -1)", RuntimeError, r"arange: "),
    ("t.linspace(0, 1, -2)", RuntimeError, r"linspace: "),
    ("t.eye(-1)", RuntimeError, r"eye: "),
    ("t.from_numpy([1, 2])", TypeError, r"from_numpy: .*list"),
    ("t.from_numpy(np.array(['a']))", TypeError, r"from_numpy: "),
    ("t.from_numpy(np.zeros(6)[::-1])", ValueError, r"negative"),
    # values
    ("t.ones(2).item()", RuntimeError, r"item: .*\(2,\)"),
    ("float(t.ones(2))", ValueError, r"float: .*\(2,\)"),
    ("int(t.ones(2, 2))", ValueError, r"int: "),
    ("bool(t.ones(2))", RuntimeError, r"bool: .*any\(\) or \.all\(\)"),
    ("len(t.tensor(1.0))", TypeError, r"len: "),
    ("list(t.tensor(1.0))", TypeError, r"iter: "),
    ("[1, 2][t.tensor(0.5)]", TypeError, r"index: .*float32"),
    ("'a' in t.ones(2)", RuntimeError, r"in: .*str"),
    ("x.numpy()", RuntimeError, r"numpy: .*detach"),
    # autograd
    ("x.backward()", RuntimeError, r"backward: .*\(2, 3\)"),
    ("t.ones(1).backward()", RuntimeError, r"backward: .*requires_grad"),
    ("x.sum().backward(t.ones(2))", RuntimeError, r"backward: |shape"),
    ("y = (x * x).sum(); y.backward(); y.backward()", RuntimeError, r"backward: .*retain_graph=True"),
    ("a = x * 2; y = a * a; a += 1; y.sum().backward()", RuntimeError, r"MulBackward0.*in place"),
    ("x += 1", RuntimeError, r"leaf"),
    ("x.mul_(2)", RuntimeError, r"leaf"),
    ("x[0] = 1.0", RuntimeError, r"leaf"),
    ("x.zero_()", RuntimeError, r"leaf"),
    ("x.fill_(2.0)", RuntimeError, r"leaf"),
    ("(x * 2).requires_grad_(False)", RuntimeError, r"requires_grad: .*detach"),
    ("x.grad = t.ones(3)", RuntimeError, r"grad: .*\(2, 3\).*\(3,\)"),
    ("x.grad = 1.0", TypeError, r"grad: .*float"),
    ("x.grad = t.ones(2, 3).double()", RuntimeError, r"grad: .*float32.*float64"),
    ("x.grad = x", RuntimeError, r"grad: "),
    ("t.ones(2).register_hook(lambda g: g)", RuntimeError, r"register_hook: "),
    ("t.ones(2).retain_grad()", RuntimeError, r"retain_grad: "),
    ("x.expand(4, 2, 3)[0].add_(1)", RuntimeError, r"leaf"),
    # in place
    ("t.ones(3).add_(t.ones(2, 3))", RuntimeError, r"add.*\(2, 3\)"),
    ("t.arange(3).div_(2)", RuntimeError, r"div.*int64"),
    ("t.arange(3).mul_(1.5)", RuntimeError, r"mul.*int64"),
    ("t.ones(3).bool().add_(1)", RuntimeError, r"add.*bool"),
    ("t.ones(3).copy_(t.ones(4))", RuntimeError, r"copy_: "),
    ("a = t.ones(2, 3); a[0] = t.ones(4)", RuntimeError, r"\(4,\)"),
    ("a = t.ones(2, 3); a[5] = 1", IndexError, r"index"),
    ("a = t.ones(2); del a[0]", TypeError, r"del|delet"),
    ("t.ones(1).expand(3).add_(1)", RuntimeError, r"add.*clone|add_?: "),
    # names and modes
    ("t.tahn(t.ones(2))", AttributeError, r"tahn.*tanh"),
    ("t.ones(2).tahn()", AttributeError, r"tahn"),
    ("t.ones(2).foo = 1; t.ones(2).foo", AttributeError, r"foo"),
    ("t.no_such_name", AttributeError, r"no_such_name"),
    ("t.ones(2).shape = (1, 2)", AttributeError, r"shape"),
    ("t.set_num_threads(0)", RuntimeError, r"set_num_threads: .*0"),
    ("t.ones(2).dtype = t.float64", AttributeError, r"dtype"),
    ("t.Generator().manual_seed('a')", (TypeError, RuntimeError, ValueError), r"seed"),
]

# Where torch accepts what is refused here, or refuses in another way.
ALONE = {
    "t.arange(3).to('float31')",
    "t.ones(3).to(np.float16)",
    "t.where(t.ones(2), t.ones(2), t.ones(2))",
    "t.ones(2).view()",
}

NAMED = re.compile(r"^[\w.]+: .*expected .+, got .+", re.S)
# Python's own messages: operators that returned NotImplemented, names, read-only attributes.
PYTHONS = re.compile(
    r"unsupported operand|has no attribute|not writable|can't multiply|readonly|can only concatenate"
    r"|^Error.* in loading state_dict"  # its lines name keys; programs look for them
)


def execute(code, module):
    x = module.ones(2, 3).requires_grad_()
    names = {"t": module, "np": np, "x": x}
    if re.search(r"\bm\b", code):
        names["m"] = module.nn.Linear(3, 2)
    *first, last = [part.strip() for part in code.split(";")]
    for part in first:
        exec(part, names)
    exec(last, names)


def test_there_are_a_hundred():
    assert len(MISTAKES) >= 100
    assert len({code for code, *_ in MISTAKES + TRAINING}) == len(MISTAKES + TRAINING)


def check_mistake(code, kind, text):
    with pytest.raises(kind) as error:
        execute(code, wengert)
    message = error.value.args[0] if isinstance(error.value, KeyError) else str(error.value)  # that is quoted
    assert re.search(text, message, re.S), message
    assert NAMED.match(message) or PYTHONS.search(message), f"not by the grammar: {message}"
    del error


@pytest.mark.parametrize(("code", "kind", "text"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistake(code, kind, text, no_leak):
    check_mistake(code, kind, text)


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(("code", "kind", "text"), TRAINING, ids=[m[0] for m in TRAINING])
def test_mistake_in_training(code, kind, text, no_leak):
    check_mistake(code, kind, text)


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(("code", "kind", "text"), MISTAKES + TRAINING, ids=[m[0] for m in MISTAKES + TRAINING])
def test_torch_raises_the_same(code, kind, text):
    torch = pytest.importorskip("torch")
    if code in ALONE:
        return
    with pytest.raises(Exception) as theirs:
        execute(code, torch)
    with pytest.raises(Exception) as ours:
        execute(code, wengert)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    assert isinstance(theirs.value, kinds), f"torch raises {type(theirs.value).__name__}"
    assert isinstance(ours.value, kinds), f"wengert raises {type(ours.value).__name__}"


# Sizes and places whose products do not fit 64 bits; "huge" is one element seen 2**62 times.
ABSURD = [
    "t.rand(2**33, 2**33)",
    "t.zeros(2**40, 2**40, 2**40)",
    "t.ones(2, 3).repeat(2**32, 2**32)",
    "t.ones(2, 3).reshape(2**32, 2**32)",
    "t.ones(2, 3).as_strided((5,), (2**62,))",
    "t.ones(2, 3).as_strided((3, 3), (2**62, 2**62))",
    "t.ones(2, 3).as_strided((3,), (2**62,))",
    "t.ones(4)[2:].as_strided((2,), (1,), 2**63 - 1)",
    "huge + huge.reshape(-1, 1)",
    "huge.clone()",
    "huge.long()",
    "t.cat([huge, huge])",
    "t.cat([t.empty(0, 2**62), t.empty(0, 2**62)], 1)",
    "t.stack([huge] * 4)",
    "t.ones(1, 1).expand(2**33, 1) @ t.ones(1, 1).expand(1, 2**33)",
    "t.einsum('i,j->ij', t.ones(1).expand(2**33), t.ones(1).expand(2**33))",
    "t.arange(2**62)",
    "t.tril_indices(2**62, 3)",
    "t.triu_indices(2**31, 2**31)",
    "t.repeat_interleave(t.ones(3), t.tensor([2**62, 1, 1]))",
    "t.combinations(t.ones(40), 20)",
    "t.tensor_split(t.ones(4), 2**62)",
    "t.hamming_window(2**60)",
    "t.nn.functional.pad(t.ones(1, 1, 3), (2**60, 2**60), mode='replicate')",
    "t.nn.functional.interpolate(t.ones(1, 1, 3, 3), size=(2**31, 2**61), mode='nearest')",
    "t.nn.functional.interpolate(t.ones(1, 1, 3, 3), size=2**62, mode='bilinear')",
    "t.nn.functional.conv1d(t.ones(1, 1, 3), t.ones(1, 1, 2), padding=2**62)",
    "t.nn.functional.conv1d(t.ones(1, 1, 3), t.ones(1, 1, 2), dilation=2**63 - 1)",
    "t.nn.functional.conv_transpose1d(t.ones(1, 1, 3), t.ones(1, 1, 2), stride=2**62, output_padding=2**61)",
    "t.nn.functional.avg_pool1d(t.ones(1, 1, 4), 2**40, padding=2**39)",
    "t.nn.functional.max_pool1d(t.ones(1, 1, 4), 2**62, padding=2**61)",
    "t.diag(t.ones(3), 2**62)",
    "t.linspace(0, 1, 2**62)",
    "t.randint(0, 5, (2**31, 2**31, 4))",
    "t.ones(3).resize_(2**32, 2**32)",
]


@pytest.mark.parametrize("code", ABSURD)
def test_absurd_sizes(code, no_leak):
    """They raise; nothing wraps around to a size that memory holds."""
    names = {"t": wengert, "huge": tensor([1.0]).expand(2**62)}
    with pytest.raises((RuntimeError, MemoryError), match="^[a-z_]+: expected "):
        eval(code, names)


def test_nothing_is_changed_by_a_failed_write():
    a = tensor(np.arange(6.0).reshape(2, 3))
    version = a._version
    for wrong in ("a.add_(b)", "a[0] = b", "a.copy_(b)", "a[7] = 1.0"):
        with pytest.raises((RuntimeError, IndexError)):
            exec(wrong, {"a": a, "b": tensor(np.ones(4))})
    assert values(a).tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert a._version == version


def test_a_failed_backward_can_be_tried_again():
    x = tensor(np.ones(3), grad=True)
    y = x * x
    fail = [True]

    def hook(g):
        if fail[0]:
            raise ValueError("not yet")

    core.add_hook(x, hook)
    z = y.sum()
    with pytest.raises(ValueError, match="not yet"):
        z.backward(retain_graph=True)
    assert x.grad is None
    fail[0] = False
    z.backward()
    assert values(x.grad).tolist() == [2.0, 2.0, 2.0]


def test_traceback_of_an_unknown_method_suggests_one():
    code = "import wengert; wengert.full((2,), 1.0).tanhh()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Did you mean: 'tanh'?" in done.stderr, done.stderr


def test_unknown_names_are_cheap_to_probe_and_pickle():
    import pickle

    assert not hasattr(wengert, "no_such_name")
    assert getattr(wengert, "no_such_name", 5) == 5
    with pytest.raises(AttributeError, match="manual_sed.*manual_seed") as error:
        wengert.manual_sed  # noqa: B018
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)
    with pytest.raises(AttributeError, match="Sparse tensors have one form"):
        wengert.sparse_csr_tensor  # noqa: B018
    with pytest.raises(ImportError, match="no_such_name"):
        exec("from wengert import no_such_name")


def test_errors_in_threads_are_their_own():
    """The text of an error belongs to the thread that made it."""
    import threading

    found = {}

    def work(n):
        try:
            tensor(np.ones((n, 2))) + tensor(np.ones((n, 3)))
        except RuntimeError as error:
            found[n] = str(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2, 12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(f"({n}, 2)" in text and f"({n}, 3)" in text for n, text in found.items())
    assert len(found) == 10
    gc.collect()


def test_missing_compiler_is_said_in_a_sentence(tmp_path):
    """Building without a C++ compiler ends with what to install."""
    import os

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not os.path.exists(os.path.join(root, "setup.py")):
        pytest.skip("needs the source tree")
    pytest.importorskip("Cython")
    code = textwrap.dedent("""
        import runpy, sys
        sys.argv = ["setup.py", "--quiet", "build_ext", "--build-temp", sys.argv[1], "--build-lib", sys.argv[1]]
        runpy.run_path("setup.py", run_name="__main__")
    """)
    env = {**os.environ, "CXX": "no-such-compiler"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    assert "no C++ compiler: 'no-such-compiler' does not run" in done.stderr, done.stderr[-2000:]
    assert "Traceback" not in done.stderr


METHODS_OF_THE_CORE = sorted(
    name for name, f in vars(core.Tensor).items() if type(f).__name__ == "method_descriptor" and name[0] != "_"
)


@pytest.mark.parametrize("name", [*METHODS_OF_THE_CORE, "copy_", "detach_"])
@pytest.mark.parametrize("wrong", [None, 5, "a", object()])
def test_a_method_called_on_the_class_checks_its_tensor(name, wrong):
    """They are compiled: one that took anything as its self would read it as a tensor."""
    with pytest.raises(TypeError):
        getattr(wengert.Tensor, name)(wrong)


def test_no_compiled_method_takes_any_object_as_its_self():
    for kind in (c for c in vars(core).values() if isinstance(c, type) and c.__module__ == "wengert._core"):
        unchecked = [
            name
            for name, f in vars(kind).items()
            if not name.endswith("_cython__")
            and type(f).__name__ == "cython_function_or_method"
            and f.__qualname__ == f"{kind.__name__}.{name}"
        ]
        assert not unchecked, f"{kind.__name__}: see Note [Methods check their self]"
