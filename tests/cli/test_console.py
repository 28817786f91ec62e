"""What the command line prints is what was meant, whatever the text holds."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from edgenas.cli.console import print_table
from edgenas.cli.main import main
from edgenas.display import _bar, progress_bar

HOSTILE = "[red]a[/red] [/] [link=x] \\[b] :smile: \x1b[2J\nend"
SHOWN = r"[red]a[/red] [/] [link=x] \[b] :smile: \x1b[2J\nend"


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process; return status, output and errors."""
    monkeypatch.setattr(sys, "argv", ["edgenas", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    return int(caught.value.code or 0), captured.out, captured.err


def test_a_table_prints_names_of_others_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table((HOSTILE, "n"), [(HOSTILE, 1)], title=HOSTILE)
    assert capsys.readouterr().out.count(SHOWN) == 3


def test_progress_prints_names_of_others_as_they_are(capsys, monkeypatch) -> None:
    with _bar(HOSTILE) as report:
        report(1, 2, HOSTILE)
    monkeypatch.setattr("edgenas.display.LINE_SECONDS", 0.0)
    with progress_bar(HOSTILE) as report:
        report(1, 2, HOSTILE)
    assert f"  {SHOWN}: {SHOWN}: 1 of 2," in capsys.readouterr().err


def test_markup_in_a_path_ends_no_command(monkeypatch, capsys, tmp_path: Path) -> None:
    folder = tmp_path / "t["
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    shutil.copy(next((Path(__file__).parents[2] / "latency_tables").rglob("*.json")), folder / "b].json")
    (folder / "x[b]\udcff.json").write_text('{"format": "edgenas-latency-table"')
    status, output, error = run(monkeypatch, capsys, "latency", "list", folder.name)
    assert status == 0, error
    assert output.count("t[/") >= 2


def test_an_error_about_a_hostile_name_is_plain_text(monkeypatch, capsys) -> None:
    status, _, error = run(monkeypatch, capsys, "latency", "list", "/no/[red]\x1b[2J\udcff")
    assert status == 2
    assert error.startswith(r"error: there is no folder /no/[red]\x1b[2J\udcff")
