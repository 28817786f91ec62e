"""`edgenas cache`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import edgenas as en
from edgenas.cli.main import app


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["cache", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_cache_is_listed_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGENAS_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for number in range(12):
        folder = tmp_path / "pictures" / ("cats", "dogs")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    en.load_images(tmp_path / "pictures", cache=True)
    assert "8 x 8 x 3" in printed("list") and "index" in printed("list")
    assert printed("list", "--folder", str(tmp_path / "other")).count("images") == 0
    assert "removed 2 entries" in printed("clear")
    assert "8 x 8 x 3" not in printed("list") and len(list((tmp_path / "pictures").rglob("*.png"))) == 12
