"""Images in and out of files with their numbers, dtype, alpha and colour profile kept as they came."""

from convops.io.extras import require
from convops.io.images import FORMATS, check_holds, check_output, read_image, write_image
from convops.io.picture import ImageError, Picture

__all__ = [
    "FORMATS",
    "ImageError",
    "Picture",
    "check_holds",
    "check_output",
    "read_image",
    "require",
    "write_image",
]
