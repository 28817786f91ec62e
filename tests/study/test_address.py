"""A store's password stays out of the files of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenas.config.load import load
from edgenas.pipeline.core.open_run import settings_document
from edgenas.study.database import address


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("postgresql://ann:secret@db.example/edge", "postgresql://ann@db.example/edge"),
        ("postgresql+psycopg://ann:s%40cret@db:5432/edge", "postgresql+psycopg://ann@db:5432/edge"),
        ("postgresql://db/edge?user=ann&password=secret&sslmode=require", "postgresql://db/edge?user=ann&sslmode=require"),
        ("postgresql://db/edge?password=secret", "postgresql://db/edge"),
        ("runs/store.sqlite", "runs/store.sqlite"),
        ("sqlite:///runs/a:b@c.sqlite", "sqlite:///runs/a:b@c.sqlite"),
    ],
)
def test_an_address_has_no_password(place: str, kept: str) -> None:
    assert address(place) == kept


def test_the_settings_of_a_run_hold_no_password() -> None:
    quickstart = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
    settings = load(quickstart, ["search.store=postgresql://ann:secret@db/edge"])
    assert "secret" not in repr(settings_document(settings))
    assert settings.search.store == "postgresql://ann:secret@db/edge"
