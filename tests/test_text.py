"""Text of others: printed without harm, and refused where it would become a path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenas.errors import ConfigError
from edgenas.text import is_safe_name, printable, require_safe_name


@given(st.text(alphabet=st.characters(), max_size=40))
def test_printable_text_breaks_no_line_and_holds_no_control_character(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    shown.encode("utf-8")


def test_printable_text_stays_readable() -> None:
    assert printable("süß 猫 🐈 [red]") == "süß 猫 🐈 [red]"
    assert printable("a\nb\tc\x1b[31m\udcff\u202e\u2028") == r"a\nb\tc\x1b[31m\udcff\u202e\u2028"
    assert printable("a\nb\tc", keep="\n") == "a\nb\\tc"
    assert printable("fine\u3000space") == "fine\u3000space"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "...", ".hidden", "-rf", "a/b", "a\\b", "/etc", "a\nb", "a\n", "a\0", "a b", "C:", "nul", "NUL.txt",
     "com1", "a.", "é", "a" * 101],
)  # fmt: skip
def test_a_name_that_could_lead_elsewhere_is_no_file_name(name: str) -> None:
    assert not is_safe_name(name)
    with pytest.raises(ConfigError, match="cannot be a file name") as refused:
        require_safe_name(name, "the run's name", error=ConfigError)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", ["a", "_", "9", "run-1_b.final", "console", "com10", "a..b", "a" * 100])
def test_ordinary_names_are_file_names(name: str) -> None:
    assert require_safe_name(name, "the run's name", error=ConfigError) == name
