"""Image files and Pillow images to arrays (H, W, C) uint8 with 1, 3 or 4 channels."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from edgenas.data.sources.raw import UnreadableImageError
from edgenas.data.values import Images

GREY_MODES = frozenset({"1", "L", "I", "F", "I;16", "I;16B", "I;16L"})
ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
# Pillow raises these for files that are cut off, not images, or built to explode when unpacked.
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
# EXIF orientations that swap height and width (Exif 2.3, tag 0x0112).
TRANSPOSING_ORIENTATIONS = frozenset({5, 6, 7, 8})
ORIENTATION_TAG = 0x0112


def open_header(path: Path) -> tuple[tuple[int, int], int]:
    """Return (height, width) and the channels of a file without decoding its pixels.

    Raises:
        UnreadableImageError: It is not an image.
    """
    try:
        with Image.open(path) as image:
            turned = _orientation(image) in TRANSPOSING_ORIENTATIONS
            height, width = (image.width, image.height) if turned else (image.height, image.width)
            return (height, width), _channels(image)
    except DECODE_ERRORS as error:
        raise UnreadableImageError(str(path), _reason(error)) from error


def decode_image(path: Path, *, name: str) -> Images:
    """Decode a file, turned upright as its EXIF orientation says.

    Raises:
        UnreadableImageError: The pixels cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            return pillow_to_array(ImageOps.exif_transpose(image))
    except DECODE_ERRORS as error:
        raise UnreadableImageError(name, _reason(error)) from error


def pillow_to_array(image: Image.Image) -> Images:
    """Convert a Pillow image of any mode to (H, W, C) uint8; 16-bit grey is scaled down, not cut off."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L"):
        deep = np.asarray(image).astype(np.int64)
        # Files of mode "I" are 16-bit PNGs; 257 maps 65,535 to 255.
        return np.clip(deep // 257, 0, 255).astype(np.uint8)[..., None]
    channels = _channels(image)
    pixels = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    return pixels[..., None] if channels == 1 else pixels


def _orientation(image: Image.Image) -> int | None:
    """Return the EXIF orientation that the header states."""
    if image.format != "PNG":
        return image.getexif().get(ORIENTATION_TAG)
    # For PNG `getexif` decodes all pixels to look behind them; before them is where cameras write it.
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    return exif.get(ORIENTATION_TAG)


def _channels(image: Image.Image) -> int:
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        return 4
    return 1 if image.mode in GREY_MODES else 3


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "not an image file" if text.startswith("cannot identify image file") else text
