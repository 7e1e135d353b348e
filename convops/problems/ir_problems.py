"""The deblurring problems of IR Tools."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..operators.arrays import traced
from ..operators.base import LinearOperator
from ..operators.convolution import convolution
from ..operators.window import shape_of
from .arguments import image_of, one_of
from .ir_psfs import DEGREES, LEVELS, PSFS
from .noise import with_gaussian_noise
from .problem import Problem
from .rotation import rotation_blur
from .scenes import shepp_logan


def ir_tools(
    psf: Any = "gauss",
    level: str = "medium",
    image: Any = None,
    *,
    shape: Any = None,
    inverse_crime: bool = False,
    noise_level: Any = 0.01,
    boundary: str = "symmetric",
    seed: Any = 0,
) -> Problem:
    """One of IR Tools' test problems in deblurring; without the inverse crime A x is not quite the data's blur.

    | psf | mild / medium / severe | formula |
    | --- | --- | --- |
    | ``gauss`` | s = 2 / 4 / 6 pixels | exp(-(r / s)^2 / 2) |
    | ``defocus`` | R = 7 / 15 / 31 pixels | 1 where i^2 + j^2 <= R^2 |
    | ``motion`` | L = 5 / 10 / 50 pixels | 45 degrees, from the centre downwards to the right, fading |
    | ``speckle`` | D / r0 = 10 / 30 / 70 | atmosphere: Kolmogorov phase screen, circular pupil |
    | ``shake`` | within n/50 / n/25 / n/12.5 | random path, a spline through 10 knots in 100 frames |
    | ``rotation`` | 15 / 45 / 90 degrees | `rotation_blur`: differs from pixel to pixel |

    Gazzola, Hansen & Nagy, IR Tools, Numer. Algorithms 81 (2019) 773, section 4. The truth is divided by its largest
    value, and the noise has exactly ``norm(e) = noise_level * norm(b)``. Where a problem draws a PSF, the generator
    of `seed` is NumPy's, not MATLAB's: other draws from the same distribution.

    Parameters
    ----------
    psf : str or array
        A name of the table, or a PSF of two axes (then `level` does not matter), e.g.
        ``co.psf.gaussian(covariance=...)``.
    level : {"mild", "medium", "severe"}
    image : array, optional
        Two axes; `shepp_logan` at 256 x 256, an object on black as IR Tools' own are, unless given.
    shape : tuple of int, optional
        Of the truth: the central part of the image; the rest of the image lies around it. All of it unless given.
    inverse_crime : bool
        False: the data come from a scene of twice the size, the image with zeros around it, blurred with zeros beyond
        and cut to the centre. True: they are A x.
    noise_level : float
    boundary : str
        Of the operator A that solvers are given, as in `convops.convolution`; half-sample symmetric ("reflective" in IR
        Tools) unless given.
    seed : int
        Of the PSF and of the noise.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        For unknown names, an `image` that is not two axes of finite real numbers with some above zero, a `shape` larger
        than the image, or a negative `noise_level`.

    Examples
    --------
    >>> from convops import problems
    >>> p = problems.ir_tools("motion", "mild")
    >>> p.b.shape, p.psf.shape, f"{p.relative_error(p.b):.2f}"
    ((256, 256), (9, 9), '0.39')
    >>> problems.ir_tools("rotation", "mild", problems.photograph(), shape=(60, 50)).A
    RotationBlur R(60, 50) -> R(60, 50), 16 frames over 15 degrees
    """
    one_of(level, "level", LEVELS)
    scene = shepp_logan() if image is None else image_of(image)
    inner = scene.shape if shape is None else shape_of(shape)
    if len(inner) != 2 or any(m > n for m, n in zip(inner, scene.shape, strict=True)):
        raise ValueError(f"`shape` is {inner}; the image has {scene.shape}: give two sizes, none larger")
    build, kernel = _blur(psf, level, inner, scene.dtype, seed)
    A = build(inner, boundary)
    truth = _centre(scene, inner)
    peak = jnp.max(truth)
    if not traced(peak) and not peak > 0:
        raise ValueError("`image` has nothing above zero in its centre; it is divided by its largest value")
    truth = truth / peak
    if inverse_crime:
        clean = A.matvec(truth)
    else:
        doubled = tuple(n + 2 * ((n + 1) // 2) for n in inner)
        clean = _centre(build(doubled, "zero").matvec(_centre(scene, doubled) / peak), inner)
    b, noise = with_gaussian_noise(clean, level=noise_level, seed=seed)
    name = f"IR Tools {psf}, {level}" if isinstance(psf, str) else "IR Tools, own psf"
    return Problem(A, b, truth, noise, jnp.max(truth) - jnp.min(truth), kernel, name)


def _blur(
    psf: Any, level: str, shape: tuple[int, int], dtype: Any, seed: Any
) -> tuple[Callable[[tuple[int, ...], str], LinearOperator], jax.Array | None]:
    """What builds the blur for a size and a boundary, and its PSF."""
    if isinstance(psf, str):
        one_of(psf, "psf", (*PSFS, "rotation"))
        if psf == "rotation":
            return lambda size, edge: rotation_blur(size, DEGREES[level], boundary=edge, dtype=dtype), None
        kernel = jnp.asarray(PSFS[psf](level, shape, seed), dtype)
    else:
        kernel = image_of(psf, "psf").astype(dtype)
    return lambda size, edge: convolution(kernel, size, boundary=edge), kernel


def _centre(image: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The central part of an image, zeros where it has none; the middles n // 2 fall together."""
    for axis, m in enumerate(shape):
        n = image.shape[axis]
        before = m // 2 - n // 2
        widths = [(0, 0, 0)] * image.ndim
        widths[axis] = (before, m - n - before, 0)
        image = jax.lax.pad(image, jnp.zeros((), image.dtype), widths)
    return image
