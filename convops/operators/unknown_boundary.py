"""A blur whose surroundings are unknown: the data are the part of a larger scene's blur that needs no assumption."""

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .arrays import as_inexact, traced
from .base import LinearOperator, Shape
from .convolution import convolution, normal_axes
from .engines.fourier import fast_length
from .pytree import static
from .window import shape_of
from .windowed import Convolution


class UnknownBoundary(LinearOperator):
    """keep * crop(circular blur of the scene); built by `unknown_boundary`.

    Attributes
    ----------
    blur : Convolution
        The periodic blur of the scene; its period is long enough that nothing wraps into the data.
    keep : Array or None
        Weights of ``out_shape``; None stands for ones.
    in_shape, out_shape : tuple of int
        Shapes of the scene and of the data.
    start : tuple of int
        Where the first sample of the data lies in the scene.
    """

    blur: Convolution
    keep: Any
    in_shape: Shape = static()
    out_shape: Shape = static()
    start: tuple[int, ...] = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self.weighted(self.visible(self.blur._matvec(x)))

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self.blur._rmatvec(self.padded(self.weighted(y)))

    def visible(self, x: Any) -> jax.Array:
        """Return the part of a scene (with any leading axes) that lies under the data."""
        x = jnp.asarray(x)
        lead = x.ndim - len(self.in_shape)
        if x.shape[lead:] != self.in_shape:
            raise ValueError(f"`x` has shape {x.shape}; the scene has {self.in_shape}")
        stop = [a + m for a, m in zip(self.start, self.out_shape, strict=True)]
        return lax.slice(x, [0] * lead + list(self.start), [*x.shape[:lead], *stop])

    def padded(self, y: Any) -> jax.Array:
        """Return data in their place in the scene, with zeros around: the adjoint of `visible`."""
        y = jnp.asarray(y)
        lead = y.ndim - len(self.out_shape)
        if y.shape[max(lead, 0) :] != self.out_shape:
            raise ValueError(f"`y` has shape {y.shape}; the data have {self.out_shape}")
        widths = [(a, n - a - m, 0) for a, n, m in zip(self.start, self.in_shape, self.out_shape, strict=True)]
        return lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0)] * lead + widths)

    def weighted(self, y: jax.Array) -> jax.Array:
        """Return keep * y."""
        return y if self.keep is None else y * self.keep.astype(jnp.result_type(self.keep.dtype, y.dtype))

    @property
    def share(self) -> jax.Array:
        """Mean of keep^2 over the scene, zero beyond the data: what the data see of the scene."""
        if self.keep is None:
            return jnp.asarray(math.prod(self.out_shape) / math.prod(self.in_shape))
        wide = self.keep.astype(jnp.promote_types(self.keep.dtype, jnp.float32))
        return jnp.sum(wide**2) / math.prod(self.in_shape)

    def _inexact_leaves(self) -> list[jax.Array]:
        return self.blur._inexact_leaves() + ([] if self.keep is None else [self.keep])

    def conj(self) -> LinearOperator:
        return replace(self, blur=self.blur.conj())

    def _norm(self) -> jax.Array:
        """Upper bound: that of the periodic blur times the largest weight."""
        largest = jnp.ones(()) if self.keep is None else jnp.max(jnp.abs(self.keep))
        return largest * self.blur._norm()

    def _detail(self) -> str:
        kernel = "x".join(map(str, self.blur.window.kernel))
        return f"{kernel} kernel, {'all' if self.keep is None else 'weighted'} data, {self.blur.method}"


def unknown_boundary(
    psf: Any, shape: Any, *, mask: Any = None, origin: Any = "center", axes: Any = None
) -> UnknownBoundary:
    """Return the blur of a scene larger than its data: nothing is assumed of what lies beyond the picture's edge.

    The data are the ``valid`` part of the convolution, so that they depend on K - 1 more samples of the scene along an
    axis than there are data, K being the kernel's length. The scene has at least that length, rounded up to one that
    transforms fast, and the blur is periodic on it: `tikhonov` preconditions by the FFT (Almeida & Figueiredo, IEEE
    Trans. Image Process. 22 (2013) 3074).

    Parameters
    ----------
    psf : array
        One axis for each axis it acts on.
    shape : int or tuple of int
        Shape of the data.
    mask : array, optional
        Of ``shape``: zero (or False) where the data say nothing (missing, saturated, dead), one elsewhere; or weights,
        the reciprocal standard deviations of the noise. Multiply data by weights; data at zeros do not matter.
    origin : {"center", "scipy"}, int or tuple
        As in `convolution`.
    axes : int or tuple of int, optional
        The axes of ``shape`` that the kernel acts on; the last ones by default.

    Returns
    -------
    LinearOperator
        From the scene to the data, with ``visible(x)``, the part of a scene under the data, and ``padded(y)``, its
        adjoint.

    Raises
    ------
    ValueError
        For a mask of another shape, or with negative, NaN or infinite entries; otherwise as `convolution`.

    Examples
    --------
    >>> import convops as co
    >>> A = co.unknown_boundary([0.25, 0.5, 0.25], 10)
    >>> A.in_shape, A.out_shape
    ((12,), (10,))
    >>> print(A.visible(A.rmatvec([1.0] + 9 * [0.0]))[:3])
    [0.5  0.25 0.  ]
    """
    array = as_inexact(psf, "psf")
    shape = shape_of(shape)
    acting = normal_axes(axes, array.ndim, len(shape))
    scene = list(shape)
    for axis, taps in zip(acting, array.shape, strict=True):
        scene[axis] = fast_length(shape[axis] + taps - 1)
    blur = convolution(array, tuple(scene), boundary="wrap", origin=origin, axes=acting)
    assert isinstance(blur, Convolution)
    start = [0] * len(shape)
    for axis, taps, centre in zip(acting, array.shape, blur.window.origin, strict=True):
        start[axis] = taps - 1 - centre
    keep = None if mask is None else _weights(mask, shape, array.dtype)
    return UnknownBoundary(blur=blur, keep=keep, in_shape=tuple(scene), out_shape=shape, start=tuple(start))


def _weights(mask: Any, shape: Shape, dtype: Any) -> jax.Array:
    """The mask as real numbers; one of integers or booleans in the precision of the kernel."""
    exact = not jnp.issubdtype(jnp.result_type(mask), jnp.inexact)
    keep = as_inexact(mask, "mask")
    keep = keep.astype(jnp.promote_types(jnp.finfo(dtype).dtype, jnp.float32)) if exact else keep
    if keep.shape != shape:
        raise ValueError(f"`mask` has shape {keep.shape}; the data have {shape}")
    if jnp.iscomplexobj(keep) or not (traced(keep) or np.all(np.isfinite(keep) & (np.asarray(keep) >= 0))):
        raise ValueError("`mask` holds negative, complex, NaN or infinite entries; give weights of at least 0")
    return keep
