"""Data in a unit of their own where their squares would vanish or overflow.

The solution of some solvers is proportional to the data, x(c b) = c x(b), with all that is measured in the same unit.
There b / unit is solved for, and what is found is told in the units of b. The unit is a power of two, which rounds
nothing. For usual data it is 1, and for traced data too, which do not tell how large they are.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec

import jax.numpy as jnp
import numpy as np

from ..operators.arrays import as_numbers, traced
from ..operators.base import LinearOperator
from .progress import Callback, Progress, callbacks_of
from .progress import close as close_all
from .solution import Solution

P = ParamSpec("P")

USUAL = {32: (1e-6, 1e7), 64: (1e-100, 1e100)}  # by bits: squares of these, and of residuals, are numbers
ARGUMENTS = frozenset({"b", "x0", "mean", "noise", "truth", "first", "last", "atol"})
FIGURES = frozenset({"residual_norm", "gradient_norm", "primal_residual", "dual_residual", "change", "sigma"})


def proportional(*more: str) -> Callable[[Callable[P, Solution]], Callable[P, Solution]]:
    """Make a solver of (A, b, ...) solve in a unit of the data; `more` names further arguments in the units of b."""

    def decorate(solver: Callable[P, Solution]) -> Callable[P, Solution]:
        @functools.wraps(solver)
        def solved(*args: P.args, **kwargs: P.kwargs) -> Solution:
            named = dict(zip(("A", "b"), args, strict=False)) | kwargs
            unit = unit_for(named.get("A"), named.get("b"))
            return solver(*args, **kwargs) if unit == 1 else _solved(solver, unit, named, more)

        return solved

    return decorate


def unit_for(A: Any, b: Any) -> float:
    """Return the power of two that the largest of the data has, or 1 for usual ones and those that cannot be seen."""
    if b is None or traced(b) or not isinstance(A, LinearOperator):
        return 1.0
    numbers = np.asarray(as_numbers(b, "b"))
    if numbers.size == 0 or not np.issubdtype(numbers.dtype, np.number):
        return 1.0
    top = float(np.max(np.abs(numbers)))
    real = jnp.finfo(jnp.promote_types(jnp.result_type(numbers, *A._inexact_leaves()), jnp.float32))
    return power_of_two(top, *USUAL[real.bits])


def power_of_two(top: float, low: float, high: float) -> float:
    """Return the power of two below a number, or 1 if it is between the bounds, zero or no number."""
    usual = top == 0 or low <= top <= high or not math.isfinite(top)
    return 1.0 if usual else 2.0 ** math.floor(math.log2(top))


def _solved(solver: Callable[..., Solution], unit: float, named: dict[str, Any], more: Sequence[str]) -> Solution:
    """Solve in the unit, and tell what was found in the units of b."""
    given = {n: _by(v, n, unit) if n in ARGUMENTS or n in more else v for n, v in named.items()}
    weighed = unit if "weight" in more else 1.0
    if named.get("callback") is not None:
        given["callback"] = [_InUnits(call, unit, weighed) for call in callbacks_of(named["callback"])]
    return _told(solver(**given), unit, weighed)


class _InUnits:
    """A callback that is told of a run in the units of b."""

    def __init__(self, callback: Callback, unit: float, weighed: float) -> None:
        self.callback, self.unit, self.weighed = callback, unit, weighed

    def __call__(self, progress: Progress) -> Any:
        return self.callback(
            progress._replace(
                residual_norm=progress.residual_norm * self.unit,
                history=_figures(progress.history, self.unit),
                weight=None if progress.weight is None else progress.weight * self.weighed,
            )
        )

    def close(self) -> None:
        close_all([self.callback])


def _by(value: Any, name: str, unit: float) -> Any:
    if value is None or isinstance(value, str):
        return value
    return value / unit if traced(value) else np.asarray(as_numbers(value, name)) / unit


def _figures(history: Mapping[str, Any], unit: float) -> dict[str, Any]:
    scaled = {name: figure * unit if name in FIGURES else figure for name, figure in history.items()}
    return scaled | {name: scaled[name] * unit * unit for name in ("objective",) if name in scaled}


def _told(found: Solution, unit: float, weighed: float) -> Solution:
    """The solution in the units of b."""
    chosen = found.selection
    if chosen is not None and weighed != 1:
        chosen = dataclasses.replace(chosen, weights=chosen.weights * weighed)
    return dataclasses.replace(
        found,
        x=found.x * unit,
        residual_norm=found.residual_norm * unit,
        objective=found.objective * unit * unit,
        history=_figures(found.history, unit),
        weight=found.weight if weighed == 1 else found.weight * weighed,
        selection=chosen,
    )
