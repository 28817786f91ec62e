"""All JSON is written and read in one way, which takes no number that is not finite."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from edgenas.errors import StoreError
from edgenas.reading.json_text import plain_text, plain_value

ROOT = Path(__file__).parents[2] / "edgenas"
# The reader and writer themselves; what lies below them; and what runs on a device, without edgenas.
APART = {"reading/json_text.py", "atomic.py", "measure/device/agent.py", "measure/device/loop.py"}


def calls(path: Path) -> list[str]:
    """Calls of `json.dump(s)` in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("dump", "dumps")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("json", "encoder")
    ]


def test_no_file_writes_json_by_itself() -> None:
    found = [call for path in ROOT.rglob("*.py") if str(path.relative_to(ROOT)) not in APART for call in calls(path)]
    assert found == []


@pytest.mark.parametrize("name", sorted(APART))
def test_what_writes_json_apart_refuses_numbers_that_are_not_finite(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text.count("json.dumps(") == text.count("allow_nan=False") > 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), float(np.float32("nan"))])
def test_a_number_that_is_not_finite_is_neither_written_nor_read(value: float) -> None:
    with pytest.raises(StoreError, match=r"not finite; got .*rows\[1\]"):
        plain_text({"rows": [1.0, value]})
    with pytest.raises(ValueError):
        plain_value('{"rows": [1.0, %s]}' % ("NaN" if value != value else "Infinity" if value > 0 else "-Infinity"))


def test_what_is_written_is_read_again() -> None:
    value = {"a": [1, 2.5, None, True, "ä"], "b": {"c": "d"}}
    assert plain_value(plain_text(value, sort_keys=True, separators=(",", ":"))) == value
