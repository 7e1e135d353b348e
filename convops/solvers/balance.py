"""The balance of a primal and a dual residual, by which methods that split a problem choose their parameter."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Balance(NamedTuple):
    """When residuals are compared, and what is done about it (Wohlberg, arXiv:1704.06209)."""

    every: int  # steps between two looks
    until: int  # the last step with one: a parameter that changes for ever may keep a method from converging
    uneven: float  # a ratio of the residuals that calls for another parameter
    most: float  # that it is multiplied or divided by

    def factor(self, ahead: jax.Array, behind: jax.Array, steps: jax.Array) -> jax.Array:
        """What a parameter that lowers the residual `ahead` and raises `behind` is multiplied by, often 1.

        It is the root of their ratio: both are relative to the size of what they are residuals of.
        """
        fine = (ahead > 0) & (behind > 0) & jnp.isfinite(ahead) & jnp.isfinite(behind)
        ratio = jnp.sqrt(jnp.where(fine, ahead, 1) / jnp.where(fine, behind, 1))
        due = (steps % self.every == 0) & (steps <= self.until) & (jnp.abs(jnp.log(ratio)) > jnp.log(self.uneven) / 2)
        return jnp.where(due, jnp.clip(ratio, 1 / self.most, self.most), 1)
