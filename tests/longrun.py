"""Runs to save and to resume, and one as a process to kill: ``python tests/longrun.py CHECKPOINT METHOD``."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import convops as co

RNG = np.random.default_rng(6)
SHAPE = (13, 10)
PSF = RNG.random((5, 4)) / 10
A = co.convolution(PSF, SHAPE, boundary="symmetric")
DATA = np.asarray(A @ RNG.random(SHAPE)) + 0.01 * RNG.standard_normal(SHAPE)
EVEN = co.convolution(np.outer([1, 4, 6, 4, 1], [1, 2, 1]) / 64, SHAPE)
COMPLEX = co.convolution(PSF * np.exp(1j * np.arange(4)), SHAPE)
STEPS = 43


def penalty(x):
    return 0.01 * jnp.sum(jnp.sqrt(1 + x**2))


METHODS = {
    "cgls": (co.cgls, A, {"truth": np.ones(SHAPE)}),
    "complex": (co.cgls, COMPLEX, {}),
    "lsqr": (co.lsqr, A, {"damp": 0.01, "x0": np.ones(SHAPE)}),
    "lsmr": (co.lsmr, A, {"preconditioner": co.identity(SHAPE) * 2.0}),
    "cg": (co.cg, EVEN, {"shift": 0.01, "x0": np.ones(SHAPE)}),
    "minres": (co.minres, EVEN, {}),
    "descent": (co.gradient_descent, A, {"project": optax.projections.projection_non_negative}),
    "adam": (co.gradient_descent, A, {"optimizer": optax.adam(0.1), "penalty": penalty}),
    "lbfgs": (co.gradient_descent, A, {"optimizer": optax.lbfgs()}),
}


class Killed(BaseException):
    """Stands for the end of the process."""


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(x.dtype == y.dtype and np.array_equal(x, y, equal_nan=True) for x, y in pairs)


def run(name, **how):
    solver, operator, options = METHODS[name]
    return solver(operator, DATA, **{"rtol": 0.0, "max_steps": STEPS, **options, **how})


def failing(function, after, error):
    """The function, which raises from one call on."""
    calls = []

    def wrapped(*args, **kwargs):
        calls.append(args)
        if len(calls) > after:
            raise error
        return function(*args, **kwargs)

    return wrapped


KILL_STEPS = 400


def solve(checkpoint, method, **options):
    rng = np.random.default_rng(8)
    A = co.convolution(rng.random((5, 4)) / 20, (32, 29), boundary="reflect")
    b = np.asarray(A @ rng.random((32, 29))) + 0.01 * rng.standard_normal((32, 29))
    return getattr(co, method)(A, b, rtol=0.0, max_steps=KILL_STEPS, checkpoint=checkpoint, **options)


if __name__ == "__main__":
    solve(co.Checkpoint(sys.argv[1], steps=1), sys.argv[2])
    print("finished", flush=True)
