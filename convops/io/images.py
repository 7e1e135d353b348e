"""Read and write pictures: png, jpg, tif and npy."""

import os
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np

from convops.io import pillow, png16, tiff
from convops.io.extras import require
from convops.io.picture import DTYPES, ImageError, Picture

FORMATS = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".tif": "tif", ".tiff": "tif", ".npy": "npy"}
_NAMES = "png, jpg, tif, npy"
_HOLDS = {"png": ("uint8", "uint16"), "jpg": ("uint8",), "tif": DTYPES, "npy": DTYPES}
_MAGIC = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg", b"\x93NUMPY": "npy"}
_MAGIC |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tif")


def read_image(path) -> Picture:
    """Read a grey or colour picture from a png, jpg, tif or npy file, its numbers as they are stored.

    The kind of file is told by its first bytes. An npy array holds ``(height, width)`` or ``(height, width,
    channels)``; the last of 2 or 4 channels is taken as alpha.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Picture
        Its data and the colour profile.

    Raises
    ------
    OSError
        For a file that is missing or may not be read.
    ImageError
        For a file that is no picture, or a picture of a kind that :class:`Picture` does not hold.
    ImportError
        When the package that reads this format is not installed.

    Examples
    --------
    >>> from importlib.resources import files
    >>> read_image(files("convops") / "data" / "camera.png").shape
    (256, 256)
    """
    path = Path(path)
    data = path.read_bytes()
    kind = next((kind for start, kind in _MAGIC.items() if data.startswith(start)), None)
    if kind is None:
        raise ImageError(f"`{path}` is not a picture; accepted are {_NAMES} files")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(kind, data)
    except ImportError:
        raise
    except ImageError as error:
        raise ImageError(f"`{path}` {error}") from error
    except Exception as error:  # a damaged file makes the readers raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"`{path}` cannot be read as a {kind} file: {reason}") from error


def write_image(path, picture: Picture, *, overwrite: bool = False) -> None:
    """Write a picture in the format of the file's suffix, all of it or nothing.

    The bytes go to a temporary file in the same folder, which then takes the name in one step. JPEG is lossy
    (quality 95); the other formats store the numbers exactly.

    Parameters
    ----------
    path : str or path-like
        Ends in .png, .jpg, .jpeg, .tif, .tiff or .npy.
    picture : Picture
        What to write.
    overwrite : bool
        Whether a file that is there may be replaced. Default False.

    Raises
    ------
    FileExistsError, FileNotFoundError, OSError
        As :func:`check_output`, or when writing fails.
    ImageError
        As :func:`check_holds`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(f"{folder}/a.npy", Picture(np.eye(3)))
    ...     read_image(f"{folder}/a.npy").data.sum()
    np.float64(3.0)
    """
    path = Path(path)
    check_output(path, overwrite=overwrite)
    check_holds(path, picture)
    write_bytes(path, _encode(path.suffix.lower(), picture))


def check_output(path, *, overwrite: bool = False) -> None:
    """Refuse an output before any work is done for it.

    Raises
    ------
    ImageError
        For a suffix that names no format.
    FileNotFoundError
        For a folder that does not exist.
    FileExistsError
        For a file that exists, unless `overwrite`, and for a folder in its place.

    Examples
    --------
    >>> check_output("picture.gif")
    Traceback (most recent call last):
      ...
    convops.io.picture.ImageError: `picture.gif` has no known suffix; end it in .png, .jpg, .tif or .npy
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ImageError(f"`{path}` has no known suffix; end it in .png, .jpg, .tif or .npy")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder `{path.parent}` of the output does not exist; create it first")
    if path.is_dir():
        raise FileExistsError(f"the output `{path}` is a folder; name a file")
    if path.exists() and not overwrite:
        raise FileExistsError(f"`{path}` exists; add --overwrite to replace it, or name another file with -o")


def check_holds(path, picture: Picture) -> None:
    """Refuse a format that cannot hold a picture's numbers or its alpha channel, or whose package is missing.

    Raises
    ------
    ImageError
        Naming what the format holds and which formats would do.
    ImportError
        Naming the extra to install.

    Examples
    --------
    >>> check_holds("a.jpg", Picture(np.zeros((2, 2))))
    Traceback (most recent call last):
      ...
    convops.io.picture.ImageError: `a.jpg`: jpg holds uint8, not float64; write tif or npy instead
    """
    path, dtype = Path(path), picture.data.dtype.name
    kind = FORMATS[path.suffix.lower()]
    if dtype not in _HOLDS[kind]:
        others = " or ".join(name for name in ("png", "tif", "npy") if dtype in _HOLDS[name])
        raise ImageError(f"`{path}`: {kind} holds {' and '.join(_HOLDS[kind])}, not {dtype}; write {others} instead")
    if kind == "jpg" and picture.alpha:
        raise ImageError(f"`{path}`: jpg holds no alpha channel; write png, tif or npy instead")
    if kind != "npy":
        require("tifffile" if kind == "tif" else "png" if _is_16_bit_colour(picture) else "PIL.Image", "io")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside it, then rename it; on any failure leave nothing behind."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _decode(kind: str, data: bytes) -> Picture:
    """Read a file of a known kind."""
    if kind == "npy":
        return Picture(np.load(BytesIO(data), allow_pickle=False))
    if kind == "tif":
        return tiff.decode(data)
    return png16.decode(data) if kind == "png" and png16.is_16_bit_colour(data) else pillow.decode(data)


def _encode(suffix: str, picture: Picture) -> bytes:
    """Return the bytes of a file."""
    kind, values = FORMATS[suffix], picture.data
    if kind == "npy":
        buffer = BytesIO()
        np.save(buffer, values, allow_pickle=False)
        return buffer.getvalue()
    if kind == "tif":
        return tiff.encode(picture)
    return png16.encode(picture) if _is_16_bit_colour(picture) else pillow.encode(picture, suffix)


def _is_16_bit_colour(picture: Picture) -> bool:
    """Tell whether a picture is one that Pillow cannot write as PNG."""
    return picture.data.dtype.itemsize == 2 and picture.data.ndim == 3 and picture.data.shape[2] > 1
