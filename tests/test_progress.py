"""The progress bar, and what callbacks are told."""

import io

import numpy as np
import pytest

import convops as co
from convops.solvers.progress import Progress

RNG = np.random.default_rng(6)
SHAPE = (13, 10)
A = co.convolution(RNG.random((5, 4)) / 10, SHAPE, boundary="edge")
DATA = RNG.random(SHAPE)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_one_line_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    co.cgls(A, DATA, rtol=0.0, max_steps=25, callback=co.progress_bar(stream))
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    drawn = text.rstrip("\n").split("\r\x1b[K")[1:]
    assert len(drawn) == 3
    assert "step 10/25  residual " in drawn[0]
    assert "0:00 taken, 0:00 left" in drawn[2]
    assert drawn[2].startswith("[#####") and "-" not in drawn[2].split("]")[0]  # noqa: PT018
    assert all(len(line) < 100 for line in drawn)


def test_the_line_ends_however_the_run_does(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    for error in (KeyboardInterrupt, ZeroDivisionError):
        stream = Terminal()

        def fail(progress, error=error):
            raise error

        try:
            sol = co.cgls(A, DATA, rtol=0.0, callback=[co.progress_bar(stream), fail])
            assert int(sol.num_steps) == 10
        except ZeroDivisionError:
            assert error is ZeroDivisionError
        assert stream.getvalue().endswith("\n")
        assert len(stream.getvalue()) < 30


def test_lines_elsewhere():
    stream = io.StringIO()
    bar = co.progress_bar(stream)
    for step, seconds in ((10, 1.0), (20, 2.0), (110, 12.0), (120, 13.0)):
        assert not bar(Progress(step, 1000, 0.25, {}, seconds, 5, 1e-3))
    bar.close()
    bar.close()
    assert stream.getvalue().splitlines() == [
        "step 10/1000  residual 0.25  weight 0.001  0:01 taken, 3:18 left",
        "step 110/1000  residual 0.25  weight 0.001  0:12 taken, 1:41 left",
        "step 120/1000  residual 0.25  weight 0.001  0:13 taken, 1:39 left",
    ]


def test_several_callbacks_and_what_they_are_told(tmp_path):
    seen = []
    stop = [seen.append, lambda progress: progress.step == 20, seen.append]
    path = tmp_path / "run.npz"
    co.tikhonov(A, DATA, L=co.gradient(SHAPE), weight=0.25, rtol=0.0, callback=stop, checkpoint=path)
    assert [progress.step for progress in seen] == [10, 10, 20, 20]
    assert {progress.weight for progress in seen} == {0.25}
    assert 0 < seen[0].seconds < seen[2].seconds
    assert len(seen[2].history["residual_norm"]) == 21
    co.tikhonov(
        A, DATA, L=co.gradient(SHAPE), weight=0.25, rtol=0.0, max_steps=30, callback=seen.append, checkpoint=path
    )
    assert (seen[-1].step, seen[-1].first_step) == (30, 20)


@pytest.mark.parametrize("stream", [None])
def test_stderr_is_the_default(stream, capsys):
    co.cgls(A, DATA, rtol=0.0, max_steps=5, callback=co.progress_bar(stream))
    assert capsys.readouterr().err.startswith("step 5/5")
