"""The one driver of every iterative method.

A method is a small frozen dataclass of settings (it is a static argument of jit) with four functions of a problem,
which is a pytree: ``init(problem)`` and ``step(problem, state)`` make states, ``done(problem, state)`` a status code
(`RUNNING` to go on), ``report(problem, state)`` the scalars of the history. The driver runs it as a `while_loop`, as a
`scan` (gradients go through the steps), or in chunks (callbacks, progress, checkpoints, Ctrl-C). A problem may name in
``stops`` its fields that decide when to stop and not what the iterates are: a checkpoint is resumed with others too.
"""

import functools
import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import traced
from .checkpoint import Checkpoint, Keeper, checkpoint_of
from .progress import Callback, Callbacks, Progress, callbacks_of, close
from .solution import RUNNING, STOPPED

LOOPS = ("while", "scan", "chunked")
CHUNK = 10  # steps between two calls of the callback, fewer where they take more than
PATIENCE = 1.0  # seconds: Ctrl-C waits for the end of a chunk


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


def ending_in(run: Run, residual: jax.Array) -> dict[str, jax.Array]:
    """The history, its last residual being the one that is reported."""
    values = run.history["residual_norm"]
    last = jnp.arange(len(values)) >= run.steps
    return run.history | {"residual_norm": jnp.where(last, residual, values)}


@functools.partial(jax.jit, static_argnames=("method", "max_steps", "loop"))
def _whole(method: Method, problem: Any, max_steps: int, loop: str) -> Run:
    run = start(method, problem, max_steps)
    run = (run_scan if loop == "scan" else run_while)(method, problem, run, max_steps)
    return settled(run)


@functools.partial(jax.jit, static_argnames=("method", "max_steps"))
def _start(method: Method, problem: Any, max_steps: int) -> Run:
    return _strong(start(method, problem, max_steps))


@functools.partial(jax.jit, static_argnames="method")
def _chunk(method: Method, problem: Any, run: Run, until: Any) -> Run:
    return _strong(run_while(method, problem, run, until))


def _strong(run: Run) -> Run:
    """The same run without weak types, as it comes from a checkpoint: one compiled chunk then serves all."""
    return jax.tree.map(lambda leaf: leaf if _is_key(leaf) else jax.lax.convert_element_type(leaf, leaf.dtype), run)


def _is_key(leaf: jax.Array) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


_settled = jax.jit(settled)


def solve(
    method: Method,
    problem: Any,
    max_steps: int,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
    weight: Any = None,
) -> Run:
    """Run a method to its end.

    Parameters
    ----------
    method : Method
    problem : pytree
    max_steps : int
    loop : {"while", "scan", "chunked"}
    callback : callable or list of callables, optional
        Called with a `Progress` every `CHUNK` steps (the loop is then chunked); True stops the run. Ctrl-C ends a
        chunked run with the iterate that it has.
    checkpoint : str, path or Checkpoint, optional
        Where the run is saved and resumed from (the loop is then chunked).
    weight : float, optional
        Told to the callbacks, where the history has none.
    """
    if loop not in LOOPS:
        raise ValueError(f"`loop` is {loop!r}; accepted are {', '.join(map(repr, LOOPS))}")
    callbacks, checkpoint = callbacks_of(callback), checkpoint_of(checkpoint)
    if not callbacks and checkpoint is None and loop != "chunked":
        return _whole(method, problem, max_steps, loop)
    if loop == "scan":
        raise ValueError("`loop` is 'scan', whose steps cannot be interrupted: leave out `callback` and `checkpoint`")
    if any(map(traced, jax.tree.leaves(problem))):
        raise ValueError(
            "`callback`, `checkpoint` and loop='chunked' need numbers every few steps: use them outside of jax.jit, "
            "jax.vmap and jax.grad"
        )
    return _watched(method, problem, max_steps, callbacks, checkpoint, weight)


def _watched(
    method: Method,
    problem: Any,
    max_steps: int,
    callbacks: Sequence[Callback],
    checkpoint: Checkpoint | None,
    weight: Any,
) -> Run:
    """Run in chunks; where they are cut makes no difference to the numbers."""
    run = _start(method, problem, max_steps)
    keeper = None if checkpoint is None else Keeper(checkpoint, method, problem)
    run = run if keeper is None else keeper.begin(run, max_steps)
    try:
        stride, steps = CHUNK, int(run.steps)
        first, run = steps, _chunk(method, problem, run, steps)  # compiles, and takes no step
        began = time.monotonic()
        while int(run.code) == RUNNING and steps < max_steps:
            until = steps + 1 if steps == first else (steps // stride + 1) * stride
            until = int(min(until, max_steps, math.inf if keeper is None else keeper.next(steps)))
            before = time.monotonic()
            run = _chunk(method, problem, run, until)
            taken, steps = int(run.steps) - steps, int(run.steps)
            now = time.monotonic()
            if keeper is not None:
                keeper.save(run)
            if callbacks and (steps % stride == 0 or steps == max_steps or int(run.code) != RUNNING):
                told = _progress(run, max_steps, now - began, first, weight)
                stop = [callback(told) for callback in callbacks]
                if any(stop):
                    run = run._replace(code=_stopped(run.code))
            stride = min(max(int(PATIENCE * taken / max(now - before, 1e-9)), 1), CHUNK)
    except KeyboardInterrupt:
        run = run._replace(code=_stopped(run.code))
    finally:
        if keeper is not None:
            keeper.save(run, now=True)
        close(callbacks)
    return _settled(run)


def _progress(run: Run, max_steps: int, seconds: float, first: int, weight: Any) -> Progress:
    steps = int(run.steps)
    history = {name: np.asarray(values)[: steps + 1] for name, values in run.history.items()}
    weight = history["weight"][-1] if "weight" in history else weight
    weight = None if weight is None else float(weight)
    return Progress(steps, max_steps, float(history["residual_norm"][-1]), history, seconds, first, weight)


def _stopped(code: jax.Array) -> jax.Array:
    return jnp.where(code == RUNNING, STOPPED, code)
