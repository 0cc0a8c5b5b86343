"""Points that fill the unit cube evenly: Sobol's sequence, whose direction numbers are SciPy's."""

import wengert

from ._missing import explain

__getattr__ = explain(__name__)


class SobolEngine:
    """Draws the points of Sobol's sequence one after the other.

    Unscrambled points are PyTorch's. Scrambling (a random matrix and shift, Matousek, 1998) draws from its own seed.

    Args:
        dimension: of the cube, 1 to 21201.
        scramble: whether digits are scrambled.
        seed: of the scrambling; drawn from the global generator unless given.

    Raises:
        ValueError: another dimension.
        ModuleNotFoundError: SciPy is not installed.

    Example:
        >>> import wengert
        >>> wengert.quasirandom.SobolEngine.MAXDIM  # SobolEngine(2).draw(4) gives four points of the unit square
        21201
    """

    MAXBIT = 30
    MAXDIM = 21201

    def __init__(self, dimension, scramble=False, seed=None):
        if not 1 <= dimension <= self.MAXDIM:
            raise ValueError(f"SobolEngine: expected a dimension from 1 to {self.MAXDIM}, got {dimension}.")
        try:
            from scipy.stats import qmc
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "SobolEngine: expected SciPy, which is not installed. Install scipy."
            ) from error
        if scramble and seed is None:
            seed = int(wengert.randint(2**31, ()))
        self.dimension, self.scramble, self.seed, self.num_generated = dimension, scramble, seed, 0
        self._points = qmc.Sobol(dimension, scramble=scramble, rng=seed, bits=self.MAXBIT)

    def draw(self, n=1, out=None, dtype=None):
        """The next n points, as a tensor of shape (n, dimension); its dtype is the default dtype unless given."""
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numbers of points that are no power of two
            points = self._points.random(n)
        self.num_generated += n
        made = wengert.from_numpy(points).to(wengert.get_default_dtype() if dtype is None else dtype)
        return made if out is None else out.resize_(made.shape).copy_(made)

    def draw_base2(self, m, out=None, dtype=None):
        """The next 2^m points, of which there are a power of two in all then.

        Raises:
            ValueError: points drawn before make the sum no power of two.
        """
        total = self.num_generated + 2**m
        if total & (total - 1):
            raise ValueError(
                f"draw_base2: expected a power of two in all, got {self.num_generated} + {2**m} points."
            )
        return self.draw(2**m, out, dtype)

    def reset(self):
        """Start again with the first point."""
        self._points.reset()
        self.num_generated = 0
        return self

    def fast_forward(self, n):
        """Leave out the next n points."""
        self._points.fast_forward(n)
        self.num_generated += n
        return self

    def __repr__(self):
        scrambling = f", scramble=True, seed={self.seed}" if self.scramble else ""
        return f"SobolEngine(dimension={self.dimension}{scrambling})"
