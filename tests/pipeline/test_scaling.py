import dataclasses
import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgenas.arch.document import to_document
from edgenas.arch.notation import parse_notation
from edgenas.config import load
from edgenas.errors import BudgetError, ConfigError
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import measured_latency
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.stages import DATA, FAMILY

CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
WINNER = dataclasses.replace(
    parse_notation("r8 | stem_k3_s1_c8_hs | mb_k3_e4_c8_hs | head_c16_hs | n10"), in_channels=1
)
SMALL = ["train.epochs=2", "data.train_limit=200", "data.test_limit=100", "export.recipe=onnx-fp32"]


@contextmanager
def quiet(title: str):
    yield lambda done, total, what: None


def _context(folder: Path, *overrides: str) -> RunContext:
    settings = load(CONFIGURATION, [*SMALL, *overrides])
    context = RunContext(settings, RunDirectory(path=folder), progress=quiet, say=lambda text: None)
    DATA.run(context)
    context.directory.write_json("architecture.json", to_document(WINNER))
    return context


def test_members_by_phi_are_trained_exported_and_measured(tmp_path) -> None:
    context = _context(tmp_path, "scale.phi=[0, 1.5]", "scale.gamma=1.5")
    FAMILY.run(context)
    same, larger = json.loads((tmp_path / "family.json").read_text())["members"]
    assert (same["name"], larger["name"]) == ("phi0", "phi1.5")
    assert same["architecture"] == to_document(WINNER)
    assert larger["resolution"] == 14
    assert larger["macs"] > 2 * same["macs"]
    for member in (same, larger):
        exported = tmp_path / "family" / member["name"] / "model.onnx"
        assert exported.stat().st_size == member["files"][0]["bytes"]
        assert member["latency_ms"] == member["files"][0]["latency_ms"] > 0
        assert member["target_share"] is None
        assert 0 <= member["test_accuracy"]["value"] <= 1


def test_members_inherit_the_winners_weights_where_they_are_told_to_and_say_which(tmp_path) -> None:
    from edgenas.nn import Checkpoint, build, save_checkpoint

    context = _context(tmp_path, "scale.phi=[0, 1.5]", "scale.alpha=2", "train.epochs=0", "scale.inherit=true")
    weights = build(WINNER).weights()
    weights["head.classifier.bias"][3] = 1e6
    save_checkpoint(tmp_path / "model.safetensors", Checkpoint(architecture=WINNER, weights=weights))
    FAMILY.run(context)
    same, larger = json.loads((tmp_path / "family.json").read_text())["members"]
    assert not same["inherited"]["leading"] and len(same["inherited"]["whole"]) == 6
    assert larger["inherited"]["identity"] and larger["inherited"]["leading"] and not larger["inherited"]["fresh"]
    assert "blocks added as identities" in larger["inherited"]["told"]
    # Both answer with the class of the winner's largest bias, whatever the image.
    assert same["validation_accuracy"] == larger["validation_accuracy"]


def test_members_by_latency_lie_just_below_their_targets(tmp_path) -> None:
    # On the steady device of these tests, a larger file takes longer.
    wanted = 1.002 * measured_latency(WINNER)
    context = _context(tmp_path, f"scale.targets_ms=[{wanted!r}]")
    FAMILY.run(context)
    (member,) = json.loads((tmp_path / "family.json").read_text())["members"]
    assert member["target_ms"] == wanted
    assert 0.95 <= member["target_share"] <= 1


def test_a_member_too_large_to_run_or_to_train_is_refused_before_anything_is_built(tmp_path) -> None:
    with pytest.raises(BudgetError, match="does not fit into memory"):
        FAMILY.run(_context(tmp_path, "scale.phi=[20]"))
    with pytest.raises(BudgetError, match=r"the training of phi0 .* an estimate of"):
        FAMILY.run(_context(tmp_path, "scale.phi=[0]", "scale.memory_mib=1"))
    assert not (tmp_path / "family").exists()


def test_phi_and_targets_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="one of phi and targets_ms"):
        load(CONFIGURATION, ["scale.phi=[1]", "scale.targets_ms=[1.0]"])
    with pytest.raises(ConfigError, match="greater than 0"):
        load(CONFIGURATION, ["scale.targets_ms=[-1.0]"])
