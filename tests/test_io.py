"""Pictures survive files: numbers, dtype, alpha, colour profile, orientation; and what cannot is refused."""

import struct
import sys
import zlib

import numpy as np
import pytest

from convops.io import ImageError, Picture, check_holds, check_output, read_image, require, write_image

SHAPES = {"grey": (5, 7), "grey+alpha": (5, 7, 2), "RGB": (5, 7, 3), "RGBA": (5, 7, 4)}
HELD = {
    "png": ("uint8", "uint16"),
    "tif": ("uint8", "uint16", "int8", "int16", "float16", "float32", "float64"),
    "npy": ("uint8", "uint16", "int8", "int16", "float16", "float32", "float64"),
}


def sample(shape, dtype, seed=0):
    """Numbers over the whole range of the dtype."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return (100 * rng.standard_normal(shape)).astype(dtype)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, shape, endpoint=True, dtype=dtype)
    values.flat[:2] = limits.min, limits.max
    return values


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(("suffix", "dtype"), [(s, d) for s, held in HELD.items() for d in held])
def test_round_trip_is_exact(tmp_path, suffix, dtype, kind):
    path, data = tmp_path / f"a.{suffix}", sample(SHAPES[kind], dtype)
    write_image(path, Picture(data))
    back = read_image(path)
    assert back.data.dtype == data.dtype
    np.testing.assert_array_equal(back.data, data)
    assert back.alpha == ("alpha" in kind or kind == "RGBA")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_other_readers_see_the_same_numbers(tmp_path, dtype):
    """Nothing of ours on the reading side: the PNG is decoded by hand, the TIFF by tifffile."""
    import tifffile

    data = sample((4, 6, 3), dtype)
    write_image(tmp_path / "a.tif", Picture(data))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), data)
    if dtype == "uint16":
        write_image(tmp_path / "a.png", Picture(data))
        np.testing.assert_array_equal(decode_unfiltered(tmp_path / "a.png", 3), data)


def decode_unfiltered(path, channels):
    """Decode a 16-bit PNG whose rows have no filter."""
    raw, position, packed = path.read_bytes(), 8, b""
    while position < len(raw):
        length, name = struct.unpack(">I4s", raw[position : position + 8])
        body = raw[position + 8 : position + 8 + length]
        assert zlib.crc32(name + body) == struct.unpack(">I", raw[position + 8 + length :][:4])[0]
        if name == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        packed += body if name == b"IDAT" else b""
        position += length + 12
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].copy().view(">u2").reshape(height, width, channels)


@pytest.mark.parametrize("shape", [(16, 24), (16, 24, 3)])
def test_jpg_is_near(tmp_path, shape):
    data = np.broadcast_to(np.linspace(0, 255, shape[1]).reshape((1, -1) + (1,) * (len(shape) - 2)), shape)
    write_image(tmp_path / "a.jpg", Picture(data.astype(np.uint8)))
    back = read_image(tmp_path / "a.jpg").data
    assert back.shape == shape
    assert np.abs(back - data).max() < 6


@pytest.mark.parametrize("name", ["a.png", "b.png", "a.tif", "a.jpg"])
def test_colour_profile_is_kept(tmp_path, name):
    profile = bytes(range(256)) * 2
    dtype = np.uint16 if name == "b.png" else np.uint8
    write_image(tmp_path / name, Picture(sample((4, 5, 3), dtype), profile))
    assert read_image(tmp_path / name).icc == profile


def test_palette_becomes_colour(tmp_path):
    from PIL import Image

    image = Image.new("P", (3, 2))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png")
    back = read_image(tmp_path / "a.png").data
    assert back.shape == (2, 3, 3)
    assert back[0, 0].tolist() == [10, 20, 30]
    assert back[0, 1].tolist() == [40, 50, 60]


def test_transparent_grey_becomes_alpha(tmp_path):
    from PIL import Image

    Image.fromarray(np.array([[7, 9]], np.uint8)).save(tmp_path / "a.png", transparency=9)
    assert read_image(tmp_path / "a.png").data.tolist() == [[[7, 255], [9, 0]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_tif_equals_that_of_jpg(tmp_path, orientation):
    """Pillow's own turning of a JPEG is the judge."""
    import tifffile
    from PIL import Image

    data = np.kron(np.array([[0, 80, 160], [40, 120, 255]], np.uint8), np.ones((8, 8), np.uint8))
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(data).save(tmp_path / "a.jpg", exif=exif, quality=95)
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack", metadata=None, extratags=tags)
    turned, judge = read_image(tmp_path / "a.tif").data, read_image(tmp_path / "a.jpg").data
    assert turned.shape == judge.shape
    assert np.abs(turned.astype(int) - judge).max() < 12


def test_planar_tif_and_big_endian(tmp_path):
    import tifffile

    data = sample((3, 4, 5), "uint16")
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", planarconfig="separate", byteorder=">")
    back = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(back.data, np.moveaxis(data, 0, 2))
    np.save(tmp_path / "a.npy", data[0].astype(">u2"))
    result = read_image(tmp_path / "a.npy")
    np.testing.assert_array_equal(result.with_planes(result.planes()).data, data[0])
    write_image(tmp_path / "b.png", result)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").data, data[0])


def test_rounding_and_clipping():
    picture = Picture(np.zeros((1, 4), np.uint8))
    assert picture.with_planes([[[-3.0, 1.4, 1.6, 300.0]]]).data.tolist() == [[0, 1, 2, 255]]
    signed = Picture(np.zeros((1, 2), np.int16))
    assert signed.with_planes([[[-1e9, 1e9]]]).data.tolist() == [[-32768, 32767]]
    floats = Picture(np.zeros((1, 2)))
    assert floats.with_planes([[[-1e9, 1e-9]]]).data.tolist() == [[-1e9, 1e-9]]


def test_alpha_is_kept_as_it_came():
    data = sample((3, 4, 4), "uint16")
    result = Picture(data).with_planes(np.zeros((3, 3, 4))).data
    np.testing.assert_array_equal(result[..., 3], data[..., 3])
    assert not result[..., :3].any()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.png", np.zeros((2, 2), np.float32), "write tif or npy"),
        ("a.png", np.zeros((2, 2), np.int16), "write tif or npy"),
        ("a.jpg", np.zeros((2, 2), np.uint16), "write png or tif or npy"),
        ("a.jpg", np.zeros((2, 2, 4), np.uint8), "no alpha channel"),
        ("a.jpeg", np.zeros((2, 2)), "not float64"),
    ],
)
def test_formats_that_cannot_hold_it(tmp_path, name, data, said):
    with pytest.raises(ImageError, match=said):
        check_holds(tmp_path / name, Picture(data))
    with pytest.raises(ImageError, match=said):
        write_image(tmp_path / name, Picture(data))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros(4), "shape"),
        (np.zeros((2, 2, 5)), "1 to 4 channels"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.zeros((2, 2), bool), "bool"),
        (np.zeros((0, 2)), "no pixels"),
        (np.array([[1.0, np.nan]]), "1 values that are NaN"),
        (np.array([[1.0, -np.inf, np.inf]]), "2 values"),
    ],
)
def test_arrays_that_are_no_picture(tmp_path, data, said):
    np.save(tmp_path / "a.npy", data)
    with pytest.raises(ImageError, match=said):
        read_image(tmp_path / "a.npy")


def test_files_that_are_no_picture(tmp_path):
    from PIL import Image

    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ImageError, match="is not a picture"):
        read_image(tmp_path / "text.png")
    np.save(tmp_path / "pickle.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match="cannot be read as a npy file"):
        read_image(tmp_path / "pickle.npy")
    Image.new("CMYK", (2, 2)).save(tmp_path / "cmyk.jpg")
    with pytest.raises(ImageError, match="CMYK"):
        read_image(tmp_path / "cmyk.jpg")
    frames = [Image.new("L", (2, 2), n) for n in (0, 200)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="animation of 2 frames"):
        read_image(tmp_path / "moving.png")
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "absent.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "npy"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_damaged_files(tmp_path, suffix, dtype):
    if suffix == "jpg" and dtype == "uint16":
        pytest.skip("jpg holds 8 bits")
    path = tmp_path / f"a.{suffix}"
    write_image(path, Picture(sample((40, 30, 3), dtype)))
    whole = path.read_bytes()
    for length in (12, 40, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(ImageError, match=r"a\.\w+` "):
            read_image(path)


def test_several_pages_and_colour_spaces_of_tif(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 4, 5), np.uint8), photometric="minisblack")
    with pytest.raises(ImageError, match="3 pages"):
        read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((4, 5), np.uint8), photometric="miniswhite")
    with pytest.raises(ImageError, match="MINISWHITE"):
        read_image(tmp_path / "b.tif")


def test_outputs_refused_before_any_work(tmp_path):
    (tmp_path / "there.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="--overwrite"):
        check_output(tmp_path / "there.png")
    check_output(tmp_path / "there.png", overwrite=True)
    with pytest.raises(FileNotFoundError, match="folder"):
        check_output(tmp_path / "absent" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(FileExistsError, match="is a folder"):
        check_output(tmp_path / "folder.png", overwrite=True)
    with pytest.raises(ImageError, match="suffix"):
        check_output(tmp_path / "a.gif")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    path.write_bytes(b"mine")

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr("convops.io.images.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_image(path, Picture(np.eye(2)), overwrite=True)
    assert path.read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_overwriting_a_link_replaces_what_it_points_to(tmp_path):
    target, link = tmp_path / "a.npy", tmp_path / "link.npy"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_image(link, Picture(np.eye(2)), overwrite=True)
    assert link.is_symlink()
    np.testing.assert_array_equal(read_image(target).data, np.eye(2))


def test_missing_packages_name_the_extra(monkeypatch, tmp_path):
    write_image(tmp_path / "a.tif", Picture(np.eye(2)))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    sentence = r'the package tifffile is missing; install it with: pip install "convops-jax\[io\]"'
    with pytest.raises(ImportError, match=sentence):
        read_image(tmp_path / "a.tif")
    with pytest.raises(ImportError, match=sentence):
        check_holds(tmp_path / "b.tif", Picture(np.eye(2)))
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "PIL.Image", raising=False)
    with pytest.raises(ImportError, match="package pillow is missing"):
        require("PIL.Image", "io")
