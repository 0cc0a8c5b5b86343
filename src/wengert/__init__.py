"""Computational graphs and automatic differentiation on the CPU, with PyTorch's API."""

import gc as _gc

# What is made here lives as long as the process: the collector would only look through NumPy's objects, again and again.
_collecting = _gc.isenabled()
_gc.disable()
try:
    from . import _core
    from ._bind import attach as _attach
    from ._bind import attach_ops as _attach_ops
    from ._dtypes import DTYPES as _DTYPES
    from ._dtypes import dtype
    from ._missing import missing_methods as _missing_methods
    from ._published import published as _published

    Tensor = _core.Tensor
    Generator = _core.Generator
    matmul = _published("matmul", _core.matmul_any)
    get_num_threads = _published("get_num_threads", _core.threads)
    set_num_threads = _published("set_num_threads", _core.set_threads)

    globals().update(_DTYPES)
    _attach_ops(globals())

    # These use the ops published above.
    from . import (
        _arithmetic,
        _buffers,
        _compile,
        _complex,
        _counting,
        _creation,
        _diagonals,
        _functional,
        _indexing,
        _linalg,
        _lu,
        _masks,
        _more_linalg,
        _ordering,
        _promotion,
        _random,
        _rearranging,
        _reduction,
        _scattering,
        _settings,
        _shaping,
        _special,
        _spectral,
        _synonyms,
        _windows,
        autograd,
    )

    for _part in (
        _creation,
        _random,
        _arithmetic,
        _complex,
        _shaping,
        _rearranging,
        _diagonals,
        _reduction,
        _ordering,
        _indexing,
        _scattering,
        _masks,
        _linalg,
        _buffers,
        _lu,
        _functional,
        _more_linalg,
        _counting,
        _special,
        _spectral,
        _windows,
        _synonyms,
        autograd,
        _promotion,
        _settings,
        _compile,
    ):
        _attach(_part.FUNCTIONS, _part.METHODS, globals())
    del _part
    _attach({}, _missing_methods(Tensor), globals())
finally:
    if _collecting:
        if not _gc.get_freeze_count():  # straight to the oldest generation, unseen
            _gc.freeze()
            _gc.unfreeze()
        _gc.enable()

__version__ = "0.1.0"

# Parts that a program may not need are imported when they are first used.
_LAZY = {
    "AcceleratorError": "wengert.cuda",
    "Graph": "wengert.graph",
    "OutOfMemoryError": "wengert.cuda",
    "_dynamo": "wengert._dynamo",
    "_inductor": "wengert._inductor",
    "accelerator": "wengert.accelerator",
    "amp": "wengert.amp",
    "as_torch": "wengert.dropin",
    "autocast": "wengert.amp",
    "backends": "wengert.backends",
    "compiler": "wengert.compiler",
    "binomial": "wengert.distributions._of_package",
    "cond": "wengert.graph",
    "cuda": "wengert.cuda",
    "datasets": "wengert.datasets",
    "distributed": "wengert.distributed",
    "distributions": "wengert.distributions",
    "fft": "wengert.fft",
    "func": "wengert.func",
    "__config__": "wengert.__config__",
    "futures": "wengert.futures",
    "fx": "wengert.fx",
    "return_types": "wengert.return_types",
    "get_autocast_dtype": "wengert.amp",
    "graph": "wengert.graph",
    "is_autocast_enabled": "wengert.amp",
    "jit": "wengert.dropin.jit",
    "library": "wengert.library",
    "linalg": "wengert.linalg",
    "load": "wengert.serialization",
    "masked": "wengert.masked",
    "mps": "wengert.mps",
    "multiprocessing": "wengert.multiprocessing",
    "nn": "wengert.nn",
    "optim": "wengert.optim",
    "overrides": "wengert.overrides",
    "poisson": "wengert.distributions._of_package",
    "profiler": "wengert.profiler",
    "quasirandom": "wengert.quasirandom",
    "random": "wengert.random",
    "record": "wengert._record",
    "save": "wengert.serialization",
    "scan": "wengert.graph",
    "scope": "wengert._record",
    "serialization": "wengert.serialization",
    "signal": "wengert.signal",
    "sparse": "wengert.sparse",
    "sparse_coo": "wengert.sparse",
    "sparse_coo_tensor": "wengert.sparse",
    "special": "wengert.special",
    "testing": "wengert.testing",
    "utils": "wengert.utils",
    "viz": "wengert.viz",
    "vmap": "wengert.func",
    "while_loop": "wengert.graph",
    "xpu": "wengert.xpu",
} | dict.fromkeys(
    (
        "adaptive_avg_pool1d adaptive_max_pool1d alpha_dropout avg_pool1d batch_norm binary_cross_entropy_with_logits"
        " celu_ cosine_embedding_loss embedding embedding_bag"
        " feature_alpha_dropout hardshrink hinge_embedding_loss instance_norm kl_div"
        " margin_ranking_loss max_pool1d max_pool1d_with_indices max_pool2d max_pool3d pdist poisson_nll_loss rrelu rrelu_"
        " selu_ threshold_ triplet_margin_loss"
    ).split(),
    "wengert.nn._of_package",
)


def __getattr__(name):
    if name.startswith("_foreach_"):
        from ._foreach import FUNCTIONS

        if name in FUNCTIONS:
            return FUNCTIONS[name]
    if name not in _LAZY:
        from ._missing import module_error

        raise module_error("wengert", name, __dir__())
    from importlib import import_module

    module = import_module(_LAZY[name])
    value = module if _LAZY[name].endswith("." + name) else _published(name, getattr(module, name))
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_LAZY})


__all__ = ["Generator", "Tensor", "dtype", "get_num_threads", "matmul", "set_num_threads"]
