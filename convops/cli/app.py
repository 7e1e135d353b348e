"""The arguments of the command, and their help."""

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
  convops deblur photo.tif --psf motion:15,30 --weight 0.01 -o sharp.tif
  convops deblur photo.jpg --psf measured.npy --method cgls --steps 30 -o sharp.png
  convops deblur --demo

The photo is a grey or colour png, jpg, tif or npy file of 8 or 16 bits or floats. Its numbers, dtype and
alpha channel are kept as they came; every colour channel is deblurred on its own. The format of the output
follows its suffix. Nothing is written unless all of it is.
"""
_PSF = """gaussian:SIGMA, gaussian:SIGMA1,SIGMA2,ANGLE (SIGMA1 vertical and SIGMA2 horizontal at angle 0),
disk:RADIUS, motion:LENGTH,ANGLE (0 horizontal, 90 vertical) or box:N, in pixels and degrees
counter-clockwise; or an image of the PSF (png, tif, npy), which is centred and normalised."""
_BOUNDARY = "What lies beyond the edge: zero, wrap, symmetric, reflect, edge or antireflect."
_METHOD = """tikhonov: the x with least 1/2 |Ax - b|^2 + WEIGHT/2 |gradient of x|^2. cgls and
gradient_descent: the same sum by a fixed number of steps, which also regularises: fewer steps, smoother
picture."""
_WEIGHT = """How much smoothness counts: larger is smoother, smaller is sharper and noisier. It does not
depend on the range of the numbers. Default 0.005 for tikhonov, suited to photographs with noise of about
1/255 of their range (try 0.001 for cleaner and 0.03 for noisier ones), and 0 for the other methods."""
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
    boundary: Annotated[str, typer.Option(help=_BOUNDARY, metavar="NAME")] = "symmetric",
    method: Annotated[str, typer.Option(help=_METHOD, metavar="NAME")] = METHODS[0],
    weight: Annotated[float | None, typer.Option(help=_WEIGHT, metavar="NUMBER")] = None,
    steps: Annotated[int | None, typer.Option(help=_STEPS, metavar="N")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help=_DEMO)] = False,
):
    """Deblur a photograph, or show on a bundled one how that looks."""
    settings = Settings(boundary, method, weight, steps)
    if demo and photo is not None:
        raise ValueError(f"--demo brings its own photo; drop `{photo}` or --demo")
    if demo:
        return run_demo(output or Path(OUTPUT), overwrite, psf, settings)
    for value, name in ((photo, "the photo"), (psf, "--psf"), (output, "-o")):
        if value is None:
            example = "convops deblur photo.png --psf gaussian:2.0 -o sharp.png"
            raise ValueError(f"{name} is missing; an example: {example} (or try: convops deblur --demo)")
    assert photo is not None
    assert psf is not None
    assert output is not None
    return deblur_file(photo, psf, output, overwrite, settings)
