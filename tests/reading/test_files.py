"""Paths that a user gives, and the files behind them."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from edgenas.errors import InputError, WeightsError
from edgenas.reading.files import checked_path, read_bytes, read_text

PACKAGE = Path(__file__).parents[2] / "edgenas"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a\0b", "control characters"),
        ("", "an empty text"),
        ("x" * 5000, "5,000 bytes"),
        ("d/" + "x" * 300, "300 bytes"),
    ],
)
def test_an_impossible_path_is_refused_in_a_short_message(path: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        checked_path(path, error=WeightsError)
    assert len(str(caught.value)) < 800
    with pytest.raises(InputError):
        read_text(path, what="the table")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the table .*; got a folder"):
        read_bytes(tmp_path, what="the table")
    with pytest.raises(InputError, match="No such file"):
        read_bytes(tmp_path / "none", what="the table")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a pipe"):
        read_bytes(tmp_path / "pipe", what="the table")


def test_a_file_that_never_ends_is_not_read_to_its_end() -> None:
    with pytest.raises(InputError, match="a device|too large"):
        read_bytes("/dev/zero", what="the table")


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 101)
    with pytest.raises(InputError, match="over 100 bytes"):
        read_bytes(tmp_path / "x", what="the table", limit=100)
    assert len(read_bytes(tmp_path / "x", what="the table", limit=101)) == 101


def _texts_without_encoding(source: str) -> list[int]:
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        binary = any("b" in ast.unparse(mode) for mode in node.args[1:2])
        # RunDirectory.write_text takes a name and a text, and says the encoding itself.
        texts = (name, len(node.args)) in (("write_text", 1), ("read_text", 0))
        if texts or (name == "open" and isinstance(node.func, ast.Name) and not binary):
            lines.append(node.lineno)
    return lines


def test_the_check_below_sees_a_text_without_an_encoding() -> None:
    assert _texts_without_encoding("p.read_text()\np.write_text('x')\nopen('x')\nopen('x', 'rb')\n") == [1, 2, 3]


def test_every_text_file_says_its_encoding() -> None:
    found = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := _texts_without_encoding(path.read_text(encoding="utf-8")))
    }
    assert found == {}
