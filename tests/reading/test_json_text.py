"""The one reader of JSON documents."""

from __future__ import annotations

import json

import pytest

from edgenas.errors import TableError
from edgenas.reading.json_text import parse_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "NaN, where numbers must be finite"),
        ('{"a": -Infinity}', "must be finite"),
        ('{"a": 1e999}', "must be finite"),
        ('{"a": ' + "9" * 5000 + "}", "5,000 digits"),
        ('{"a": 0.' + "9" * 5000 + "}", "digits"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' twice"),
        ("[" * 100_000, "too deeply nested"),
        ("[" * 100 + "]" * 100, "too deeply nested"),
        ('{"a": 1', "line 1, column 8"),
        ("", "is not JSON"),
    ],
)
def test_what_no_document_holds_is_refused(text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        parse_json(text, source="x.json", error=TableError)


def test_a_document_comes_back() -> None:
    value = {"a": [1, 2.5, None, True, "é"], "state": 2**127, "deep": [[[[[[1]]]]]]}
    assert parse_json(json.dumps(value), source="x") == value
