"""Second gradients of linear algebra, transforms and the rarer functions, beside torch in float64 and complex128.

Those of the most used names are compared with their other forms by tests/test_api_scope.py, those of modules by
tests/nn/test_second_gradients.py.
"""

import numpy as np
import pytest

pytest.importorskip("torch")

from against_torch import check  # noqa: E402  (needs torch)
from scope.arrays import pos, spd, unit, x, y  # noqa: E402

TOLERANCE = dict.fromkeys(("rtol", "atol", "grad_rtol", "grad_atol"), 1e-9)


def z(*shape):
    """Complex numbers."""
    return x(*shape) + 1j * y(*shape)


SQUARE, BATCH, TALL, WIDE = x(4, 4), x(2, 3, 3), x(5, 3), x(3, 5)
CALLS = {
    "linalg.inv": [(SQUARE,), (BATCH,), (z(3, 3),)],
    "linalg.det": [(SQUARE,), (BATCH,), (z(3, 3),)],
    "linalg.solve": [(SQUARE, x(4)), (BATCH, x(2, 3, 2)), (z(3, 3), z(3, 2)), (SQUARE, x(2, 4), {"left": False})],
    "linalg.lu_factor": [(SQUARE,), (TALL,), (WIDE,)],
    "linalg.cholesky": [(spd(4),), (spd(4), {"upper": True})],
    "linalg.qr": [(SQUARE,), (TALL,)],
    "linalg.eigvalsh": [(spd(4),)],
    "linalg.svdvals": [(TALL,), (WIDE,), (BATCH,)],
    "linalg.pinv": [(TALL,), (WIDE,)],
    "linalg.matrix_norm": [(TALL,), (TALL, "nuc"), (BATCH, 2), (TALL, 1), (TALL, np.inf)],
    "linalg.vector_norm": [(x(3, 4),), (x(3, 4), 3), (x(3, 4), 1.5, 0), (x(3, 4), np.inf, 1), (z(3),)],
    "linalg.matrix_power": [(SQUARE, 3), (BATCH, -2)],
    "linalg.multi_dot": [([x(2, 3), y(3, 4), x(4, 2)],)],
    "linalg.vecdot": [(x(3, 4), y(3, 4)), (x(3, 1), y(4)), (z(3), z(3))],
    "linalg.cross": [(x(2, 3), y(2, 3)), (x(1, 3), y(4, 3))],
    "linalg.solve_triangular": [(SQUARE + 4 * np.eye(4), x(4, 2), {"upper": True})],
    "linalg.householder_product": [(TALL, x(2))],
    "linalg.tensorsolve": [(x(2, 3, 6), x(2, 3))],
    "matrix_exp": [(SQUARE,), (BATCH,)],
    "logdet": [(spd(4),)],
    "tensordot": [(x(2, 3, 4), y(3, 4, 2)), (x(1, 3), y(2, 3), ([0, 1], [0, 1]))],
    "einsum": [("ij,jk->ik", x(2, 3), y(3, 4)), ("bij,bjk,bk->bi", x(2, 3, 4), y(2, 4, 2), x(2, 2))],
    "kron": [(x(2, 3), y(3, 1))],
    "fft.fft": [(x(3, 5),), (z(4),), (x(6), 8), (x(6), {"norm": "ortho"})],
    "fft.ifft": [(z(5),)],
    "fft.rfft": [(x(3, 6),), (x(7),)],
    "fft.irfft": [(z(5),), (z(5), 9)],
    "fft.fft2": [(x(2, 3, 4),)],
    "fft.rfftn": [(x(2, 3, 4),)],
    "stft": [(x(40), {"n_fft": 8, "return_complex": True, "window": unit(8)})],
    "special.xlogy": [(pos(3), pos(2, 1))],
    "special.xlog1py": [(pos(3), pos(2, 1))],
    "special.entr": [(pos(4),)],
    "special.log_ndtr": [(x(4),)],
    "special.ndtri": [(unit(4),)],
    "special.erfcx": [(pos(4),)],
    "special.i0e": [(x(4),)],
    "special.i1": [(x(4),)],
    "special.logsumexp": [(x(3, 4), 1)],
    "logaddexp": [(x(3, 1), y(4))],
    "logaddexp2": [(x(3, 1), y(4))],
    "logcumsumexp": [(x(3, 4), 1)],
    "cumprod": [(x(3, 4), 1)],
    "prod": [(x(3, 4),), (np.array([2.0, 0.0, 3.0]),), (x(3, 4), 1)],
    "hypot": [(x(3, 1), y(4))],
    "atan2": [(x(3, 1), y(4))],
    "sinc": [(x(4),)],
    "lerp": [(x(3, 1), y(4), unit(3, 4)), (x(3), y(3), 0.3)],
    "addr": [(x(3, 4), x(3), y(4), {"beta": 0.5, "alpha": 2.0})],
    "baddbmm": [(x(2, 3, 3), BATCH, BATCH, {"beta": 0.5, "alpha": 2.0})],
    "quantile": [(x(3, 4), 0.3), (x(3, 4), np.array([0.1, 0.9]), 1)],
    "std_mean": [(x(3, 4), 1)],
    "var": [(x(3, 4), (0, 1), {"correction": 0})],
    "cov": [(x(3, 5),)],
    "corrcoef": [(x(3, 5),)],
    "diff": [(x(3, 5), 2)],
    "trapezoid": [(x(3, 5),), (x(5), pos(5))],
    "renorm": [(x(3, 4), 2.0, 0, 1.0)],
    "dist": [(x(3), y(3)), (x(3), y(3), 3.0)],
    "float_power": [(pos(3), y(3)), (z(3), 2.5)],
    "polar": [(pos(3), x(3))],
    "angle": [(z(4),)],
    "sgn": [(z(4),)],
    "nn.functional.pairwise_distance": [(x(4, 3), y(3), {"p": 3.0})],
    "nn.functional.local_response_norm": [(x(2, 5, 3), 3)],
    "nn.functional.lp_pool2d": [(pos(1, 2, 4, 4), 2.0, 2)],
    "nn.functional.fold": [(x(2, 12, 4), (3, 3), (2, 2))],
    "nn.functional.conv_transpose3d": [(x(1, 2, 2, 3, 2), y(2, 2, 2, 2, 2), {"stride": 2, "padding": 1})],
    "nn.functional.gaussian_nll_loss": [(x(3, 4), y(3, 4), pos(3, 4))],
    "nn.functional.poisson_nll_loss": [(x(3, 4), pos(3, 4), {"full": True})],
    "nn.functional.huber_loss": [(x(3, 4), y(3, 4), {"delta": 0.5})],
    "nn.functional.triplet_margin_loss": [(x(3, 4), y(3, 4), pos(3, 4))],
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_second_gradients(name):
    for args in CALLS[name]:
        kwargs = args[-1] if isinstance(args[-1], dict) else {}
        check(name, *(args[:-1] if kwargs else args), **TOLERANCE, **kwargs)
