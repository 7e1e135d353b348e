"""Saved runs: the same bits after being killed anywhere."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import longrun
import numpy as np
import optax
import pytest
from longrun import DATA, METHODS, PSF, SHAPE, STEPS, A, Killed, failing, run, same

import convops as co
from convops.solvers import iterate, snapshot

QUICK = {"lsmr", "minres", "adam"}  # cgls, lsqr and descent have tests below


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in METHODS]
)
def test_killed_and_resumed_is_uninterrupted(name, tmp_path, monkeypatch):
    whole = run(name, loop="chunked")
    rng = np.random.default_rng(len(name))
    path = tmp_path / "run.npz"
    for steps in (int(rng.integers(1, 8)), int(rng.integers(1, 8))):  # killed twice
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", failing(os.replace, rng.integers(2, 1 + STEPS // (2 * steps)), Killed))
            with pytest.raises(Killed):
                run(name, checkpoint=co.Checkpoint(path, steps=steps))
    reached = snapshot.read(path)[0]["steps"]
    assert 0 < reached < STEPS
    assert same(run(name, checkpoint=path), whole)
    assert os.listdir(tmp_path) == ["run.npz"]
    before = path.stat().st_mtime_ns
    assert same(run(name, checkpoint=path), whole)  # it has ended
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("stage", ["savez", "file_digest", "fsync", "replace"])
def test_killed_inside_a_write(stage, tmp_path, monkeypatch):
    whole = run("lsqr", loop="chunked")
    path = tmp_path / "run.npz"
    others = [tmp_path / "run.npz.tmp", tmp_path / "run.npz.elsewhere-1.tmp", tmp_path / "another.npz"]
    for other in others:
        other.write_text("not ours")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        run("lsqr", checkpoint=co.Checkpoint(path, steps=3), callback=lambda p: break_at(patch, stage))
    left = set(tmp_path.iterdir()) - {path, *others}
    assert len(left) == 1  # what the dead write has left
    assert snapshot.read(path)[0]["steps"] == 9
    assert same(run("lsqr", checkpoint=path), whole)
    assert set(tmp_path.iterdir()) == {path, *others}
    assert all(other.read_text() == "not ours" for other in others)


def break_at(patch, stage):
    """From now on nothing is written beyond the stage, and nothing cleared away."""

    def fail(*args, **kwargs):
        if stage == "savez":
            args[0].write(b"PK, and then nothing")
        raise Killed

    patch.setattr({"savez": np, "file_digest": snapshot.hashlib}.get(stage, os), stage, fail)
    patch.setattr(Path, "unlink", lambda path, missing_ok=False: None)


def kill_once(path, method, steps, delay):
    """Start the solve in a process and kill it `delay` seconds after its file holds `steps` steps.

    The number of steps in the file that it leaves, or None if the process has ended by itself.
    """
    command = [sys.executable, longrun.__file__, str(path), method]
    quick_start = {"JAX_COMPILATION_CACHE_DIR": str(path.parent / "programs"), **COMPILED_ONCE}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **quick_start})
    try:
        while not (path.exists() and snapshot.read(path)[0]["steps"] >= steps):
            assert process.poll() is None
            time.sleep(0.001)
        process.wait(delay)
        return None
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return snapshot.read(path)[0]["steps"]
    finally:
        process.kill()
        process.communicate()


COMPILED_ONCE = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0"}


def check_kills(folder, method, kills):
    """Each in its own part of the run, at a moment drawn there by the steps done and, within a write, by time."""
    whole = longrun.solve(None, method, loop="chunked")
    rng = np.random.default_rng(kills)
    reached = []
    for k in range(kills):
        path = folder / f"run{k}.npz"
        steps = int(0.9 * longrun.KILL_STEPS * (k + rng.random()) / kills)
        reached.append(kill_once(path, method, steps, 0.005 * rng.random()))
        assert same(longrun.solve(path, method), whole), reached
        assert [p.name for p in folder.iterdir() if p.name.startswith(path.name)] == [path.name]
    print(f"{method}: killed with {reached} of {longrun.KILL_STEPS} steps in the file, {kills} of {kills} equal")
    assert sum(n is not None and n < longrun.KILL_STEPS for n in reached) >= kills // 2
    return reached


def test_killed_processes_resume_to_the_same_bits(tmp_path):
    check_kills(tmp_path, "lsqr", 2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_killed_processes_resume_to_the_same_bits(tmp_path):
    reached = check_kills(tmp_path, "cgls", 20)
    assert len({n for n in reached if n}) >= 5  # the moments are spread over the run


def test_more_steps_and_another_tolerance_go_on(tmp_path):
    whole = run("cgls", loop="chunked")
    path = tmp_path / "run.npz"
    run("cgls", checkpoint=path, max_steps=5)
    assert same(run("cgls", checkpoint=path), whole)
    path = tmp_path / "loose.npz"
    loose = run("cgls", rtol=0.1, checkpoint=path)
    assert bool(loose.converged)
    assert int(loose.num_steps) < STEPS
    assert same(run("cgls", rtol=0.1, checkpoint=path), loose)
    assert same(run("cgls", checkpoint=path), whole)


def test_one_chunk_is_compiled(tmp_path):
    before = iterate._chunk._cache_size()
    options = {"max_steps": 77, "callback": lambda progress: None}
    run("minres", checkpoint=co.Checkpoint(tmp_path / "a", steps=1), **options)
    run("minres", checkpoint=co.Checkpoint(tmp_path / "b", steps=30), **options)
    run("minres", checkpoint=tmp_path / "b", **options)
    assert iterate._chunk._cache_size() == before + 1


@pytest.mark.parametrize("name", ["cgls", "descent"])
def test_ctrl_c_and_errors_are_saved(name, tmp_path):
    def at_twenty(error):
        def callback(progress):
            if progress.step == 20:
                raise error

        return callback

    whole = run(name, loop="chunked")
    path = tmp_path / "run.npz"
    sol = run(name, checkpoint=path, callback=at_twenty(KeyboardInterrupt))
    assert int(sol.num_steps) == 20
    assert "interrupt" in sol.status
    assert snapshot.read(path)[0]["steps"] == 20
    assert same(run(name, checkpoint=path), whole)
    with pytest.raises(ZeroDivisionError):
        run(name, checkpoint=tmp_path / "b", callback=at_twenty(ZeroDivisionError))
    assert same(run(name, checkpoint=tmp_path / "b"), whole)


def test_ctrl_c_returns_the_lowest_objective_of_a_descent_that_climbs():
    def interrupt(progress):
        raise KeyboardInterrupt

    sol = run("descent", optimizer=optax.sgd(3.0 / float(A.norm()) ** 2), project=None, callback=interrupt)
    objectives = np.asarray(sol.history["objective"])
    assert objectives[10] > objectives.min()
    np.testing.assert_allclose(sol.objective, objectives.min(), rtol=1e-5)


def test_a_write_that_fails_does_not_end_the_run(tmp_path, monkeypatch):
    whole = run("cgls", loop="chunked")
    path = tmp_path / "run.npz"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(os.fsync, 4, OSError(28, "No space left on device")))
        with pytest.warns(RuntimeWarning, match="No space left on device.*the file holds step 20"):
            assert same(run("cgls", checkpoint=co.Checkpoint(path, steps=20)), whole)
        with pytest.raises(OSError, match=r"cannot be written.*No space"):
            run("cgls", checkpoint=tmp_path / "new")
    assert os.listdir(tmp_path) == ["run.npz"]
    assert same(run("cgls", checkpoint=path), whole)


def test_time_between_writes(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(snapshot, "write", lambda path, header, arrays: written.append(header["steps"]))
    run("cgls", checkpoint=co.Checkpoint(tmp_path / "a", seconds=1000))
    assert written == [0, STEPS]
    run("cgls", checkpoint=co.Checkpoint(tmp_path / "a", seconds=1e-9))
    assert written[2:] == [0, 1, 10, 20, 30, 40, STEPS]


def test_slow_steps_are_watched_one_by_one(monkeypatch):
    monkeypatch.setattr(iterate, "PATIENCE", 0.0)
    seen = []
    run("cgls", max_steps=5, callback=seen.append)
    assert [progress.step for progress in seen] == [2, 3, 4, 5]


def test_tikhonov_resumes(tmp_path):
    operator = co.convolution(PSF, SHAPE, boundary="edge")
    how = {"L": co.gradient(SHAPE), "weight": 1e-3, "iterations": 3, "rtol": 1e-6}
    whole = co.tikhonov(operator, DATA, callback=lambda progress: None, **how)
    path = tmp_path / "run.npz"
    seen = []

    def interrupt(progress):
        seen.append(progress.weight)
        if len(seen) > 2:
            raise KeyboardInterrupt

    assert "interrupt" in co.tikhonov(operator, DATA, checkpoint=path, callback=interrupt, **how).status
    assert len(seen) == 3
    np.testing.assert_allclose(seen, 1e-3, rtol=1e-6)
    assert same(co.tikhonov(operator, DATA, checkpoint=path, **how), whole)
    assert sorted(os.listdir(tmp_path)) == ["run.npz", "run.npz.1", "run.npz.2"]
    with pytest.raises(ValueError, match="the operator or its weight"):
        co.tikhonov(operator, DATA, checkpoint=path, **{**how, "weight": 2e-3})
    co.tikhonov(A, DATA, L=co.identity(SHAPE), weight=1e-3, checkpoint=tmp_path / "closed")
