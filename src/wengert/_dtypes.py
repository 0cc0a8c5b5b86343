"""The dtype objects under their public names."""

from . import _core

(bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64) = _core.all_dtypes()
dtype = type(float32)
half, float, double, short, int, long = float16, float32, float64, int16, int32, int64
DTYPES = {d.name: d for d in _core.all_dtypes()} | {
    "half": half,
    "float": float,
    "double": double,
    "short": short,
    "int": int,
    "long": long,
}
