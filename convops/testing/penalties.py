"""What every penalty must do, runnable on anyone's penalty."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.window import shape_of
from ..penalties.base import Penalty
from .operators import _error, _small

SCALES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)  # of the perturbations, relative to x


@dataclass(frozen=True)
class PenaltyReport:
    """What `check_penalty` measured; every error is relative.

    Attributes
    ----------
    prox : float
        Largest decrease of penalty(u) + norm(u - x)^2 / (2 step) by moving away from the prox.
    expansion : float or None
        Largest excess of norm(Pu - Pv)^2 over <Pu - Pv, u - v>; None where the penalty is not convex.
    terms : float
        Of the sum of the terms against the value.
    moreau : float
        Of v = conjugate_prox(v, s) + s prox(v / s, 1 / s), for the terms' functions.
    gradient : float or None
        Of the gradient against central differences; None where the penalty is not smooth.
    """

    prox: float
    expansion: float | None
    terms: float
    moreau: float
    gradient: float | None


def check_penalty(
    penalty: Penalty, shape: Any, *, dtype: Any = None, rtol: float | None = None, seed: int = 0
) -> PenaltyReport:
    """Assert that a penalty keeps the contract of a penalty, and return the errors measured.

    Checked are: the value is a real number with finite derivatives, at kinks too; `prox` keeps shape and dtype and no
    move away from it lowers what it minimises; it is firmly nonexpansive where the penalty is convex; `warm_prox` comes
    to the same; the `terms` (or `lifted` terms) add up to the value, and their functions keep Moreau's identity; the
    gradient of a smooth one, and its `curvature`; multiples; jit with the penalty as an argument (one trace for
    penalties that differ in their arrays), vmap and pytrees.

    Parameters
    ----------
    penalty : Penalty
    shape : int or tuple of int
        Of the arrays to try; small, since some proxes take hundreds of steps.
    dtype : dtype, optional
        Of the arrays; the default float unless given.
    rtol : float, optional
        Relative tolerance; 1e-6 in double and 1e-4 in single precision unless given.
    seed : int

    Returns
    -------
    PenaltyReport

    Raises
    ------
    AssertionError
        With the check that failed and the figures.

    Examples
    --------
    >>> import convops as co
    >>> from convops.testing import check_penalty
    >>> report = check_penalty(co.TotalVariation(0.3) + co.Box(-1.0, 1.0), (4, 5))
    >>> report.prox < 1e-4, report.terms < 1e-5
    (True, True)
    """
    if not isinstance(penalty, Penalty):
        raise ValueError(f"`penalty` is a {type(penalty).__name__}; subclass co.Penalty")
    draw = _Draw(np.random.default_rng(seed), shape_of(shape), jnp.dtype(dtype or jnp.zeros(()).dtype))
    rtol = rtol if rtol is not None else 1e-6 if jnp.finfo(draw.dtype).bits == 64 else 1e-4
    _check_value(penalty, draw)
    report = PenaltyReport(
        prox=max(_decrease(penalty, draw, step, rtol) for step in (0.3, 2.0)),
        expansion=_expansion(penalty, draw, rtol) if penalty.convex else None,
        terms=_terms(penalty, draw, rtol),
        moreau=_moreau(penalty, draw, rtol),
        gradient=_gradient(penalty, draw) if penalty.smooth else None,
    )
    _check_warm(penalty, draw, rtol)
    _check_transforms(penalty, draw, rtol)
    return report


@dataclass(frozen=True)
class _Draw:
    """Random arrays of a shape and dtype."""

    rng: np.random.Generator
    shape: tuple[int, ...]
    dtype: Any

    def __call__(self, shape: tuple[int, ...] | None = None, scale: float = 1.0) -> np.ndarray:
        shape = self.shape if shape is None else shape
        values = self.rng.standard_normal(shape)
        if jnp.issubdtype(self.dtype, jnp.complexfloating):
            values = values + 1j * self.rng.standard_normal(shape)
        return np.asarray(scale * values, self.dtype)


def _check_value(penalty: Penalty, draw: _Draw) -> None:
    places = {"zero": np.zeros_like(draw()), "a constant": np.ones_like(draw()), "random numbers": draw()}
    for where, x in places.items():
        value = penalty(x)
        real = jnp.finfo(draw.dtype).dtype
        assert value.shape == (), f"the value has shape {value.shape}"
        assert value.dtype == real, f"the value is of {value.dtype} for arrays of {draw.dtype}"
        assert not np.isnan(value), f"the value at {where} is NaN"
        slope = np.asarray(jax.grad(penalty)(x))
        assert np.isfinite(slope).all(), f"the derivative at {where} is not finite"


def _objective(penalty: Penalty, u: Any, x: np.ndarray, step: float) -> float:
    wide = np.complex128 if np.iscomplexobj(x) else np.float64
    return float(penalty(u)) + float(np.sum(np.abs(np.asarray(u, wide) - x) ** 2)) / (2 * step)


def _decrease(penalty: Penalty, draw: _Draw, step: float, rtol: float) -> float:
    """How much lower than at its prox the objective is found, moving at random, towards x, towards 0 and along axes."""
    worst = 0.0
    for x in (draw(), draw(scale=0.3), draw(scale=5.0)):
        u = np.asarray(penalty.prox(x, step))
        assert u.shape == x.shape, f"the prox has shape {u.shape} for {x.shape}"
        assert u.dtype == x.dtype, f"the prox is of {u.dtype} for {x.dtype}"
        best = _objective(penalty, u, x, step)
        assert np.isfinite(best), "the penalty of its prox is not finite"
        alone = np.zeros_like(u)
        alone.flat[draw.rng.integers(u.size)] = 1
        directions = [draw(), x - u, -u, np.ones_like(u), alone, -alone]
        moved = (u + np.asarray(scale * d, u.dtype) for d in directions for scale in SCALES)
        least = min(_objective(penalty, v, x, step) for v in moved)
        worst = max(worst, (best - least) / max(best, _objective(penalty, u, np.zeros_like(x), step)))
    return _small("the objective at the prox, which moving away lowers,", worst, rtol)


def _expansion(penalty: Penalty, draw: _Draw, rtol: float) -> float:
    worst = 0.0
    for scale in SCALES[:3]:
        x = draw()
        y = x + draw(scale=scale)
        moved = np.asarray(penalty.prox(x, 0.7)) - np.asarray(penalty.prox(y, 0.7))
        excess = np.sum(np.abs(moved) ** 2) - np.real(np.sum(np.conj(moved) * (x - y)))
        worst = max(worst, float(excess / (np.linalg.norm(x.ravel()) * np.linalg.norm((x - y).ravel()))))
    return _small("firm nonexpansiveness", worst, 10 * rtol)


def _terms(penalty: Penalty, draw: _Draw, rtol: float) -> float:
    """The terms' sum against the value; of lifted terms only that their sum is never below it."""
    x = np.asarray(penalty.prox(draw()))  # where constraints are met
    value = float(penalty(x))
    joint, terms = penalty.lifted(draw.shape)
    u = x
    if joint != draw.shape:
        u = np.concatenate([x[None], draw((joint[0] - 1, *draw.shape))])
    found = sum(float(term.function(term.operator @ u)) for term in terms)
    error = (found - value) / max(abs(value), 1e-3)
    return _small("the sum of the terms", max(-error, 0.0) if penalty.lifts else abs(error), 10 * rtol)


def _moreau(penalty: Penalty, draw: _Draw, rtol: float) -> float:
    worst = 0.0
    for term in penalty.lifted(draw.shape)[1]:
        if not term.function.convex:
            continue
        v, step = draw(term.operator.out_shape), 0.6
        assert term.function.exact, f"the function {term.function!r} of a term has no prox in closed form"
        joined = term.function.conjugate_prox(v, step) + step * term.function.prox(v / step, 1 / step)
        worst = max(worst, _error(joined, v))
    return _small("Moreau's identity", worst, rtol)


def _gradient(penalty: Penalty, draw: _Draw) -> float:
    x, d = draw(), draw()
    real = jnp.finfo(draw.dtype)
    h = float(real.eps) ** (1 / 3)
    slope = np.asarray(penalty.gradient(x))
    ahead, behind = (float(penalty(np.asarray(x + s * h * d, x.dtype))) for s in (1, -1))
    found, wanted = float(np.real(np.sum(np.conj(slope) * d))), (ahead - behind) / (2 * h)
    scale = max(float(np.linalg.norm(slope.ravel()) * np.linalg.norm(d.ravel())), 1e-3)
    error = _small("the gradient", abs(found - wanted) / scale, 1e-6 if real.bits == 64 else 1e-2)
    for other in (draw(), x + draw(scale=1e-2)):
        rise = np.linalg.norm(np.ravel(np.asarray(penalty.gradient(other)) - slope))
        bound = float(penalty.curvature(draw.shape)) * np.linalg.norm(np.ravel(other - x))
        assert rise <= bound * (1 + 1e-3), f"the gradient changes by {rise:.3g}, its curvature allows {bound:.3g}"
    return error


def _check_warm(penalty: Penalty, draw: _Draw, rtol: float) -> None:
    x = draw()
    wanted = penalty.prox(x, 0.7)
    u, dual = penalty.warm_prox(x, 0.7, penalty.dual_start(x), steps=300)
    u, _ = penalty.warm_prox(x, 0.7, dual, steps=300)
    _small("warm_prox against prox", _error(u, wanted), 100 * rtol)


def _check_transforms(penalty: Penalty, draw: _Draw, rtol: float) -> None:
    x, traces = draw((2, *draw.shape)), []
    both = np.stack([penalty.prox(x[0]), (2.0 * penalty).prox(x[1])])

    @jax.jit
    def apply(p: Penalty, v: jax.Array) -> jax.Array:
        traces.append(1)
        return p(v)

    for p, v in ((penalty, both[0]), (2.0 * penalty, both[1])):
        _small("jit with the penalty as an argument", _error(apply(p, v), p(v)), rtol)
    assert len(traces) == 1, "a penalty that differs in its arrays alone was traced anew"
    if jax.tree.leaves(penalty):
        pair = jax.tree.map(lambda a, b: jnp.stack([a, b]), penalty, 2.0 * penalty)
        found = jax.vmap(lambda p, v: p.prox(v))(pair, x)
    else:
        found = jax.vmap(penalty.prox)(x)
    _small("vmap over penalties and arrays", _error(found, both), 100 * rtol)
    inside = both[0]
    _small("a multiple", _error((2.0 * penalty)(inside), 2 * penalty(inside)), rtol)
    _small("a sum", _error((penalty + penalty)(inside), 2 * penalty(inside)), rtol) if not penalty.lifts else None
    leaves, structure = jax.tree.flatten(penalty)
    jax.tree.unflatten(structure, [None] * len(leaves))  # nothing is validated when jax rebuilds a pytree
    assert isinstance(repr(penalty), str)
