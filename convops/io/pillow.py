"""PNG and JPEG through Pillow."""

from io import BytesIO
from typing import Any

import numpy as np

from convops.io.extras import require
from convops.io.picture import ImageError, Picture

_PLAIN = ("1", "L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I")
_WITH_ALPHA = {"L": "LA", "P": "RGBA", "RGB": "RGBA"}


def decode(data: bytes) -> Picture:
    """Read a PNG or JPEG, turned upright as its EXIF orientation says; palettes become colours.

    Raises
    ------
    ImageError
        For an animation and for colour spaces other than grey and RGB.
    """
    image = require("PIL.Image", "io").open(BytesIO(data), formats=("PNG", "JPEG"))
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"is an animation of {image.n_frames} frames; save one of them as a still picture")
    icc = image.info.get("icc_profile")
    if "transparency" in image.info and image.mode in _WITH_ALPHA:
        image = image.convert(_WITH_ALPHA[image.mode])
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.mode == "PA" else "RGB")
    if image.mode not in _PLAIN:
        raise ImageError(f"is in the colour space {image.mode}; save it as grey or RGB first")
    values = np.asarray(require("PIL.ImageOps", "io").exif_transpose(image))
    if image.mode.startswith("I"):
        values = values.astype(np.uint16)
    return Picture(values, icc)


def encode(picture: Picture, suffix: str) -> bytes:
    """Write grey or colour of 8 bits as PNG or JPEG (quality 95), or grey of 16 bits as PNG."""
    values = picture.data[..., 0] if picture.data.ndim == 3 and picture.data.shape[2] == 1 else picture.data
    image = require("PIL.Image", "io").fromarray(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))
    options: dict[str, Any] = {} if suffix == ".png" else {"quality": 95, "subsampling": 0}
    if picture.icc is not None:
        options["icc_profile"] = picture.icc
    buffer = BytesIO()
    image.save(buffer, format="PNG" if suffix == ".png" else "JPEG", **options)
    return buffer.getvalue()
