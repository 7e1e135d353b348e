"""Gradient steps on a few of many observations, against loops in NumPy and the solution for all of them."""

import jax
import numpy as np
import optax
import pytest
from comparing import X64

import convops as co

RNG = np.random.default_rng(6)
SHAPE, NUMBER = (9, 8), 7
SCENE = np.kron(RNG.random((3, 4)), np.ones((3, 2)))
KERNELS = RNG.random((NUMBER, 3, 4)) + 0.1
KERNELS /= KERNELS.sum((1, 2), keepdims=True)
BLOCKS = [co.convolution(k, SHAPE, boundary="symmetric", method="fourier") for k in KERNELS]
A = co.vstack(BLOCKS)
DATA = np.asarray(A @ SCENE)
MATRICES = [np.asarray(block.as_matrix(), np.float64) for block in BLOCKS]
KEY = jax.random.key(3)


def order(of_pass):
    return np.asarray(jax.random.permutation(jax.random.fold_in(KEY, of_pass), NUMBER))


@pytest.mark.parametrize("size", [1, 3, 7])
def test_steps_are_those_of_a_loop(size):
    weight, steps = 0.05, 8
    sol = co.gradient_descent(A, DATA, batch=size, key=KEY, penalty=co.Quadratic(None, weight), max_steps=steps)
    x, a_pass = np.zeros(72), -(-NUMBER // size)
    largest = NUMBER * max(np.linalg.norm(M, 2) for M in MATRICES) ** 2
    bound = NUMBER * float(co.batched(BLOCKS).norm()) ** 2
    assert bound >= largest * (1 - 1e-5)
    objectives = []
    for count in range(steps):
        chosen = [order(count // a_pass)[(count % a_pass * size + i) % NUMBER] for i in range(size)]
        rests = [MATRICES[i] @ x - DATA[i].ravel() for i in chosen]
        slope = NUMBER / size * sum(MATRICES[i].T @ r for i, r in zip(chosen, rests, strict=True)) + weight * x
        objectives.append(NUMBER / size * sum(r @ r for r in rests) / 2 + weight * x @ x / 2)
        x = x - slope / (bound + weight) / (1 + count // a_pass / 10)
    np.testing.assert_allclose(sol.x.ravel(), x, atol=1e-12 if X64 else 1e-5)
    np.testing.assert_allclose(sol.history["objective"][1:], objectives, rtol=1e-10 if X64 else 1e-4)
    assert int(sol.num_steps) == steps
    rest = np.concatenate(MATRICES) @ x - DATA.ravel()
    np.testing.assert_allclose(sol.objective, rest @ rest / 2 + weight * x @ x / 2, rtol=1e-10 if X64 else 1e-4)


def test_every_observation_is_seen_in_a_pass():
    for size in (1, 2, 3, 5):
        a_pass = -(-NUMBER // size)
        seen = {order(0)[(c * size + i) % NUMBER] for c in range(a_pass) for i in range(size)}
        assert seen == set(range(NUMBER))


def test_it_comes_to_the_solution_for_all():
    """Of noisy data, which no x fits: a step that stayed as long would not settle."""
    b = DATA + 0.05 * RNG.standard_normal(DATA.shape)
    weight = 0.5
    wanted = co.tikhonov(A, b, weight=weight).x
    penalty = co.Quadratic(None, weight)
    away = []
    for steps in (35, 140, 700):
        sol = co.gradient_descent(A, b, batch=2, penalty=penalty, max_steps=steps)
        away.append(float(np.linalg.norm(sol.x - wanted) / np.linalg.norm(wanted)))
    assert away[2] < away[1] < away[0]
    assert away[2] < 0.02
    bounded = co.gradient_descent(
        A, DATA, batch=3, optimizer=optax.adam(0.05), project=optax.projections.projection_non_negative, max_steps=600
    )
    assert float(bounded.x.min()) >= 0
    assert np.linalg.norm(bounded.x - SCENE) < 0.1 * np.linalg.norm(SCENE)


def test_the_draws_follow_the_key_and_the_run_its_checkpoint(tmp_path):
    options = {"batch": 2, "max_steps": 30}
    first, again, other = (co.gradient_descent(A, DATA, key=k, **options).x for k in (KEY, KEY, jax.random.key(4)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    path = tmp_path / "run.npz"
    co.gradient_descent(A, DATA, key=KEY, batch=2, max_steps=12, checkpoint=path)
    resumed = co.gradient_descent(A, DATA, key=KEY, checkpoint=path, **options)
    np.testing.assert_array_equal(resumed.x, first)
    jitted = jax.jit(jax.vmap(lambda b: co.gradient_descent(A, b, key=KEY, **options).x))(np.stack([DATA, 2 * DATA]))
    np.testing.assert_allclose(jitted, np.stack([first, 2 * first]), rtol=1e-9 if X64 else 1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("operator", "options", "message"),
    [
        (A, {"batch": 0}, "`batch` is 0"),
        (A, {"batch": 8}, "`batch` is 8 and `A` has 7 operators"),
        (A, {"batch": 2.5}, "`batch`"),
        (A, {"batch": 2, "key": 3}, "`key`"),
        (BLOCKS[0], {"batch": 1}, "batches are of operators in a vstack"),
        (co.vstack([BLOCKS[0], co.identity(SHAPE)]), {"batch": 1}, "batches are of operators in a vstack"),
        (co.vstack([co.identity(SHAPE), co.identity(SHAPE)]), {"batch": 1}, "batches are of operators in a vstack"),
    ],
)
def test_refusals(operator, options, message):
    with pytest.raises(ValueError, match=message):
        co.gradient_descent(operator, np.ones(operator.out_shape), **options)
