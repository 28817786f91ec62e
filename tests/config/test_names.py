"""A run's name is one folder of its own, inside the folder of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenas.config.load import load
from edgenas.errors import ConfigError
from edgenas.pipeline.core.directory import open_run_directory

CONFIG = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


@pytest.mark.parametrize("name", ["..", ".", "...", ".git", "a/b", "/tmp", "-rf", "nul", "aux.txt", "a.", "", "a b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name"):
        load(CONFIG, [f'name="{name}"'])
    with pytest.raises(ConfigError, match="the run's name cannot be a file name"):
        open_run_directory(str(tmp_path / "runs"), name)
    assert list(tmp_path.iterdir()) == []


def test_an_ordinary_name_is_a_folder_of_runs(tmp_path: Path) -> None:
    assert load(CONFIG, ['name="my-run_2.1"']).name == "my-run_2.1"
    assert open_run_directory(str(tmp_path), "my-run_2.1").path == tmp_path / "my-run_2.1"
