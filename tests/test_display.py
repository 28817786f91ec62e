"""Progress for logs, terminals and notebooks."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from edgenas import display


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that a test sets."""
    now = SimpleNamespace(value=1000.0)
    monkeypatch.setattr("edgenas.display.time.monotonic", lambda: now.value)
    return now


def test_a_log_gets_a_line_a_minute_and_no_more(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with display.progress_bar("train") as report:
        for second in range(300):
            clock.value = 1000.0 + second
            report(second, 300, "steps")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"  train: steps: {done} of 300, {300 - done} s left" for done in (60, 120, 180, 240)]


def test_a_step_that_is_none_yet_says_nothing(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with display.progress_bar("train") as report:
        clock.value += 600
        report(0, 0, "")
    assert capsys.readouterr().err == ""


class ZMQInteractiveShell:
    """What IPython calls the shell of a notebook."""


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pretend to be a notebook; returns what it shows, one text an update."""
    shown: list[str] = []

    class Handle:
        def update(self, content: dict[str, str], *, raw: bool) -> None:
            shown.append(content["text/plain"])

    def show(content: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        shown.append(content["text/plain"])
        return Handle()

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=show))  # type: ignore[arg-type]
    return shown


def test_a_notebook_shows_one_line_that_moves(
    notebook: list[str], clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with display.progress_bar("search") as report:
        clock.value += 10
        report(1, 4, "networks")
        report(2, 4, "networks")
        clock.value += 10
        report(4, 4, "")
    assert notebook[0] == "search"
    assert notebook[1] == f"search: networks: [{'#' * 8}{'.' * 22}] 1 of 4, 30 s left"
    # The second report came at once after the first: nobody can read so fast.
    assert notebook[2] == f"search: [{'#' * 30}] 4 of 4, 0 s left"
    assert notebook[3:] == ["search: 20 s"]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_plain_python_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not display.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))  # type: ignore[arg-type]
    assert not display.in_notebook()


def test_a_terminal_shows_a_bar_and_takes_titles_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with display.progress_bar("photos [/bold]") as report:
        report(1, 2, "[/red]")
    assert "photos" in capsys.readouterr().err


def test_a_line_of_others_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    display.say_line("class \x1b[2J\nsecond line")
    assert capsys.readouterr().out == "class \\x1b[2J\nsecond line\n"


def test_silence_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with display.no_progress("train") as report:
        report(1, 2, "steps")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
