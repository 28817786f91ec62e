"""Image files of every kind a folder may hold."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenas.data.sources.decode import decode_image, open_header
from edgenas.data.sources.raw import UnreadableImageError


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("1", 1), ("RGB", 3), ("P", 3), ("CMYK", 3), ("RGBA", 4), ("LA", 4)]
)
def test_a_mode_gives_its_channels_in_header_and_pixels(tmp_path: Path, mode: str, channels: int) -> None:
    suffix = "tif" if mode == "CMYK" else "png"
    path = save(tmp_path / f"x.{suffix}", Image.new("RGB", (6, 4), (200, 100, 50)).convert(mode))
    size, found, _ = open_header(path)
    pixels = decode_image(path, name="x")
    assert (size, found) == ((4, 6), channels)
    assert pixels.shape == (4, 6, channels)
    assert pixels.dtype == np.uint8


def test_sixteen_bit_grey_is_scaled_not_cut(tmp_path: Path) -> None:
    deep = np.array([[0, 257 * 100, 65535]], np.uint16)
    path = save(tmp_path / "deep.png", Image.fromarray(deep))
    assert decode_image(path, name="x")[..., 0].tolist() == [[0, 100, 255]]


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 4))
    image.paste((255, 0, 0), (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to show
    path = save(tmp_path / "x.png", image, exif=exif)
    assert open_header(path)[0] == (8, 4)
    pixels = decode_image(path, name="x")
    assert pixels.shape == (8, 4, 3)
    assert pixels[:4, :, 0].min() == 255
    assert pixels[4:].max() == 0


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("hello")
    with pytest.raises(UnreadableImageError, match="text.jpg: not an image file"):
        open_header(path)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_truncated_file_passes_the_header_and_fails_in_its_pixels(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"x.{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:1500])
    open_header(path)
    with pytest.raises(UnreadableImageError, match="truncated"):
        decode_image(path, name="x")
