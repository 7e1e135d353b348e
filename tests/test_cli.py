"""The command: what it keeps, its numbers, its demo, its help."""

import json
import subprocess
import time
from types import SimpleNamespace

import commanding
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commanding import COMMAND, PSF, demo_gain, photo

import convops as co
from convops.cli import main
from convops.cli.psf_option import psf_from_text
from convops.io import Picture, read_image, write_image


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return commanding.working_folder(tmp_path, monkeypatch)


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
    arguments = [
        "deblur",
        f"in.{name}",
        "--psf",
        "box:4",
        "-o",
        f"out.{name}",
        "--weight",
        "0.01",
        "--method",
        "tikhonov",
    ]
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
        ("tikhonov", "reflect", 0.1),
        ("cgls", "symmetric", None),
        pytest.param("cgls", "zero", 0.02, marks=pytest.mark.slow),
        ("gradient_descent", "antireflect", None),
        pytest.param("gradient_descent", "wrap", 0.02, marks=pytest.mark.slow),
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
            output = f"{psf}.png".replace(":", "")
            assert main(["deblur", "photo.png", "--psf", psf, "--method", "tikhonov", "-o", output]) == 0
            assert capsys.readouterr().err.count("warning") == (psf == "aside.npy")
            difference = read_image(f"{psf}.png".replace(":", "")).data.astype(int)
            difference -= read_image(f"{judge}.png".replace(":", "")).data
            assert np.abs(difference).max() <= 1


def test_off_centre_psf_is_told(folder, capsys):
    np.save("aside.npy", np.pad(np.ones((3, 3)), ((0, 0), (4, 0))))
    assert main(["deblur", "photo.png", "--psf", "aside.npy", "--method", "tikhonov", "-o", "out.png"]) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warned) == 1
    assert "+0.0 rows and +2.0 columns off the middle" in warned[0]


def test_what_was_chosen_is_said(folder, capsys):
    assert main(["deblur", "photo.png", *PSF, "-o", "a.png", "--method", "tikhonov"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "boundary symmetric, method tikhonov, weight 0.005 (default) on the gradient" in err
    assert main(["deblur", "photo.png", *PSF, "-o", "a.png", "--overwrite", "--method", "cgls", "--weight", "0.1"]) == 0
    assert "method cgls, weight 0.1 on the gradient, at most 10 steps" in capsys.readouterr().err


def test_the_front_door_is_the_default(folder, capsys):
    """Colours at once, as `co.deblur` has them; the account of the run beside the output; a picture of both."""
    write_image("in.tif", Picture(photo("float32", 4)))
    assert main(["deblur", "in.tif", *PSF, "--noise", "2", "-o", "out.tif", "--preview", "both.png"]) == 0
    err = capsys.readouterr().err
    assert "noise: 2, as given; beyond the edge: nothing is assumed" in err
    kernel = psf_from_text(PSF[1], photo("float32").shape).astype(np.float32)
    data = photo("float32", 4)
    wanted = co.deblur(np.moveaxis(data[..., :3], -1, 0), kernel, noise=2.0, channel_axis=0)
    result = read_image("out.tif").data
    np.testing.assert_allclose(np.moveaxis(result[..., :3], -1, 0), wanted.x, rtol=1e-3, atol=1e-2)
    np.testing.assert_array_equal(result[..., 3], data[..., 3])
    account = json.loads((folder / "out.tif.json").read_text())
    assert account["asked"]["noise"] == 2.0
    assert account["report"][0] == "noise: 2, as given"
    assert account["versions"]["jax"] == jax.__version__
    (solved,) = account["solved"]
    assert len(solved["curves"]["objective"]) == solved["steps"] + 1
    assert solved["stopped"] == wanted.status
    assert read_image("both.png").data.dtype == np.uint8
    assert main(["deblur", "in.tif", *PSF, "-o", "other.tif", "--noise", "much"]) == 2
    assert main(["deblur", "in.tif", *PSF, "-o", "other.tif", "--noise", "1", "--method", "cgls"]) == 2
    (folder / "out.tif").unlink()
    assert main(["deblur", "in.tif", *PSF, "-o", "out.tif"]) == 2
    assert "the account of the run, exists" in capsys.readouterr().err


def test_weight_does_not_depend_on_the_scale(folder):
    for name, factor in (("a", 1.0), ("b", 1000.0)):
        np.save(f"{name}.npy", factor * photo("float64"))
        assert main(["deblur", f"{name}.npy", *PSF, "-o", f"{name}_sharp.npy", "--method", "tikhonov"]) == 0
    np.testing.assert_allclose(np.load("b_sharp.npy"), 1000 * np.load("a_sharp.npy"), rtol=1e-6)


def test_deblurring_a_blurred_picture_comes_nearer(folder):
    with jax.enable_x64(True):
        A = co.convolution(co.psf.gaussian(1.5), (24, 20), boundary="symmetric")
        np.save("blurred.npy", np.asarray(A @ jnp.asarray(photo("float64"))))
    given = ["--psf", "gaussian:1.5", "--weight", "1e-5", "--method", "tikhonov"]
    assert main(["deblur", "blurred.npy", *given, "-o", "sharp.npy"]) == 0
    errors = [np.linalg.norm(np.load(f"{name}.npy") - photo("float64")) for name in ("blurred", "sharp")]
    assert errors[1] < 0.5 * errors[0]


def test_failure_during_the_solve_writes_nothing(folder, capsys, monkeypatch):
    def nothing_finite(A, b, settings, callback):
        x = jnp.full(b.shape, jnp.nan)
        return SimpleNamespace(x=x, converged=True, status="", code=1, num_steps=1, history={}, weight=None)

    monkeypatch.setattr("convops.cli.deblur.solve", nothing_finite)
    before = set(folder.iterdir())
    assert main(["deblur", "photo.png", *PSF, "-o", "a.png", "--method", "tikhonov"]) == 2
    assert "beyond its range" in capsys.readouterr().err
    assert set(folder.iterdir()) == before


def test_a_bug_is_not_dressed_as_a_refusal(folder, monkeypatch):
    monkeypatch.setattr("convops.cli.deblur.solve", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["deblur", "photo.png", *PSF, "-o", "a.png", "--method", "tikhonov"])


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


@pytest.mark.slow
def test_demo_in_a_fresh_process(folder):
    started = time.monotonic()
    done = subprocess.run([*COMMAND, "deblur", "--demo", "-o", "x.png"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 60
    assert demo_gain(done.stdout) >= 3
    assert "\r" not in done.stderr
    assert all(line.startswith("convops: ") for line in done.stderr.splitlines())


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
        "[default: auto]",
        "--iterations",
        "--noise",
        "--preview",
        "motion:LENGTH,ANGLE",
        "antireflect",
        "gradient_descent",
    ):
        assert words in text


@pytest.mark.parametrize("channels", [2, 4])
def test_colours_under_transparent_pixels_change_nothing(folder, channels):
    data = photo("uint8", channels)
    data[..., -1] = 255
    data[:, :9, -1] = 0
    hidden = data.copy()
    hidden[:, :9, :-1] = 0
    for name, picture in (("shown", data), ("hidden", hidden)):
        write_image(f"{name}.png", Picture(picture))
        assert main(["deblur", f"{name}.png", "--psf", "box:3", "-o", f"{name}-out.png", "--noise", "2"]) == 0
    left, right = (read_image(f"{name}-out.png").data for name in ("shown", "hidden"))
    np.testing.assert_array_equal(left[:, 9:], right[:, 9:])
    np.testing.assert_array_equal(right[..., -1], data[..., -1])
