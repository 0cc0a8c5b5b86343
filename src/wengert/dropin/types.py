"""Names of `torch.types`: what annotations use."""

import builtins

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
