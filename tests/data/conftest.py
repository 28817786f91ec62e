"""Small image sets that tests of this room share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def write_folder(tmp_path: Path, rng: np.random.Generator) -> Callable[..., Path]:
    """Write class folders with random images; returns their root."""

    def write(root: Path = tmp_path, *, mode: str = "RGB", size: int = 12, **images_by_class: int) -> Path:
        channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
        for name, count in images_by_class.items():
            folder = root / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (size, size, *channels), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number:03d}.png")
        return root

    return write
