"""Messages of errors."""

from __future__ import annotations

from edgenas.errors import explain, nearest


def test_a_message_fits_a_screen_whatever_was_given() -> None:
    text = explain("w" * 9999, got="g" * 9999, allowed="a" * 9999, remedy="r" * 9999)
    assert len(text) < 24 * 80
    assert "(9,999 characters)" in text


def test_a_short_message_is_whole() -> None:
    assert explain("what", got=1, allowed="a", remedy="Do.") == "what; got 1; allowed: a. Do."


def test_the_nearest_name_is_found_but_not_of_a_long_text() -> None:
    assert nearest("sorce", ["source", "path"]) == " (did you mean 'source'?)"
    assert nearest("s" * 100_000, ["s" * 99_999]) == ""
