import pytest

from edgenas.pipeline.search.budget import within
from edgenas.pipeline.stages.front import choose
from edgenas.pipeline.stages.winner import ordered


def _network(accuracy: float, latency: float) -> dict:
    return {"metrics": {"accuracy": {"value": accuracy}, "latency_ms": {"value": latency}}}


def test_the_most_accurate_are_measured_and_always_the_fastest() -> None:
    networks = [_network(0.9, 3.0), _network(0.8, 2.0), _network(0.7, 1.5), _network(0.6, 1.0)]
    assert choose(networks, [0, 1, 2, 3], 3) == [0, 1, 3]


def test_what_another_beats_in_accuracy_and_latency_comes_last() -> None:
    networks = [_network(0.9, 3.0), _network(0.85, 3.5), _network(0.5, 1.0)]
    assert choose(networks, [0, 1, 2], 2) == [0, 2]


def test_a_front_smaller_than_the_count_is_measured_whole() -> None:
    assert choose([_network(0.9, 3.0), _network(0.8, 2.0)], [1, 0], 5) == [0, 1]


def test_candidates_come_most_accurate_first_and_of_equals_the_faster_first() -> None:
    networks = [
        {"digest": "slow", "accuracy": 0.9, "measured_ms": 2.0, "within_budget": True},
        {"digest": "fast", "accuracy": 0.9, "measured_ms": 1.0, "within_budget": True},
        {"digest": "over", "accuracy": 0.99, "measured_ms": 9.0, "within_budget": False},
    ]
    assert [entry["digest"] for entry in ordered(networks)] == ["fast", "slow"]


def test_a_single_network_is_the_most_accurate_that_the_table_puts_within_the_budget() -> None:
    networks = [_network(0.9, 3.0), _network(0.8, 2.0), _network(0.7, 1.5), _network(0.6, 1.0)]
    assert choose(networks, [0, 1, 2, 3], 1) == [0]
    assert choose(networks, [0, 1, 2, 3], 1, budget_ms=2.5) == [1]
    assert choose(networks, [0, 1, 2, 3], 1, budget_ms=0.5) == [3]
    assert choose(networks, [0, 1, 2, 3], 2, budget_ms=2.5) == [0, 3]


@pytest.mark.parametrize(
    ("latency_ms", "error_ms", "met"),
    [(0.9, 0.05, True), (0.96, 0.05, False), (1.0, 0.0, True), (0.5, float("inf"), False), (0.5, float("nan"), False)],
)
def test_a_budget_is_met_with_one_standard_error_added(latency_ms: float, error_ms: float, met: bool) -> None:
    assert within(latency_ms, error_ms, 1.0) is met
    assert within(latency_ms, error_ms, None)


def test_networks_that_use_the_budget_are_measured_though_the_estimate_puts_them_behind() -> None:
    networks = [_network(0.9, 3.0), _network(0.8, 2.0), _network(0.79, 3.9), _network(0.78, 3.7), _network(0.7, 1.0)]
    for place, network in enumerate(networks):
        network["digest"] = str(place)
    front = [0, 1, 4]
    assert choose(networks, front, 3, budget_ms=4.0) == [0, 1, 4]
    assert choose(networks, front, 3, budget_ms=4.0, near=1) == [0, 1, 2, 4]
    assert choose(networks, front, 3, budget_ms=4.0, near=9) == [0, 1, 2, 3, 4]
    assert choose(networks, front, 3, budget_ms=3.2, near=1) == [0, 1, 4]
    same = [*networks, {**_network(0.9, 3.0), "digest": "0"}, {"digest": "5", "failure": "too little memory"}]
    assert choose(same, front, 3, budget_ms=3.2, near=2) == [0, 1, 4]
