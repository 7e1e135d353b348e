"""Solvers whose solution is proportional to the data, with data whose squares vanish or overflow."""

import jax
import numpy as np
import pytest

import convops as co

X64 = jax.config.jax_enable_x64
UNITS = (2.0**-500, 2.0**500) if X64 else (2.0**-90, 2.0**-40, 2.0**90)  # powers of two: nothing is rounded
KERNEL = np.array([[0.1, 0.25, 0.0], [0.05, 0.3, 0.2]])
SHAPE = (14, 17)
A = co.convolution(KERNEL, SHAPE, boundary="wrap")
OPEN = co.convolution(KERNEL, SHAPE, boundary="zero")
SPD = co.convolution([[0.05, 0.1, 0.05], [0.1, 0.9, 0.1], [0.05, 0.1, 0.05]], SHAPE, boundary="wrap")
TRUTH = np.add.outer(np.arange(14) > 6, np.arange(17) > 4) + 0.5
B = np.asarray(A @ TRUTH) + 0.02 * np.random.default_rng(0).standard_normal(SHAPE)
START = 0.5 + 0.1 * np.random.default_rng(1).standard_normal(SHAPE)

SOLVERS = {
    "cgls": (co.cgls, A, {"max_steps": 6, "x0": START, "truth": TRUTH, "atol": 1e-3}),
    "lsqr": (co.lsqr, A, {"max_steps": 6, "damp": 0.1, "truth": TRUTH}),
    "lsmr": (co.lsmr, A, {"max_steps": 6, "x0": START}),
    "cg": (co.cg, SPD, {"max_steps": 6, "x0": START}),
    "minres": (co.minres, SPD, {"max_steps": 6}),
    "hybrid_lsqr": (co.hybrid_lsqr, A, {"max_steps": 6, "weight": "discrepancy", "noise": 0.02, "no_stop": True}),
    "hybrid_lsmr": (co.hybrid_lsmr, A, {"max_steps": 6, "truth": TRUTH, "no_stop": True}),
    "tikhonov, closed": (co.tikhonov, A, {"weight": "discrepancy", "noise": 0.02, "mean": START}),
    "tikhonov, gcv": (co.tikhonov, A, {}),
    "tikhonov, steps": (co.tikhonov, OPEN, {"weight": 1e-2, "L": "gradient", "x0": START}),
    "tsvd": (co.tsvd, A, {"threshold": "discrepancy", "noise": 0.02}),
    "total_variation": (co.total_variation, A, {"weight": 0.01}),
    "total_variation, a rule": (co.total_variation, A, {"weight": "discrepancy", "noise": 0.02}),
    "total_variation, chosen": (co.total_variation, A, {"noise": 0.02, "x0": START}),
    "plug_and_play": (co.plug_and_play, A, {"noise": 0.02, "steps": 2, "first": 0.1, "last": 0.03}),
}
IN_UNITS = ("x0", "truth", "mean", "noise", "atol", "first", "last")


@pytest.mark.parametrize("name", SOLVERS)
def test_solution_is_proportional_to_the_data(name):
    solver, operator, options = SOLVERS[name]
    names = (*IN_UNITS, "weight") if solver is co.total_variation else IN_UNITS
    usual = solver(operator, B, **options)
    for unit in UNITS:
        given = {n: v * unit if n in names and not isinstance(v, str) else v for n, v in options.items()}
        found = solver(operator, B * unit, **given)
        close = {"rtol": 1e-9 if X64 else 1e-4}
        np.testing.assert_allclose(np.asarray(found.x, float) / unit, usual.x, atol=close["rtol"], **close)
        np.testing.assert_allclose(np.asarray(found.residual_norm, float) / unit, usual.residual_norm, **close)
        assert found.status == usual.status
        assert int(found.num_steps) == int(usual.num_steps)
        if usual.weight is not None:
            factor = unit if solver is co.total_variation else 1.0
            np.testing.assert_allclose(np.asarray(found.weight, float) / factor, usual.weight, **close)
        if solver is co.total_variation and usual.selection is not None:
            np.testing.assert_allclose(
                np.asarray(found.selection.weights, float) / unit, usual.selection.weights, **close
            )
        for figure, factor in (("residual_norm", unit), ("gradient_norm", unit), ("error", 1.0), ("sigma", unit)):
            if figure in usual.history:
                told = np.asarray(found.history[figure], float) / factor
                np.testing.assert_allclose(told, usual.history[figure], rtol=1e-6 if X64 else 1e-2, err_msg=figure)


def test_objectives_are_squares():
    unit = 2.0**-340 if X64 else 2.0**-30
    usual, found = (co.tikhonov(A, B * u, weight=0.1) for u in (1.0, unit))
    np.testing.assert_allclose(float(found.objective) / unit**2, usual.objective, rtol=1e-5)


def test_callbacks_are_told_in_the_units_of_the_data():
    unit, told = UNITS[0], {}
    for scale in (1.0, unit):
        told[scale] = []
        co.cgls(A, B * scale, max_steps=4, rtol=0.0, callback=told[scale].append)
    for usual, tiny in zip(told[1.0], told[unit], strict=True):
        np.testing.assert_allclose(tiny.residual_norm / unit, usual.residual_norm, rtol=1e-4)
        last = np.asarray(tiny.history["residual_norm"], float)[-1]
        np.testing.assert_allclose(last / unit, usual.history["residual_norm"][-1], rtol=1e-4)


def test_bad_arguments_are_refused_in_any_unit():
    for b in (B, B * UNITS[0]):
        with pytest.raises(ValueError, match="`b` has shape"):
            co.tikhonov(A, b[:5])
        with pytest.raises(ValueError, match="`callback` must be a function"):
            co.cgls(A, b, callback=3)
        with pytest.raises(TypeError, match="unexpected keyword"):
            co.cgls(A, b, beans=3)
    with pytest.raises(ValueError, match="NaN"):
        co.lsqr(A, np.full(SHAPE, np.nan))
    with pytest.raises(TypeError, match="missing 1 required positional"):
        co.lsqr(A)
