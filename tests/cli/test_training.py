"""What the commands of training print."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgenas.cli.main import main

RANKS = {
    f"{name}{end}": value
    for name in ("spearman", "spearman_within_bands", "kendall")
    for end, value in (("", 0.9), ("_low", 0.7), ("_high", 0.97))
}
COSTS = {"gap_points": None, "seconds_per_network": 0.2}


def test_the_table_of_the_judge_shows_macs_first_and_says_who_does_not_beat_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    margin = {"difference": 0.015, "low": -0.08, "high": 0.11}
    document = {
        "ceiling": 0.85, "ceiling_within_bands": None, "notes": ["Network 3 is left out."],
        "estimators": [
            {**RANKS, **COSTS, "name": "macs", "over_macs": None, "over_macs_within_bands": None, "beyond_macs": None,
             "verdict": "the baseline"},
            {**RANKS, **COSTS, "name": "supernet", "gap_points": 6.94, "over_macs": margin,
             "over_macs_within_bands": {"difference": None, "low": None, "high": None},
             "beyond_macs": {"spearman": 0.48, "low": 0.1, "high": 0.82},
             "verdict": "does not beat MACs, adds to them"},
            {**{name: None for name in RANKS}, **COSTS, "name": "constant", "over_macs": margin,
             "over_macs_within_bands": margin, "beyond_macs": None, "verdict": "does not beat MACs"},
        ],
    }  # fmt: skip
    asked = {}

    def validate(context: object, *, networks: int, seeds: int) -> dict:
        asked.update(networks=networks, seeds=seeds)
        return document

    monkeypatch.setattr("edgenas.pipeline.commands.estimators.validate_run_estimators", validate)
    run = SimpleNamespace(directory=SimpleNamespace(path=tmp_path))
    monkeypatch.setattr("edgenas.pipeline.core.open_run.open_run", lambda *_, **__: run)
    monkeypatch.setattr(sys, "argv", ["edgenas", "estimator", "validate", str(tmp_path), "--networks", "47"])
    with pytest.raises(SystemExit) as status:
        main()
    output = capsys.readouterr().out
    assert status.value.code in (0, None) and asked == {"networks": 47, "seeds": 2}
    assert output.index("macs") < output.index("supernet")
    for text in ("0.70 to 0.97", "+6.9", "+0.01 (-0.08 to +0.11)", "+0.48 (+0.10 to +0.82)",
                 "does not beat MACs, adds to them", "rho 0.85", "Network 3 is left out."):  # fmt: skip
        assert text in output
    assert "None" not in output and "nan" not in output
