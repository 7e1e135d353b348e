"""What every solver returns."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from ..operators.arrays import traced

RUNNING, CONVERGED, NONFINITE, STOPPED, INEXACT, INDEFINITE, LEAST, RULED, FITTED, SCHEDULED = range(10)
STATUS = (
    "the step limit was reached before the tolerance",
    "converged: the tolerance was reached",
    "stopped at the last finite iterate: the next step was not finite (NaN, infinity or a zero pivot)",
    "stopped by the callback or by an interrupt",
    "stopped where rounding ends the progress: the true residual is above the tolerance",
    "stopped: the operator is not positive definite (minres takes indefinite ones)",
    "stopped: the operator is singular and no x reaches the data; the residual is about the least there is",
    "converged: the rule that chooses the weight asks for no more steps",
    "converged: the data are fitted as closely as their noise allows",
    "converged: every step of the schedule was taken",
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Solution:
    """The result of a solver; a pytree, so it comes out of jit and vmap.

    Attributes
    ----------
    x : Array
        The solution, in the operator's ``in_shape``; flat if the data were.
    converged : Array of bool
        Whether the stopping tolerance was met.
    num_steps : Array of int
        Steps taken; 0 for a closed form.
    residual_norm : Array
        The 2-norm of A x - b, computed anew from x.
    objective : Array
        What was minimised, at x.
    history : dict of arrays
        A scalar a step; entry 0 is the start, and entries beyond ``num_steps`` repeat the last.
    weight : Array or None
        The regularisation weight that was used.
    code : Array of int
        Why it ended, as a number; `status` says it in words.
    selection : Selection or None
        How an automatic weight was chosen: the weights looked at, the rule's values, and ``warnings``.
    stopping_step : Array of int or None
        Of a hybrid method: the step at which its rule stopped, or would have; 0 if it did not.
    report : str or None
        Of `deblur`: what was chosen, and why, in words.
    """

    x: jax.Array
    converged: jax.Array
    num_steps: jax.Array
    residual_norm: jax.Array
    objective: jax.Array
    history: dict[str, jax.Array]
    code: jax.Array
    weight: Any = field(default=None)
    selection: Any = field(default=None)
    stopping_step: Any = field(default=None)
    report: str | None = field(default=None, metadata={"static": True})

    @property
    def status(self) -> Any:
        """Why the solver ended: a sentence, or an array of them for a batch (under jit: the code)."""
        if traced(self.code):
            return self.code
        words = np.array(STATUS, dtype=object)[np.asarray(self.code)]
        return str(words) if np.ndim(words) == 0 else words

    def __repr__(self) -> str:
        parts = [f"x: {getattr(self.x, 'shape', self.x)}"]
        if np.ndim(self.code) == 0 and not traced(self.code):
            parts += [
                f"{int(self.num_steps)} steps",
                f"residual_norm {float(self.residual_norm):.6g}",
                self.status,
            ]
        return f"Solution({', '.join(parts)})"
