"""The Wiener filter: the linear estimate of least mean square error, frequency by frequency."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import as_inexact, positive_ratio, traced
from ..operators.base import LinearOperator
from ..operators.elementary import identity
from . import spectral
from .checks import data_of, dtype_of, start_of
from .solution import Solution


def wiener(A: LinearOperator, b: Any, *, noise_power: Any, signal_power: Any, mean: Any = 0.0) -> Solution:
    """Estimate x from b = A x + noise, x and noise being stationary: the Wiener filter.

    ``X = conj(H) B / (|H|^2 + noise_power / signal_power)`` in the coefficients of the transform that diagonalises A:
    the FFT for periodic boundaries, the DCT-II for ``symmetric`` and concrete symmetric kernels. It is `tikhonov` with
    a weight for each frequency, and the posterior mean for Gaussian x and noise (Wiener 1949).

    Parameters
    ----------
    A : LinearOperator
        Diagonal under the FFT or the DCT-II; `batched` or `block_diagonal` for channels with kernels of their own.
    b : array
        Data of ``A.out_shape``, or flat; finite.
    noise_power : float or array
        Variance of the noise; or its power spectrum, an array that broadcasts to ``A.in_shape``, in the transform's
        order of frequencies, its mean being the variance.
    signal_power : float or array
        The same of x. Where it is zero, so is the estimate.
    mean : float or array, optional
        Mean of x, a number or an array of ``A.in_shape``.

    Returns
    -------
    Solution
        ``objective`` is norm(A x - b)^2 / 2.

    Raises
    ------
    ValueError
        Where no transform is known to diagonalise A, for spectra that do not fit, or negative ones.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = A @ [0.0, 0.0, 4.0, 4.0, 0.0, 0.0]
    >>> print(co.wiener(A, b, noise_power=1e-4, signal_power=3.0).x.round(1) + 0.0)
    [0. 0. 4. 4. 0. 0.]
    """
    b, flat = data_of(A, b)
    L = identity(A.in_shape)
    basis = spectral.shared(A, L, dtype_of(A, L, b))
    if not isinstance(basis, spectral.Transform):
        raise ValueError(f"`A` is {A!r}, which no transform is known to diagonalise: use tikhonov")
    noise = _power(noise_power, "noise_power", A.in_shape, b.dtype)
    signal = _power(signal_power, "signal_power", A.in_shape, b.dtype)
    centre = start_of(A, jnp.full(A.in_shape, mean) if jnp.ndim(mean) == 0 else mean, b.dtype, "mean")
    return _solved(A, b, noise, signal, centre, basis, flat)


def _solved(A: LinearOperator, b: jax.Array, noise: Any, signal: Any, centre: Any, basis: Any, flat: bool) -> Solution:
    problem = spectral.coefficients(A, identity(A.in_shape), b - A.matvec(centre), basis)
    noise, signal = basis.kept(noise), basis.kept(signal)
    below = problem.square * signal + noise
    gain = positive_ratio(signal, below)
    x = centre + basis.backward(problem.rhs * gain)
    return spectral.told(A, b, x, flat)


def _power(value: Any, name: str, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """A variance or a power spectrum, on the whole grid."""
    power = as_inexact(value, name)
    if jnp.iscomplexobj(power) or (not traced(power) and not np.all(np.isfinite(power) & (np.asarray(power) >= 0))):
        raise ValueError(f"`{name}` must be real, finite and not negative")
    fits = power.ndim <= len(shape) and all(n in (1, m) for n, m in zip(power.shape[::-1], shape[::-1], strict=False))
    if not fits:
        raise ValueError(f"`{name}` has shape {power.shape}, which does not broadcast to {shape}")
    return jnp.broadcast_to(power, shape).astype(jnp.finfo(dtype).dtype)
