"""A progress bar of one line on a terminal."""

import math
import sys
import time

from convops.solvers.progress import WIPE, clock, drawn


class ProgressBar:
    """Draws the steps of a solver on stderr while it is a terminal; otherwise writes nothing.

    An instance is the `callback` of a solver. It never stops the run, and calling it gives Python the chance
    to see Ctrl-C between steps, so it is passed whether it draws or not.

    Parameters
    ----------
    parts : int
        How many solves of the same kind follow each other, one for each colour channel. Default 1.
    rtol : float, optional
        The share of its first residual at which the solver stops; without it only the steps are counted.
    """

    def __init__(self, parts: int = 1, rtol: float | None = None):
        self.parts, self.part, self.rtol = parts, 0, rtol
        self.started = time.monotonic()
        self.active = sys.stderr.isatty()

    def __call__(self, progress) -> bool:
        """Draw the state of the running solve."""
        if self.active:
            fraction = (self.part + self._done(progress)) / self.parts
            elapsed = time.monotonic() - self.started
            left = elapsed * (1 - fraction) / fraction if fraction > 0 else float("inf")
            state = f"step {int(progress.step)}/{int(progress.max_steps)}"
            if self.parts > 1:
                state = f"channel {self.part + 1}/{self.parts} {state}"
            text = f"{state} residual {float(progress.residual_norm):.2e} {clock(left)} left"
            self._write(drawn(fraction, text))
        return False

    def next_part(self) -> None:
        """Tell that one solve has ended."""
        self.part += 1

    def close(self) -> None:
        """Wipe the bar away."""
        if self.active:
            self._write(WIPE)

    def _done(self, progress) -> float:
        """Return how much of a solve is done: by its steps, or by the digits its residual has lost."""
        steps = int(progress.step) / max(int(progress.max_steps), 1)
        if self.rtol is None:
            return steps
        first, last = float(progress.history["residual_norm"][0]), float(progress.residual_norm)
        digits = math.log(last / first) / math.log(self.rtol) if 0 < last < first else 0.0
        return min(max(steps, digits), 1.0)

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
