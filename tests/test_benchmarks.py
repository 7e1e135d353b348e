"""The benchmark's own arithmetic: its grid, right answers, ratios, reports, missing peers. No timings."""

import dataclasses
import json
import random

import numpy as np
import pytest
from oracle import channels_matrix, convolution_matrix_nd, kernel_operator_matrix

from benchmarks import candidates, environments, measure, ours, report, run, summary
from benchmarks.grid import Point, full_grid, quick_grid, square
from benchmarks.problem import make_problem, reference
from benchmarks.registry import PEERS, Peer

ONCE = measure.Effort(seconds=0.0, least=1, most=1)
NOBODY = run.Rivals((), {}, {}, {}, {})
SMALL = [
    Point((17,), (5,)),
    Point((7,), (9,), operation="adjoint"),
    Point((17,), (5,), mode="full", operation="gram"),
    square(8, 3, dtype="float64"),
    Point((7, 9), (3, 5), boundary="wrap", operation="gram"),
    Point((7, 9), (3, 5), boundary="symmetric", operation="adjoint"),
    Point((7, 9), (3, 5), boundary="symmetric"),
    Point((8, 6), (5, 3), operation="kernel_gradient"),
    Point((4, 5, 6), (3, 3, 3), operation="adjoint"),
    Point((7, 9), (3, 3), layout="batch", count=2),
    Point((7, 9), (3, 3), layout="kernels", count=2, operation="adjoint"),
    Point((7, 9), (3, 3), layout="channels", count=2, operation="adjoint"),
]
IN_PROCESS = [peer for peer in PEERS if not peer.environment and not peer.missing()]


def expected(problem):
    """The point's result from dense matrices."""
    point, x, y = problem.point, problem.x.astype(float), problem.y.astype(float)
    how = {"mode": point.mode, "boundary": point.boundary}
    if point.operation == "kernel_gradient":
        K = kernel_operator_matrix(x, point.kernel, **how)
        return (K.T @ (K @ problem.kernel.ravel().astype(float) - y.ravel())).reshape(point.kernel)
    if point.layout == "channels":
        matrices = [channels_matrix(problem.kernel.astype(float), x.shape, **how)]
    else:
        kernels = problem.kernel.reshape(-1, *point.kernel).astype(float)
        matrices = [convolution_matrix_nd(k, point.shape, **how) for k in kernels]
    examples = len(x) if point.layout in ("batch", "kernels") else 1
    matrices = matrices * (examples // len(matrices))
    products = {"forward": lambda M: M, "adjoint": lambda M: M.T, "gram": lambda M: M.T @ M}
    arrays = (y if point.operation == "adjoint" else x).reshape(examples, -1)
    return np.concatenate([products[point.operation](M) @ v for M, v in zip(matrices, arrays, strict=True)])


@pytest.mark.parametrize("point", SMALL, ids=lambda point: point.name)
def test_reference_is_the_matrix_product(point):
    problem = make_problem(point)
    np.testing.assert_allclose(reference(problem).ravel(), expected(problem).ravel(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("peer", IN_PROCESS, ids=lambda peer: peer.name)
def test_peers_do_the_same_job(peer):
    for point in (point for point in SMALL if not peer.refuses(point)):
        with ours.precision(point):
            problem = make_problem(point)
            error = measure.relative_error(np.asarray(peer.build(problem)()), reference(problem))
        assert error < 1e-5, point.name


def test_grid_names_are_unique_and_the_grid_covers_what_it_should():
    for grid in (full_grid(), quick_grid()):
        assert len({point.name for point in grid}) == len(grid)
        assert all(k % 2 for point in grid for k in point.kernel)
        assert all(Point.from_json(json.loads(json.dumps(point.as_json()))) == point for point in grid)
    families = {point.family for point in full_grid()}
    assert families == {point.family for point in quick_grid()}
    assert {"1-D", "2-D", "2-D rank one", "2-D sparse", "3-D", "adjoint", "gram", "kernel gradient"} < families
    assert {"float64", "batch", "one kernel an example", "channels", "boundaries"} < families


def test_every_peer_is_measured_somewhere():
    unused = {peer.name for peer in PEERS if all(peer.refuses(point) for point in full_grid())}
    assert unused == set()
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def test_schedule_spreads_the_turns():
    order = measure.schedule([40, 2, 0], random.Random(0))
    assert sorted(order) == [0] * 40 + [1] * 2
    first, second = (i for i, which in enumerate(order) if which == 1)
    assert first < 21 <= second


def test_calls_by_time():
    effort = measure.Effort(seconds=0.2, least=5, most=60)
    assert measure.calls([1e-4, 1e-2, 0.1, 2.0], 1e-2, effort) == [60, 20, measure.FEW, 0]


def test_relative_error_tells_wrong_from_right():
    right = np.arange(6.0).reshape(2, 3)
    assert measure.relative_error(right.ravel(), right) == 0
    assert measure.relative_error(right[:, ::-1], right) > 0.1
    assert measure.relative_error(right[0], right) == measure.relative_error(right * np.nan, right) == np.inf


def row(name="point", operation="forward", dtype="float32", **medians):
    """A measured point; names with _ for spaces."""
    timed = {name.replace("_", " "): {"status": "timed", "median": m, "error": 0.0} for name, m in medians.items()}
    point = dataclasses.replace(square(8, 3), operation=operation, dtype=dtype)
    return {"name": name, "family": point.family, "point": point.as_json(), "candidates": timed, "refused": {}}


def figure(rows, title):
    return next(figure for figure in summary.figures(rows) if figure.title.startswith(title))


def test_figures_take_the_fastest_peer_and_name_the_worst_point():
    rows = [
        row("a", convops=1.0, scipy_fftconvolve=4.0, torch_conv=2.0, convops_fourier=2.0),
        row("b", convops=4.0, scipy_fftconvolve=2.0, convops_fourier=1.0),
    ]
    found = figure(rows, "time / fastest Python peer")
    assert found.mean == pytest.approx(1.0)
    assert found.worst[0] == ("b (scipy fftconvolve)", 2.0)
    assert found.over == 1
    assert found.reached is False
    assert [value for _, value in figure(rows, "auto / best engine").ratios] == [1.0, 4.0]
    assert figure(rows, "time / fastest native").reached is None


def test_adjoint_is_compared_with_the_forward_product_of_the_same_point():
    rows = [row("a", operation="adjoint", convops=1.2, convops_forward=1.0), row("b", convops=9.0)]
    found = figure(rows, "adjoint / forward")
    assert found.ratios == (("a", pytest.approx(1.2)),)
    assert found.reached is False
    assert figure([row(dtype="float64", convops=1.0)], "float64").reached is True


def test_a_candidate_that_is_wrong_or_fails_is_reported_and_not_timed(tmp_path):
    right = np.ones(3)

    def broken():
        raise OSError("no such thing")

    found = measure.measure(
        [
            measure.Candidate("right", lambda: (measure.clocked(lambda: None), right)),
            measure.Candidate("wrong", lambda: (measure.clocked(lambda: None), 2 * right)),
            measure.Candidate("broken", broken),
        ],
        right,
        "float32",
        ONCE,
        random.Random(0),
    )
    assert found["right"]["status"] == "timed"
    assert found["wrong"] == {"error": 1.0, "status": "does not do the same job"}
    assert found["broken"]["status"] == "failed: OSError: no such thing"
    text = report.failures([{"name": "point", "candidates": found}])
    assert "wrong" in text
    assert "no such thing" in text


def test_missing_peers_are_named_with_their_reason(tmp_path, monkeypatch):
    monkeypatch.setitem(environments.INSTALLS, "nowhere", (("--no-index", "no-such-distribution"),))
    monkeypatch.setattr(environments.venv, "create", lambda *a, **k: None)
    absent = Peer("absent", "no_such_module", "no-such-distribution", "by_scipy:by_fft", ("python",))
    apart = dataclasses.replace(absent, name="apart", environment="nowhere")
    rivals = run.gather(run.Options(environments=tmp_path), (absent, apart))
    assert rivals.peers == ()
    assert rivals.missing["absent"] == "the package no-such-distribution is not installed"
    assert rivals.missing["apart"].startswith("its environment could not be made")


def test_reports_of_a_measured_point(tmp_path, monkeypatch):
    monkeypatch.setattr(ours, "engines", lambda *_: ["fourier"])
    rows = [run.measure_point(point, NOBODY, ONCE, random.Random(0)) for point in (SMALL[0], SMALL[1])]
    starts = [{"point": "a", "name": "convops", "status": "timed", "median": 1.0, "peak": 2**21, "imports": 2**20}]
    versions = {"scipy fftconvolve": "scipy 1"}
    results = {"quick": True, "machine": run.machine.describe(), "versions": versions, "missing": {"lax.conv": "gone"}}
    written = report.write({**results, "points": rows, "cold": starts}, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["points"][0]["name"] == SMALL[0].name
    texts = "\n".join(path.read_text() for path in written)
    for expected_text in (ours.AUTO, candidates.COPY, "missing: gone", "not measured", SMALL[1].name):
        assert expected_text in texts
    assert all(r["candidates"][ours.AUTO]["error"] < 1e-5 for r in rows)


def test_a_run_that_ends_early_keeps_what_it_has_measured(tmp_path, monkeypatch):
    def measure(point, *_):
        if point is SMALL[1]:
            raise MemoryError
        return measure_point(point, *_)

    measure_point = run.measure_point
    monkeypatch.setattr(ours, "engines", lambda *_: [])
    monkeypatch.setattr(run, "gather", lambda _: NOBODY)
    monkeypatch.setattr(run, "quick_grid", lambda: SMALL[:2])
    monkeypatch.setattr(run, "measure_point", measure)
    seed = next(s for s in range(9) if random.Random(s).sample(range(2), 2) == [0, 1])
    with pytest.raises(MemoryError):
        run.run(run.Options(quick=True, output=tmp_path, seed=seed))
    kept = json.loads((tmp_path / "results.json").read_text())
    assert [row["name"] for row in kept["points"]] == [SMALL[0].name]
    run.finish(kept, tmp_path)
    assert "a quick run of 1 points" in (tmp_path / "summary.md").read_text()


def test_numbers_in_tables():
    assert [report.number(v) for v in (0.123, 12.3, 0.00012, 0.0, None, float("nan"))] == [
        *("0.12", "12", "1.2e-04", "0.0", "–", "–")
    ]
