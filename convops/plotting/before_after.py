"""Grey pictures side by side, each under its title."""

from collections.abc import Sequence

import numpy as np

from convops.io.extras import require

_WHITE, _INK = 255, 40


def side_by_side(images: Sequence[np.ndarray], titles: Sequence[str], *, scale: int = 2, gap: int = 12) -> np.ndarray:
    """Draw 8-bit grey images of one size in a row on white, a title above each.

    Parameters
    ----------
    images : sequence of numpy.ndarray
        Shape ``(height, width)`` each, uint8.
    titles : sequence of str
        One for each image.
    scale : int
        Every pixel becomes a square of this many pixels. Default 2.
    gap : int
        Pixels between and around the images. Default 12.

    Returns
    -------
    numpy.ndarray
        The drawing, uint8.

    Raises
    ------
    ValueError
        When the images differ in shape or are not as many as the titles.

    Examples
    --------
    >>> square = np.zeros((40, 40), dtype=np.uint8)
    >>> side_by_side([square, square], ["left", "right"]).shape
    (128, 196)
    """
    if len(images) != len(titles) or len({np.shape(image) for image in images}) != 1:
        shapes = [np.shape(image) for image in images]
        raise ValueError(f"`images` must be of one shape and as many as the titles; got {shapes}, {len(titles)} titles")
    Image, ImageDraw = require("PIL.Image", "io"), require("PIL.ImageDraw", "io")
    font = require("PIL.ImageFont", "io").load_default(size=22)
    height, width = (scale * n for n in images[0].shape)
    top = gap + 24
    canvas = np.full((top + height + gap, gap + len(images) * (width + gap)), _WHITE, dtype=np.uint8)
    lefts = [gap + index * (width + gap) for index in range(len(images))]
    for image, left in zip(images, lefts, strict=True):
        canvas[top : top + height, left : left + width] = np.kron(image, np.ones((scale, scale), np.uint8))
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for title, left in zip(titles, lefts, strict=True):
        draw.text((left + width / 2, top - 8), title, fill=_INK, font=font, anchor="ms")
    return np.asarray(picture)
