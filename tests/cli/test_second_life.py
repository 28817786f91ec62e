import json
import sys

import pytest

from edgenas.api.config import find_configuration
from edgenas.cli.main import main
from edgenas.cli.quantities import budget, milliseconds
from edgenas.config.load import load
from edgenas.errors import InputError


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    """Run the command line in this process; return status and errors."""
    monkeypatch.setattr(sys, "argv", ["edgenas", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("specialise", "none", "--budget", "3ms"), "none is no run directory"),
        (("specialise", "none", "--budget", "fast"), "not a latency"),
        (("transfer", "none", "--data", "quickstart"), "none is no run directory"),
        (("refine", "none.safetensors", "--to-share", "0.7"), "no images to train"),
        (("refine", "none"), "refine needs one goal"),
        (("refine", "none", "--to-share", "1.5"), "between 0 and 1"),
        (("scale", "mobilenet_v2", "--fit", "quickstart", "--phi", "1"), "--fit finds the growths"),
        (("scale", "efficientnet_b0", "--phi", "16"), "an estimate of"),
        (("scale", "mobilenet_v2", "--targets", "1ms,soon"), "not a latency; got 'soon'"),
    ],
)
def test_bad_input_is_one_clear_message(monkeypatch, capsys, tmp_path, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    status, errors = run(monkeypatch, capsys, *arguments)
    assert status == 2
    assert errors.startswith("error: ")
    assert message in errors


def test_settings_of_a_refined_run_can_be_overridden_and_a_wrong_one_is_named(monkeypatch, capsys, tmp_path) -> None:
    settings = load(find_configuration("quickstart"))
    (tmp_path / "settings.json").write_text(json.dumps(settings.model_dump()))
    arguments = ("refine", str(tmp_path), "--to-share", "0.9", "--set", "train.epoks=3")
    status, errors = run(monkeypatch, capsys, *arguments)
    assert status == 2
    assert "train.epoks: unknown key" in errors


def test_a_budget_is_milliseconds_or_a_share() -> None:
    assert budget("3ms") == (3.0, None)
    assert budget(" 0.5 ") == (0.5, None)
    assert budget("50%") == (None, 0.5)
    assert milliseconds("2ms") == 2.0


@pytest.mark.parametrize("text", ["", "-1ms", "nan", "inf", "0", "120%", "0%", "x%", "3s"])
def test_what_is_no_budget_is_refused(text) -> None:
    with pytest.raises(InputError):
        budget(text)
