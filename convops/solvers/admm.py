"""ADMM: min 1/2 norm(A x - b)^2 + penalty(x), the penalty's terms split off."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from ..operators.arrays import traced
from ..operators.base import LinearOperator
from ..penalties.base import Penalty
from .checks import between, scalar, steps_of, tolerance
from .composite import Composite, data_given, feasible, outcome
from .iterate import solve
from .multipliers import Admm, Splitted
from .progress import Callbacks
from .solution import Solution
from .splitting import Split, sizes_of, spectrum_of, split_of

LARGEST_RELAXATION, LARGEST_DUAL_STEP = 2.0, (1 + 5**0.5) / 2


def admm(
    A: LinearOperator,
    b: Any,
    *,
    penalty: Penalty,
    x0: Any = None,
    rho: Any = None,
    balance: bool | None = None,
    relaxation: Any = 1.0,
    dual_step: Any = 1.0,
    rtol: Any = None,
    atol: Any = 0.0,
    change: Any = 0.0,
    max_steps: int = 1000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + penalty(x) by the alternating direction method of multipliers.

    With the penalty sum_i f_i(K_i x), z_i for K_i x and multipliers m_i, a step is::

        z_i <- prox of f_i / rho_i at K_i x + m_i / rho_i
        x   <- (A^H A + sum_i rho_i K_i^H K_i)^-1 (A^H b + sum_i K_i^H (rho_i z_i - m_i))
        m_i <- m_i + rho_i (K_i x - z_i)

    x comes from one pair of transforms where the FFT (or, for concrete kernels, the DCT-II) diagonalises A and every
    K_i^H K_i: a periodic blur with ``TotalVariation(boundary="wrap")``, a mirrored symmetric one with the default. For
    `unknown_boundary` the misfit is split off too, so that masks cost nothing (give penalties ``boundary="wrap"``).
    Elsewhere conjugate gradients go on from the last x.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    penalty : Penalty
        With its weight; every term with a prox, sums included.
    x0 : array, optional
        First iterate; zeros by default.
    rho : float or sequence of float, optional
        Penalty parameters, one or one for each term of ``penalty.terms(A.in_shape)``; by default
        weight * clip(0.02 range / weight, 5, 60) / range, with the range of the data.
    balance : bool, optional
        Whether they are changed on the way so that the primal and dual residuals, by their sizes, fall alike; by
        default where `rho` is not given.
    relaxation : float
        Over-relaxation, above 0 and below 2.
    dual_step : float
        Length of the multipliers' step, above 0 and at most 1.618; 1 where `relaxation` is not.
    rtol, atol : float
        Stop when the primal residual, sqrt(sum norm(K_i x - z_i)^2), and the dual residual,
        sqrt(sum norm(rho_i K_i (x - x_before))^2), are at most max(rtol size, atol) or what rounding leaves. The sizes
        are those of K x, the mean of x left out, and of the multipliers, or a part of what varies in the data where
        those vanish. `rtol` is 1e-4 in single and 1e-5 in double precision unless given.
    change : float
        Stop also when norm(x - x_before) <= change norm(x).
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
        The last x, moved into the constraints among the penalties (`NonNegative`, `Box` ...); ``history`` has
        ``objective`` (without constraints), ``residual_norm``, ``primal_residual``, ``dual_residual``, ``parameter``
        and ``change``.

    Raises
    ------
    ValueError
        For data with NaN or of the wrong shape, a penalty that is none or does not fit, and numbers out of range.

    References
    ----------
    Boyd et al., Found. Trends Mach. Learn. 3 (2011) 1; Almeida & Figueiredo, IEEE Trans. Image Process. 22 (2013) 3074;
    for total variation with FFTs Tao, Yang & He (2009) and Wang, Yang, Yin & Zhang, SIAM J. Imaging Sci. 1 (2008) 248.

    Examples
    --------
    >>> import numpy as np, convops as co
    >>> scene = np.repeat([0.0, 1.0, 0.5], 8)
    >>> A = co.convolution([0.25, 0.5, 0.25], 24, boundary="wrap")
    >>> sol = co.admm(A, A @ scene, penalty=co.TotalVariation(1e-4, boundary="wrap"), rtol=1e-5)
    >>> print(bool(sol.converged), bool(abs(sol.x - scene).max() < 0.01))
    True True
    """
    b, flat, penalty, first = data_given(A, b, penalty, x0)
    split = split_of(A, b, penalty, first)
    if rho is not None:
        split = _with(split, rho, b)
    real = jnp.finfo(b.dtype).dtype
    if not any(map(traced, (relaxation, dual_step))) and relaxation != 1 and dual_step != 1:
        raise ValueError(f"`relaxation` is {relaxation} and `dual_step` {dual_step}; leave one of them at 1")
    problem = Splitted(
        split,
        spectrum_of(split),
        between(relaxation, "relaxation", real, LARGEST_RELAXATION, "below 2"),
        between(dual_step, "dual_step", real, LARGEST_DUAL_STEP * (1 + 1e-6), "at most 1.618"),
        tolerance(rtol, b.dtype, 1e-4, 1e-5),
        scalar(atol, "atol", b.dtype),
        scalar(change, "change", b.dtype),
        sizes_of(A, b, split),
    )
    method = Admm(balance=rho is None if balance is None else bool(balance))
    run = solve(method, problem, steps_of(max_steps), loop, callback, checkpoint)
    x = feasible(penalty, split.image(run.state.x))
    zero = jnp.zeros((), real)
    return outcome(Composite(A, b, penalty, first, zero, zero), run, x, flat)


def _with(split: Split, rho: Any, b: jax.Array) -> Split:
    """The penalty parameters that were given."""
    count = len(split.terms) - split.misfits
    given = list(rho) if isinstance(rho, list | tuple) else [rho] * count
    if len(given) != count:
        raise ValueError(f"`rho` has {len(given)} entries; the penalty has {count} terms: give one number or {count}")
    numbers = tuple(between(r, "rho", b.dtype, float("inf"), "finite") for r in given)
    return replace(split, parameters=(*split.parameters[: split.misfits], *numbers))
