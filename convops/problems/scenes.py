"""Scenes to blur: the bundled photograph, and the Shepp-Logan phantom at any size."""

import struct
import zlib
from functools import cache
from importlib.resources import files
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.window import shape_of

# value, half axes along columns and rows, centre (column, row upwards), degrees; the square is [-1, 1] x [-1, 1]
_ELLIPSES = (
    (1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
    (-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
    (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    (0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    (0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    (0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    (0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
)


def photograph() -> jax.Array:
    """Return the bundled photograph, 256 x 256, grey levels 0 to 255 in the default float.

    It is every second pixel of each axis of scikit-image's ``camera``.

    Returns
    -------
    Array
        Of shape (256, 256).

    Examples
    --------
    >>> from convops import problems
    >>> photo = problems.photograph()
    >>> photo.shape, float(photo.min()), float(photo.max())
    ((256, 256), 1.0, 255.0)
    """
    return jnp.asarray(_decoded(), jnp.zeros(()).dtype)


@cache
def _decoded() -> np.ndarray:
    picture = grey_png(files("convops").joinpath("data/camera.png").read_bytes())
    picture.flags.writeable = False
    return picture


def grey_png(data: bytes) -> np.ndarray:
    """Decode a PNG of 8 bits grey, not interlaced, as this package bundles (PNG specification, chapter 9)."""
    width, height, *kind = struct.unpack(">IIBBBBB", data[16:29])
    if kind != [8, 0, 0, 0, 0]:
        raise ValueError("`data` is not an 8-bit grey PNG; read it with convops.io")
    position, packed = 8, b""
    while position < len(data):
        length, name = struct.unpack(">I4s", data[position : position + 8])
        packed += data[position + 8 : position + 8 + length] if name == b"IDAT" else b""
        position += length + 12
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width + 1)
    picture = np.zeros((height + 1, width + 1), np.uint8)  # a zero row above and a zero column to the left
    for above, line, row in zip(picture, picture[1:], rows, strict=False):
        line[1:] = _unfiltered(int(row[0]), row[1:], above)
    return picture[1:, 1:].copy()


def _unfiltered(kind: int, row: np.ndarray, above: np.ndarray) -> Any:
    """Undo a line's filter: none, left, up, average or Paeth."""
    if kind in (0, 2):
        return row + above[1:] * np.uint8(kind == 2)
    if kind == 1:
        return np.cumsum(row, dtype=np.uint8)
    left, line, up = 0, [], above.tolist()
    for i, value in enumerate(row.tolist()):
        guess = (left + up[i + 1]) // 2 if kind == 3 else _paeth(left, up[i + 1], up[i])
        left = (value + guess) % 256
        line.append(left)
    return line


def _paeth(left: int, up: int, corner: int) -> int:
    ahead = left + up - corner
    return min((left, up, corner), key=lambda neighbour: abs(ahead - neighbour))


def shepp_logan(shape: Any = (256, 256)) -> jax.Array:
    """Return the modified Shepp-Logan phantom: ten ellipses on black, values 0 to 1.

    Shepp & Logan, IEEE Trans. Nucl. Sci. 21 (1974) 21, with the contrasts of Toft (1996), as in MATLAB's ``phantom``.
    Pixels are sampled at their centres.

    Parameters
    ----------
    shape : tuple of two int
        Rows and columns; the ellipses stretch with them.

    Returns
    -------
    Array
        In the default float.

    Raises
    ------
    ValueError
        For a shape that is not two positive integers.

    Examples
    --------
    >>> from convops import problems
    >>> print(problems.shepp_logan((8, 6)).round(1))
    [[0.  0.  1.  1.  0.  0. ]
     [0.  1.  0.2 0.2 1.  0. ]
     [0.  0.2 0.3 0.3 0.2 0. ]
     [0.  0.2 0.  0.  0.2 0. ]
     [0.  0.2 0.  0.  0.2 0. ]
     [0.  0.2 0.  0.2 0.2 0. ]
     [0.  1.  0.2 0.2 1.  0. ]
     [0.  0.  1.  1.  0.  0. ]]
    """
    shape = shape_of(shape)
    if len(shape) != 2:
        raise ValueError(f"`shape` is {shape}; the phantom has two axes")
    up, across = ((2 * np.arange(n) + 1) / n - 1 for n in shape)
    up, across = -up[:, None], across[None, :]
    picture = np.zeros(shape)
    for value, a, b, x, y, degrees in _ELLIPSES:
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        along, over = (across - x) * c + (up - y) * s, (up - y) * c - (across - x) * s
        picture += value * ((along / a) ** 2 + (over / b) ** 2 <= 1)
    return jnp.asarray(np.maximum(picture, 0), jnp.zeros(()).dtype)
