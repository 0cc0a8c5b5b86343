"""Ready parametrizations: weight normalization, spectral normalization, orthogonal matrices."""

import wengert
from wengert._functional import normalize

from ..module import Module
from ._norms import (
    as_matrix,
    default_spectral_dim,
    largest_singular_value,
    norm_except,
    power_iteration,
    start_vectors,
)
from .parametrize import register_parametrization


class _WeightNorm(Module):
    def __init__(self, dim=0):
        super().__init__()
        self.dim = None if dim is None or dim == -1 else dim

    def forward(self, g, v):
        return v * (g / norm_except(v, self.dim))

    def right_inverse(self, weight):
        return norm_except(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Split a weight into length g and direction v: g v / ||v||, per slice of `dim` (Salimans and Kingma, 2016).

    Example:
        >>> layer = weight_norm(wengert.nn.Linear(2, 3))
        >>> [n for n, _ in layer.named_parameters()][1:]
        ['parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps
        if weight.dim() > 1:
            u, v = start_vectors(as_matrix(weight, dim), eps)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)

    def forward(self, weight):
        if weight.dim() == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            power_iteration(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        return weight / largest_singular_value(matrix, self._u, self._v)

    def right_inverse(self, value):
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a weight by its largest singular value, tracked by power iteration (Miyato et al., 2018)."""
    dim = default_spectral_dim(module) if dim is None else dim
    weight = getattr(module, name)
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


class _Orthogonal(Module):
    def __init__(self, weight, orthogonal_map, use_trivialization):
        super().__init__()
        self.orthogonal_map = orthogonal_map
        size = max(weight.shape[-2:])
        base = wengert.zeros((*weight.shape[:-2], size, size), dtype=weight.dtype) if use_trivialization else None
        self.register_buffer("base", base)

    def _rotation(self, x):
        """The orthogonal (n, n) matrix of the skew-symmetric one that the lower triangle of x (n, k) describes."""
        n, k = x.shape[-2:]
        a = x.tril()
        if n != k:
            a = wengert.cat((a, wengert.zeros((*x.shape[:-1], n - k), dtype=x.dtype)), -1)
        a = a - a.transpose(-2, -1)
        if self.orthogonal_map == "matrix_exp":
            return wengert.matrix_exp(a)
        eye = wengert.eye(n, dtype=x.dtype)
        return wengert.linalg.solve(eye - a * 0.5, eye + a * 0.5)

    @staticmethod
    def _reflections(x):
        """The first k columns of a product of k Householder reflections described by x (n, k)."""
        n, k = x.shape[-2:]
        vectors = x.tril(-1)
        vectors = vectors + wengert.eye(n, k, dtype=x.dtype)
        q = wengert.eye(n, k, dtype=x.dtype)
        for column in reversed(range(k)):
            v = vectors[..., column : column + 1]
            q = q - (2 / (v * v).sum(-2, keepdim=True)) * v * (v.transpose(-2, -1) @ q)
        # Signs alone, and no gradient to them: any other diagonal would leave the orthogonal matrices.
        return q * wengert.diagonal(x, dim1=-2, dim2=-1).detach().sign().unsqueeze(-2)

    def forward(self, x):
        wide = x.shape[-2] < x.shape[-1]
        if wide:
            x = x.transpose(-2, -1)
        q = self._reflections(x) if self.orthogonal_map == "householder" else self._rotation(x)[..., : x.shape[-1]]
        if self.base is not None:
            q = self.base @ q
        return q.transpose(-2, -1) if wide else q

    def right_inverse(self, weight):
        if self.base is None:
            raise NotImplementedError(
                "orthogonal: expected use_trivialization=True to set a value, got False. There is no inverse"
                " without a base."
            )
        wide = weight.shape[-2] < weight.shape[-1]
        q = weight.transpose(-2, -1) if wide else weight
        n, k = q.shape[-2:]
        full = wengert.cat((q, wengert.randn((*q.shape[:-1], n - k), dtype=q.dtype)), -1) if n != k else q
        basis, r = wengert.linalg.qr(full)
        self.base.copy_(basis * wengert.diagonal(r, dim1=-2, dim2=-1).sign().unsqueeze(-2))
        # The original that stands for the base itself: no rotation, or reflections that undo their own signs.
        start = wengert.zeros_like(q)
        if self.orthogonal_map == "householder":
            start = start - wengert.eye(n, k, dtype=q.dtype)
        return start.transpose(-2, -1).contiguous() if wide else start


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keep a weight (semi-)orthogonal, starting from the orthogonal factor of its present value (Lezcano, 2019).

    Args:
        module: the owner of the weight.
        name: the name of the weight, (..., n, k).
        orthogonal_map: "matrix_exp", "cayley" or "householder"; by default the first if n = k, else the last.
        use_trivialization: describe the weight relative to its first value; without it the weight cannot be
            assigned to.

    Raises:
        ValueError: the weight is no matrix, or the map is unknown.
    """
    weight = getattr(module, name)
    if weight.dim() < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    return register_parametrization(
        module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True
    )
