"""Richardson-Lucy: the most likely scene for Poisson data, with Biggs and Andrews' acceleration and total variation."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.differences import gradient
from ..operators.sums import inner, length
from .checks import reported, scalar, steps_of, tolerance
from .counted import counted, divergence, divisor, over, start_from
from .iterate import solve
from .noise import unit_of
from .photons import expected_deviance, photons_per_unit
from .progress import Callbacks
from .roughness import blurred_axes
from .solution import CONVERGED, FITTED, NONFINITE, RUNNING, Solution

STOPS = (None, "discrepancy")
LEAST = 0.1  # total variation multiplies no pixel by more than 10 in a step, and extrapolation by no less than 1/10
SMOOTH = 0.01  # of the mean scene: a difference below is no edge, and its sign is rounding


class Likelihood(NamedTuple):
    """min KL(b, A x + background) + weight sum(sensitivity |grad x|) over x >= 0."""

    stops = ("threshold", "counts")
    A: LinearOperator
    b: jax.Array
    background: jax.Array
    x0: jax.Array
    sensitivity: jax.Array | None  # A^H 1; None: left out
    gain: jax.Array | None  # 1 / A^H 1, zero where the data say nothing
    weight: jax.Array
    smooth: jax.Array
    unit: jax.Array  # of x, and
    bright: jax.Array  # of b: in these units squares neither vanish nor overflow
    differences: LinearOperator | None  # of the total variation
    weights: jax.Array | None  # of the data, for the stopping rule
    counts: jax.Array
    threshold: jax.Array  # stop when a step's square length, in units of `unit`, is at most this


class Estimate(NamedTuple):
    """A scene and how it fits; ``quotient`` is b / (A x + background) - 1."""

    x: jax.Array
    quotient: jax.Array
    divide: jax.Array | None  # 1 - weight div(sensitivity grad x / |grad x|) / sensitivity
    before: jax.Array  # the end of the last step, where this one's extrapolation began
    change: jax.Array  # of the last step, in units of the problem's
    energy: jax.Array  # <change, change>
    settled: jax.Array
    objective: jax.Array
    divergence: jax.Array
    residual_norm: jax.Array
    excess: jax.Array  # the deviance over what is expected of counts
    failed: jax.Array


@dataclass(frozen=True)
class RichardsonLucy:
    """x <- x A^H(b / (A x + background)) / A^H 1, from points extrapolated along the last steps."""

    accelerate: bool
    stop: str | None

    def init(self, problem: Likelihood) -> Estimate:
        x = problem.x0
        zero = jnp.zeros((), x.dtype)
        return self.judged(problem, x, x, jnp.zeros_like(x), zero, jnp.array(False), jnp.array(False))

    def judged(self, problem: Likelihood, x, before, change, energy, settled, failed) -> Estimate:
        """How a scene fits: one product with A."""
        mean = jnp.maximum(problem.A._matvec(x) + problem.background, 0)
        gap = mean - problem.b
        quotient = -gap / divisor(mean)
        fit = divergence(problem.b, gap, quotient)
        value, divide = fit, None
        if problem.differences is not None:
            variation, divide = self.variation(problem, x)
            value = fit + variation
        excess = jnp.zeros((), x.dtype)
        if self.stop is not None:
            excess = self.excess(problem, mean, fit)
        residual = problem.bright * length(gap / problem.bright)
        failed = failed | ~jnp.isfinite(value)
        return Estimate(x, quotient, divide, before, change, energy, settled, value, fit, residual, excess, failed)

    def excess(self, problem: Likelihood, mean: jax.Array, fit: jax.Array) -> jax.Array:
        """The deviance 2 KL, in counts, over its expected value, less one."""
        if problem.weights is None:
            expected = jnp.sum(expected_deviance(problem.counts * mean))
        else:
            counts = problem.counts * over(mean, problem.weights)
            expected = jnp.sum(problem.weights * expected_deviance(counts))
        return 2 * problem.counts * fit / jnp.where(expected > 0, expected, 1) - 1

    def variation(self, problem: Likelihood, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The weighted total variation of x, and what Dey's step divides by."""
        assert problem.differences is not None
        slopes = problem.differences._matvec(x)
        sizes = problem.unit * jnp.sqrt(jnp.sum((slopes / problem.unit) ** 2, 0) + (problem.smooth / problem.unit) ** 2)
        local = 1.0 if problem.sensitivity is None else problem.sensitivity
        value = problem.weight * jnp.sum(local * (sizes - problem.smooth))
        curvature = problem.differences._rmatvec(slopes * (local / sizes)[None])
        if problem.gain is not None:
            curvature = curvature * problem.gain
        return value, jnp.maximum(1 + problem.weight * curvature, LEAST)

    def multiplied(self, problem: Likelihood, state: Estimate) -> jax.Array:
        """One plain step: one product with A^H."""
        if problem.gain is None:
            factor = problem.A._rmatvec(state.quotient + 1)
        else:  # A^H(b / m) / A^H 1; a pixel that the data say nothing of keeps its value
            factor = 1 + problem.gain * problem.A._rmatvec(state.quotient)
        factor = jnp.maximum(factor, 0)
        return state.x * (factor if state.divide is None else factor / state.divide)

    def step(self, problem: Likelihood, state: Estimate) -> Estimate:
        after = self.multiplied(problem, state)
        change = (after - state.x) / problem.unit
        energy = inner(change, change)
        fine = jnp.isfinite(energy)
        settled = energy <= problem.threshold
        x = after
        if self.accelerate:
            known = state.energy > 0
            ahead = jnp.where(known, inner(change, state.change) / jnp.where(known, state.energy, 1), 0)
            # no lower than a tenth: a pixel put to zero could never come back
            x = jnp.maximum(after + jnp.clip(ahead, 0, 1) * (after - state.before), LEAST * after)
        x = jnp.where(fine, x, state.x)
        return self.judged(problem, x, after, change, energy, settled, state.failed | ~fine)

    def done(self, problem: Likelihood, state: Estimate) -> jax.Array:
        ended = jnp.where(state.settled, CONVERGED, RUNNING)
        if self.stop is not None:
            ended = jnp.where(state.excess <= 0, FITTED, ended)
        return jnp.where(state.failed, NONFINITE, ended)

    def report(self, problem: Likelihood, state: Estimate) -> dict[str, jax.Array]:
        told = {"objective": state.objective, "divergence": state.divergence, "residual_norm": state.residual_norm}
        return told if self.stop is None else {**told, "excess": state.excess}


def richardson_lucy(
    A: LinearOperator,
    b: Any,
    *,
    background: Any = 0.0,
    mask: Any = None,
    weight: Any = None,
    accelerate: bool = True,
    normalize: bool = True,
    stop: str | None = "discrepancy",
    counts: Any = None,
    x0: Any = None,
    rtol: Any = None,
    max_steps: int = 200,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Find a likely scene for Poisson data: x <- x A^H(b / (A x + background)) / A^H 1.

    Each step lowers the Kullback-Leibler divergence KL = sum(b log(b / m) - b + m) of the data from m = A x +
    background, and keeps x at or above zero; what a pixel sends beyond the data's edge is accounted for by A^H 1.
    Photons are what it is made for; it fits their noise when it goes on for too long, and a rule stops it.

    Parameters
    ----------
    A : LinearOperator
        With entries of at least zero: warned of otherwise. Also `unknown_boundary`, with or without a mask; its weights
        (and those of `co.diagonal(weights) @ A`) weigh the terms of KL, data and background being multiplied by them.
    b : array
        Data of ``A.out_shape``, or flat; real, finite, not negative where they count.
    background : float or array
        Expected data where x is zero (dark current, sky), in the units of `b`.
    mask : array, optional
        Of ``A.out_shape``: False or zero where the data do not count.
    weight : float, optional
        Of the total variation (Dey et al.) along the axes that A blurs: the divisor is then A^H 1 - weight div(A^H 1
        grad x / |grad x|), and KL + weight sum(A^H 1 |grad x|) is made smaller; 0.002 to 0.02 is usual. Divisors are
        kept above a tenth of A^H 1, and |grad x| is rounded off below 1 % of the mean scene. Large weights oscillate.
    accelerate : bool
        Extrapolate along the last two steps (Biggs & Andrews), no pixel to less than a tenth: 20 steps then do what 80
        plain ones do.
    normalize : bool
        False leaves A^H 1 out, as scikit-image does: beside a zero boundary the scene is then too dark.
    stop : {"discrepancy", None}
        ``discrepancy`` stops when 2 KL has come down to what photon noise makes of it (about one a datum, less where
        counts are low). None runs on.
    counts : float, optional
        Photons that a unit of `b` stands for, which the rule needs: 1 if `b` are counts. Estimated from the differences
        of neighbours by default.
    x0 : array, optional
        First iterate, at least zero; pixels that start at zero stay there. By default the constant that gives the total
        of the data.
    rtol : float
        Stop when a step changes x by at most rtol norm(x0); 1e-5 in single and 1e-7 in double precision unless given.
    max_steps : int
    loop : {"while", "scan", "chunked"}
        ``scan`` lets gradients go through the steps.
    callback : callable or list of callables, optional
        Called every few steps with a `Progress`; True stops.
    checkpoint : str, path or Checkpoint, optional
        File that the run is saved to, and goes on from if it exists.

    Returns
    -------
    Solution
        ``history`` has ``objective``, its part ``divergence`` (KL), ``residual_norm`` (of A x + background - b) and,
        with the rule, ``excess``: the deviance 2 KL over what is expected of it, less 1. Pixels that no datum depends
        on (A^H 1 = 0 to rounding) keep their first value.

    Raises
    ------
    ValueError
        For complex, NaN or negative data, background or x0, an unknown rule, and shapes that do not fit.

    References
    ----------
    Richardson, J. Opt. Soc. Am. 62 (1972) 55; Lucy, Astron. J. 79 (1974) 745. Biggs & Andrews, Appl. Opt. 36 (1997)
    1766. Dey et al., Microsc. Res. Tech. 69 (2006) 260, for the total variation. Bertero et al., Inverse Problems 26
    (2010) 105004, for the rule.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 5)
    >>> b = A @ [0.0, 0.0, 100.0, 0.0, 0.0]
    >>> sol = co.richardson_lucy(A, b, stop=None, max_steps=100)
    >>> print(abs(sol.x).round(0))
    [  0.   0. 100.   0.   0.]
    """
    if stop not in STOPS:
        raise ValueError(f"`stop` is {stop!r}; accepted are {', '.join(map(repr, STOPS))}")
    model = counted(A, b, background, mask)
    dtype = model.b.dtype
    first = start_from(model.A, x0, dtype)
    total = None if weight is None else scalar(weight, "weight", dtype)
    known = None if counts is None or stop is None else scalar(counts, "counts", dtype)
    problem = _likelihood(
        *model[:4], first, total, known, tolerance(rtol, dtype, 1e-5, 1e-7), bool(normalize), stop is not None
    )
    method = RichardsonLucy(bool(accelerate), stop)
    run = solve(method, problem, steps_of(max_steps), loop, callback, checkpoint, total)
    x = run.state.x
    return Solution(
        x=x.reshape(-1) if model.flat else x,
        converged=(run.code == CONVERGED) | (run.code == FITTED),
        num_steps=run.steps,
        residual_norm=reported(run.state.residual_norm),
        objective=reported(run.state.objective),
        history=run.history,
        code=run.code,
        weight=total,
    )


@partial(jax.jit, static_argnames=("normalize", "ruled"))
def _likelihood(A, b, background, weights, x0, weight, counts, rtol, normalize: bool, ruled: bool) -> Likelihood:
    """The problem, with what is computed once."""
    kept = None if weights is None else weights > 0
    ones = jnp.ones_like(b) if kept is None else kept.astype(b.dtype)
    sensitivity = jnp.maximum(A._rmatvec(ones), 0).astype(b.dtype)
    # below that the rounding of an FFT, divided by A^H 1, would grow from step to step
    told = sensitivity > jnp.sqrt(jnp.finfo(b.dtype).eps) * jnp.max(sensitivity)
    gain = jnp.where(told, 1 / jnp.where(told, sensitivity, 1), 0)
    light = jnp.sum(b)
    light = jnp.maximum(light - jnp.sum(jnp.broadcast_to(background, b.shape) * ones), LEAST * light)
    seen = jnp.sum(sensitivity)
    level = jnp.where(seen > 0, light / jnp.where(seen > 0, seen, 1), 0)
    level = jnp.where(jnp.isfinite(level), level, 1)
    if ruled and counts is None:
        axes = blurred_axes(A) if len(A.in_shape) == b.ndim else None
        counts = photons_per_unit(over(b, weights), kept, axes)
    first = jnp.broadcast_to(level, A.in_shape) if x0 is None else x0
    unit = unit_of(first)
    return Likelihood(
        A,
        b,
        background,
        first,
        sensitivity if normalize else None,
        gain if normalize else None,
        jnp.zeros((), b.dtype) if weight is None else weight,
        SMOOTH * jnp.where(level > 0, level, unit),
        unit,
        unit_of(b),
        None if weight is None else gradient(A.in_shape, axes=blurred_axes(A)),
        weights,
        jnp.ones((), b.dtype) if counts is None else counts.astype(b.dtype),
        rtol**2 * inner(first / unit, first / unit),
    )
