"""Deblurring in two steps and no iteration: invert, shrink the DCT coefficients of patches; again with a pilot."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators import transforms
from ..operators.base import LinearOperator
from ..operators.elementary import identity
from ..operators.spectral import symbol
from . import spectral
from .checks import data_of, scalar
from .dct_denoiser import along, patch_of, per_coefficient
from .noise import unit_of
from .patches import dct_matrix
from .removed import noise_of_blur
from .seen import seen
from .shrinkage import THRESHOLD, filtered, thresholded
from .solution import Solution
from .spectral import Transform

FIRST = 1.6  # noise over signal that the first inversion assumes at every frequency, in units of their variances
SECOND = 5e-3  # in the second, in units of what the pilot tells; Dabov et al., section 4


def dct_deblur(
    A: LinearOperator,
    b: Any,
    *,
    noise: Any = None,
    patch: int | Sequence[int] = 8,
    threshold: Any = THRESHOLD,
    wiener: Any = 1.0,
) -> Solution:
    """Restore x from b = A x + white noise, A periodic, without iterating: BM3D-DEB's scheme without block matching.

    With H the eigenvalues of A, B = F b, s the noise level, v the variance of x and N its number of samples:

    1. ``F^-1 [conj(H) B / (|H|^2 + 1.6 s^2 / v)]`` holds coloured noise, whose deviation is known for each coefficient
       of a patch; those above `threshold` deviations are kept, and the patches averaged: the pilot.
    2. ``F^-1 [conj(H) P B / (P |H|^2 + 0.005 N s^2)]`` with P = |F pilot|^2, whose coefficients are multiplied by
       ``c^2 / (c^2 + deviation^2)``, c those of the pilot.

    It costs about as much as `dct_denoiser`, and memory likewise.

    Parameters
    ----------
    A : LinearOperator
        Real and diagonal under the FFT: boundary ``wrap``. Along axes that it does not act on, b is a batch.
    b : array
        Real data of ``A.out_shape``, or flat; finite.
    noise : float, optional
        Standard deviation of the noise; by default seen at frequencies that the blur removes, or `noise_level`.
    patch : int or tuple of int
        Samples of a patch along each axis that A acts on.
    threshold, wiener : float or array
        As in `dct_denoiser`.

    Returns
    -------
    Solution
        ``num_steps`` is 0 and ``objective`` norm(A x - b)^2 / 2. Differentiable in `b`, `noise` and the kernel.

    Raises
    ------
    ValueError
        For an A that is not periodic, complex numbers, data with NaN or of the wrong shape, or negative numbers.

    References
    ----------
    Dabov, Foi, Katkovnik & Egiazarian, Proc. SPIE 6812 (2008) 681207.

    Examples
    --------
    >>> import convops as co
    >>> p = co.problems.classical(3)
    >>> sol = co.dct_deblur(p.A, p.b, noise=p.noise)
    >>> print(f"{co.problems.isnr(sol.x, p.b, p.truth):.1f} dB")
    6.3 dB
    """
    b, flat = data_of(A, b)
    basis = periodic(A, b)
    if basis is None:
        raise ValueError(
            f"`A` is {A!r}, which is not known to be real and periodic: give a convolution with boundary 'wrap' and a "
            "real kernel, or use plug_and_play, which takes any operator"
        )
    if jnp.iscomplexobj(b):
        raise ValueError("`b` is complex; restore its real and its imaginary part one by one")
    sizes = patch_of(patch, len(basis.axes))
    settings = [per_coefficient(v, n, sizes, b.dtype) for v, n in ((threshold, "threshold"), (wiener, "wiener"))]
    level = noise_of_blur(A, b, seen(A)) if noise is None else scalar(noise, "noise", b.dtype)
    x = restored(A, b, level, *settings, basis=basis, patch=sizes)
    return spectral.told(A, b, x, flat)


def periodic(A: LinearOperator, b: jax.Array) -> Transform | None:
    """The FFT that diagonalises a real A, or None."""
    if any(map(jnp.iscomplexobj, A._inexact_leaves())):
        return None
    basis = spectral.shared(A, identity(A.in_shape), b.dtype)
    if not isinstance(basis, Transform) or basis.name != "fft" or A.in_shape != A.out_shape:
        return None
    return basis if basis.axes else Transform("fft", tuple(range(b.ndim)), b.shape, basis.real)


@partial(jax.jit, static_argnames=("basis", "patch"))
def restored(A, b, noise, threshold, wiener, *, basis: Transform, patch: tuple[int, ...]) -> jax.Array:
    """The two steps, for each array along the axes that are transformed."""
    axes = basis.axes
    shape = tuple(b.shape[a] for a in axes)
    inside = Transform("fft", tuple(range(len(axes))), shape, True)
    found = symbol(A)
    assert found is not None
    H = basis.kept(transforms.precise(found.values, b.dtype))
    unit = unit_of(b)  # in which the power spectra do not overflow
    return unit * along(partial(_two_steps, inside, patch, noise / unit, threshold, wiener), axes, b / unit, H)


def _two_steps(basis: Transform, patch: tuple[int, ...], noise, threshold, wiener, b, H) -> jax.Array:
    B, square = basis.forward(b), jnp.abs(H) ** 2
    largest = jnp.max(square)
    least = jnp.finfo(square.dtype).eps * largest  # keeps the inverses finite where there is no noise
    shown = jnp.maximum(jnp.var(b) - noise**2, jnp.finfo(b.dtype).eps * jnp.mean(b**2))
    some = shown > 0  # of the scene, beyond its mean
    ratio = jnp.where(some, noise**2 / jnp.where(some, shown, 1), 1)
    below = square + largest * FIRST * ratio + least
    some = below > 0
    gain = jnp.where(some, jnp.conj(H) / jnp.where(some, below, 1), 0)

    def shaken(gain: jax.Array) -> jax.Array:
        return noise * deviations(gain, basis, patch)

    pilot = thresholded(basis.backward(gain * B), shaken(gain), threshold, None, patch, "symmetric")
    power = jnp.abs(basis.forward(pilot)) ** 2
    below = power * (square + least) + SECOND * noise**2
    some = below > 0
    gain = jnp.where(some, jnp.conj(H) * power / jnp.where(some, below, 1), 0)
    return filtered(basis.backward(gain * B), pilot, shaken(gain), wiener, patch, "symmetric")


def deviations(gain: jax.Array, basis: Transform, patch: tuple[int, ...]) -> jax.Array:
    """Standard deviations of the DCT coefficients of a patch of white noise that a filter has coloured.

    The variance is the mean over the frequencies of norm(gain)^2 times the power spectrum of the basis function.
    """
    power = basis.count * jnp.abs(gain) ** 2
    for axis, (size, taps) in enumerate(zip(basis.shape, patch, strict=True)):
        kept = gain.shape[axis]
        waves = np.exp(-2j * np.pi * np.outer(np.arange(taps), np.arange(kept)) / size)
        spectra = jnp.asarray(np.abs(dct_matrix(taps) @ waves) ** 2 / size, power.dtype)
        power = jnp.tensordot(power, spectra, ((0,), (1,)), precision=jax.lax.Precision.HIGHEST)
    return jnp.sqrt(jnp.maximum(power, jnp.finfo(power.dtype).tiny))
