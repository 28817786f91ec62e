"""Mean and deviation are computed once for a set and kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgenas.data import DataSettings, fit_preprocessing, load
from edgenas.data import statistics as kept

Write = Callable[..., Path]


@pytest.fixture
def settings(tmp_path: Path, write_folder: Write) -> DataSettings:
    root = write_folder(tmp_path / "images", cats=30, dogs=30)
    return DataSettings(source="folder", path=str(root), cache_dir=str(tmp_path / "cache"))


def test_statistics_are_computed_once_for_a_set(settings: DataSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(settings)
    expected = fit_preprocessing(load(replace(settings, cache_dir=None)).train, resize="squash")
    assert kept.fitted_preprocessing(data, resize="squash") == expected
    monkeypatch.setattr(kept, "fit_preprocessing", lambda *_, **__: pytest.fail("computed again"))
    assert kept.fitted_preprocessing(load(settings), resize="squash") == expected
    assert kept.fitted_preprocessing(load(settings)) == replace(expected, resize="crop")


def test_other_training_images_have_statistics_of_their_own(settings: DataSettings) -> None:
    first, second = (load(replace(settings, seed=seed)) for seed in (0, 1))
    assert kept.fitted_preprocessing(first) == fit_preprocessing(first.train)
    assert kept.fitted_preprocessing(second) == fit_preprocessing(second.train) != fit_preprocessing(first.train)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"resolution": 8}'])
def test_damaged_statistics_are_computed_again(settings: DataSettings, text: str) -> None:
    data = load(settings)
    expected = kept.fitted_preprocessing(data)
    (file,) = (Path(str(settings.cache_dir)) / "statistics").iterdir()
    file.write_text(text, encoding="utf-8")
    assert kept.fitted_preprocessing(data) == expected
