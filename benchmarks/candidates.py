"""Who is timed at a point: convops as it chooses, its other engines, every peer that does the job, and a bare copy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import ours
from .environments import Worker
from .grid import Point
from .measure import Candidate, Run, Unfit, clocked
from .problem import Problem
from .registry import Peer

COPY = "copy of the signal"


def candidates(
    problem: Problem, peers: Sequence[Peer], workers: Mapping[str, Worker], patience: float = 1.0
) -> Iterator[Candidate]:
    """Everybody who is timed at a point."""
    yield from _ours(problem, patience)
    for peer in peers:
        if not peer.refuses(problem.point, patience):
            yield Candidate(peer.name, _peer(peer, problem, workers))
    yield Candidate(COPY, lambda: (clocked(_copy(problem.x)), None))


def refusals(point: Point, peers: Sequence[Peer], patience: float) -> dict[str, str]:
    """The peers that are not measured at a point, and why."""
    return {peer.name: reason for peer in peers if (reason := peer.refuses(point, patience))}


def _ours(problem: Problem, patience: float) -> Iterator[Candidate]:
    """Auto, the engines that it did not choose, and the same operator's forward product beside adjoint and gram."""
    point = problem.point
    auto = _built(ours.AUTO, lambda: ours.build(problem))
    yield auto
    for engine in ours.engines(point, problem.kernel, patience):
        if engine != auto.facts.get("engine"):
            yield _built(f"{ours.AUTO} {engine}", lambda engine=engine: ours.build(problem, engine))
    if point.operation in ("adjoint", "gram"):
        yield _built(ours.FORWARD, lambda: ours.build(problem, operation="forward"), checked=False)
    if point.operation == "kernel_gradient":
        yield _built(ours.KERNEL_OPERATOR, lambda: ours.build_kernel_operator(problem))


def _built(name: str, build: Callable[[], ours.Built], checked: bool = True) -> Candidate:
    """A candidate of ours, built at once: its engine, construction and compile times are facts."""
    try:
        built = build()
    except Exception as error:
        unfit = name != ours.AUTO and isinstance(error, ValueError | NotImplementedError)
        raised = Unfit(" ".join(str(error).split())) if unfit else error
        return Candidate(name, lambda: _raised(raised))
    facts = {"engine": built.engine, "construct": built.construct, "compile": built.compile}

    def prepare() -> tuple[Run, np.ndarray | None]:
        result = np.asarray(built.run())
        return clocked(built.run), result if checked else None

    return Candidate(name, prepare, facts=facts)


def _raised(error: Exception) -> Any:
    raise error


def _peer(peer: Peer, problem: Problem, workers: Mapping[str, Worker]) -> Callable[[], tuple[Run, np.ndarray | None]]:
    """What prepares a peer, here or in its worker."""

    def prepare() -> tuple[Run, np.ndarray | None]:
        if peer.environment:
            return workers[peer.environment].prepare(peer.name, problem.point)
        run = peer.build(problem)
        return clocked(run), np.array(run())

    return prepare


def _copy(x: np.ndarray) -> Callable[[], Any]:
    out = np.empty_like(x)
    return lambda: np.copyto(out, x)
