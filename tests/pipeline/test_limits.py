"""A cost that is not a number meets no limit of a run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.config.sections.target import TargetSection
from edgenas.errors import BudgetError, SearchError
from edgenas.pipeline.commands.transfer import adaptation
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.search import budget, one_shot
from edgenas.pipeline.stages import family
from edgenas.space import load

NAN = float("nan")
SPACE = load("tiny")


def _costs(latency_ms: float, error_ms: float, macs: float):
    def costs(genes):
        def column(value):
            return np.full(len(genes), value)

        return SimpleNamespace(
            latency_ms=column(latency_ms), latency_error_ms=column(error_ms), macs=column(macs)
        )

    return costs


@pytest.mark.parametrize(("latency_ms", "error_ms"), [(NAN, 0.1), (0.5, NAN)])
def test_an_unknown_latency_does_not_meet_a_budget(latency_ms: float, error_ms: float) -> None:
    target = TargetSection(budget_ms=1.0)
    budget.require_possible(target, SPACE, _costs(0.5, 0.1, 1.0), seed=0)
    with pytest.raises(BudgetError, match="latency budget"):
        budget.require_possible(target, SPACE, _costs(latency_ms, error_ms, 1.0), seed=0)


def test_an_unknown_count_does_not_meet_a_limit() -> None:
    target = TargetSection(max_macs=1000)
    budget.require_possible(target, SPACE, _costs(0.5, 0.1, 999.0), seed=0)
    with pytest.raises(BudgetError, match="max_macs"):
        budget.require_possible(target, SPACE, _costs(0.5, 0.1, NAN), seed=0)


def test_an_unknown_need_of_memory_does_not_fit(monkeypatch) -> None:
    context = SimpleNamespace(
        settings=SimpleNamespace(
            train=SimpleNamespace(batch_size=8, accumulation=1), scale=SimpleNamespace(memory_mib=64)
        )
    )
    monkeypatch.setattr(family, "memory_bytes", lambda *_, **__: NAN)
    with pytest.raises(BudgetError, match="nan MiB"):
        family.require_training_memory("phi 1", None, context)


@pytest.mark.parametrize(("target", "cost"), [(NAN, 1.0), (1.0, NAN)])
def test_a_one_shot_target_that_is_not_a_number_or_not_known_to_be_met_is_refused(
    target: float, cost: float, monkeypatch
) -> None:
    context = SimpleNamespace(seed=lambda name: 0, say=lambda text: None)
    monkeypatch.setattr(artifacts, "space", lambda _: SPACE)
    section = SimpleNamespace(cost="macs")
    one_shot._require_reachable(1.0, lambda genes: np.full(len(genes), 1.0), context, section)
    with pytest.raises(SearchError, match="costs as little as the one-shot target"):
        one_shot._require_reachable(target, lambda genes: np.full(len(genes), cost), context, section)


def test_an_accuracy_that_is_not_a_number_is_not_as_good_as_the_one_that_was_carried_over(monkeypatch) -> None:
    context = SimpleNamespace(
        seed=lambda name: 0, settings=SimpleNamespace(supernet=SimpleNamespace(epochs=8))
    )
    monkeypatch.setattr(adaptation, "fresh", lambda *_: None)
    monkeypatch.setattr(adaptation, "train_shared", lambda *_, **__: 1.0)
    for accuracy, epochs in ((NAN, [2, 4, 8]), (0.4, [2, 4, 8]), (0.6, [2])):
        monkeypatch.setattr(
            adaptation, "inherited_accuracies", lambda *_, accuracy=accuracy: np.array([accuracy])
        )
        tried = adaptation.from_scratch(context, SPACE, None, None, np.zeros((1, 1), np.int64), 0.5, 2)
        assert [entry.epochs for entry in tried] == epochs
