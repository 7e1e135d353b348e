"""The value of `--psf`: a name with numbers, or a file."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import convops as co
from convops.cli.messages import one_line, say
from convops.io import ImageError, read_image


@dataclass(frozen=True)
class _Named:
    """A PSF made from numbers: how it is written, how many are lengths, its least width, its factory."""

    form: str
    counts: tuple[int, ...]
    lengths: int
    width: Callable
    make: Callable


_NAMED = {
    "gaussian": _Named(
        "gaussian:SIGMA or gaussian:SIGMA1,SIGMA2,ANGLE",
        (1, 3),
        2,
        lambda *v: 4 * max(v[:2]),
        lambda *v: co.psf.gaussian(v[0]) if len(v) == 1 else co.psf.gaussian(v[:2], angle=v[2]),
    ),
    "disk": _Named("disk:RADIUS", (1,), 1, lambda radius: 2 * radius, lambda radius: co.psf.disk(radius)),
    "motion": _Named(
        "motion:LENGTH,ANGLE",
        (2,),
        1,
        lambda length, angle: 0.7 * length,
        lambda length, angle: co.psf.motion(length, angle),
    ),
    "box": _Named("box:N", (1,), 1, lambda n: n, lambda n: co.psf.box(_whole(n))),
}
_FORMS = (
    "gaussian:SIGMA, gaussian:SIGMA1,SIGMA2,ANGLE, disk:RADIUS, motion:LENGTH,ANGLE, box:N or a png, tif or npy file"
)


def psf_from_text(text: str, shape: tuple[int, int]) -> np.ndarray:
    """Make the PSF that `--psf` asks for, of sum one.

    Parameters
    ----------
    text : str
        A name, a colon and numbers (lengths in pixels, angles in degrees), or the path of a png, tif or npy
        file.
    shape : tuple of int
        Height and width of the picture, in which the PSF has to fit.

    Returns
    -------
    numpy.ndarray
        The PSF, two axes, its centre at index ``size // 2``.

    Raises
    ------
    ValueError
        For an unknown name, wrong numbers, a PSF larger than the picture or a file that holds no grey
        picture.
    OSError
        For a file that cannot be read.

    Examples
    --------
    >>> psf_from_text("box:3", (64, 64)).shape
    (3, 3)
    >>> psf_from_text("lens:3", (64, 64))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
      ...
    ValueError: --psf `lens:3` is unknown; accepted are gaussian:SIGMA, ... or a png, tif or npy file
    """
    name, colon, numbers = text.partition(":")
    remarks = []
    if colon and name in _NAMED:
        kernel = _make(text, _NAMED[name], numbers, shape)
    elif name in _NAMED:
        raise ValueError(f"--psf `{text}` needs its numbers: {_NAMED[name].form}")
    elif Path(text).suffix.lower() in (".png", ".tif", ".tiff", ".npy"):
        kernel, remarks = _from_file(text)
    else:
        raise ValueError(f"--psf `{text}` is unknown; accepted are {_FORMS}")
    if any(k > n for k, n in zip(kernel.shape, shape, strict=True)):
        raise ValueError(_too_large(text, f"{kernel.shape[0]} x {kernel.shape[1]}", shape))
    for remark in remarks:
        say(f"warning: {remark}")
    return kernel


def _make(text: str, named: _Named, numbers: str, shape: tuple[int, int]) -> np.ndarray:
    """Check the numbers and build the PSF; one that is far too large is refused before it is built."""
    try:
        values = [float(number) for number in numbers.split(",")]
    except ValueError:
        values = []
    if len(values) not in named.counts or not all(map(math.isfinite, values)):
        raise ValueError(f"--psf `{text}` should be written {named.form}, with finite numbers")
    if min(values[: named.lengths]) <= 0:
        raise ValueError(f"--psf `{text}` needs lengths above 0 pixels: {named.form}")
    if named.width(*values) > max(shape):
        raise ValueError(_too_large(text, f"at least {named.width(*values):.0f} pixels wide", shape))
    try:
        return np.asarray(named.make(*values))
    except ValueError as error:
        raise ValueError(f"--psf `{text}`: {one_line(error)}") from error


def _from_file(path: str) -> tuple[np.ndarray, list[str]]:
    """Read and prepare a measured PSF; return it with what is to be said about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            data = np.load(path, allow_pickle=False) if _is_npy(path) else read_image(path).data
            data = data[..., 0] if data.ndim == 3 and data.shape[2] == 1 else data
            if data.ndim != 2:
                raise ValueError(f"its shape is {data.shape}; give one of two axes, a grey picture")
            kernel = np.asarray(co.psf.prepare(data))
        except ImageError:
            raise
        except (EOFError, ValueError) as error:
            raise ValueError(f"the PSF `{path}`: {one_line(error)}") from error
    facts = [" ".join(str(warning.message).split()).partition(";")[0] for warning in caught]
    remarks = [f"the PSF `{path}`: {fact}; if it should not be there, correct the file" for fact in facts]
    return kernel, _off_centre(path, data) + remarks


def _off_centre(path: str, data: np.ndarray) -> list[str]:
    """Tell that the centre of mass was moved to the middle, which it is if over half a pixel away."""
    values = np.maximum(data.astype(float), 0)
    mass = [float((index * values).sum() / values.sum()) for index in np.indices(data.shape)]
    rows, columns = (m - n // 2 for m, n in zip(mass, data.shape, strict=True))
    if max(abs(rows), abs(columns)) <= 0.5 + 1e-6:
        return []
    moved = f"{rows:+.1f} rows and {columns:+.1f} columns"
    return [f"the centre of mass of the PSF `{path}` lay {moved} off the middle and was moved there"]


def _is_npy(path: str) -> bool:
    """Tell whether a file is one of numpy's by its name."""
    return path.lower().endswith(".npy")


def _whole(number: float) -> int:
    """Return a whole number as int."""
    if number != int(number):
        raise ValueError(f"the size must be a whole number of pixels, not {number:g}")
    return int(number)


def _too_large(text: str, size: str, shape: tuple[int, int]) -> str:
    """Write the sentence for a PSF that does not fit."""
    picture = f"{shape[0]} x {shape[1]}"
    return f"--psf `{text}` is larger than the picture: {size} against {picture}; give a smaller PSF"
