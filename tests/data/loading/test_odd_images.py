"""Images that a folder of photographs holds one of: read as they are meant, or skipped with the reason."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzz_images import fuzz_images
from edgenas.data import DataSettings, load
from edgenas.data.sources import decode
from edgenas.data.sources.decode import UPRIGHT, decode_image, open_header, readable_endings
from edgenas.data.sources.raw import UnreadableImageError


def pixels_of(path: Path, image: Image.Image, **options: object) -> np.ndarray:
    image.save(path, **options)  # type: ignore[arg-type]
    header = open_header(path)
    pixels = decode_image(path, name=path.name)
    assert (header.size, header.channels) == (pixels.shape[:2], pixels.shape[2])
    return pixels


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImageError) as found:
        open_header(path)
        decode_image(path, name=path.name)
    assert str(path.name) in str(found.value)
    return found.value.reason


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_all_eight_orientations_are_turned_as_pillow_turns_them(tmp_path: Path, orientation: int, mode: str) -> None:
    from PIL import ImageOps

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 8, 3), dtype=np.uint8)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "x.png"
    found = pixels_of(path, image, exif=exif)
    with Image.open(path) as written:
        assert np.array_equal(found, np.asarray(ImageOps.exif_transpose(written)).reshape(found.shape))
    assert set(UPRIGHT) == set(range(2, 9))


def test_a_photograph_with_an_odd_exif_field_is_turned_all_the_same(tmp_path: Path) -> None:
    """A field that Pillow reads but cannot write: a number field that holds a text."""
    path = tmp_path / "x.jpg"
    Image.new("RGB", (8, 4), (9, 9, 9)).save(path)
    entries = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHI4s", 0x0103, 2, 4, b"abc\0")
    tiff = b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)
    content = path.read_bytes()
    segment = b"Exif\0\0" + tiff
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:])
    assert decode_image(path, name="x").shape == (8, 4, 3)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_an_impossible_orientation_leaves_the_pixels_as_they_are(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert pixels_of(tmp_path / "x.jpg", Image.new("RGB", (8, 4)), exif=exif).shape == (4, 8, 3)


def test_floats_and_32_bit_integers_are_refused_not_turned_black(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(np.full((4, 4), 200, np.int32)).save(tmp_path / "int.tif")
    assert "float pixels have no agreed range" in reason(tmp_path / "float.tif")
    assert "32-bit pixels have no agreed range" in reason(tmp_path / "int.tif")


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bit_grey_is_scaled_in_every_format(tmp_path: Path, ending: str) -> None:
    deep = Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16))
    assert pixels_of(tmp_path / f"x.{ending}", deep)[..., 0].tolist() == [[0, 100, 255]]


def test_a_palette_with_transparency_has_four_channels(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 1)
    pixels = pixels_of(tmp_path / "x.png", image, transparency=1)
    assert pixels[0, 0].tolist() == [0, 255, 0, 0]
    assert pixels[1, 1].tolist() == [255, 0, 0, 255]


def test_cmyk_photographs_have_their_colours(tmp_path: Path) -> None:
    pixels = pixels_of(tmp_path / "x.jpg", Image.new("RGB", (8, 8), (200, 60, 60)).convert("CMYK"), quality=95)
    assert np.abs(pixels.astype(int) - [200, 60, 60]).max() < 12


@pytest.mark.parametrize("ending", ["gif", "webp", "tif"])
def test_of_an_animation_the_first_frame_is_taken_and_that_is_said(tmp_path: Path, ending: str) -> None:
    first, second = Image.new("RGB", (8, 8), (250, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 250))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(4):
            options = {"lossless": True} if ending == "webp" else {}
            path = tmp_path / name / f"{number}.{ending}"
            first.save(path, save_all=True, append_images=[second], **options)  # type: ignore[arg-type]
    data = load(DataSettings(source="folder", path=str(tmp_path)))
    assert np.abs(data.train.read(np.arange(1))[0, 0, 0, :3].astype(int) - [250, 0, 0]).max() < 8
    assert "8 images have several frames; the first is taken." in data.notes


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", explode)
    (tmp_path / "x.png").write_bytes(png(width, height))
    with pytest.raises(UnreadableImageError, match="too large|exceeds limit|not an image|truncated"):
        decode_image(tmp_path / "x.png", name="x.png")


def test_files_without_pixels_are_refused(tmp_path: Path) -> None:
    for name, content in {"empty.jpg": b"", "none.png": png(0, 5), "none.ppm": b"P6\n0 0\n255\n"}.items():
        (tmp_path / name).write_bytes(content)
        assert reason(tmp_path / name)


def test_whatever_a_decoder_raises_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    Image.new("RGB", (4, 4)).save(path)
    for error in (
        KeyError("b"),
        ZeroDivisionError(),
        AttributeError("x"),
        MemoryError(),
        RecursionError(),
        IndexError(),
    ):

        def explode(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(decode, "pillow_to_array", explode)
        with pytest.raises(UnreadableImageError, match=r"x\.png: (damaged|does not fit)"):
            decode_image(path, name="x.png")


def test_postscript_under_the_name_of_an_image_runs_no_interpreter(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    assert "EPS files are not read" in reason(tmp_path / "x.jpg")
    assert ".eps" not in readable_endings() and {".jpg", ".jfif", ".tif", ".webp", ".bmp"} <= readable_endings()


def test_four_hundred_damaged_files_are_read_or_named() -> None:
    tally = fuzz_images(400, seed=1)
    assert not tally.uncaught and not tally.hangs
    assert tally.decoded > 40 and tally.refused > 40
