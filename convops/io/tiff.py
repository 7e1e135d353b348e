"""TIFF through tifffile."""

from io import BytesIO
from typing import Any

import numpy as np

from convops.io.extras import require
from convops.io.picture import ImageError, Picture

_GREY, _RGB = 1, 2  # values of the tag PhotometricInterpretation
_ICC_TAG, _ORIENTATION_TAG = 34675, 274
_UPRIGHT = {  # by the tag Orientation, for an array of rows, columns and perhaps channels
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}


def decode(data: bytes) -> Picture:
    """Read a TIFF of one grey or RGB page, perhaps with alpha, turned upright as its orientation tag says.

    Raises
    ------
    ImageError
        For several pages, other colour spaces, further channels, and compressions that need a package which
        is not there.
    """
    with require("tifffile", "io").TiffFile(BytesIO(data)) as file:
        if len(file.pages) != 1:
            raise ImageError(f"has {len(file.pages)} pages; save one of them as a picture of its own")
        page = file.pages[0]
        if page.photometric not in (_GREY, _RGB):
            name = getattr(page.photometric, "name", page.photometric)
            raise ImageError(f"is in the colour space {name}; save it as grey (black is zero) or RGB first")
        if len(page.extrasamples) > 1:
            raise ImageError(f"has {len(page.extrasamples)} channels besides its colours; one, alpha, is accepted")
        try:
            values = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            text = f"is compressed by {page.compression.name}; install imagecodecs or save it uncompressed"
            raise ImageError(text) from error
        tags = page.tags
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, 2)
    orientation = tags[_ORIENTATION_TAG].value if _ORIENTATION_TAG in tags else 1
    icc = tags[_ICC_TAG].value if _ICC_TAG in tags else None
    return Picture(_UPRIGHT.get(orientation, np.asarray)(values), icc)


def encode(picture: Picture) -> bytes:
    """Write any picture, uncompressed."""
    values = picture.data
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    colours = (1 if values.ndim == 2 else values.shape[2]) - picture.alpha
    options: dict[str, Any] = {"planarconfig": "contig"} if values.ndim == 3 else {}
    if picture.alpha:
        options["extrasamples"] = ["unassalpha"]
    buffer = BytesIO()
    require("tifffile", "io").imwrite(
        buffer,
        np.ascontiguousarray(values),
        photometric="rgb" if colours == 3 else "minisblack",
        metadata=None,
        iccprofile=picture.icc,
        **options,
    )
    return buffer.getvalue()
