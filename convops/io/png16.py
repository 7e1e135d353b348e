"""PNG files of 16 bits with several channels, which Pillow would cut down to 8 bits."""

import struct
import zlib
from io import BytesIO

import numpy as np

from convops.io.extras import require
from convops.io.picture import ImageError, Picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AFTER_HEADER = len(SIGNATURE) + 25  # the IHDR chunk: 4 length, 4 name, 13 data, 4 checksum


def is_16_bit_colour(data: bytes) -> bool:
    """Tell whether a PNG holds 16 bits a sample and more than one channel.

    Byte 24 of the file is the bit depth and byte 25 the colour type, 0 for grey (PNG specification, 11.2.2).
    """
    return len(data) > 25 and data[24] == 16 and data[25] != 0


def decode(data: bytes) -> Picture:
    """Read a 16-bit PNG with pypng.

    Raises
    ------
    ImageError
        For a colour given as transparent (a tRNS chunk), which no array can hold.
    """
    width, height, rows, info = require("png", "io").Reader(bytes=data).read()
    if "transparent" in info:
        raise ImageError("marks one 16-bit colour as transparent; save it with an alpha channel instead")
    values = np.empty((height, width * info["planes"]), dtype=np.uint16)
    for index, row in enumerate(rows):
        values[index] = row
    values = values.reshape(height, width, info["planes"])
    return Picture(values, _profile(data))


def encode(picture: Picture) -> bytes:
    """Write a 16-bit picture of 2 to 4 channels as PNG with pypng."""
    height, width, channels = picture.data.shape
    writer = require("png", "io").Writer(
        width, height, bitdepth=16, greyscale=channels == 2, alpha=picture.alpha, compression=6
    )
    buffer = BytesIO()
    writer.write_packed(buffer, (row.astype(">u2").tobytes() for row in picture.data))
    data = buffer.getvalue()
    if picture.icc is None:
        return data
    return data[:_AFTER_HEADER] + _profile_chunk(picture.icc) + data[_AFTER_HEADER:]


def _profile(data: bytes) -> bytes | None:
    """Find the ICC profile: a name, a zero byte, the method 0, then the compressed profile."""
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[position : position + 8])
        if name == b"iCCP":
            body = data[position + 8 : position + 8 + length]
            return zlib.decompress(body[body.index(b"\0") + 2 :])
        position += length + 12
    return None


def _profile_chunk(icc: bytes) -> bytes:
    """Return the iCCP chunk that stores a colour profile."""
    body = b"iCCP" + b"profile\0\0" + zlib.compress(icc)
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
