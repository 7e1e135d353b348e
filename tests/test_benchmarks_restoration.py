"""The restorations' benchmark: peers do the same job, and what is missing or does another one is named. No timings."""

import random

import numpy as np
import pytest

import convops as co
from benchmarks import elsewhere, environments, restoration, turns
from benchmarks.environments import default_folder

RNG = random.Random(0)


@pytest.fixture
def blurred():
    """A kernel, its operator and data of 64 x 32 samples with zeros around."""
    kernel = np.asarray(co.psf.motion(7, angle=20.0), np.float32)
    A = co.convolution(kernel, (64, 32))
    return kernel, A, np.asarray(A @ np.random.default_rng(0).random((64, 32)).astype(np.float32))


def test_what_is_missing_or_does_another_job_is_named_and_not_timed(monkeypatch):
    monkeypatch.setattr(turns, "ROUNDS", 1)
    calls = dict.fromkeys(("convops", "same", "other"), 0)

    def result(name, value):
        def solve():
            calls[name] += 1
            return np.full(3, value)

        return solve

    candidates = {
        "convops": result("convops", 1.0),
        "same": result("same", 1.0),
        "other": result("other", 1.01),
        "absent": elsewhere.here("by_nobody"),
    }
    rows = {row[0]: row[1:] for row in turns.timed(candidates, RNG, limit=1e-3)}
    assert rows["other"][0] == "refused: 1e-02 away, 1e-03 allowed"
    assert rows["absent"][0].startswith("missing: No module named")
    assert rows["same"][1] == "1.00"
    assert calls == {"convops": 2, "same": 2, "other": 1}


def test_a_failure_of_ours_is_raised_and_without_peers_there_is_no_ratio(monkeypatch):
    monkeypatch.setattr(turns, "ROUNDS", 1)
    with pytest.raises(RuntimeError, match="missing"):
        turns.timed({"convops": elsewhere.missing(OSError("gone"))}, RNG)
    ((_, _, ratio, _, away),) = turns.timed({"convops": lambda: np.ones(3)}, RNG)
    assert (ratio, away) == ("nan", "0e+00")


def test_an_environment_that_cannot_be_made_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(environments.INSTALLS, "nowhere", (("--no-index", "no-such-distribution"),))
    monkeypatch.setattr(environments.venv, "create", lambda *a, **k: None)
    with elsewhere.elsewhere("nowhere", "by_nobody") as solve, pytest.raises(RuntimeError, match="missing"):
        solve()


@pytest.mark.parametrize("module", ["fista_by_pylops", "fista_by_pyproximal"])
def test_fista_of_others_takes_the_same_steps(module, blurred):
    pytest.importorskip("pywt")
    kernel, A, b = blurred
    step = 1 / float(A.norm()) ** 2
    theirs = elsewhere.here(module, b=b, kernel=kernel, weight=0.05, levels=3, step=step, steps=20)()
    penalty = co.L1(0.05, transform=co.wavelet((64, 32), levels=3))
    ours = co.fista(A, b, penalty=penalty, step=step, restart=False, rtol=0.0, max_steps=20).x
    assert theirs.dtype == np.float32
    assert turns.difference(theirs, np.ravel(ours)) < 1e-4


def test_photons_of_scikit_image_are_counted_by_the_same_steps(blurred):
    pytest.importorskip("skimage")
    kernel, A, b = blurred
    theirs = elsewhere.here("photons_by_skimage", b=b, kernel=kernel, steps=10)()
    options = {"accelerate": False, "normalize": False, "stop": None, "rtol": 0.0, "max_steps": 10}
    ours = co.richardson_lucy(A, b, x0=np.full(b.shape, 0.5, np.float32), **options).x
    assert turns.difference(theirs, np.asarray(ours)) < 1e-4


def test_the_stars_objective_is_the_solvers():
    star = restoration.Star()
    sol = co.admm(star.A, star.b, penalty=star.penalty, x0=star.start, rho=0.14, rtol=0.0, max_steps=5)
    assert star.objective(np.asarray(sol.x).ravel()) == pytest.approx(float(sol.history["objective"][-1]), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(restoration.NEAR)[1:])
def test_deepinverse_comes_as_near_to_the_least_total_variation(name):
    if not list(default_folder().glob("deepinverse-*/complete")):
        pytest.skip("DeepInverse's environment is not there")
    star = restoration.Star()
    ours = star.objective(star.solve(**restoration.NEAR["convops admm"]))
    with elsewhere.elsewhere("deepinverse", "tv_by_deepinverse", **star.given, **restoration.NEAR[name]) as theirs:
        assert star.objective(theirs()) == pytest.approx(ours, rel=restoration.LIMIT)
