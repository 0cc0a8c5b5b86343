"""Optimizers, learning-rate schedules and weight averaging, with PyTorch's names, rules and saved form."""

from wengert._missing import module_error
from wengert.optim import lr_scheduler
from wengert.optim.accumulated import Adadelta, Adagrad, RMSprop
from wengert.optim.adafactor import Adafactor
from wengert.optim.adam import Adam, AdamW
from wengert.optim.adaptive import Adamax, NAdam, RAdam
from wengert.optim.lbfgs import LBFGS
from wengert.optim.muon import Muon
from wengert.optim.optimizer import Optimizer
from wengert.optim.sgd import SGD
from wengert.optim.signs import ASGD, Rprop
from wengert.optim.sparse_adam import SparseAdam

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]


def __getattr__(name):
    if name != "swa_utils":  # the one part that needs wengert.nn: imported when first used
        raise module_error(__name__, name, __all__)
    from importlib import import_module

    return import_module("wengert.optim.swa_utils")
