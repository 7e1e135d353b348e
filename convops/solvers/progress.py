"""What callbacks are told of a run, and the one that draws a bar."""

import math
import shutil
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TextIO

LINES = 10.0  # seconds between two lines where the output is no terminal
WIPE = "\r\x1b[K"  # back to the beginning of the line, and erase it


class Progress(NamedTuple):
    """What a callback is told; returning True stops the run.

    Attributes
    ----------
    step, max_steps : int
    residual_norm : float
    history : dict of arrays
        As far as it goes.
    seconds : float
        Since the run began, or went on from a checkpoint; compiling is not counted.
    first_step : int
        The step that it began at: 0, or that of the checkpoint.
    weight : float or None
        The regularisation weight, where there is one.
    """

    step: int
    max_steps: int
    residual_norm: float
    history: dict[str, Any]
    seconds: float = 0.0
    first_step: int = 0
    weight: float | None = None


class Callback(Protocol):
    """What a solver's `callback` is; one with a method ``close`` has it called when the run ends, however it ends."""

    def __call__(self, progress: Progress, /) -> Any:
        """Look at the run; True stops it."""
        ...


Callbacks = Callback | Sequence[Callback] | None


def callbacks_of(value: Any) -> tuple[Callback, ...]:
    """Return what a solver's argument `callback` stands for."""
    several = tuple(value) if isinstance(value, list | tuple) else () if value is None else (value,)
    if not all(map(callable, several)):
        raise ValueError("`callback` must be a function of a Progress, or a list of them")
    return several


def close(callbacks: Sequence[Callback]) -> None:
    """Tell the callbacks that the run has ended."""
    for callback in callbacks:
        getattr(callback, "close", lambda: None)()


def progress_bar(stream: TextIO | None = None) -> Callback:
    """Make a callback that shows how far a run is: steps, residual, weight, time taken and time left.

    On a terminal it is one line that is drawn again and again; elsewhere a line about every ten seconds. The time left
    is that to `max_steps`: a run that reaches its tolerance ends before.

    Parameters
    ----------
    stream : text file, optional
        Where to write; `sys.stderr` by default.

    Returns
    -------
    callable
        For the argument `callback` of a solver; it never stops the run.

    Examples
    --------
    >>> import sys, convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 4, boundary="symmetric")
    >>> sol = co.cgls(A, [1.0, 2.0, 4.0, 4.0], rtol=0.0, max_steps=2, callback=co.progress_bar(sys.stdout))
    step 2/2  residual 0.53  0:00 taken, 0:00 left
    """
    return _Bar(stream)


class _Bar:
    """The callback of `progress_bar`."""

    def __init__(self, stream: TextIO | None):
        self.stream = stream
        self.last: Progress | None = None  # of this run,
        self.written: Progress | None = None  # and what the last line told

    def __call__(self, progress: Progress) -> bool:
        self.last = progress
        if self._terminal() or self.written is None or progress.seconds - self.written.seconds >= LINES:
            self._draw(progress)
        return False

    def close(self) -> None:
        """End the line, or write the last one."""
        if self.last is not None and self._terminal():
            self._write("\n")
        elif self.last is not self.written and self.last is not None:
            self._draw(self.last)
        self.last = self.written = None

    def _terminal(self) -> bool:
        return bool(getattr(self.stream or sys.stderr, "isatty", lambda: False)())

    def _draw(self, progress: Progress) -> None:
        text = _sentence(progress)
        if self._terminal():
            self._write(drawn(progress.step / max(progress.max_steps, 1), text))
        else:
            self._write(text + "\n")
        self.written = progress

    def _write(self, text: str) -> None:
        stream = self.stream or sys.stderr
        stream.write(text)
        stream.flush()


def _sentence(progress: Progress) -> str:
    weight = "" if progress.weight is None else f"weight {progress.weight:.2g}  "
    return (
        f"step {progress.step}/{progress.max_steps}  residual {progress.residual_norm:.2g}  {weight}"
        f"{clock(progress.seconds)} taken, {clock(_left(progress))} left"
    )


def _left(progress: Progress) -> float:
    """The time to the last step at the pace so far."""
    steps = progress.step - progress.first_step
    return progress.seconds / steps * (progress.max_steps - progress.step) if steps > 0 else math.inf


def drawn(fraction: float, text: str) -> str:
    """What draws a bar and a text on a terminal, over the line before and no wider than it."""
    room = shutil.get_terminal_size().columns - 1
    width = min(24, room - len(text) - 3)
    if width >= 4:
        done = round(width * min(fraction, 1.0))
        text = f"[{'#' * done}{'-' * (width - done)}] {text}"
    return f"{WIPE}{text[:room]}"


def clock(seconds: float) -> str:
    """Write a time span.

    >>> clock(75.2), clock(7275.2), clock(float("inf"))
    ('1:15', '2:01:15', '?:??')
    """
    if not math.isfinite(seconds):
        return "?:??"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
