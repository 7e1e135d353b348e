"""The job of `convops deblur`: read, solve, write."""

import json
import math
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import convops as co
from convops import automatic
from convops.cli.messages import say
from convops.cli.progress import ProgressBar
from convops.cli.psf_option import psf_from_text
from convops.io import Picture, check_holds, check_output, read_image, write_image
from convops.plotting import side_by_side
from convops.solvers.solution import STOPPED

WHOLE = tuple(name for name in automatic.METHODS if name != "tikhonov")  # by co.deblur, all colours at once
METHODS = (*automatic.METHODS, "cgls", "gradient_descent")
_WEIGHTS = {"tikhonov": 0.005, "cgls": 0.0, "gradient_descent": 0.0}
_STEPS = {"tikhonov": 500, "cgls": 10, "gradient_descent": 50}


@dataclass(frozen=True)
class Settings:
    """How to deblur; what is not given is chosen, or defaults to what suits the method.

    Raises
    ------
    ValueError
        For an unknown name, a weight that is negative or not finite, and fewer steps than one.

    Examples
    --------
    >>> Settings(method="cgls").chosen_steps
    10
    >>> Settings(boundary="mirror")
    Traceback (most recent call last):
      ...
    ValueError: --boundary `mirror` is unknown; accepted are auto, zero, wrap, symmetric, reflect, edge, antireflect
    """

    boundary: str = "auto"
    method: str = "auto"
    weight: float | None = None
    steps: int | None = None
    noise: float | str | None = None

    def __post_init__(self):
        named = (("boundary", self.boundary, automatic.BOUNDARIES), ("method", self.method, METHODS))
        for name, value, known in named:
            if value not in known:
                raise ValueError(f"--{name} `{value}` is unknown; accepted are {', '.join(known)}")
        if self.weight is not None and not (math.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"--weight `{self.weight:g}` must be a number of at least 0; try 0.005")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"--steps `{self.steps}` must be at least 1")
        if self.noise is not None and self.method not in WHOLE:
            raise ValueError(f"--noise goes with --method {', '.join(WHOLE)}; got --method {self.method}")

    @property
    def chosen_boundary(self) -> str:
        """The boundary given, or mirrored pixels for the methods that need one."""
        return "symmetric" if self.boundary == "auto" and self.method not in WHOLE else self.boundary

    @property
    def chosen_weight(self) -> float:
        """The weight given, or the default of the method."""
        return _WEIGHTS[self.method] if self.weight is None else self.weight

    @property
    def chosen_steps(self) -> int:
        """The number of steps given, or the default of the method."""
        return _STEPS[self.method] if self.steps is None else self.steps

    def __str__(self):
        if self.method in WHOLE:
            return f"boundary {self.boundary}, method {self.method}"
        weight = f"weight {self.chosen_weight:g}" + (" (default)" if self.weight is None else "")
        penalty = f"{weight} on the gradient" if self.chosen_weight else weight
        return f"boundary {self.chosen_boundary}, method {self.method}, {penalty}, at most {self.chosen_steps} steps"


def deblur_file(
    photo: Path, psf: str, output: Path, overwrite: bool, settings: Settings, preview: Path | None = None
) -> None:
    """Deblur one file into another, and write beside it how; every refusal comes before anything is written.

    Raises
    ------
    ValueError, OSError, ImportError
        With one sentence on what is wrong and what to do.
    """
    told = output.with_name(output.name + ".json")
    if preview is not None and preview.resolve() == output.resolve():
        raise ValueError(f"--preview `{preview}` is the output; give it a name of its own")
    for path in (output, preview):
        if path is not None:
            check_output(path, overwrite=overwrite)
    if told.exists() and not overwrite:
        raise ValueError(f"`{told}`, the account of the run, exists; drop it, or add --overwrite")
    picture = read_image(photo)
    check_holds(output, picture)
    account = {"photo": str(photo), "psf": psf, "output": str(output)}
    result = deblur_picture(picture, psf, settings, account)
    write_image(output, result, overwrite=overwrite)
    told.write_text(json.dumps(account, indent=1, allow_nan=False) + "\n")
    if preview is not None:
        canvas = side_by_side(greys(picture, result), ("before", "after"))
        write_image(preview, Picture(canvas), overwrite=overwrite)
    say(f"wrote `{output}`")


def deblur_picture(picture: Picture, psf: str, settings: Settings, account: dict | None = None) -> Picture:
    """Deblur the colour channels of a picture and keep all else about it; what was done goes into `account`.

    float64 data is solved in double precision, all other in single, which is finer than what 16 bits resolve.
    """
    planes = picture.planes()
    with jax.enable_x64(True) if planes.dtype == np.float64 else nullcontext():
        kernel = psf_from_text(psf, picture.shape).astype(planes.dtype)
        size = " x ".join(str(n) for n in picture.data.shape)
        size += f" {picture.data.dtype.name}" + (", alpha kept" if picture.alpha else "")
        say(f"{size}, PSF {kernel.shape[0]} x {kernel.shape[1]}, {settings}")
        account = {} if account is None else account
        account |= told_of(settings)
        if settings.method in WHOLE:
            whole = planes.astype(picture.data.dtype) if picture.data.dtype.kind in "iu" else planes
            seen = picture.seen if settings.boundary == "auto" else None
            solved = _solve_whole(whole, kernel, settings, account, seen)
        else:
            solved = _solve_channels(planes, kernel, picture.shape, settings, account)
    if not all(np.isfinite(plane).all() for plane in solved):
        raise ValueError("the solver met numbers beyond its range; scale the data or raise --weight")
    return picture.with_planes(solved)


def told_of(settings: Settings) -> dict:
    """The versions, and what was asked for."""
    versions = {"convops": co.__version__, "jax": jax.__version__, "numpy": np.__version__}
    return {"versions": versions, "asked": asdict(settings)}


def told_by(solution: co.Solution) -> dict:
    """What a solver tells: why it stopped, its weight, and its curves."""
    steps = int(solution.num_steps)
    curves = {
        name: [float(v) if np.isfinite(v) else None for v in np.asarray(values)[: steps + 1]]
        for name, values in solution.history.items()
    }
    told = {"stopped": solution.status, "converged": bool(solution.converged), "steps": steps, "curves": curves}
    if solution.weight is not None:
        told["weight"] = float(solution.weight)
    return told


def _solve_whole(
    planes: np.ndarray, kernel: np.ndarray, settings: Settings, account: dict, seen: np.ndarray | None
) -> np.ndarray:
    """Deblur all colours at once by the front door, and say what it chose; colours of unseen pixels mean nothing."""
    bar = ProgressBar()
    one = len(planes) == 1
    options = {} if settings.steps is None else {"max_steps": settings.steps}
    try:
        solution = co.deblur(
            planes[0] if one else planes,
            kernel,
            noise=settings.noise,
            method=settings.method,
            boundary=settings.boundary,
            weight=settings.weight,
            mask=None if seen is None else seen if one else np.broadcast_to(seen, planes.shape),
            channel_axis=None if one else 0,
            callback=bar,
            **options,
        )
    finally:
        bar.close()
    if int(solution.code) == STOPPED:
        raise KeyboardInterrupt
    assert solution.report is not None
    say("; ".join(solution.report.splitlines()))
    account |= {"report": solution.report.splitlines(), "solved": [told_by(solution)]}
    x = np.asarray(solution.x)
    return x[None] if one else x


def _solve_channels(planes: np.ndarray, kernel: np.ndarray, shape, settings: Settings, account: dict) -> list:
    """Solve one channel after the other; by FFT, the quickest for one process, compilation included."""
    blur = co.convolution(kernel, shape, boundary=settings.chosen_boundary, axes=(0, 1))
    bar = ProgressBar(len(planes), tolerance(planes.dtype) if settings.method == "tikhonov" else None)
    account["solved"] = []
    try:
        return [_solve_channel(blur, jnp.asarray(plane), settings, bar, account) for plane in planes]
    finally:
        bar.close()


def greys(picture: Picture, result: Picture) -> list[np.ndarray]:
    """Both in 8 bits of grey, the range of the first from black to white."""
    before, after = (np.mean(part.planes(), 0) for part in (picture, result))
    low, span = before.min(), max(np.ptp(before), np.finfo(np.float32).tiny)
    return [np.clip(np.rint(255 * (part - low) / span), 0, 255).astype(np.uint8) for part in (before, after)]


def tolerance(dtype) -> float:
    """Return the relative residual at which tikhonov stops.

    >>> tolerance(np.float32)
    1e-06
    """
    return 1e-12 if dtype == np.float64 else 1e-6


def solve(A, b, settings: Settings, callback=None) -> co.Solution:
    """Solve one channel: the x with least 1/2 norm(A x - b)^2 + weight/2 norm(gradient of x)^2.

    The gradient wraps where the blur does, so that both share a transform, and otherwise ends at the edge.
    The methods that iterate on `A` itself get the rows sqrt(weight) times the gradient below it.
    """
    weight, steps = settings.chosen_weight, settings.chosen_steps
    gradient = co.gradient(A.in_shape, boundary="wrap" if settings.chosen_boundary == "wrap" else "symmetric")
    if settings.method == "tikhonov":
        rtol = tolerance(b.dtype)
        return co.tikhonov(A, b, L=gradient, weight=weight, rtol=rtol, max_steps=steps, callback=callback)
    method = co.cgls if settings.method == "cgls" else co.gradient_descent
    if weight > 0:
        A = co.vstack([A, math.sqrt(weight) * gradient])
        b = jnp.concatenate([b.ravel(), jnp.zeros(gradient.shape[0], b.dtype)])
    return method(A, b, max_steps=steps, callback=callback)


def _solve_channel(A, b, settings: Settings, bar: ProgressBar, account: dict) -> np.ndarray:
    """Solve one channel, and say so where tikhonov did not come to its end."""
    solution = solve(A, b, settings, bar)
    if int(solution.code) == STOPPED:  # the bar never stops a run, so it was Ctrl-C
        raise KeyboardInterrupt
    if settings.method == "tikhonov" and not bool(solution.converged):
        bar.close()
        say(f"warning: {solution.status}; more --steps or a larger --weight would help")
    bar.next_part()
    account["solved"].append(told_by(solution))
    return np.asarray(solution.x)
