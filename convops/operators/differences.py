"""Finite differences: first differences, the gradient and the Laplacian, with boundaries."""

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import window_matrix
from .base import LinearOperator, Shape
from .blocks import vstack
from .engines import stencil
from .pytree import static
from .transforms import axes_of
from .window import Window, integer, make_window, per_axis, shape_of

KINDS = {  # kernel (as a convolution has it) and the index that lies on the output sample
    "forward": ((1.0, -1.0), 1),
    "backward": ((1.0, -1.0), 0),
    "central": ((0.5, 0.0, -0.5), 1),
}


class Difference(LinearOperator):
    """A convolution with a few fixed numbers; it has no arrays, so that the signal's dtype is kept."""

    in_shape: Shape = static()
    out_shape: Shape = static()
    window: Window = static()
    axes: tuple[int, ...] = static()
    places: tuple[tuple[int, ...], ...] = static()
    weights: tuple[float, ...] = static()
    bound: float = static()
    facts: frozenset[str] = static(default=frozenset())

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self._along(stencil.forward, x)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self._along(stencil.adjoint, y)

    def _along(self, apply: Any, x: jax.Array) -> jax.Array:
        last = tuple(range(-len(self.axes), 0))
        kernel = jnp.asarray(self._kernel(), jnp.finfo(x.dtype).dtype)
        structure = stencil.Structure(self.places)
        y = apply(kernel, None, jnp.moveaxis(x, self.axes, last), self.window, structure)
        return jnp.moveaxis(y, last, self.axes)

    def _kernel(self) -> np.ndarray:
        kernel = np.zeros(self.window.kernel)
        for place, weight in zip(self.places, self.weights, strict=True):
            kernel[place] = weight
        return kernel

    def _layout(self) -> window_matrix.Layout:
        return window_matrix.Layout(self.in_shape, self.out_shape, self.axes, False)

    @property
    def tags(self) -> frozenset[str]:
        return self.facts | ({"circulant"} if self.window.circulant else set())

    def gram(self) -> LinearOperator:
        """D^T D of a first difference is minus the second difference, with mirrored or periodic samples."""
        if not self.first or self.window.boundary[0] not in ("symmetric", "edge", "wrap"):
            return super().gram()
        taps = {(0,): -1.0, (1,): 2.0, (2,): -1.0}
        facts = frozenset({"selfadjoint", "psd"})
        return _fixed(taps, self.in_shape, self.axes, (3,), self.window.boundary, (1,), self.bound**2, facts)

    @property
    def first(self) -> bool:
        """Whether it is x[i+1] - x[i] or x[i] - x[i-1]."""
        return self.weights == (1.0, -1.0)

    def _fuse_sum(self, other: LinearOperator) -> LinearOperator | None:
        """The sum as one difference along the axes of both, where they agree on the boundaries."""
        if not isinstance(other, Difference):
            return None
        ours, theirs = (dict(zip(d.axes, d.window.boundary, strict=True)) for d in (self, other))
        names = theirs | ours
        if any(names[axis] != name for axis, name in theirs.items()):
            return None
        axes = tuple(sorted(names))
        offsets: dict[tuple[int, ...], float] = {}
        for offset, weight in itertools.chain(self._offsets(axes), other._offsets(axes)):
            offsets[offset] = offsets.get(offset, 0.0) + weight
        origin = tuple(-min(*along, 0) for along in zip(*offsets, strict=True))
        kernel = tuple(max(*along, 0) + o + 1 for along, o in zip(zip(*offsets, strict=True), origin, strict=True))
        taps = {tuple(n + o for n, o in zip(offset, origin, strict=True)): w for offset, w in sorted(offsets.items())}
        boundary = tuple(names[axis] for axis in axes)
        bound, facts = self.bound + other.bound, self.facts & other.facts
        return _fixed(taps, self.in_shape, axes, kernel, boundary, origin, bound, facts)

    def _offsets(self, axes: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], float]]:
        """How far from the output sample each tap lies along some axes, and its weight."""
        for place, weight in zip(self.places, self.weights, strict=True):
            along = {a: p - o for a, p, o in zip(self.axes, place, self.window.origin, strict=True)}
            yield tuple(along.get(axis, 0) for axis in axes), weight

    @property
    def nnz(self) -> int:
        return window_matrix.count(self._kernel(), self.window, self._layout())

    def _norm(self) -> jax.Array:
        """Upper bound sqrt(norm_1 norm_inf), exact to O(1/N^2) but for `antireflect`."""
        return jnp.asarray(self.bound)

    def _as_matrix(self) -> jax.Array:
        kernel = jnp.asarray(self._kernel(), self.dtype)
        return window_matrix.dense(kernel, self.window, self._layout())

    def _coordinates(self) -> Any:
        return window_matrix.coordinates(self._kernel(), self.window, self._layout())

    def _detail(self) -> str:
        return f"axes {self.axes}, {self.window.describe()}"


def difference(shape: Any, axis: int = -1, *, kind: str = "forward", boundary: str = "zero") -> LinearOperator:
    """Return the first difference along an axis.

    Parameters
    ----------
    shape : int or tuple of int
    axis : int
    kind : {"forward", "backward", "central"}
        x[i+1] - x[i], x[i] - x[i-1], or (x[i+1] - x[i-1]) / 2.
    boundary : str
        As in `convolution`; with ``symmetric`` the forward difference's last row is zero.

    Examples
    --------
    >>> import convops as co
    >>> print(co.difference(3, boundary="symmetric").as_matrix())
    [[-1.  1.  0.]
     [ 0. -1.  1.]
     [ 0.  0.  0.]]
    """
    shape = shape_of(shape)
    number = integer(axis, "axis")
    if not -len(shape) <= number < len(shape):
        raise ValueError(f"`axis` is {axis} for shape {shape}; give one from {-len(shape)} to {len(shape) - 1}")
    if kind not in KINDS:
        raise ValueError(f"`kind` is {kind!r}; accepted are {', '.join(map(repr, KINDS))}")
    kernel, origin = KINDS[kind]
    number %= len(shape)
    taps = {(m,): w for m, w in enumerate(kernel) if w}
    make_window((shape[number],), (len(kernel),), boundary=boundary)  # refuses an unknown boundary
    bound = _bound(kernel, origin, shape[number], boundary)
    return _fixed(taps, shape, (number,), (len(kernel),), (boundary,), (origin,), bound)


def gradient(shape: Any, boundary: Any = "symmetric", *, axes: Any = None) -> LinearOperator:
    """Return the gradient: forward differences along each axis, stacked in front, ``shape -> (len(axes), *shape)``.

    Parameters
    ----------
    shape : int or tuple of int
    boundary : str or tuple of str
        As in `convolution`, one for all axes or one an axis; with ``symmetric`` the last difference is zero.
    axes : int or tuple of int, optional
        The axes to take differences along; all of them by default.

    Examples
    --------
    >>> import convops as co
    >>> D = co.gradient((2, 3))
    >>> print(D @ [[1.0, 2.0, 4.0], [1.0, 2.0, 5.0]])
    [[[0. 0. 1.]
      [0. 0. 0.]]
    <BLANKLINE>
     [[1. 2. 0.]
      [1. 3. 0.]]]
    """
    shape = shape_of(shape)
    axes = axes_of(axes, len(shape))
    names = per_axis(boundary, len(axes), "boundary")
    return vstack([difference(shape, a, boundary=name) for a, name in zip(axes, names, strict=True)])


def laplacian(shape: Any, boundary: Any = "symmetric", *, axes: Any = None) -> LinearOperator:
    """Return the Laplacian, the sum of second differences x[i+1] - 2 x[i] + x[i-1] along every axis, or some `axes`.

    >>> import convops as co
    >>> print(co.laplacian(3).as_matrix())
    [[-1.  1.  0.]
     [ 1. -2.  1.]
     [ 0.  1. -1.]]
    """
    shape = shape_of(shape)
    axes = axes_of(axes, len(shape))
    ndim, sizes = len(axes), [shape[a] for a in axes]
    taps = {(1,) * ndim: -2.0 * ndim}
    for axis, place in itertools.product(range(ndim), (0, 2)):
        taps[tuple(place if a == axis else 1 for a in range(ndim))] = 1.0
    names = per_axis(boundary, ndim, "boundary")
    make_window(tuple(sizes), (3,) * ndim, boundary=names)  # refuses an unknown boundary
    bound = sum(_bound((1.0, -2.0, 1.0), 1, n, name) for n, name in zip(sizes, names, strict=True))
    return _fixed(taps, shape, axes, (3,) * ndim, names, (1,) * ndim, bound)


def _fixed(
    taps: Any,
    shape: Shape,
    axes: Any,
    kernel: Any,
    boundary: Any,
    origin: Any,
    bound: float,
    facts: frozenset[str] = frozenset(),
) -> Difference:
    window = make_window(tuple(shape[a] for a in axes), kernel, boundary=boundary, origin=origin)
    return Difference(
        in_shape=shape,
        out_shape=shape,
        window=window,
        axes=tuple(axes),
        places=tuple(taps),
        weights=tuple(taps.values()),
        bound=bound,
        facts=facts,
    )


@lru_cache(maxsize=256)
def _bound(kernel: tuple[float, ...], origin: int, n: int, boundary: str) -> float:
    """Upper bound sqrt(norm_1 norm_inf) along one axis; beyond a few samples the length does not matter."""
    n = min(n, 16)
    window = make_window((n,), (len(kernel),), boundary=boundary, origin=origin)
    layout = window_matrix.Layout((n,), (n,), (0,), False)
    rows, columns, values = window_matrix.coordinates(np.array(kernel), window, layout)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (rows, columns), values)
    return math.sqrt(abs(matrix).sum(0).max() * abs(matrix).sum(1).max())
