"""The one driver of every iterative method.

A method is a small frozen dataclass of settings (it is a static argument of jit) with four functions of a problem,
which is a pytree: ``init(problem)`` and ``step(problem, state)`` make states, ``done(problem, state)`` a status code
(`RUNNING` to go on), ``report(problem, state)`` the scalars of the history. The driver runs it as a `while_loop`, as a
`scan` (gradients go through the steps), or in chunks (callbacks, progress, Ctrl-C).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from .solution import RUNNING, STOPPED

LOOPS = ("while", "scan", "chunked")
CHUNK = 10  # steps between two calls of the callback


class Method(Protocol):
    """What the driver needs of a method."""

    def init(self, problem: Any) -> Any:
        """Return the state before the first step."""
        ...

    def step(self, problem: Any, state: Any) -> Any:
        """Return the next state."""
        ...

    def done(self, problem: Any, state: Any) -> jax.Array:
        """Return a status code, `RUNNING` to go on."""
        ...

    def report(self, problem: Any, state: Any) -> dict[str, jax.Array]:
        """Return the scalars kept in the history."""
        ...


class Progress(NamedTuple):
    """What a callback is told; returning True stops the run."""

    step: int
    max_steps: int
    residual_norm: float
    history: dict[str, Any]


class Run(NamedTuple):
    """A method under way."""

    state: Any
    steps: jax.Array
    code: jax.Array
    history: dict[str, jax.Array]


def start(method: Method, problem: Any, max_steps: int) -> Run:
    """Return the run before its first step."""
    state = method.init(problem)
    first = method.report(problem, state)
    history = {name: jnp.zeros(max_steps + 1, value.dtype).at[0].set(value) for name, value in first.items()}
    return Run(state, jnp.zeros((), int), method.done(problem, state), history)


def advance(method: Method, problem: Any, run: Run) -> Run:
    """Take one step."""
    state = method.step(problem, run.state)
    steps = run.steps + 1
    told = method.report(problem, state)
    history = {name: values.at[steps].set(told[name]) for name, values in run.history.items()}
    return Run(state, steps, method.done(problem, state), history)


def run_while(method: Method, problem: Any, run: Run, until: Any) -> Run:
    """Step until the method is done or `until` steps were taken, as a `lax.while_loop`."""
    return jax.lax.while_loop(
        lambda r: (r.code == RUNNING) & (r.steps < until), lambda r: advance(method, problem, r), run
    )


def run_scan(method: Method, problem: Any, run: Run, max_steps: int) -> Run:
    """Step `max_steps` times as a `lax.scan`; a method that is done stands still."""

    def body(r: Run, _: None) -> tuple[Run, None]:
        return jax.lax.cond(r.code == RUNNING, lambda r: advance(method, problem, r), lambda r: r, r), None

    return jax.lax.scan(body, run, None, length=max_steps)[0]


def settled(run: Run) -> Run:
    """Repeat the last entry of each history to its end."""
    history = {}
    for name, values in run.history.items():
        taken = jnp.arange(len(values)) <= run.steps
        history[name] = jnp.where(taken, values, values[run.steps])
    return run._replace(history=history)


@functools.partial(jax.jit, static_argnames=("method", "max_steps", "loop"))
def _whole(method: Method, problem: Any, max_steps: int, loop: str) -> Run:
    run = start(method, problem, max_steps)
    run = (run_scan if loop == "scan" else run_while)(method, problem, run, max_steps)
    return settled(run)


_start = jax.jit(start, static_argnames=("method", "max_steps"))
_settled = jax.jit(settled)
_chunk = jax.jit(run_while, static_argnames=("method",))


def solve(
    method: Method,
    problem: Any,
    max_steps: int,
    loop: str = "while",
    callback: Callable[[Progress], Any] | None = None,
    chunk: int = CHUNK,
) -> Run:
    """Run a method to its end.

    Parameters
    ----------
    method : Method
    problem : pytree
    max_steps : int
    loop : {"while", "scan", "chunked"}
    callback : callable, optional
        Called with a `Progress` every `chunk` steps (the loop is then chunked); True stops the run. Ctrl-C ends a
        chunked run with the iterate that it has.
    """
    if loop not in LOOPS:
        raise ValueError(f"`loop` is {loop!r}; accepted are {', '.join(map(repr, LOOPS))}")
    if callback is None and loop != "chunked":
        return _whole(method, problem, max_steps, loop)
    run = _start(method, problem, max_steps)
    try:
        while int(run.code) == RUNNING and int(run.steps) < max_steps:
            run = _chunk(method, problem, run, min(int(run.steps) + chunk, max_steps))
            if callback is not None and callback(_progress(run, max_steps)):
                run = run._replace(code=_stopped(run.code))
    except KeyboardInterrupt:
        run = run._replace(code=_stopped(run.code))
    return _settled(run)


def _progress(run: Run, max_steps: int) -> Progress:
    steps = int(run.steps)
    history = {name: np.asarray(values)[: steps + 1] for name, values in run.history.items()}
    return Progress(steps, max_steps, float(history["residual_norm"][-1]), history)


def _stopped(code: jax.Array) -> jax.Array:
    return jnp.where(code == RUNNING, STOPPED, code)
