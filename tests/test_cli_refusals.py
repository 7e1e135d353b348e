"""The command refuses with one line on stderr and exit code 2, and writes nothing."""

import os
import subprocess
import sys

import commanding
import numpy as np
import pytest
from commanding import COMMAND, PSF, photo

from convops.cli import main
from convops.io import Picture, write_image


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return commanding.working_folder(tmp_path, monkeypatch)


def refused(capsys, folder, arguments):
    """Run the command, check that it refuses with one line and writes nothing; return the line."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("convops: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return err


REFUSALS = {
    "no arguments": ([], "the photo is missing"),
    "no psf": (["photo.png", "-o", "a.png"], "--psf is missing"),
    "no output": (["photo.png", *PSF], "-o is missing"),
    "missing file": (["absent.png", *PSF, "-o", "a.png"], "`absent.png`: No such file"),
    "a folder as photo": (["folder", *PSF, "-o", "a.png"], "`folder`: Is a directory"),
    "no image": (["notes.txt", *PSF, "-o", "a.png"], "`notes.txt` is not a picture; accepted are png, jpg"),
    "no image inside": (["liar.png", *PSF, "-o", "a.png"], "`liar.png` is not a picture"),
    "damaged image": (["damaged.png", *PSF, "-o", "a.png"], "`damaged.png` cannot be read"),
    "nan": (["nan.npy", *PSF, "-o", "a.npy"], "`nan.npy` holds 1 values that are NaN or infinite"),
    "three axes": (["stack.npy", *PSF, "-o", "a.npy"], "1 to 4 channels"),
    "large psf": (["photo.png", "--psf", "disk:12", "-o", "a.png"], "larger than the picture"),
    "large psf in one axis": (["photo.png", "--psf", "box:21", "-o", "a.png"], "21 x 21 against 24 x 20"),
    "huge psf": (["photo.png", "--psf", "gaussian:1e9", "-o", "a.png"], "larger than the picture"),
    "unknown psf": (["photo.png", "--psf", "lens:3", "-o", "a.png"], "accepted are gaussian:SIGMA, "),
    "psf without numbers": (["photo.png", "--psf", "disk", "-o", "a.png"], "disk:RADIUS"),
    "psf with a word": (["photo.png", "--psf", "disk:three", "-o", "a.png"], "disk:RADIUS"),
    "psf with nan": (["photo.png", "--psf", "disk:nan", "-o", "a.png"], "finite"),
    "psf with inf": (["photo.png", "--psf", "motion:inf,0", "-o", "a.png"], "finite"),
    "psf of two numbers": (["photo.png", "--psf", "gaussian:1,2", "-o", "a.png"], "SIGMA1,SIGMA2,ANGLE"),
    "psf of zero": (["photo.png", "--psf", "gaussian:0", "-o", "a.png"], "above 0"),
    "second sigma negative": (["photo.png", "--psf", "gaussian:1,-1,0", "-o", "a.png"], "above 0"),
    "negative disk": (["photo.png", "--psf", "disk:-2", "-o", "a.png"], "above 0"),
    "negative motion": (["photo.png", "--psf", "motion:-5,10", "-o", "a.png"], "above 0"),
    "half a box": (["photo.png", "--psf", "box:2.5", "-o", "a.png"], "whole number"),
    "box of zero": (["photo.png", "--psf", "box:0", "-o", "a.png"], "above 0"),
    "missing psf file": (["photo.png", "--psf", "absent.npy", "-o", "a.png"], "`absent.npy`: No such file"),
    "psf of zeros": (["photo.png", "--psf", "zeros.npy", "-o", "a.png"], "zero"),
    "psf of one axis": (["photo.png", "--psf", "line.npy", "-o", "a.png"], "two axes"),
    "psf with nan inside": (["photo.png", "--psf", "nan.npy", "-o", "a.png"], "NaN"),
    "psf in colour": (["photo.png", "--psf", "colour.png", "-o", "a.png"], "grey"),
    "damaged psf": (["photo.png", "--psf", "damaged.npy", "-o", "a.png"], "damaged.npy"),
    "psf file too large": (["line.png", "--psf", "photo.png", "-o", "a.png"], "larger than the picture"),
    "negative weight": (["photo.png", *PSF, "-o", "a.png", "--weight", "-1"], "--weight `-1`"),
    "nan weight": (["photo.png", *PSF, "-o", "a.png", "--weight", "nan"], "--weight `nan`"),
    "weight of letters": (["photo.png", *PSF, "-o", "a.png", "--weight", "much"], "--weight"),
    "no steps": (["photo.png", *PSF, "-o", "a.png", "--steps", "0"], "--steps `0`"),
    "steps of letters": (["photo.png", *PSF, "-o", "a.png", "--steps", "2.5"], "--steps"),
    "unknown boundary": (
        ["photo.png", *PSF, "-o", "a.png", "--boundary", "mirror"],
        "zero, wrap, symmetric, reflect",
    ),
    "unknown method": (
        ["photo.png", *PSF, "-o", "a.png", "--method", "magic"],
        "tikhonov, cgls, gradient_descent",
    ),
    "preview over the output": (["photo.png", *PSF, "-o", "a.png", "--preview", "a.png"], "--preview `a.png` is the"),
    "preview of the demo": (["--demo", "--preview", "a.png"], "drop --preview `a.png`"),
    "unknown option": (["photo.png", *PSF, "-o", "a.png", "--sharp"], "--sharp"),
    "output exists": (["photo.png", *PSF, "-o", "line.png"], "--overwrite"),
    "output is the photo": (["photo.png", *PSF, "-o", "photo.png"], "--overwrite"),
    "output is a folder": (["photo.png", *PSF, "-o", "folder.png", "--overwrite"], "is a folder"),
    "no output folder": (["photo.png", *PSF, "-o", "absent/a.png"], "folder `absent` of the output"),
    "output suffix": (["photo.png", *PSF, "-o", "a.gif"], "suffix"),
    "float to png": (["float.npy", *PSF, "-o", "a.png"], "png holds uint8 and uint16, not float32"),
    "16 bits to jpg": (["deep.png", *PSF, "-o", "a.jpg"], "jpg holds uint8, not uint16"),
    "alpha to jpg": (["alpha.png", *PSF, "-o", "a.jpg"], "alpha"),
    "demo and photo": (["photo.png", "--demo", "-o", "a.png"], "--demo"),
    "demo exists": (["--demo", "-o", "line.png"], "--overwrite"),
    "demo not png": (["--demo", "-o", "a.jpg"], "png"),
    "demo without a folder": (["--demo", "-o", "absent/a.png"], "folder"),
}


def stock(folder):
    """Fill a folder with what the refusals need."""
    (folder / "folder").mkdir()
    (folder / "folder.png").mkdir()
    (folder / "notes.txt").write_text("hello")
    (folder / "liar.png").write_text("hello")
    whole = (folder / "photo.png").read_bytes()
    (folder / "damaged.png").write_bytes(whole[: len(whole) // 2])
    (folder / "damaged.npy").write_bytes(b"\x93NUMPY\x01")
    np.save("nan.npy", np.array([[1.0, np.nan, 2.0]] * 1))
    np.save("stack.npy", np.zeros((3, 4, 9)))
    np.save("zeros.npy", np.zeros((3, 3)))
    np.save("line.npy", np.ones(3))
    np.save("float.npy", photo("float32"))
    write_image("colour.png", Picture(photo(channels=3)[:3, :3]))
    write_image("line.png", Picture(photo()[:2]))
    write_image("deep.png", Picture(photo("uint16")))
    write_image("alpha.png", Picture(photo(channels=4)))


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_with_one_line_and_nothing_written(folder, capsys, case):
    stock(folder)
    arguments, said = REFUSALS[case]
    assert said in refused(capsys, folder, ["deblur", *arguments])


def test_unreadable_file(folder, capsys):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (folder / "photo.png").chmod(0)
    assert "Permission denied" in refused(capsys, folder, ["deblur", "photo.png", *PSF, "-o", "a.png"])


def test_refusal_in_a_fresh_process(folder):
    done = subprocess.run([*COMMAND, "deblur", "photo.png"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_missing_extra_names_it(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    said = refused(capsys, folder, ["deblur", "--demo"])
    assert said == 'convops: the package typer is missing; install it with: pip install "convops-jax[cli]"\n'


def test_missing_reader_names_it(folder, capsys, monkeypatch):
    np.save("in.npy", photo())
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert '"convops-jax[io]"' in refused(capsys, folder, ["deblur", "in.npy", *PSF, "-o", "a.tif"])
