"""Mutated image files against the decoder: every one is an array or an `UnreadableImageError`, and none hangs.

python benchmarks/fuzz_images.py --cases 20000
"""

from __future__ import annotations

import argparse
import collections
import io
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np
from PIL import Image

from edgenas.data.sources.decode import decode_image, open_header
from edgenas.data.sources.raw import UnreadableImageError

LONGEST_SECONDS = 20
SIZE = (21, 13)


@dataclass(slots=True)
class Tally:
    """What became of the cases.

    Attributes:
        decoded, refused: Numbers of cases.
        uncaught: First line of every other exception, with its number.
        hangs: Cases above `LONGEST_SECONDS`.
        slowest: Seconds of the slowest case.
        reasons: Reasons of refusals with their numbers.
    """

    decoded: int = 0
    refused: int = 0
    uncaught: collections.Counter[str] = field(default_factory=collections.Counter)
    hangs: int = 0
    slowest: float = 0.0
    reasons: collections.Counter[str] = field(default_factory=collections.Counter)


class _HangError(BaseException):
    """No `Exception`: the decoder catches those."""


def seeds() -> dict[str, bytes]:
    """Small sound files of every format and mode that photographs come in, by name."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, SIZE, dtype=np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0103] = 6, "maker", 1
    exif.get_ifd(0x8769).update({0x9003: "2020:01:01 00:00:00", 0x829A: 0.01})
    animated = {"save_all": True, "append_images": [colour.rotate(90, expand=False)]}
    wanted: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "jpg": (colour, "JPEG", {"exif": exif}),
        "progressive": (colour, "JPEG", {"progressive": True, "exif": exif}),
        "cmyk": (colour.convert("CMYK"), "JPEG", {}),
        "png": (colour, "PNG", {"exif": exif}),
        "palette": (colour.quantize(16), "PNG", {"transparency": 3}),
        "deep": (deep, "PNG", {}),
        "gif": (colour.quantize(32), "GIF", animated),
        "webp": (colour, "WEBP", {"exif": exif, **animated}),
        "bmp": (colour, "BMP", {}),
        "tif": (colour, "TIFF", {"exif": exif}),
        "lzw": (colour, "TIFF", {"compression": "tiff_lzw"}),
        "deflate": (colour.convert("RGBA"), "TIFF", {"compression": "tiff_adobe_deflate"}),
        "deep_tif": (deep, "TIFF", {}),
        "ppm": (colour, "PPM", {}),
        "ico": (colour, "ICO", {}),
        "tga": (colour, "TGA", {"compression": "tga_rle"}),
        "jp2": (colour, "JPEG2000", {}),
        "pcx": (colour, "PCX", {}),
        "dds": (colour, "DDS", {}),
        "sgi": (colour, "SGI", {}),
    }
    found = {}
    for name, (image, kind, options) in wanted.items():
        stream = io.BytesIO()
        try:
            image.save(stream, kind, **options)
        except (OSError, KeyError, AttributeError):
            continue  # this Pillow was built without that format
        found[name] = stream.getvalue()
    return found


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a damaged copy: bits, bytes, 16- and 32-bit fields, pieces cut out, repeated or put at another place."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        if not data:
            return bytes(data)
        kind = int(rng.integers(7))
        # Headers are where formats break; every other change goes there.
        end = min(len(data), 200) if rng.random() < 0.5 else len(data)
        place = int(rng.integers(end))
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[place] = int(rng.integers(256))
        elif kind in (2, 3):
            width = 2 * (kind - 1)
            value = int(rng.choice([0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1])) % 2 ** (8 * width)
            data[place : place + width] = value.to_bytes(width, "little" if rng.random() < 0.5 else "big")
        elif kind == 4:
            data = data[:place]
        elif kind == 5:
            del data[place : place + int(rng.integers(1, 40))]
        else:
            piece = data[place : place + int(rng.integers(1, 40))]
            target = int(rng.integers(len(data) + 1))
            data[target:target] = piece
    return bytes(data)


def cases(count: int, *, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutated files with the names of what they were made from; the same seed gives the same files."""
    originals = list(seeds().items())
    for number in range(count):
        name, content = originals[number % len(originals)]
        yield name, mutate(content, np.random.default_rng((seed, number)))


def fuzz_images(count: int, *, seed: int = 0, seconds: float | None = None) -> Tally:
    """Decode mutated files; no more are begun after so many seconds."""
    tally, started = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.img"
        for name, content in cases(count, seed=seed):
            if seconds is not None and time.monotonic() - started > seconds:
                break
            path.write_bytes(content)
            _judge(path, name, tally)
    return tally


def _judge(path: Path, name: str, tally: Tally) -> None:
    begun = time.monotonic()
    signal.signal(signal.SIGALRM, _ring)
    signal.alarm(LONGEST_SECONDS)
    try:
        (height, width), channels, _ = open_header(path)
        pixels = decode_image(path, name=name)
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4), "no image"
        assert min(pixels.shape) > 0 and min(height, width, channels) > 0, "empty"
        tally.decoded += 1
    except UnreadableImageError as error:
        assert error.reason, "a refusal without a reason"
        tally.refused += 1
        tally.reasons[error.reason.split(":")[0][:60]] += 1
    except _HangError:
        tally.hangs += 1
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        tally.uncaught[f"{name}: {type(error).__name__}: {error} ({Path(line.filename).name}:{line.lineno})"] += 1
    finally:
        signal.alarm(0)
    tally.slowest = max(tally.slowest, time.monotonic() - begun)


def _ring(number: int, frame: FrameType | None) -> None:
    raise _HangError


def main() -> None:
    """Print the tally; exit with 1 where an exception got through or a case hung."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tally = fuzz_images(options.cases, seed=options.seed)
    print(f"{options.cases} cases of {len(seeds())} originals: {tally.decoded} decoded, {tally.refused} refused")
    print(f"{sum(tally.uncaught.values())} uncaught exceptions, {tally.hangs} hangs, slowest {tally.slowest:.2f} s")
    for line, count in (tally.uncaught or tally.reasons).most_common(20):
        print(f"{count:7d}  {line}")
    raise SystemExit(bool(tally.uncaught or tally.hangs))


if __name__ == "__main__":
    main()
