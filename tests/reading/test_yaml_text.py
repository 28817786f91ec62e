"""The one reader of YAML: what it takes, and what it refuses with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgenas.errors import ConfigError, InputError
from edgenas.reading.yaml_text import parse_yaml, read_yaml

# YAML 1.2.2, section 10.3.2.
CORE = {
    "1e-3": 0.001, "1.": 1.0, ".5": 0.5, "+3": 3, "-0.0": 0.0, "0x1F": 31, "0o17": 15, "0": 0,
    "yes": "yes", "No": "No", "on": "on", "off": "off", "1_000": "1_000", "12:30:45": "12:30:45", "0b11": "0b11",
    "2026-11-26": "2026-11-26", "²": "²", "~": None, "null": None, "": None, "true": True, "FALSE": False,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), CORE.items())
def test_a_scalar_is_what_yaml_1_2_says(text: str, value: object) -> None:
    found = parse_yaml(f"a: {text}", source="x").value["a"]
    assert found == value and type(found) is type(value)


REFUSED = [
    ("a: 010", "line 1, column 4: .*leading zero"),
    ("a: 00", "leading zero"),
    ("a: -007.5", "leading zero"),
    ("a: .inf", "not finite"),
    ("a: -.INF", "not finite"),
    ("a: .NaN", "not finite"),
    ("a: 1e400", "not finite"),
    ("a: " + "9" * 5000, "5,000 letters"),
    ("a: 9223372036854775808", "64 bits"),
    ("a: 0x" + "f" * 17, "64 bits"),
    ("a: &x 1\nb: *x", "aliases and anchors"),
    ("a: *x", "aliases and anchors|not YAML"),
    ("a: &x 1", "aliases and anchors"),
    ("a: &x [1]", "aliases and anchors"),
    ("a: !!python/object:os.system x", "tags are not read"),
    ("a: !!str 3", "tags are not read"),
    ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is given twice"),
    ("x: {a: 1, a: 1}", "given twice"),
    ("1: x", "a key is not a text; got 1"),
    ("? [1]\n: 2", "a key is not a text"),
    ("--- 1\n--- 2", "line 2, column 1: a second document"),
    ("[" * 100_000, "too deeply nested"),
    ("{a: " * 300, "too deeply nested"),
    ("- " * 3000 + "x", "too deeply nested"),
    ("a: " + "x" * 300_000, "too large"),
    ('a: "\\0"', "control characters"),
    ('a: "\\ud800"', "control characters"),
    ('a: "\\UFFFFFFFF"', "not YAML"),
    ("a: \x00", "not YAML"),
    ("a: [1", "line 1, column 6: this is not YAML"),
    ("\ta: 1", "line 1, column 1: this is not YAML"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text[:20] for text, _ in REFUSED])
def test_what_two_readers_could_read_differently_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_yaml(text, source="x.yaml", error=ConfigError)
    assert str(caught.value).startswith("x.yaml") and len(str(caught.value)) < 1000


def test_every_value_knows_its_line() -> None:
    found = parse_yaml("a:\n  b: 1\nc:\n- 2\n- d: 3\n", source="x")
    assert found.lines == {("a",): 1, ("a", "b"): 2, ("c",): 3, ("c", 0): 4, ("c", 1): 5, ("c", 1, "d"): 5}


NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")))
KEYS = st.text("abcé yn01", min_size=1)


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    )
)
def test_what_pyyaml_writes_comes_back(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True), source="x").value == value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1".encode("utf-16"), "UTF-16"),
        (b"a: 1\nb: \xff", "byte 0xff in line 2"),
        (b"a" * 300_000, "too large"),
    ],
)
def test_a_file_is_utf_8_and_small(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_yaml(tmp_path / "x.yaml", what="the space")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("é: ü".encode("utf-8-sig"))
    assert read_yaml(tmp_path / "x.yaml", what="the space").value == {"é": "ü"}
