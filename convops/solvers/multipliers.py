"""The steps of the alternating direction method of multipliers (ADMM), on a problem taken apart."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.arrays import positive_ratio
from ..operators.base import LinearOperator
from ..operators.sums import length, root
from .balance import Balance
from .checks import overall
from .krylov import System
from .normal import by_cg
from .solution import CONVERGED, NONFINITE, RUNNING
from .splitting import Sizes, Spectrum, Split, kept_if, misfit, value_of

BALANCE = Balance(every=5, until=300, uneven=2.0, most=8.0)
INNER_STEPS, INNER_RTOL = 20, 1e-2  # conjugate gradients for the change of x, where no transform is known


class Splitted(NamedTuple):
    """A problem taken apart, with the options that are numbers."""

    stops = ("rtol", "atol", "change")
    split: Split
    spectrum: Spectrum | None
    relaxation: jax.Array
    dual_step: jax.Array
    rtol: jax.Array
    atol: jax.Array
    change: jax.Array
    sizes: Sizes

    def limit(self, size: jax.Array, noise: jax.Array) -> jax.Array:
        """What a residual is to come down to: the tolerance, or what rounding leaves of it."""
        return jnp.maximum(jnp.maximum(self.rtol * size, self.atol), noise)


class AdmmState(NamedTuple):
    x: jax.Array
    images: tuple[jax.Array, ...]  # K_i x
    z: tuple[jax.Array, ...]
    multipliers: tuple[jax.Array, ...]
    rho: tuple[jax.Array, ...]
    primal: jax.Array
    dual: jax.Array
    primal_limit: jax.Array  # what the residuals are to come down to
    dual_limit: jax.Array
    change: jax.Array
    residual: jax.Array
    value: jax.Array
    steps: jax.Array
    failed: jax.Array


@dataclass(frozen=True)
class Admm:
    """z_i <- prox of f_i, x <- the quadratic problem, multipliers <- + rho_i (K_i x - z_i)."""

    balance: bool

    def init(self, problem: Splitted) -> AdmmState:
        split = problem.split
        x = split.x0
        images = tuple(operator._matvec(x) for operator, _ in split.terms)
        residual = _residual(split, None, x, images, None)
        infinite = jnp.full_like(residual, jnp.inf)
        return AdmmState(
            x=x,
            images=images,
            z=images,
            multipliers=jax.tree.map(jnp.zeros_like, images),
            rho=split.parameters,
            primal=infinite,
            dual=infinite,
            primal_limit=jnp.zeros_like(residual),
            dual_limit=jnp.zeros_like(residual),
            change=infinite,
            residual=residual,
            value=value_of(split, images, residual),
            steps=jnp.zeros((), int),
            failed=~jnp.isfinite(residual),
        )

    def step(self, problem: Splitted, state: AdmmState) -> AdmmState:
        split, rho, relax = problem.split, state.rho, problem.relaxation
        functions = [function for _, function in split.terms]
        z = tuple(
            f._prox(Kx + m / r, 1 / r)
            for f, Kx, m, r in zip(functions, state.images, state.multipliers, rho, strict=True)
        )
        ahead = tuple(relax * new + (1 - relax) * Kx for new, Kx in zip(z, state.images, strict=True))
        x, images, residual = least(split, problem.spectrum, state.x, rho, ahead, state.multipliers)
        multipliers = tuple(
            m + problem.dual_step * r * (Kx - a)
            for m, r, Kx, a in zip(state.multipliers, rho, images, ahead, strict=True)
        )
        primal = [length(Kx - new) for Kx, new in zip(images, z, strict=True)]
        dual = [r * length(Kx - old) for r, Kx, old in zip(rho, images, state.images, strict=True)]
        sizes = problem.sizes.varied(split, x, images)
        forces = [length(m) for m in multipliers]
        noise = jnp.finfo(residual.dtype).eps * length(x)
        steps, strongest = state.steps + 1, jnp.max(jnp.stack(rho))
        if self.balance:
            rho = _balanced(rho, primal, sizes, dual, forces, steps)
        reached = AdmmState(
            x=x,
            images=images,
            z=z,
            multipliers=multipliers,
            rho=rho,
            primal=overall(primal),
            dual=overall(dual),
            primal_limit=problem.limit(overall(sizes), noise),
            dual_limit=problem.limit(problem.sizes.forces(overall(forces)), strongest * noise),
            change=length(x - state.x) / jnp.maximum(length(x), jnp.finfo(residual.dtype).tiny),
            residual=residual,
            value=value_of(split, images, residual),
            steps=steps,
            failed=~(jnp.isfinite(residual) & jnp.isfinite(length(x))),
        )
        return kept_if(reached.failed, state, reached)

    def done(self, problem: Splitted, state: AdmmState) -> jax.Array:
        met = (state.primal <= state.primal_limit) & (state.dual <= state.dual_limit)
        met = met | (state.change <= problem.change)
        return jnp.where(state.failed, NONFINITE, jnp.where(met, CONVERGED, RUNNING))

    def report(self, problem: Splitted, state: AdmmState) -> dict[str, jax.Array]:
        return {
            "objective": state.value,
            "residual_norm": state.residual,
            "primal_residual": state.primal,
            "dual_residual": state.dual,
            "parameter": state.rho[problem.split.misfits if len(state.rho) > problem.split.misfits else 0],
            "change": state.change,
        }


def _balanced(rho, primal, sizes, dual, forces, steps) -> tuple[jax.Array, ...]:
    """Change a parameter where one residual, by its size, is far from the other (Wohlberg, arXiv:1704.06209)."""
    parts = zip(rho, primal, sizes, dual, forces, strict=True)
    return tuple(
        r * BALANCE.factor(positive_ratio(p, size), positive_ratio(d, force), steps) for r, p, size, d, force in parts
    )


def least(
    split: Split, spectrum: Spectrum | None, x: jax.Array, rho, ahead, multipliers
) -> tuple[jax.Array, Any, jax.Array]:
    """Minimise 1/2 norm(A x - b)^2 + sum_i rho_i/2 norm(K_i x - ahead_i + multiplier_i / rho_i)^2, near `x`.

    Also returned are the K_i x and norm(A x - b).
    """
    drawn = [r * a - m for r, a, m in zip(rho, ahead, multipliers, strict=True)]
    back = sum((K._rmatvec(d) for (K, _), d in zip(split.terms, drawn, strict=True)), jnp.zeros_like(split.x0))
    if spectrum is not None:
        x, coefficients = _by_transform(spectrum, back.astype(split.x0.dtype), rho)
    else:
        x, coefficients = _by_conjugate_gradients(split, back, rho, x), None
    images = tuple(K._matvec(x) for K, _ in split.terms)
    return x, images, _residual(split, spectrum, x, images, coefficients)


def _by_transform(spectrum: Spectrum, back: jax.Array, rho: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    rhs = spectrum.basis.forward(back)
    rhs = rhs if spectrum.data is None else rhs + spectrum.data.rhs
    denominator = spectrum.denominator(rho)
    known = denominator > 0
    coefficients = jnp.where(known, rhs / jnp.where(known, denominator, 1), 0)
    return spectrum.basis.backward(coefficients).astype(back.dtype), coefficients


def _by_conjugate_gradients(split: Split, back: jax.Array, rho: tuple[jax.Array, ...], x: jax.Array) -> jax.Array:
    """A few steps from the last x: what they leave shrinks with the change."""
    rhs = back if split.A is None or split.b is None else back + split.A._rmatvec(split.b)
    matvec = jax.tree_util.Partial(_quadratic, split.A, tuple(K for K, _ in split.terms), rho)
    rest = rhs - matvec(x)
    change, _ = by_cg(System(matvec, rest, INNER_RTOL * length(rest)), INNER_RTOL, 0.0, INNER_STEPS)
    return x + change


def _quadratic(A: LinearOperator | None, operators: tuple[LinearOperator, ...], rho, x: jax.Array) -> jax.Array:
    """(A^H A + sum_i rho_i K_i^H K_i) x."""
    y = jnp.zeros_like(x) if A is None else A._rmatvec(A._matvec(x))
    return y + sum((r * K._rmatvec(K._matvec(x)) for r, K in zip(rho, operators, strict=True)), jnp.zeros_like(x))


def _residual(split: Split, spectrum: Spectrum | None, x: jax.Array, images, coefficients) -> jax.Array:
    """norm(A x - b), from the coefficients where there are any."""
    if split.A is None or split.b is None:
        return misfit(split, images)
    if coefficients is not None and spectrum is not None:
        return root(spectrum.residual_square(coefficients))
    return length(split.A._matvec(x) - split.b)
