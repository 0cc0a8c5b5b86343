"""Special functions under the names of PyTorch's `torch.special`.

Example:
    >>> import wengert
    >>> wengert.special.expit(wengert.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
"""

import wengert

from . import _bessel, _polynomials, _special
from ._bind import OPS
from ._missing import explain
from ._published import all_published

# Rows that only this module publishes; functions of the package under the same and under other names.
_ROWS = "bessel_j0 bessel_j1 bessel_y0 bessel_y1 erfcx i0e i1 i1e log_ndtr ndtri".split()
_HERE = "entr ndtr spherical_bessel_j0 xlog1py zeta".split()
_SAME = "digamma erf erfc erfinv exp2 expm1 i0 log1p logit logsumexp polygamma round sinc xlogy".split()
_SYNONYMS = {
    "expit": "sigmoid",
    "gammainc": "igamma",
    "gammaincc": "igammac",
    "gammaln": "lgamma",
    "modified_bessel_i0": "i0",
    "multigammaln": "mvlgamma",
    "psi": "digamma",
}

globals().update({name: OPS[name] for name in _ROWS})
for _name in _ROWS:
    OPS[_name].published = True
globals().update(_bessel.FUNCTIONS)
globals().update(_polynomials.FUNCTIONS)
globals().update({name: getattr(_special, name) for name in _HERE})
globals().update({name: getattr(wengert, name) for name in _SAME})
globals().update({name: getattr(wengert, ours) for name, ours in _SYNONYMS.items()})
modified_bessel_i1 = OPS["i1"]
softmax = wengert.softmax
log_softmax = wengert.log_softmax

__all__ = ["log_softmax", "modified_bessel_i1", "softmax"]
__all__ += [*_ROWS, *_HERE, *_SAME, *_SYNONYMS, *_bessel.FUNCTIONS, *_polynomials.FUNCTIONS]
all_published("special", globals(), __all__)
__getattr__ = explain(__name__)
