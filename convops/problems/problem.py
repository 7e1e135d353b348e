"""What every test problem is."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from ..operators.arrays import traced
from ..operators.base import LinearOperator
from .metrics import psnr, relative_error


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """A linear inverse problem with a known answer; a pytree.

    Attributes
    ----------
    A : LinearOperator
        What a solver is given.
    b : Array
        The data, in ``A.out_shape``: blurred and noisy.
    truth : Array
        What restorations are compared with: in ``A.in_shape``, or the part of the scene under the data.
    noise : Array
        Standard deviation of the noise, a scalar in the units of `b`.
    data_range : Array
        The range of the values that `psnr` counts by.
    psf : Array or None
        The point-spread function; None where the blur varies over the image.
    name : str
        Where the problem is from.
    """

    A: LinearOperator
    b: jax.Array
    truth: jax.Array
    noise: jax.Array
    data_range: jax.Array
    psf: Any = None
    name: str = field(default="", metadata={"static": True})

    def psnr(self, x: Any) -> jax.Array:
        """PSNR of a restoration in decibels; of a larger scene, the part under the data counts."""
        return psnr(self.visible(x), self.truth, data_range=self.data_range)

    def relative_error(self, x: Any) -> jax.Array:
        """Relative 2-norm error of a restoration; of a larger scene, of the part under the data."""
        return relative_error(self.visible(x), self.truth)

    def visible(self, x: Any) -> jax.Array:
        """The part of a restoration that `truth` shows; flat vectors are taken too."""
        x = jnp.asarray(x)
        if x.shape == (self.A.shape[1],):
            x = x.reshape(self.A.in_shape)
        shown = getattr(self.A, "visible", None)
        return x if shown is None or x.shape == self.truth.shape else shown(x)

    @property
    def blurred(self) -> jax.Array:
        """The data as a picture of the shape of `truth`: the central part where there are more."""
        lengths = zip(self.b.shape, self.truth.shape, strict=True)
        return self.b[tuple(slice((m - n + 1) // 2, (m - n + 1) // 2 + n) for m, n in lengths)]

    def __repr__(self) -> str:
        parts = [f"{self.name!r}", f"A: {self.A!r}"]
        arrays = (self.b, self.truth, self.noise, self.data_range)
        if all(isinstance(a, jax.Array) and not traced(a) for a in arrays) and jnp.ndim(self.noise) == 0:
            before = psnr(self.blurred, self.truth, data_range=self.data_range)
            parts += [f"noise: {float(self.noise):.4g}", f"blurred: {float(before):.2f} dB"]
        return f"Problem({', '.join(parts)})"
