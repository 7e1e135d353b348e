"""The command: what it refuses, what it keeps, its numbers, its demo, its progress bar."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import convops as co
from convops.cli import main
from convops.cli.progress import ProgressBar
from convops.io import Picture, read_image, write_image

COMMAND = [sys.executable, "-W", "error", "-c", "import sys; from convops.cli import main; sys.exit(main())"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with one small photo."""
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


PSF = ["--psf", "box:3"]
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


def direct(plane, kernel, method, weight, boundary="symmetric", steps=None):
    """The same problem put to the solver without the command."""
    A = co.convolution(kernel, plane.shape, boundary=boundary)
    gradient = co.gradient(plane.shape, boundary="wrap" if boundary == "wrap" else "symmetric")
    if method == "tikhonov":
        return co.tikhonov(A, plane, L=gradient, weight=weight, max_steps=steps or 500).x
    if weight:
        A = co.vstack([A, weight**0.5 * gradient])
        plane = jnp.concatenate([plane.ravel(), jnp.zeros(2 * plane.size, plane.dtype)])
    solver = co.cgls if method == "cgls" else co.gradient_descent
    return solver(A, plane, max_steps=steps).x


@pytest.mark.parametrize("channels", [None, 2, 3, 4])
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("png", "uint8"), ("png", "uint16"), ("tif", "uint16"), ("tif", "float32"), ("npy", "float16")],
)
def test_dtype_shape_alpha_and_numbers(folder, capsys, name, dtype, channels):
    data = photo(dtype, channels)
    write_image(f"in.{name}", Picture(data))
    arguments = ["deblur", f"in.{name}", "--psf", "box:4", "-o", f"out.{name}", "--weight", "0.01"]
    assert main(arguments) == 0
    result = read_image(f"out.{name}").data
    assert result.dtype == data.dtype
    assert result.shape == data.shape
    colours = channels and (channels - 1 if channels in (2, 4) else channels)
    if channels in (2, 4):
        np.testing.assert_array_equal(result[..., -1], data[..., -1])
    kernel = co.psf.box(4, dtype=jnp.float32)
    for index in range(colours or 1):
        plane = data[..., index] if channels else data
        got = result[..., index] if channels else result
        wanted = np.asarray(direct(jnp.asarray(plane.astype(np.float32)), kernel, "tikhonov", 0.01))
        if np.dtype(dtype).kind == "u":
            wanted = np.clip(np.rint(wanted), 0, np.iinfo(dtype).max)
            np.testing.assert_allclose(got, wanted, atol=1)
        else:
            np.testing.assert_allclose(got, wanted, rtol=2e-3 if dtype == "float16" else 1e-4, atol=1e-4)
        assert np.abs(got.astype(float) - plane).max() > 0.01 * np.ptp(plane.astype(float))


@pytest.mark.parametrize(
    ("method", "boundary", "weight"),
    [
        ("tikhonov", "symmetric", None),
        ("tikhonov", "wrap", 0.02),
        ("tikhonov", "antireflect", 0.0001),
        ("cgls", "symmetric", None),
        ("cgls", "zero", 0.02),
        ("gradient_descent", "reflect", None),
        ("gradient_descent", "wrap", 0.02),
    ],
)
def test_float64_numbers_equal_the_solver(folder, method, boundary, weight):
    np.save("in.npy", photo("float64"))
    arguments = ["deblur", "in.npy", "--psf", "motion:4,30", "--method", method, "--boundary", boundary]
    given = [] if weight is None else ["--weight", str(weight)]
    assert main([*arguments, *given, "--steps", "15", "-o", "out.npy"]) == 0
    weight = weight if weight is not None else 0.005 if method == "tikhonov" else 0.0
    with jax.enable_x64(True):
        kernel = co.psf.motion(4.0, 30.0)
        wanted = direct(jnp.asarray(photo("float64")), kernel, method, weight, boundary, 15)
        assert wanted.dtype == jnp.float64
    result = np.load("out.npy")
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, wanted, rtol=1e-9, atol=1e-9)


def test_psf_files(folder, capsys):
    kernel = np.asarray(co.psf.disk(1.5))
    np.save("psf.npy", kernel)
    write_image("psf.tif", Picture(kernel))
    np.save("aside.npy", np.pad(kernel, ((0, 0), (4, 0))))
    np.save("whole.npy", np.ones((3, 3), dtype=int))
    for judge, *others in (("disk:1.5", "psf.npy", "psf.tif", "aside.npy"), ("box:3", "whole.npy")):
        for psf in (judge, *others):
            assert main(["deblur", "photo.png", "--psf", psf, "-o", f"{psf}.png".replace(":", "")]) == 0
            assert capsys.readouterr().err.count("warning") == (psf == "aside.npy")
            difference = read_image(f"{psf}.png".replace(":", "")).data.astype(int)
            difference -= read_image(f"{judge}.png".replace(":", "")).data
            assert np.abs(difference).max() <= 1


def test_off_centre_psf_is_told(folder, capsys):
    np.save("aside.npy", np.pad(np.ones((3, 3)), ((0, 0), (4, 0))))
    assert main(["deblur", "photo.png", "--psf", "aside.npy", "-o", "out.png"]) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warned) == 1
    assert "+0.0 rows and +2.0 columns off the middle" in warned[0]


def test_what_was_chosen_is_said(folder, capsys):
    assert main(["deblur", "photo.png", *PSF, "-o", "a.png"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "boundary symmetric, method tikhonov, weight 0.005 (default) on the gradient" in err
    assert main(["deblur", "photo.png", *PSF, "-o", "a.png", "--overwrite", "--method", "cgls", "--weight", "0.1"]) == 0
    assert "method cgls, weight 0.1 on the gradient, at most 10 steps" in capsys.readouterr().err


def test_weight_does_not_depend_on_the_scale(folder):
    for name, factor in (("a", 1.0), ("b", 1000.0)):
        np.save(f"{name}.npy", factor * photo("float64"))
        assert main(["deblur", f"{name}.npy", *PSF, "-o", f"{name}_sharp.npy"]) == 0
    np.testing.assert_allclose(np.load("b_sharp.npy"), 1000 * np.load("a_sharp.npy"), rtol=1e-6)


def test_deblurring_a_blurred_picture_comes_nearer(folder):
    with jax.enable_x64(True):
        A = co.convolution(co.psf.gaussian(1.5), (24, 20), boundary="symmetric")
        np.save("blurred.npy", np.asarray(A @ jnp.asarray(photo("float64"))))
    assert main(["deblur", "blurred.npy", "--psf", "gaussian:1.5", "--weight", "1e-5", "-o", "sharp.npy"]) == 0
    errors = [np.linalg.norm(np.load(f"{name}.npy") - photo("float64")) for name in ("blurred", "sharp")]
    assert errors[1] < 0.5 * errors[0]


def test_failure_during_the_solve_writes_nothing(folder, capsys, monkeypatch):
    def nothing_finite(A, b, settings, callback):
        return SimpleNamespace(x=jnp.full(b.shape, jnp.nan), converged=True, status="", code=1)

    monkeypatch.setattr("convops.cli.deblur.solve", nothing_finite)
    before = set(folder.iterdir())
    assert main(["deblur", "photo.png", *PSF, "-o", "a.png"]) == 2
    assert "beyond its range" in capsys.readouterr().err
    assert set(folder.iterdir()) == before


def test_interrupted(folder, capsys, monkeypatch):
    def interrupt(A, b, settings, callback):
        raise KeyboardInterrupt

    monkeypatch.setattr("convops.cli.deblur.solve", interrupt)
    before = set(folder.iterdir())
    assert main(["deblur", "photo.png", *PSF, "-o", "a.png"]) == 130
    assert capsys.readouterr().err.endswith("convops: stopped; nothing was written\n")
    assert set(folder.iterdir()) == before


def test_a_bug_is_not_dressed_as_a_refusal(folder, monkeypatch):
    monkeypatch.setattr("convops.cli.deblur.solve", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["deblur", "photo.png", *PSF, "-o", "a.png"])


def demo_gain(out):
    """Parse the two lines of the demo."""
    lines = out.splitlines()
    assert len(lines) == 2
    before = float(re.fullmatch(r"PSNR before: (\d+\.\d\d) dB", lines[0])[1])
    return float(re.fullmatch(r"PSNR after: (\d+\.\d\d) dB", lines[1])[1]) - before


def test_demo(folder, capsys):
    assert main(["deblur", "--demo"]) == 0
    assert demo_gain(capsys.readouterr().out) >= 3
    drawing = read_image("demo.png").data
    assert drawing.ndim == 2
    assert drawing.shape[1] > 2.5 * drawing.shape[0]
    assert (drawing[:12] == 255).all()
    assert main(["deblur", "--demo"]) == 2
    assert main(["deblur", "--demo", "--overwrite"]) == 0
    np.testing.assert_array_equal(read_image("demo.png").data, drawing)


def test_demo_is_honest():
    """The recorded picture is the valid convolution by NumPy's own sum, its noise has the stated size."""
    from importlib.resources import files

    from convops.cli.demo import NOISE, record

    scene = read_image(files("convops") / "data" / "camera.png")
    kernel = np.asarray(co.psf.box(3))[:, :2].copy() * 1.5
    truth, blurred = record(scene, kernel)
    x = scene.data.astype(float)
    exact = sum(kernel[i, j] * x[2 - i : 256 - i, 1 - j : 256 - j] for i in range(3) for j in range(2))
    np.testing.assert_array_equal(truth.data, scene.data[1:255, 0:255])
    noise = blurred.data[exact.clip(10, 245) == exact] - exact[exact.clip(10, 245) == exact]
    assert noise.std() == pytest.approx((NOISE**2 + 1 / 12) ** 0.5, rel=0.03)
    assert abs(noise.mean()) < 0.02


def test_demo_in_a_fresh_process(folder):
    started = time.monotonic()
    done = subprocess.run([*COMMAND, "deblur", "--demo", "-o", "x.png"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 60
    assert demo_gain(done.stdout) >= 3
    assert "\r" not in done.stderr
    assert all(line.startswith("convops: ") for line in done.stderr.splitlines())


def test_refusal_in_a_fresh_process(folder):
    done = subprocess.run([*COMMAND, "deblur", "photo.png"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def run_on_a_terminal(arguments, interrupt_at=None):
    """Run the command with stderr on a pseudo-terminal; return its exit code and what it drew."""
    master, slave = pty.openpty()
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    drawn, end = b"", time.monotonic() + 120
    while time.monotonic() < end:
        if select.select([master], [], [], 1)[0]:
            try:
                piece = os.read(master, 4096)
            except OSError:  # the other side has closed
                break
            drawn += piece
            if interrupt_at and interrupt_at in drawn:
                process.send_signal(signal.SIGINT)
                interrupt_at = None
            if not piece:
                break
        elif process.poll() is not None:
            break
    os.close(master)
    return process.wait(timeout=60), drawn.decode()


def test_progress_on_a_terminal_only(folder):
    arguments = ["deblur", "photo.png", *PSF, "--method", "cgls", "--steps", "30", "-o", "a.png"]
    code, drawn = run_on_a_terminal(arguments)
    assert code == 0, drawn
    assert re.search(r"\r\x1b\[K\[#*-*\] step \d+/30 residual \d\.\d\de[+-]\d\d \d+:\d\d left", drawn)
    assert "\r\x1b[K" in drawn.rpartition("left")[2]
    done = subprocess.run([*COMMAND, *arguments, "--overwrite"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "\r" not in done.stderr
    assert "step 1" not in done.stderr


def test_ctrl_c_stops_a_long_run(folder):
    write_image("large.png", Picture(photo(shape=(500, 500))))
    arguments = [
        "deblur",
        "large.png",
        "--psf",
        "gaussian:3",
        "--method",
        "gradient_descent",
        "--steps",
        "1000000",
    ]
    code, drawn = run_on_a_terminal([*arguments, "-o", "a.png"], interrupt_at=b"residual")
    assert code == 130, drawn
    assert drawn.rstrip().endswith("convops: stopped; nothing was written")
    assert sorted(path.name for path in folder.iterdir()) == ["large.png", "photo.png"]


def test_bar_fits_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for columns in ("20", "60", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        bar = ProgressBar(3)
        for step in (0, 5, 10):
            bar(SimpleNamespace(step=step, max_steps=10, residual_norm=1.5))
        bar.next_part()
        bar(SimpleNamespace(step=1, max_steps=10, residual_norm=1.5))
        bar.close()
        pieces = capsys.readouterr().err.split("\r\x1b[K")
        assert max(map(len, pieces)) < int(columns)
        assert columns == "20" or "channel 2/3 step 1/10" in pieces[-2]


def test_bar_counts_the_digits_of_the_residual(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    bar, history = ProgressBar(rtol=1e-6), {"residual_norm": np.array([2.0])}
    for residual, filled in ((4.0, 2), (2e-3, 12), (2e-6, 24), (1e-7, 24)):
        bar(SimpleNamespace(step=10, max_steps=100, residual_norm=residual, history=history))
        assert f"[{'#' * filled}{'-' * (24 - filled)}]" in capsys.readouterr().err


def test_missing_extra_names_it(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    said = refused(capsys, folder, ["deblur", "--demo"])
    assert said == 'convops: the package typer is missing; install it with: pip install "convops-jax[cli]"\n'


def test_missing_reader_names_it(folder, capsys, monkeypatch):
    np.save("in.npy", photo())
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert '"convops-jax[io]"' in refused(capsys, folder, ["deblur", "in.npy", *PSF, "-o", "a.tif"])


def test_version_and_help(capsys):
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"convops {version('convops-jax')}\n"
    assert main(["--help"]) == 0
    assert "convops deblur photo.png --psf gaussian:2.0 -o sharp.png" in capsys.readouterr().out
    assert main([]) == 0
    assert "convops deblur" in capsys.readouterr().out
    assert main(["deblur", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in (
        "Default 0.005",
        "[default: symmetric]",
        "motion:LENGTH,ANGLE",
        "antireflect",
        "gradient_descent",
    ):
        assert words in text
