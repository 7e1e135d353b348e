"""DeepInverse's `PDCP` and `ADMM` for total variation with periodic differences; they evaluate no objective."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .by_deepinverse import deepinv
from .serving import Solve, serve


def differences(x: torch.Tensor) -> torch.Tensor:
    """Periodic forward differences of the last two axes, in an axis of their own at the end."""
    return torch.stack([torch.roll(x, -1, axis) - x for axis in (-2, -1)], -1)


def adjoint(u: torch.Tensor) -> torch.Tensor:
    """The adjoint of `differences`."""
    return sum(torch.roll(u[..., i], 1, axis) - u[..., i] for i, axis in enumerate((-2, -1)))


def primal_dual(x: torch.Tensor, weight: float, steps: int, stepsize: float) -> Any:
    """Chambolle and Pock's steps with D as K; the dual step is the longest, 1 / (stepsize norm(D)^2)."""
    return deepinv.optim.PDCP(
        K=differences,
        K_adjoint=adjoint,
        data_fidelity=deepinv.optim.L2(),
        prior=deepinv.optim.L12Prior(l2_axis=-1),
        lambda_reg=weight,
        stepsize=stepsize,
        stepsize_dual=1 / (8 * stepsize),
        max_iter=steps,
        g_first=True,
        custom_init=lambda *_: {"est": (x, x, torch.zeros_like(differences(x)))},
    )


def multipliers(x: torch.Tensor, weight: float, steps: int, stepsize: float, inner: int, inner_stepsize: float) -> Any:
    """ADMM with `TVPrior`, whose prox goes on for a number of inner steps from where it ended the last time."""
    prior = deepinv.optim.TVPrior(def_crit=0.0, n_it_max=inner)
    prior.TVModel.tau = inner_stepsize
    prior.TVModel.nabla, prior.TVModel.nabla_adjoint = differences, adjoint
    return deepinv.optim.ADMM(
        data_fidelity=deepinv.optim.L2(),
        prior=prior,
        lambda_reg=weight,
        stepsize=stepsize,
        max_iter=steps,
        custom_init=lambda *_: {"est": (x, torch.zeros_like(x))},
    )


def prepare(given: Mapping[str, np.ndarray]) -> Solve:
    """ADMM where a number of inner steps is given, else the primal-dual steps; the kernel's centre is the origin."""
    kernel = torch.from_numpy(given["kernel"])[None, None]
    b = np.roll(given["b"], [-(k // 2) for k in given["kernel"].shape], (0, 1))
    y = torch.from_numpy(b)[None, None]
    physics = deepinv.physics.BlurFFT((1, *b.shape), kernel)
    how = {name: given[name].item() for name in ("weight", "steps", "stepsize")}
    inner = {name: given[name].item() for name in ("inner", "inner_stepsize") if name in given}
    model = (multipliers if inner else primal_dual)(physics.A_adjoint(y), **how, **inner)
    model.fixed_point.iterator.has_cost = False

    def solve() -> np.ndarray:
        if inner:
            model.prior[0].TVModel.restart = True
        with torch.no_grad():
            return model(y, physics)[0, 0].numpy()

    return solve


if __name__ == "__main__":
    serve(prepare)
