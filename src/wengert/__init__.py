from . import _core
from ._bind import OPS
Tensor=_core.Tensor
tensor=_core.from_data
