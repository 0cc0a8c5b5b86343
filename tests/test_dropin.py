"""Programs written for PyTorch run unmodified: import system, main module, exit codes, missing names."""

import importlib.util
import subprocess
import sys
import textwrap

import pytest
from optools import wengert

from wengert.dropin import check
from wengert.dropin.names import Version

HAS_TORCH = importlib.util.find_spec("torch") is not None


def program(folder, text, name="program.py"):
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def run(path, *args):
    head = [sys.executable, "-m", "wengert", "run", str(path), *args]
    return subprocess.run(head, capture_output=True, text=True, cwd=path.parent, timeout=120)


def ran(path, *args):
    done = run(path, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_way_to_import(tmp_path):
    out = ran(
        program(
            tmp_path,
            """
            import torch
            import torch.nn as nn
            import torch.nn.functional as F
            import torch.backends.cudnn as cudnn
            import torch.optim.lr_scheduler as lr_scheduler
            import torch.utils.data
            from torch import nn as nn2, optim, Tensor
            from torch.autograd import Variable, Function, grad
            from torch.cuda.amp import GradScaler, autocast
            from torch.nn import Linear, functional
            from torch.nn.modules.batchnorm import _BatchNorm
            from torch.nn.modules.loss import _Loss
            from torch.nn.modules.utils import _pair
            from torch.nn.parameter import Parameter
            from torch.nn.utils import clip_grad_norm_
            from torch.nn.utils.rnn import pad_sequence
            from torch.optim.adam import Adam
            from torch.optim.optimizer import Optimizer
            from torch.utils.data import DataLoader
            from torch.utils.data.dataloader import DataLoader as D2
            from torch.utils.data.sampler import Sampler
            from functorch import vmap
            import wengert

            assert torch.nn is nn is nn2 is wengert.nn and functional is F and Linear is nn.Linear
            assert Adam is optim.Adam and D2 is DataLoader and isinstance(nn.BatchNorm2d(1), _BatchNorm)
            assert nn.modules.conv.Conv2d is nn.Conv2d and torch.nn.modules.Linear is Linear
            assert vars(nn.modules.activation)["ReLU"] is nn.ReLU
            assert _pair(3) == (3, 3) and issubclass(nn.MSELoss, _Loss)
            cudnn.benchmark = True
            assert torch.backends.cudnn.benchmark
            print(torch.randn(2, 3).shape, torch.float64, torch.ones(1).type(), torch.Size([1]))
            """,
        )
    )
    assert out == "torch.Size([2, 3]) torch.float64 torch.FloatTensor torch.Size([1])\n"


def test_star_import_brings_functions(tmp_path):
    program(
        tmp_path, "from torch import *\nfrom torch.nn import *\nprint(randn(2).numel(), Linear(1, 2), float32)\n"
    )
    assert ran(tmp_path / "program.py") == "2 Linear(in_features=1, out_features=2, bias=True) torch.float32\n"


def test_main_module_is_the_program(tmp_path):
    program(tmp_path, "VALUE = 3\n", "neighbour.py")
    out = ran(
        program(
            tmp_path,
            """
            import os, pickle, sys
            import neighbour
            import torch

            class Thing:
                pass

            if __name__ == "__main__":
                assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
                assert sys.modules["__main__"].Thing is Thing
                print(sys.argv[1:], os.path.basename(__file__), neighbour.VALUE, __package__, __spec__)
            """,
        ),
        "--steps",
        "-x",
        "3",
    )
    assert out == "['--steps', '-x', '3'] program.py 3 None None\n"


def test_module_with_relative_imports(tmp_path):
    package = tmp_path / "pack"
    package.mkdir()
    program(package, "")
    program(package, "", "__init__.py")
    program(package, "import torch\nVALUE = torch.ones(2).sum().item()\n", "part.py")
    program(package, "from .part import VALUE\nimport sys\nprint(VALUE, sys.argv[1:])\n", "train.py")
    done = subprocess.run(
        [sys.executable, "-m", "wengert", "run", "-m", "pack.train", "a"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout == "2.0 ['a']\n", done.stderr


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("raise SystemExit(7)", 7, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('stopped')", 1, "stopped"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
        ("x = = 1", 1, "SyntaxError"),
    ],
)
def test_exit_codes(tmp_path, line, code, said):
    done = run(program(tmp_path, f"import sys, torch\n{line}\n"))
    assert done.returncode == code and said in done.stderr


def test_traceback_begins_in_the_program(tmp_path):
    done = run(program(tmp_path, "import torch\ndef f():\n    return torch.zeros(2) + torch.zeros(3)\nf()\n"))
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and 'program.py", line 4, in <module>' in lines[1]
    assert "dropin" not in done.stderr and lines[-1].startswith("RuntimeError: add: expected shapes")


def test_no_such_program():
    done = subprocess.run([sys.executable, "-m", "wengert", "run", "no-such.py"], capture_output=True, text=True)
    assert done.returncode == 2 and "no-such.py" in done.stderr


def test_exit_handlers_still_find_torch(tmp_path):
    out = ran(
        program(tmp_path, "import atexit\natexit.register(lambda: print(__import__('torch.func').__name__))\n")
    )
    assert out == "torch\n"


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_loader_workers_find_torch(tmp_path, start):
    out = ran(
        program(
            tmp_path,
            f"""
            import torch
            from torch.utils.data import DataLoader, Dataset

            class Squares(Dataset):
                def __len__(self):
                    return 6

                def __getitem__(self, i):
                    import torch.nn.functional as F
                    return F.relu(torch.tensor(float(i * i)))

            if __name__ == "__main__":
                loader = DataLoader(Squares(), batch_size=3, num_workers=2, multiprocessing_context={start!r})
                print([batch.tolist() for batch in loader])
            """,
        )
    )
    assert out == "[[0.0, 1.0, 4.0], [9.0, 16.0, 25.0]]\n"


def test_child_processes_find_torch(tmp_path):
    program(tmp_path, "import torch.nn\nprint(torch.__version__)\n", "child.py")
    out = ran(
        program(tmp_path, "import subprocess, sys\nsubprocess.run([sys.executable, 'child.py'], check=True)\n")
    )
    assert "wengert" in out


def test_no_real_torch_is_imported(tmp_path):
    out = ran(
        program(
            tmp_path,
            """
            import sys
            import torch.nn
            try:
                import torch._prims
            except ModuleNotFoundError as error:
                print(error.name)
            try:
                import torch.distributed.pipelining
            except ModuleNotFoundError as error:
                print("none")
            files = [getattr(m, "__file__", None) or "" for name, m in sys.modules.items() if name.startswith("torch")]
            assert files and all("wengert" in f or not f for f in files), files
            """,
        )
    )
    assert out == "torch._prims\nnone\n"


def test_questions_about_devices(tmp_path):
    out = ran(
        program(
            tmp_path,
            """
            import warnings
            import torch
            warnings.simplefilter("ignore")
            torch.manual_seed(0); torch.cuda.manual_seed_all(0); torch.cuda.manual_seed(0)
            torch.backends.cudnn.deterministic = True
            torch.backends.cuda.matmul.allow_tf32 = True
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            model = torch.nn.Linear(2, 1).to(device)
            scaler = torch.cuda.amp.GradScaler()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            with torch.autocast(device_type=device.type, dtype=torch.bfloat16), torch.cuda.amp.autocast():
                loss = model(torch.ones(3, 2).to(device, non_blocking=True)).pow(2).mean()
            scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()
            print(device, loss.dtype, torch.cuda.device_count(), scaler.is_enabled(), torch.version.cuda)
            print(torch.__version__ >= "2.0", torch.__version__.split("+")[0].count("."))
            """,
        )
    )
    assert out == "cpu torch.float32 0 False None\nTrue 2\n"


def test_version_compares_as_programs_do():
    version = Version("2.13.0+wengert")
    assert version >= "1.9" and version > "2.4.1" and version < "3" and version >= (2, 0) and version <= "2.13"
    assert not version < "2.9" and version.startswith("2.13")


def test_context_restores_everything():
    before = {name: m for name, m in sys.modules.items() if name.partition(".")[0] in ("torch", "functorch")}
    finders, path = list(sys.meta_path), list(sys.path)
    with wengert.as_torch() as given:
        import torch
        import torch.nn.modules.conv
        from torch.func import grad  # noqa: F401  (a package that is imported when first used)

        assert torch is given and torch.nn is wengert.nn and str(torch.float32) == "torch.float32"
        torch.something = 1
        assert not hasattr(wengert, "something")
    after = {name: m for name, m in sys.modules.items() if name.partition(".")[0] in ("torch", "functorch")}
    assert before == after and finders == sys.meta_path and path == sys.path
    assert str(wengert.float32) == "wengert.float32" and repr(wengert.Size([1])) == "wengert.Size([1])"
    assert "modules" not in vars(wengert.nn)


def test_context_restores_after_an_error_and_nests():
    with pytest.raises(KeyError), wengert.as_torch():
        raise KeyError
    with wengert.as_torch() as outer:
        with wengert.as_torch() as inner:
            assert __import__("torch") is inner
        assert __import__("torch") is outer
    switch = wengert.as_torch()
    switch.restore()
    switch.restore()
    assert not any(type(f).__module__.startswith("wengert") for f in sys.meta_path)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
def test_an_imported_torch_is_back_afterwards():
    import torch as real

    with wengert.as_torch():
        import torch

        assert torch is not real
    import torch

    assert torch is real and torch.nn.Linear.__module__.startswith("torch")


def test_missing_names_are_listed_once(tmp_path):
    program(tmp_path, "import torch\ndef helper(x: torch.Tensor):\n    return x.no_such_method()\n", "helpers.py")
    path = program(
        tmp_path,
        """
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        from torch.nn import Linear, NoSuchLayer
        from helpers import helper
        import torchaudio
        try:
            from torch.no_such_part import thing
        except ImportError:
            thing = None
        if hasattr(torch, "maybe_there"):
            torch.maybe_there()
        if torch.cuda.is_available():
            torch.cuda.NoSuchStream()
        x = torch.randn(3, 4)
        y = x.relu().frobnicate()
        z = torch.randn(2)
        z = z.numpy()
        z.no_complaint_about_numpy()
        print(nn.Lineer(3, 4), F.rellu(x), nn.Lineer)
        """,
    )
    names = {need.name: (need.file.rpartition("/")[2], need.line) for need in reversed(check(path).needs)}
    assert names == {
        "torch.nn.NoSuchLayer": ("program.py", 5),
        "torchaudio": ("program.py", 7),
        "torch.Tensor.frobnicate": ("program.py", 17),
        "torch.nn.Lineer": ("program.py", 21),
        "torch.nn.functional.rellu": ("program.py", 21),
        "torch.Tensor.no_such_method": ("helpers.py", 3),
    }
    text = str(check(path))
    assert "6 names" in text and text.count("torch.nn.Lineer:") == 1 and "'Linear'" in text and "'relu'" in text
    done = subprocess.run([sys.executable, "-m", "wengert", "check", str(path)], capture_output=True, text=True)
    assert done.returncode == 1 and "frobnicate" in done.stdout
    done = run(path)
    assert (
        done.stderr.count("torch.Tensor.frobnicate") == 1 and "ImportError" in done.stderr and done.returncode == 1
    )


def test_nothing_missing(tmp_path):
    path = program(tmp_path, "import torch\nprint(torch.zeros(1).sum().item())\n")
    assert not check(path) and str(check(path)) == ""
    done = subprocess.run([sys.executable, "-m", "wengert", "check", str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and "nothing is missing" in done.stdout
    done = run(path)
    assert done.stdout == "0.0\n" and done.stderr == ""


def test_torchscript_is_switched_off(tmp_path):
    out = ran(
        program(
            tmp_path,
            """
            import torch
            import torch.distributed as dist
            from torch import nn

            @torch.jit.script
            def gelu(x: torch.Tensor) -> torch.Tensor:
                return 0.5 * x * (1.0 + torch.erf(x / 1.41421))

            model = torch.jit.trace(nn.DataParallel(nn.Linear(2, 1)), torch.ones(1, 2))
            rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
            torch.set_float32_matmul_precision("high")
            torch.use_deterministic_algorithms(True)
            print(gelu(torch.zeros(1)).item(), list(model.state_dict()), rank, torch.jit.is_scripting())
            print(torch.get_float32_matmul_precision(), torch.are_deterministic_algorithms_enabled())
            """,
        )
    )
    assert out == "0.0 ['module.weight', 'module.bias'] 0 False\nhigh True\n"


def test_processes_of_multiprocessing(tmp_path):
    out = ran(
        program(
            tmp_path,
            """
            import torch
            import torch.multiprocessing as mp

            def work(rank, queue):
                queue.put((rank, torch.full((2,), float(rank))))

            def fail(rank):
                raise SystemExit(3)

            if __name__ == "__main__":
                mp.set_sharing_strategy("file_system")
                queue = mp.get_context("spawn").Queue()
                mp.spawn(work, args=(queue,), nprocs=2)
                print(sorted((rank, t.tolist()) for rank, t in (queue.get(), queue.get())))
                try:
                    mp.spawn(fail, nprocs=1)
                except RuntimeError as error:
                    print(error)
            """,
        )
    )
    numbers, message = out.splitlines()
    assert numbers == "[(0, [0.0, 0.0]), (1, [1.0, 1.0])]"
    assert message == "spawn: expected exit code 0 of every process, got 3 of process 0."


def test_nothing_is_missing_for_the_programs():
    """Reading all programs that run finds nothing missing: no false alarms."""
    import program_runner

    assert [str(check(path)) for path in program_runner.programs() if check(path)] == []


def test_collectives_are_there_and_say_that_there_are_none():
    dist = wengert.distributed
    for call in (dist.all_reduce, dist.barrier, dist.get_rank, dist.ZeroRedundancyOptimizer, dist.tensor.DTensor):
        with pytest.raises(RuntimeError, match="one process"):
            call()
    assert dist.ReduceOp.SUM == "sum" and not dist.is_available()
