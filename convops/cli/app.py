"""The arguments of the command, and their help."""

import math
from pathlib import Path
from typing import Annotated

import typer

from convops.cli.deblur import METHODS, Settings, deblur_file
from convops.cli.demo import OUTPUT, run_demo

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

_ABOUT = """Undo blur: convolutions as matrix-free linear operators in JAX, and the solvers that invert them.

\b
  convops deblur photo.png --psf gaussian:2.0 -o sharp.png
  convops deblur --demo

`convops deblur --help` explains the options.
"""
_HELP = """Undo the blur of a photograph whose point-spread function (PSF) is known.

\b
  convops deblur photo.png --psf gaussian:2.0 -o sharp.png
  convops deblur photo.tif --psf motion:15,30 --noise 2 -o sharp.tif
  convops deblur photo.jpg --psf measured.npy --method cgls --steps 30 -o sharp.png
  convops deblur --demo

The photo is a grey or colour png, jpg, tif or npy file of 8 or 16 bits or floats. Its numbers, dtype and
alpha channel are kept as they came. Nothing is assumed of what lies beyond its edge or under pixels whose
alpha is zero, and the noise, the method and the weight are chosen, and said. The format of the output
follows its suffix; OUTPUT.json beside it tells what was done, with versions, the reason for stopping and the
curves. Nothing is written unless all of it is.
"""
_PSF = """gaussian:SIGMA, gaussian:SIGMA1,SIGMA2,ANGLE (SIGMA1 vertical and SIGMA2 horizontal at angle 0),
disk:RADIUS, motion:LENGTH,ANGLE (0 horizontal, 90 vertical) or box:N, in pixels and degrees
counter-clockwise; or an image of the PSF (png, tif, npy), which is centred and normalised."""
_BOUNDARY = """What lies beyond the edge: auto (nothing is assumed), zero, wrap, symmetric, reflect, edge or
antireflect. The last three methods take symmetric for auto."""
_METHOD = """auto: total_variation, or poisson for photon counts. plug_and_play: patches in the DCT domain,
slower. richardson_lucy: for photon counts, no penalty. tikhonov: the x with least
1/2 |Ax - b|^2 + WEIGHT/2 |gradient of x|^2. cgls and gradient_descent: the same sum by a fixed number of
steps, which also regularises: fewer steps, smoother picture."""
_WEIGHT = """How much smoothness counts: larger is smoother, smaller is sharper and noisier. Chosen from the noise
where it is not given. Default 0.005 for tikhonov, whatever the range of the numbers, suited to photographs
with noise of about 1/255 of their range (try 0.001 for cleaner and 0.03 for noisier ones), and 0 for cgls
and gradient_descent."""
_NOISE = """Standard deviation of the noise, in the units of the picture's numbers, or poisson for photon counts.
Estimated by default."""
_PREVIEW = "Also write a picture of before and after to this file."
_STEPS = """Largest number of steps. Default 500 for tikhonov, which stops when it has converged; 10 for cgls;
50 for gradient_descent."""
_DEMO = """Blur a bundled photograph, add noise, deblur it, print the PSNR before and after, and write a
picture of both. Needs no photo; -o defaults to demo.png."""


def _version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"convops {version('convops-jax')}")
        raise typer.Exit


@app.callback(invoke_without_command=True, help=_ABOUT)
def convops(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
):
    """Print the help where no command is named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(help=_HELP, short_help="Deblur a photograph, or the bundled one (--demo).")
def deblur(
    photo: Annotated[Path | None, typer.Argument(help="The blurred photograph.", metavar="PHOTO")] = None,
    psf: Annotated[str | None, typer.Option(help=_PSF, metavar="PSF")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the result goes.", metavar="FILE")
    ] = None,
    boundary: Annotated[str, typer.Option(help=_BOUNDARY, metavar="NAME")] = "auto",
    method: Annotated[str, typer.Option(help=_METHOD, metavar="NAME")] = METHODS[0],
    weight: Annotated[float | None, typer.Option(help=_WEIGHT, metavar="NUMBER")] = None,
    noise: Annotated[str | None, typer.Option(help=_NOISE, metavar="NUMBER")] = None,
    steps: Annotated[int | None, typer.Option("--steps", "--iterations", help=_STEPS, metavar="N")] = None,
    preview: Annotated[Path | None, typer.Option(help=_PREVIEW, metavar="FILE")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help=_DEMO)] = False,
):
    """Deblur a photograph, or show on a bundled one how that looks."""
    settings = Settings(boundary, method, weight, steps, _noise(noise))
    if demo and photo is not None:
        raise ValueError(f"--demo brings its own photo; drop `{photo}` or --demo")
    if demo and preview is not None:
        raise ValueError(f"--demo draws before and after itself; drop --preview `{preview}`")
    if demo:
        return run_demo(output or Path(OUTPUT), overwrite, psf, settings)
    for value, name in ((photo, "the photo"), (psf, "--psf"), (output, "-o")):
        if value is None:
            example = "convops deblur photo.png --psf gaussian:2.0 -o sharp.png"
            raise ValueError(f"{name} is missing; an example: {example} (or try: convops deblur --demo)")
    assert photo is not None
    assert psf is not None
    assert output is not None
    return deblur_file(photo, psf, output, overwrite, settings, preview)


def _noise(text: str | None) -> float | str | None:
    """The value of --noise."""
    if text is None or text == "poisson":
        return text
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not (math.isfinite(level) and level >= 0):
        raise ValueError(f"--noise `{text}` must be a number of at least 0, or poisson")
    return level
