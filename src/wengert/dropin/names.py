"""Which module of ours stands for which dotted name of torch."""

import importlib
import importlib.machinery
import itertools
import types

import wengert

# The version of the API that we follow; programs compare it.
API_VERSION = "2.13.0"
VERSION = f"{API_VERSION}+wengert"

# Modules that have another place, or no module of their own, here: names below "torch." and the module that answers.
_PLACES = {
    "_dynamo._trace_wrapped_higher_order_op": "_dynamo",
    "_dynamo.config": "_compile_settings",
    "_dynamo.exc": "_dynamo",
    "_dynamo.utils": "_dynamo",
    "_dynamo.eval_frame": "_dynamo",
    "_inductor.config": "_compile_settings",
    "_C": "dropin.private",
    "_higher_order_ops": "graph",
    "_higher_order_ops.associative_scan": "func._associative_scan",
    "_custom_ops": "library",
    "_subclasses": "dropin.private",
    "_subclasses.fake_tensor": "dropin.private",
    "_tensor_str": "dropin.private",
    "amp.autocast_mode": "amp",
    "amp.grad_scaler": "amp",
    "autograd.gradcheck": "autograd",
    "cuda.amp": "amp.cuda",
    "cuda.amp.autocast_mode": "amp.cuda",
    "cuda.amp.grad_scaler": "amp.cuda",
    "cuda.random": "cuda",
    "ao": "dropin.quantization",
    "ao.quantization": "dropin.quantization",
    "functional": "",
    "fx._pytree": "utils._pytree",
    "fx.experimental": "dropin.private",
    "fx.experimental.proxy_tensor": "dropin.private",
    "hub": "dropin.hub",
    "jit": "dropin.jit",
    "jit.annotations": "dropin.types",
    "nn.modules": "nn",
    "nn.modules.utils": "nn._shapes",
    "nn.parallel.data_parallel": "nn.parallel",
    "nn.parallel.distributed": "nn.parallel",
    "nn.parallel.scatter_gather": "dropin.scattering",
    "nn.utils.convert_parameters": "nn.utils",
    "nn.utils.stateless": "func",
    "nn.utils.spectral_norm": "nn.utils",
    "onnx": "dropin.onnx",
    "onnx.symbolic_helper": "dropin.onnx",
    "quantization": "dropin.quantization",
    "storage": "_storage",
    "tensor": "",
    "types": "dropin.types",
    "utils.data.dataloader": "utils.data",
    "utils.model_zoo": "dropin.hub",
    "utils.data._utils": "utils.data",
    "utils.data._utils.collate": "utils.data.collate",
    "utils.dlpack": "dropin.memory",
    "utils.hooks": "nn._hooks",
}

# torch keeps a file for each class, we keep one for each idea: the file's name and, where it is another, ours.
_NN_FILES = {
    "batchnorm": "normalization",
    "channelshuffle": "vision",
    "flatten": "linear",
    "fold": "vision",
    "instancenorm": "normalization",
    "pixelshuffle": "vision",
    "lazy": "lazy",
    "adaptive": "adaptive",
    "upsampling": "vision",
} | {
    name: name
    for name in (
        "activation container conv distance dropout linear loss module normalization padding pooling rnn sparse"
        " transformer"
    ).split()
}
_OPTIM_FILES = (
    "adadelta adagrad adam adamax adamw asgd _adafactor _muon lbfgs nadam radam rmsprop rprop sgd sparse_adam optimizer"
).split()
_PLACES |= {f"nn.modules.{theirs}": f"nn.{ours}" for theirs, ours in _NN_FILES.items()}
_BY_CLASS = {"optim": frozenset(_OPTIM_FILES)}


class Alias(types.ModuleType):
    """A module of torch's that we keep elsewhere: its names are those of the module that answers."""

    def __init__(self, name, target):
        super().__init__(name, f"The names of {target.__name__}, where programs for PyTorch look for them.")
        self.__path__ = []
        self._target = target
        self._place = name.partition(".")[2]

    @property
    def __dict__(self):
        """What `vars()` shows: the names of the module that answers."""
        return vars(self._target)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        below = f"{self._place}.{name}"
        if below in _PLACES:
            return module_of(f"torch.{below}")
        if not hasattr(self._target, name) and self._place.startswith("nn.modules."):
            return getattr(wengert.nn, name)  # torch's file holds more than ours of that name
        return getattr(self._target, name)

    def __dir__(self):
        return dir(self._target)


class Version(str):
    """A version that compares with strings and tuples of numbers as programs do it.

    Example:
        >>> Version("2.13.0+cpu") >= "2.4", Version("2.13.0+cpu") < (2, 4)
        (True, False)
    """

    __slots__ = ()

    @staticmethod
    def _key(version):
        parts = str(version).partition("+")[0].split(".") if isinstance(version, str) else version
        numbers = [int("".join(itertools.takewhile(str.isdigit, str(part))) or 0) for part in parts]
        while numbers and numbers[-1] == 0:  # 2.13 is 2.13.0
            numbers.pop()
        return numbers

    def __lt__(self, other):
        return self._key(self) < self._key(other)

    def __le__(self, other):
        return self._key(self) <= self._key(other)

    def __gt__(self, other):
        return self._key(self) > self._key(other)

    def __ge__(self, other):
        return self._key(self) >= self._key(other)


class Torch(types.ModuleType):
    """The module that ``import torch`` gives: the names of wengert, with torch's version."""

    def __init__(self):
        super().__init__("torch", wengert.__doc__)
        version = Version(VERSION)
        self.__file__ = wengert.__file__
        self.__path__ = []
        self.__spec__ = importlib.machinery.ModuleSpec(
            "torch", None, is_package=True
        )  # packages look for torch by it
        self.__dict__.update({name: value for name, value in vars(wengert).items() if not name.startswith("_")})
        self.__version__ = version
        self.__dict__["ops"] = wengert.library.Ops()
        self.__dict__["torch"] = self  # packages reach it as torch.torch, too
        self.__dict__["_C"] = Alias("torch._C", _imported("dropin.private"))
        self.__dict__["version"] = types.SimpleNamespace(
            __version__=version, cuda=None, hip=None, xpu=None, debug=False, git_version="unknown"
        )
        self.__dict__["torch_version"] = types.SimpleNamespace(TorchVersion=Version)

    def __getattr__(self, name):
        if name.startswith("__") and name not in ("__all__", "__config__"):
            raise AttributeError(name)
        if name == "__all__":
            value = sorted(n for n in dir(self) if not isinstance(getattr(self, n, None), types.ModuleType))
        else:
            try:
                value = getattr(wengert, name)
            except AttributeError:
                value = module_of(f"torch.{name}") or _stand_in(name)
                if value is None:
                    from wengert._missing import module_error

                    raise module_error("torch", name, dir(self)) from None
        self.__dict__[name] = value
        return value

    def __dir__(self):
        return sorted({n for n in [*self.__dict__, *dir(wengert)] if not n.startswith("_")})


def _stand_in(name):
    """What programs ask for below `torch.` and we have by name only; None where there is nothing."""
    private = getattr(_imported("dropin.private"), name, None)
    return _imported("dropin.dtypes").ABSENT.get(name) if private is None else private


def _imported(place):
    """The module of ours at a place, "" for the package itself; None where there is none."""
    name = f"wengert.{place}" if place else "wengert"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
    owner, _, last = place.rpartition(".")
    if not last or last.startswith("_"):
        return None
    above = _imported(owner)
    found = getattr(above, last, None) if above is not None else None
    if isinstance(found, Alias) or not isinstance(found, (types.ModuleType, types.SimpleNamespace)):
        return None
    return found


def module_of(name):
    """The module that answers for a dotted name of torch.

    Args:
        name: the full name, such as "torch.nn.modules.loss".

    Returns:
        A module (or a namespace that programs import like one), or None: we have nothing there.
    """
    if name == "functorch":
        return _imported("func")
    place = name.partition(".")[2]
    if place in ("version", "torch_version"):
        return getattr(Torch(), place)
    if place in _PLACES:
        answer = _imported(_PLACES[place])
        return None if answer is None else Alias(name, answer)
    found = _imported(place)
    owner, _, last = place.rpartition(".")
    if found is not None or last not in _BY_CLASS.get(owner, ()):
        return found
    answer = _imported(owner)
    return None if answer is None else Alias(name, answer)
