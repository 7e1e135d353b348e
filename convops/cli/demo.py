"""The job of `convops deblur --demo`."""

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

import convops as co
from convops.cli.deblur import Settings, deblur_picture
from convops.cli.messages import say
from convops.cli.psf_option import psf_from_text
from convops.io import Picture, check_output, read_image, write_image
from convops.plotting import side_by_side

OUTPUT = "demo.png"
PSF = "motion:12,45"
NOISE = 1.0  # standard deviation in grey levels of 0 to 255
SEED = 0


def run_demo(output: Path, overwrite: bool, psf: str | None, settings: Settings) -> None:
    """Blur the bundled photograph, add noise, deblur it, print the PSNR before and after, draw all three.

    The blurred picture is what a camera would have recorded: the part of the scene whose blur needs no pixel
    beyond it (`mode="valid"`), Gaussian noise added, rounded to 8 bits. So the solver, which is given that
    picture and the PSF, has to guess what lies beyond the edge. Both PSNRs are over all pixels of the
    recorded part.

    Raises
    ------
    ValueError, OSError, ImportError
        With one sentence on what is wrong and what to do.
    """
    if output.suffix.lower() != ".png":
        raise ValueError(f"the demo writes a png picture; `{output}` should end in .png")
    check_output(output, overwrite=overwrite)
    psf = psf or PSF
    with as_file(files("convops").joinpath("data/camera.png")) as path:
        scene = read_image(path)
    truth, blurred = record(scene, psf_from_text(psf, scene.shape))
    say(f"demo: blurred by {psf}, valid part of the scene, noise {NOISE:g} grey level, rounded to 8 bits")
    result = deblur_picture(blurred, psf, settings)
    before, after = (float(co.problems.psnr(p.data, truth.data, data_range=255)) for p in (blurred, result))
    titles = (f"blurred, {before:.2f} dB", f"deblurred, {after:.2f} dB", "truth")
    canvas = side_by_side([blurred.data, result.data, truth.data], titles)
    write_image(output, Picture(canvas), overwrite=overwrite)
    print(f"PSNR before: {before:.2f} dB")
    print(f"PSNR after: {after:.2f} dB")
    say(f"wrote `{output}`")


def record(scene: Picture, kernel: np.ndarray) -> tuple[Picture, Picture]:
    """Return the part of a grey scene that a blur leaves valid, and that part blurred, noisy and rounded.

    Row i of the valid convolution is centred on row i + L - 1 - L // 2 of the scene, L being the length of
    the kernel along that axis.
    """
    plane = scene.planes()[0]
    blurred = np.asarray(co.convolution(kernel, scene.shape, mode="valid") @ plane)
    start = [n - 1 - n // 2 for n in kernel.shape]
    window = tuple(slice(s, s + m) for s, m in zip(start, blurred.shape, strict=True))
    truth = Picture(np.ascontiguousarray(scene.data[window]))
    noise = NOISE * np.random.default_rng(SEED).standard_normal(blurred.shape)
    return truth, truth.with_planes((blurred + noise)[None])
