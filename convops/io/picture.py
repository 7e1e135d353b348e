"""One picture in memory: the numbers of the file, and what has to survive a round trip besides them."""

from dataclasses import dataclass, replace

import numpy as np

DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64")
_DOUBLE = ("uint32", "int32", "float64")


class ImageError(ValueError):
    """A file that cannot be read as a picture, or a picture that a file cannot hold."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A grey or colour picture.

    Parameters
    ----------
    data : numpy.ndarray
        Shape ``(height, width)`` or ``(height, width, channels)`` with 1 to 4 channels, the last of 2 or 4
        being alpha (opacity); dtype uint8, uint16, uint32, int8, int16, int32, float16, float32 or
        float64. Numbers as in the file, never rescaled.
    icc : bytes, optional
        The ICC colour profile found in the file.

    Raises
    ------
    ImageError
        For another number of axes or channels, another dtype, no pixels, or a NaN or an infinity in the data.

    Examples
    --------
    >>> picture = Picture(np.array([[0, 100], [200, 255]], dtype=np.uint8))
    >>> picture.planes().shape, picture.planes().dtype
    ((1, 2, 2), dtype('float32'))
    >>> picture.with_planes(picture.planes() * 1.5).data
    array([[  0, 150],
           [255, 255]], dtype=uint8)
    """

    data: np.ndarray
    icc: bytes | None = None

    def __post_init__(self):
        data = self.data
        if data.ndim not in (2, 3) or (data.ndim == 3 and not 1 <= data.shape[2] <= 4):
            shapes = "(height, width) or (height, width, channels) with 1 to 4 channels"
            raise ImageError(f"holds an array of shape {data.shape}; accepted are {shapes}")
        if data.dtype.name not in DTYPES:
            raise ImageError(f"holds numbers of type {data.dtype.name}; accepted are {', '.join(DTYPES)}")
        if data.size == 0:
            raise ImageError(f"has no pixels: its shape is {data.shape}")
        if data.dtype.kind == "f" and not np.isfinite(data).all():
            count = int(data.size - np.isfinite(data).sum())
            raise ImageError(f"holds {count} values that are NaN or infinite; replace them first")

    @property
    def alpha(self) -> bool:
        """Whether the last channel is alpha: grey and alpha, or red, green, blue and alpha."""
        return self.data.ndim == 3 and self.data.shape[2] in (2, 4)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.data.shape[:2]

    @property
    def seen(self) -> np.ndarray | None:
        """Where alpha is not zero, shape ``(height, width)``; None where all pixels or none are seen."""
        shown = self.data[..., -1] != 0 if self.alpha else np.ones(self.shape, bool)
        return None if shown.all() or not shown.any() else shown

    def planes(self) -> np.ndarray:
        """Return the channels without alpha as floats, shape ``(channels, height, width)``.

        The dtype is float64 for 32-bit integers and float64, and float32 for all other: it holds them.
        """
        data = self.data[..., None] if self.data.ndim == 2 else self.data
        colour = data[..., :-1] if self.alpha else data
        dtype = np.float64 if data.dtype.name in _DOUBLE else np.float32
        return np.ascontiguousarray(np.moveaxis(colour, 2, 0), dtype=dtype)

    def with_planes(self, planes) -> "Picture":
        """Return a picture like this one, of the same dtype and alpha, with other colour channels.

        Integers are rounded to the nearest and clipped to the range of the dtype; floats are stored as they
        are.
        """
        values = np.moveaxis(np.asarray(planes), 0, 2)
        if self.data.dtype.kind in "iu":
            limits = np.iinfo(self.data.dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        data = np.array(self.data)
        view = data[..., None] if data.ndim == 2 else data
        view[..., : values.shape[2]] = values
        return replace(self, data=data)
