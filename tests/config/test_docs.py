"""The tables of keys in docs/ are those of the settings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from edgenas.config import RunSettings

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("docs_tables", ROOT / "scripts" / "docs_tables.py")
assert SPEC is not None and SPEC.loader is not None
docs_tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(docs_tables)
FIELDS = RunSettings.model_fields.items()
SECTIONS = ["run", *(name for name, field in FIELDS if hasattr(field.annotation, "model_fields"))]


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_tables_of_a_page_are_those_of_the_settings(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert docs_tables.generated(text) == text, "run python scripts/docs_tables.py"


def test_every_section_has_its_table() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in SECTIONS if f"<!-- keys: {name} -->" not in text] == []


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_is_described(name: str) -> None:
    assert [key for key, _, _, told in docs_tables.keys(docs_tables.section(name)) if not told.strip()] == []


def test_a_table_that_differs_is_seen() -> None:
    text = "<!-- keys: front -->\n| `measure` | 13 |\n<!-- end of keys -->"
    assert "| `measure` | 12 | whole number from 1 to 1,000,000 |" in docs_tables.generated(text)
