"""Checkpoints: where and how often a run is saved, and how it goes on from what was saved."""

import math
import os
import time
import warnings
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from . import snapshot
from .identity import differences, identity, on_device, on_host
from .solution import RUNNING, STOPPED


@dataclass(frozen=True)
class Checkpoint:
    """Where a solver saves its run, and how often; what a solver's `checkpoint` takes, a bare path being the default.

    A run whose file exists goes on from there, to the same numbers to the last bit on the same device and versions.
    The file is a whole one at any moment, also when the process is killed: it is written aside, synced to the disk and
    renamed. It knows its problem by the arrays and the program of a step, and that of another problem is refused, as is
    a damaged one. `max_steps` may be raised and the tolerances changed from one run to the next; a run that has ended
    returns at once. A write that fails on the way warns, and the run goes on.

    Attributes
    ----------
    path : str or path
        The file, an ``.npz`` whatever its name; its folder must exist.
    steps : int, optional
        Save after every so many steps,
    seconds : float, optional
        or when so much time has passed since it was last saved, looked at between steps. 30 seconds if neither is
        given; the start and the end of a run, by Ctrl-C or an error too, are saved in any case.

    Raises
    ------
    ValueError
        For numbers that are not positive and a folder that does not exist; and by the solver, for a file that is
        damaged or belongs to another problem, which is left as it is.

    Examples
    --------
    >>> import tempfile, convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 4, boundary="symmetric")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = co.Checkpoint(f"{folder}/run.npz", steps=10)
    ...     first = co.cgls(A, [1.0, 2.0, 4.0, 4.0], max_steps=2, rtol=0.0, checkpoint=saved)
    ...     then = co.cgls(A, [1.0, 2.0, 4.0, 4.0], max_steps=3, rtol=0.0, checkpoint=saved)
    >>> print(first.num_steps, then.num_steps)
    2 3
    """

    path: str | os.PathLike[str]
    _: KW_ONLY
    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Check the arguments and fill in the default."""
        if not isinstance(self.path, str | os.PathLike):
            raise ValueError(f"`path` is a {type(self.path).__name__}; give the name of a file")
        if self.steps is not None and not (isinstance(self.steps, int) and self.steps > 0):
            raise ValueError(f"`steps` is {self.steps!r}; give a positive integer")
        if self.seconds is not None and not (isinstance(self.seconds, int | float) and 0 < self.seconds < math.inf):
            raise ValueError(f"`seconds` is {self.seconds!r}; give a positive number")
        if self.steps is None and self.seconds is None:
            object.__setattr__(self, "seconds", 30.0)
        path = Path(self.path)
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise ValueError(f"`path` is '{path}'; give a file in a folder that exists")

    def part(self, number: int) -> "Checkpoint":
        """The checkpoint of a later part of the same run, in a file beside the first."""
        path = f"{os.fspath(self.path)}.{number}"
        return self if number == 0 else Checkpoint(path, steps=self.steps, seconds=self.seconds)


def checkpoint_of(value: Any) -> Checkpoint | None:
    """Return what a solver's argument `checkpoint` stands for."""
    if value is None or isinstance(value, Checkpoint):
        return value
    if isinstance(value, str | os.PathLike):
        return Checkpoint(value)
    raise ValueError(f"`checkpoint` is a {type(value).__name__}; give the path of a file or a co.Checkpoint")


class Keeper:
    """Saves one run, and finds it again."""

    def __init__(self, checkpoint: Checkpoint, method: Any, problem: Any):
        self.path = Path(checkpoint.path).absolute()
        self.steps, self.seconds = checkpoint.steps, checkpoint.seconds
        self.method, self.problem = method, problem
        self.saved, self.when = -1, time.monotonic()

    def begin(self, run: Any, max_steps: int) -> Any:
        """Return the run that was saved, or save the one given: a file that cannot be written is better known now."""
        snapshot.sweep(self.path)
        self.identity = identity(self.method, self.problem, run.state)
        if self.path.exists():
            run = self._found(run, max_steps)
            self.saved = int(run.steps)
            return run
        try:
            self._write(run)
        except OSError as error:
            raise OSError(f"`checkpoint` '{self.path}' cannot be written: {error}") from error
        return run

    def next(self, steps: int) -> float:
        """The step up to which nothing needs saving."""
        return math.inf if self.steps is None else (steps // self.steps + 1) * self.steps

    def save(self, run: Any, *, now: bool = False) -> None:
        """Save the run if it is time; where that fails the run goes on, and the file stays what it was."""
        steps = int(run.steps)
        due = self.steps is not None and steps % self.steps == 0
        due = due or (self.seconds is not None and time.monotonic() - self.when >= self.seconds)
        if steps == self.saved or not (now or due):
            return
        try:
            self._write(run)
        except OSError as error:
            self.when = time.monotonic()
            warnings.warn(
                f"`checkpoint` '{self.path}' could not be written ({error}); the run goes on, and the file holds "
                f"step {self.saved}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _write(self, run: Any) -> None:
        steps, code = int(run.steps), int(run.code)
        arrays = {f"state{path}": on_host(leaf) for path, leaf in _leaves(run.state)}
        arrays |= {f"history.{name}": np.asarray(values)[: steps + 1] for name, values in run.history.items()}
        code = RUNNING if code == STOPPED else code  # who resumes a run that was stopped wants it to go on
        snapshot.write(self.path, {**self.identity, "steps": steps, "code": code}, arrays)
        self.saved, self.when = steps, time.monotonic()

    def _found(self, run: Any, max_steps: int) -> Any:
        """The run in the file, in the arrays of the one given."""
        header, arrays = snapshot.read(self.path)
        other = differences(self.identity, header)
        shapes = {f"state{path}": on_host(leaf).shape for path, leaf in _leaves(run.state)}
        if not other and shapes != {name: arrays[name].shape for name in arrays if name.startswith("state")}:
            other = "with another `max_steps`, which this method cannot change"
        if other:
            raise ValueError(
                f"`checkpoint` '{self.path}' was begun {other}: give the same to resume it, or another path"
            )
        steps = header["steps"]
        if steps > max_steps:
            raise ValueError(
                f"`checkpoint` '{self.path}' holds {steps} steps, more than `max_steps` = {max_steps}: raise it"
            )
        leaves = [on_device(arrays[f"state{path}"], leaf) for path, leaf in _leaves(run.state)]
        state = jax.tree.unflatten(jax.tree.structure(run.state), leaves)
        history = {}
        for name, values in run.history.items():
            whole = np.zeros(values.shape, values.dtype)
            whole[: steps + 1] = arrays[f"history.{name}"]
            history[name] = on_device(whole, values)
        code = header["code"]
        if self.identity["stops"] != header["stops"]:  # else not anew: rounding could tell it otherwise
            code = self.method.done(self.problem, state)
        code, steps = (on_device(np.asarray(a, b.dtype), b) for a, b in ((code, run.code), (steps, run.steps)))
        return run._replace(state=state, steps=steps, code=code, history=history)


def _leaves(tree: Any) -> list[tuple[str, Any]]:
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]]
