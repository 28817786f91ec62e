"""Latency as an evaluator: by a table, and measured."""

from collections.abc import Sequence

import numpy as np
import pytest

from edgenas.arch import Architecture
from edgenas.errors import TableError
from edgenas.evaluate import MeasuredLatencyEvaluator, TableLatencyEvaluator
from edgenas.latency import predict
from edgenas.space import load
from tests.latency.examples import table

SPACE = load("tiny")
GENES = SPACE.sample(6, np.random.default_rng(0))


def test_latencies_by_a_table_are_its_predictions_with_their_errors() -> None:
    evaluator = TableLatencyEvaluator(table(), SPACE)
    assert (evaluator.name, evaluator.source, evaluator.unit) == ("table_latency", "predicted", "ms")
    found = evaluator.evaluate(GENES)
    alone = [predict(table(), SPACE.decode(row)) for row in GENES]
    assert found.values.tolist() == [each.latency_ms for each in alone]
    assert found.standard_error is not None
    wide = [(each.high_ms - each.low_ms) / 2 for each in alone]
    assert np.allclose(1.6448536 * found.standard_error, wide)


def test_a_table_of_another_space_is_refused() -> None:
    with pytest.raises(TableError):
        TableLatencyEvaluator(table(), load("mobilenet_v3_small"))


def test_networks_are_measured_in_one_call_since_the_protocol_alternates() -> None:
    calls: list[int] = []

    def measure(networks: Sequence[Architecture]) -> list[tuple[float, float]]:
        calls.append(len(networks))
        return [(0.1 * index + 0.1, 0.01) for index, _ in enumerate(networks)]

    told: list[tuple[int, int]] = []
    evaluator = MeasuredLatencyEvaluator(SPACE, measure)
    found = evaluator.evaluate(GENES, progress=lambda done, total, what: told.append((done, total)))
    assert (evaluator.name, evaluator.source, evaluator.unit) == ("measured_latency", "measured", "ms")
    assert calls == [6] and told == [(6, 6)]
    assert np.allclose(found.values, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert found.standard_error is not None and np.allclose(found.standard_error, 0.01)
