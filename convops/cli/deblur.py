"""The job of `convops deblur`: read, solve each channel, write."""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import convops as co
from convops.cli.messages import say
from convops.cli.progress import ProgressBar
from convops.cli.psf_option import psf_from_text
from convops.io import Picture, check_holds, check_output, read_image, write_image
from convops.solvers.solution import STOPPED

METHODS = ("tikhonov", "cgls", "gradient_descent")
BOUNDARIES = ("zero", "wrap", "symmetric", "reflect", "edge", "antireflect")
_WEIGHTS = {"tikhonov": 0.005, "cgls": 0.0, "gradient_descent": 0.0}
_STEPS = {"tikhonov": 500, "cgls": 10, "gradient_descent": 50}


@dataclass(frozen=True)
class Settings:
    """How to deblur; `weight` and `steps` default to what suits the method.

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
    ValueError: --boundary `mirror` is unknown; accepted are zero, wrap, symmetric, reflect, edge, antireflect
    """

    boundary: str = "symmetric"
    method: str = "tikhonov"
    weight: float | None = None
    steps: int | None = None

    def __post_init__(self):
        for name, value, known in (("boundary", self.boundary, BOUNDARIES), ("method", self.method, METHODS)):
            if value not in known:
                raise ValueError(f"--{name} `{value}` is unknown; accepted are {', '.join(known)}")
        if self.weight is not None and not (math.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"--weight `{self.weight:g}` must be a number of at least 0; try 0.005")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"--steps `{self.steps}` must be at least 1")

    @property
    def chosen_weight(self) -> float:
        """The weight given, or the default of the method."""
        return _WEIGHTS[self.method] if self.weight is None else self.weight

    @property
    def chosen_steps(self) -> int:
        """The number of steps given, or the default of the method."""
        return _STEPS[self.method] if self.steps is None else self.steps

    def __str__(self):
        weight = f"weight {self.chosen_weight:g}" + (" (default)" if self.weight is None else "")
        penalty = f"{weight} on the gradient" if self.chosen_weight else weight
        return f"boundary {self.boundary}, method {self.method}, {penalty}, at most {self.chosen_steps} steps"


def deblur_file(photo: Path, psf: str, output: Path, overwrite: bool, settings: Settings) -> None:
    """Deblur one file into another; every refusal comes before anything is written.

    Raises
    ------
    ValueError, OSError, ImportError
        With one sentence on what is wrong and what to do.
    """
    check_output(output, overwrite=overwrite)
    picture = read_image(photo)
    check_holds(output, picture)
    result = deblur_picture(picture, psf, settings)
    write_image(output, result, overwrite=overwrite)
    say(f"wrote `{output}`")


def deblur_picture(picture: Picture, psf: str, settings: Settings) -> Picture:
    """Deblur the colour channels of a picture and keep all else about it.

    float64 data is solved in double precision, all other in single, which is finer than what 16 bits resolve.
    """
    planes = picture.planes()
    with jax.enable_x64(True) if planes.dtype == np.float64 else nullcontext():
        kernel = psf_from_text(psf, picture.shape).astype(planes.dtype)
        size = " x ".join(str(n) for n in picture.data.shape)
        size += f" {picture.data.dtype.name}" + (", alpha kept" if picture.alpha else "")
        say(f"{size}, PSF {kernel.shape[0]} x {kernel.shape[1]}, {settings}")
        # A solve is one process here, compilation included: by FFT that is the quickest for most kernels.
        blur = co.convolution(kernel, picture.shape, boundary=settings.boundary, axes=(0, 1))
        rtol = tolerance(planes.dtype) if settings.method == "tikhonov" else None
        bar = ProgressBar(len(planes), rtol)
        try:
            solved = [_solve_channel(blur, jnp.asarray(plane), settings, bar) for plane in planes]
        finally:
            bar.close()
    if not all(np.isfinite(plane).all() for plane in solved):
        raise ValueError("the solver met numbers beyond its range; scale the data or raise --weight")
    return picture.with_planes(solved)


def tolerance(dtype) -> float:
    """Return the relative residual at which tikhonov stops.

    >>> tolerance(np.float32)
    1e-06
    """
    return 1e-12 if dtype == np.float64 else 1e-6


def solve(A, b, settings: Settings, callback=None) -> co.Solution:
    r"""Solve one channel, :math:`\min_x \frac12 \|Ax - b\|^2 + \frac w2 \|\nabla x\|^2`.

    The gradient wraps where the blur does, so that both share a transform, and otherwise ends at the edge.
    The methods that iterate on `A` itself get the rows :math:`\sqrt w \nabla` below it.
    """
    weight, steps = settings.chosen_weight, settings.chosen_steps
    gradient = co.gradient(A.in_shape, boundary="wrap" if settings.boundary == "wrap" else "symmetric")
    if settings.method == "tikhonov":
        rtol = tolerance(b.dtype)
        return co.tikhonov(A, b, L=gradient, weight=weight, rtol=rtol, max_steps=steps, callback=callback)
    method = co.cgls if settings.method == "cgls" else co.gradient_descent
    if weight > 0:
        A = co.vstack([A, math.sqrt(weight) * gradient])
        b = jnp.concatenate([b.ravel(), jnp.zeros(gradient.shape[0], b.dtype)])
    return method(A, b, max_steps=steps, callback=callback)


def _solve_channel(A, b, settings: Settings, bar: ProgressBar) -> np.ndarray:
    """Solve one channel, and say so where tikhonov did not come to its end."""
    solution = solve(A, b, settings, bar)
    if int(solution.code) == STOPPED:  # the bar never stops a run, so it was Ctrl-C
        raise KeyboardInterrupt
    if settings.method == "tikhonov" and not bool(solution.converged):
        bar.close()
        say(f"warning: {solution.status}; more --steps or a larger --weight would help")
    bar.next_part()
    return np.asarray(solution.x)
