"""Image files and Pillow images to arrays (H, W, C) uint8 with 1, 3 or 4 channels.

Whatever Pillow opens is taken, except formats that run another program or hold no pixels. Decoders raise dozens of
types of exceptions for damaged files, so each becomes an `UnreadableImageError` that names the file.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from edgenas.data.sources.raw import UnreadableImageError
from edgenas.data.values import Images

# Height times width; Pillow begins to warn of decompression bombs there too.
MOST_PIXELS = 89_478_485
# EPS runs Ghostscript, WMF calls Windows, and Pillow recognises the others but cannot decode them.
NOT_TAKEN = frozenset({"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "PDF"})
GREY_MODES = frozenset({"1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N"})
SIXTEEN_BIT_MODES = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
# Formats whose mode "I" holds 0..65535; elsewhere it is 32-bit and has no agreed range.
SIXTEEN_BIT_FORMATS = frozenset({"PNG", "PPM"})
ORIENTATION_TAG = 0x0112
# EXIF orientation (Exif 2.3, tag 0x0112) to what turns the pixels upright; 5 to 8 swap height and width.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TRANSPOSING_ORIENTATIONS = frozenset({5, 6, 7, 8})
TIFF_BITS, TIFF_PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0
LONGEST_REASON = 160


class Header(NamedTuple):
    """What the header of an image file says: (height, width), channels of the pixels, whether it has more frames."""

    size: tuple[int, int]
    channels: int
    animated: bool


@cache
def readable_endings() -> frozenset[str]:
    """Endings of file names, lower case with their dot, that may hold an image that can be read here."""
    Image.init()
    return frozenset(
        ending for ending, name in Image.registered_extensions().items() if name in Image.OPEN and name not in NOT_TAKEN
    )


def open_header(path: Path) -> Header:
    """Read a file's header without decoding its pixels.

    Raises:
        UnreadableImageError: It is not an image, too large, or of pixels without an agreed range.
    """
    return _header(path, name=str(path))


def header_of(content: bytes, *, name: str) -> Header:
    """Read the header of the content of an image file; see `open_header`."""
    return _header(io.BytesIO(content), name=name)


def _header(file: Path | io.BytesIO, *, name: str) -> Header:
    try:
        with Image.open(file) as image:
            _require_usable(image)
            turned = _orientation(image) in TRANSPOSING_ORIENTATIONS
            height, width = (image.width, image.height) if turned else (image.height, image.width)
            return Header((height, width), _channels(image), bool(getattr(image, "is_animated", False)))
    except Exception as error:
        raise UnreadableImageError(name, reason_of(error)) from error


def decode_image(path: Path, *, name: str) -> Images:
    """Decode a file, its pixels turned upright as its EXIF orientation says; of several frames the first.

    Raises:
        UnreadableImageError: The pixels cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            return _to_array(image)
    except Exception as error:
        raise UnreadableImageError(name, reason_of(error)) from error


def decode_bytes(content: bytes, *, name: str) -> Images:
    """Decode the content of an image file; see `decode_image`.

    Raises:
        UnreadableImageError: The pixels cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return _to_array(image)
    except Exception as error:
        raise UnreadableImageError(name, reason_of(error)) from error


def _to_array(image: Image.Image) -> Images:
    _require_usable(image)
    image.load()
    # Only the pixels are turned: writing the EXIF anew, as `ImageOps.exif_transpose` does, fails at odd fields.
    turn = UPRIGHT.get(_orientation(image) or 1)
    pixels = pillow_to_array(image)
    return pixels if turn is None else _turned(pixels, turn)


def _turned(pixels: Images, turn: Image.Transpose) -> Images:
    grey = pixels.shape[2] == 1
    turned = np.asarray(Image.fromarray(pixels[..., 0] if grey else pixels).transpose(turn))
    return turned[..., None] if grey else turned


def pillow_to_array(image: Image.Image) -> Images:
    """Convert a Pillow image of any mode to (H, W, C) uint8; 16-bit grey is scaled down, not cut off.

    Raises:
        ValueError: Its pixels have no agreed range (floats, 32-bit), or Pillow cannot convert them.
    """
    _require_usable(image)
    if image.mode in SIXTEEN_BIT_MODES or image.mode == "I":
        deep = np.asarray(image).astype(np.int64)
        tags = getattr(image, "tag_v2", {})
        most = 4095 if tags.get(TIFF_BITS) == (12,) else 65535
        grey: Images = np.clip(deep * 255 // most, 0, 255).astype(np.uint8)[..., None]
        return 255 - grey if tags.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO else grey
    channels = _channels(image)
    if image.mode == "La":
        image = image.convert("LA")
    pixels = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    return pixels[..., None] if channels == 1 else pixels


def reason_of(error: BaseException) -> str:
    """Return why a file could not be decoded, one short line."""
    lines = str(error).splitlines()
    text = lines[0].strip() if lines else ""
    if text.startswith("cannot identify image file"):
        return "not an image file"
    if isinstance(error, MemoryError):
        return "does not fit in memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # The message of a KeyError or IndexError is only the key. It needs the type beside it.
    known = isinstance(error, (OSError, SyntaxError, ValueError, Image.DecompressionBombError)) and text
    return (text if known else f"damaged ({type(error).__name__}{': ' * bool(text)}{text})")[:LONGEST_REASON]


def _require_usable(image: Image.Image) -> None:
    if 0 in image.size:
        raise ValueError(f"no pixels ({image.width} x {image.height})")
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"too large: {image.width} x {image.height} pixels, more than {MOST_PIXELS:,}")
    if image.format in NOT_TAKEN:
        raise ValueError(f"{image.format} files are not read")
    if image.mode == "F" or (image.mode == "I" and image.format not in SIXTEEN_BIT_FORMATS):
        kind = "float" if image.mode == "F" else "32-bit"
        raise ValueError(f"{kind} pixels have no agreed range; convert them to 8 or 16 bits")


def _orientation(image: Image.Image) -> int | None:
    """Return the EXIF orientation, or None where the EXIF has none or is damaged: the pixels may be whole."""
    try:
        if image.format != "PNG":
            found = image.getexif().get(ORIENTATION_TAG)
        else:
            # For PNG `getexif` decodes all pixels to find EXIF data after them. Cameras write it before them.
            exif = Image.Exif()
            exif.load(image.info.get("exif", b""))
            found = exif.get(ORIENTATION_TAG)
    except Exception:
        return None
    return found if isinstance(found, int) and 1 <= found <= 8 else None


def _channels(image: Image.Image) -> int:
    if image.mode in SIXTEEN_BIT_MODES or image.mode == "I":
        return 1
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        return 4
    return 1 if image.mode in GREY_MODES else 3
