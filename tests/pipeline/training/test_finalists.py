"""Finalists: fine-tuning and validation images decide, and the budget among those that cannot be told apart."""

from typing import Any

import numpy as np
import pytest

from edgenas.pipeline.training.finalists import Finalist, document, entrants, grows, halved, paired, ranked, told


def _finalist(name: str, latency_ms: float, right: int, *, images: int = 400, epochs: int = 6) -> Finalist:
    return Finalist(entry=_entry(name, latency_ms), epochs=epochs, hits=np.arange(images) < right)


def _entry(name: str, latency_ms: float) -> dict[str, Any]:
    return {"digest": name, "measured_ms": latency_ms}


def test_a_paired_difference_is_surer_than_two_accuracies() -> None:
    one, other = np.arange(400) < 300, np.arange(400) < 290
    difference, error = paired(one, other)
    assert difference == pytest.approx(0.025)
    assert error == pytest.approx(np.sqrt(0.025 * 0.975 / 399))
    assert error < np.sqrt(2 * 0.75 * 0.25 / 400) / 3


def test_among_equals_the_budget_is_used_where_accuracy_grows_with_latency() -> None:
    fast, slow = _finalist("fast", 1.0, 301), _finalist("slow", 1.9, 300)
    assert [found.entry["digest"] for found in ranked([slow, fast], use_budget=True)] == ["slow", "fast"]
    assert [found.entry["digest"] for found in ranked([slow, fast], use_budget=False)] == ["fast", "slow"]
    assert "cannot be told apart" in told(ranked([slow, fast], use_budget=True), use_budget=True)


def test_a_clearly_more_accurate_network_is_delivered_whatever_its_latency() -> None:
    fast, slow = _finalist("fast", 1.0, 340), _finalist("slow", 1.9, 300)
    order = ranked([slow, fast], use_budget=True)
    assert [found.entry["digest"] for found in order] == ["fast", "slow"]
    assert "+10.0 +- 1.5 points" in told(order, use_budget=True)
    rows = document(order, [_finalist("early", 1.5, 200, epochs=2)])
    assert [row["behind_delivered"] for row in rows] == [0.0, pytest.approx(0.1), None]


def test_accuracy_grows_only_if_more_pairs_say_so() -> None:
    assert grows(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.6, 0.55]))
    assert not grows(np.array([1.0, 2.0, 3.0]), np.array([0.6, 0.5, 0.4]))
    assert not grows(np.array([1.0, 2.0]), np.array([0.5, 0.5]))


def test_half_of_the_finalists_are_near_the_budget_where_so_many_networks_are() -> None:
    latencies = {"a": 1.0, "b": 1.1, "c": 1.2, "d": 1.85, "e": 1.9, "f": 1.95}
    networks = [_entry(name, latency) for name, latency in latencies.items()]
    assert [entry["digest"] for entry in entrants(networks, 3, budget_ms=2.0)] == ["a", "b", "d"]
    assert [entry["digest"] for entry in entrants(networks, 4, budget_ms=2.0)] == ["a", "b", "d", "e"]
    assert [entry["digest"] for entry in entrants(networks[::-1], 3, budget_ms=2.0)] == ["f", "e", "d"]
    assert [entry["digest"] for entry in entrants(networks, 3, budget_ms=None)] == ["a", "b", "c"]
    assert [entry["digest"] for entry in entrants(networks[:3], 3, budget_ms=2.0)] == ["a", "b", "c"]
    assert [entry["digest"] for entry in entrants(networks, 1, budget_ms=2.0)] == ["a"]


def test_the_better_half_is_trained_in_full() -> None:
    asked: list[tuple[str, int]] = []
    right = {"a": 10, "b": 40, "c": 30, "d": 20}

    def judge(entry: Any, epochs: int) -> np.ndarray:
        asked.append((entry["digest"], epochs))
        return np.arange(50) < right[entry["digest"]]

    found = halved([_entry(name, 1.0) for name in "abcd"], 9, judge)
    assert asked == [("a", 3), ("b", 3), ("c", 3), ("d", 3), ("b", 9), ("c", 9)]
    assert [(entry.entry["digest"], entry.epochs) for entry in found] == [("b", 9), ("c", 9), ("d", 3), ("a", 3)]
    asked.clear()
    halved([_entry("a", 1.0), _entry("b", 1.0)], 9, judge)
    assert asked == [("a", 9), ("b", 9)]
