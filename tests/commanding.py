"""What the tests of the command share."""

import re
import sys

import numpy as np

from convops.io import Picture, write_image

COMMAND = [sys.executable, "-W", "error", "-c", "import sys; from convops.cli import main; sys.exit(main())"]
PSF = ["--psf", "box:3"]


def working_folder(tmp_path, monkeypatch):
    """Go to a folder of its own, with one small photo in it."""
    monkeypatch.chdir(tmp_path)
    write_image("photo.png", Picture(photo()))
    return tmp_path


def photo(dtype="uint8", channels=None, shape=(24, 20)):
    """A smooth picture with edges, over most of the range of an integer dtype."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    plane = 0.5 + 0.25 * np.sin(rows / 4) + 0.2 * ((columns // 6) % 2)
    if channels:
        plane = np.stack([plane**power for power in range(1, channels + 1)], axis=-1)
    dtype = np.dtype(dtype)
    return (plane * (np.iinfo(dtype).max if dtype.kind in "iu" else 3.7)).astype(dtype)


def demo_gain(out):
    """Parse the two lines of the demo."""
    lines = out.splitlines()
    assert len(lines) == 2
    before = float(re.fullmatch(r"PSNR before: (\d+\.\d\d) dB", lines[0])[1])
    return float(re.fullmatch(r"PSNR after: (\d+\.\d\d) dB", lines[1])[1]) - before
