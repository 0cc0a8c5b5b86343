"""Names of `torch.types`: what annotations use."""

import builtins
from typing import Any, Dict, List, Optional, Tuple, TypeVar, Union  # noqa: F401, UP035  (names of torch.jit.annotations)

import wengert
from wengert import Tensor, device, dtype  # noqa: F401  (names of the module)

Device = device | str | int | None
FileLike = builtins.object
Number = int | float | bool
Storage = builtins.object
_bool, _float, _int, _complex = bool, float, int, complex
_dtype, _device, _size = dtype, device, wengert.Size | list[int] | tuple[int, ...]
_Number = (bool, int, float)
_TensorOrTensors = Tensor | tuple[Tensor, ...]
# TorchScript's name for a number or a list of so many of them.
_Item = TypeVar("_Item")
BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = _Item | list[_Item]
