"""Rewards of a run: the columns they read, the target they aim at, and that a search follows them."""

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from edgenas.config import load
from edgenas.config.sections.search import SearchSection
from edgenas.config.sections.target import TargetSection
from edgenas.errors import ConfigError
from edgenas.pipeline.search.cost_model import Costs
from edgenas.pipeline.search.rewards import reward_of
from edgenas.search import reward as rewards
from edgenas.space import load as load_space

FOUND = np.array([[0.1, 2.0, 3e6], [0.2, 0.5, 1e6]])
NONE = np.zeros((2, 0))


def _costs(genes: np.ndarray) -> Costs:
    ones = np.ones(len(genes), dtype=np.int64)
    return Costs(latency_ms=4.0 * ones, latency_error_ms=1.0 * ones, macs=8_000_000 * ones, params=ones)


def _reward(name: str, *, target: TargetSection | None = None, budget_ms: float | None = 1.0, objectives=None):
    objectives = objectives or ["accuracy", "latency_ms", "macs"]
    search = SearchSection(strategy="ppo", reward=name, objectives=objectives)
    return reward_of(
        search, target or TargetSection(budget_ms=1.0), budget_ms=budget_ms, space=load_space("tiny"), costs=_costs
    )


@pytest.mark.parametrize("name", ["mnasnet_soft", "mnasnet_hard", "tunas_absolute"])
def test_a_reward_reads_accuracy_and_latency_wherever_they_stand(name) -> None:
    wanted = getattr(rewards, name)([0.9, 0.8], [2.0, 0.5], target_ms=1.0)
    assert np.array_equal(_reward(name)(FOUND, NONE), wanted)
    turned = _reward(name, objectives=["macs", "latency_ms", "accuracy"])(FOUND[:, ::-1], NONE)
    assert np.array_equal(turned, wanted)


def test_the_combined_reward_aims_at_the_limit_of_macs_or_at_the_share_of_the_budget() -> None:
    wanted = rewards.combined([0.9, 0.8], [2.0, 0.5], [3e6, 1e6], target_ms=1.0, target_macs=5e6)
    limited = _reward("combined", target=TargetSection(budget_ms=1.0, max_macs=5_000_000))
    assert np.array_equal(limited(FOUND, NONE), wanted)
    wanted = rewards.combined([0.9, 0.8], [2.0, 0.5], [3e6, 1e6], target_ms=1.0, target_macs=2e6)
    assert np.array_equal(_reward("combined")(FOUND, NONE), wanted)


def test_a_reward_without_its_objective_or_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs the objective latency_ms"):
        _reward("mnasnet_soft", objectives=["accuracy", "macs"])
    with pytest.raises(ConfigError, match="needs a latency to aim at"):
        _reward("combined", budget_ms=None)
    with pytest.raises(ValidationError, match="a strategy that follows a reward"):
        SearchSection(strategy="nsga2", reward="combined")


@contextmanager
def _quiet(title: str):
    yield lambda done, total, what: None


def test_a_search_follows_its_reward_and_measures_each_candidate_where_asked(tmp_path) -> None:
    from edgenas.pipeline.commands.run import run_pipeline

    overrides = [
        "latency.networks=8", "latency.validation_networks=0", "latency.force=true", "latency.use_shipped=false",
        "supernet.epochs=2", "search.evaluations=16", "front.measure=3", "train.epochs=1", "export.recipe=onnx-fp32",
        "target.budget_share=0.8", "data.train_limit=300", "data.test_limit=100", "search.baseline=false",
        "search.strategy=ppo", "search.reward=combined", "search.latency=measured", f"output={tmp_path}",
    ]  # fmt: skip
    configuration = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
    run_pipeline(load(configuration, overrides), progress=_quiet, say=lambda text: None)
    found = json.loads((tmp_path / "quickstart" / "search.json").read_text())
    assert {entry["metrics"]["latency_ms"]["source"] for entry in found["evaluations"]} == {"measured"}
    assert (tmp_path / "quickstart" / "export" / "model.onnx").is_file()
