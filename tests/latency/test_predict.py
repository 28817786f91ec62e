"""Predictions: one by one and by the thousand, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas.errors import SpaceError, TableError
from edgenas.latency import SpaceLatency, predict
from edgenas.latency.predict import TableCosts
from edgenas.space import load
from tests.latency.examples import network, table, tiny, true_ratio, units_of

TABLE = table()
LATENCY = SpaceLatency(TABLE, tiny())


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31))
def test_a_population_equals_its_members_to_the_last_bit(seed: int) -> None:
    genes = tiny().sample(5, np.random.default_rng(seed))
    found = LATENCY.predict(genes)
    for row, code in enumerate(genes):
        alone = predict(TABLE, tiny().decode(code))
        assert (alone.latency_ms, alone.low_ms, alone.high_ms) == (
            found.latency_ms[row], found.low_ms[row], found.high_ms[row]
        )  # fmt: skip


def test_a_network_does_not_depend_on_its_company() -> None:
    genes = tiny().sample(10_000, np.random.default_rng(1))
    whole, part = LATENCY.latency_ms(genes), LATENCY.latency_ms(genes[7777:7778])
    assert whole[7777] == part[0]


def test_a_prediction_is_the_corrected_sum_of_its_entries() -> None:
    architecture = network()
    found = predict(TABLE, architecture)
    units = units_of(architecture)
    ratio = sum(round(true_ratio(unit) * 1e9) for unit in units) / 1e9
    ratio += 0.02 + 0.001 * len(units)
    assert found.latency_ms == pytest.approx(0.03 * ratio, rel=1e-12)
    assert found.high_ms - found.latency_ms == pytest.approx(0.03 * found.latency_ms, rel=1e-9)


def test_layers_and_overhead_add_up() -> None:
    found = predict(TABLE, network(3))
    assert sum(layer.latency_ms for layer in found.layers) + found.overhead_ms == pytest.approx(found.latency_ms)
    assert sum(found.by_block().values()) + found.overhead_ms == pytest.approx(found.latency_ms)
    assert list(found.by_block())[0] == "stem" and list(found.by_block())[-1] == "head"


def test_estimated_entries_are_named_and_widen_the_interval() -> None:
    architecture = network()
    key = units_of(architecture)[1].key
    plain, marked = predict(TABLE, architecture), predict(table(estimated=(key,)), architecture)
    assert plain.interpolated == () and marked.interpolated == (key,)
    assert marked.latency_ms == plain.latency_ms
    assert marked.high_ms > plain.high_ms


def test_a_space_with_a_block_that_the_table_lacks_is_refused() -> None:
    with pytest.raises(TableError, match="has no entry for .*stem"):
        SpaceLatency(TABLE, load("ofa_mobilenet_v3"))


@pytest.mark.parametrize("error", [3.5, 29.0])
def test_large_errors_of_estimates_add_up_to_a_wide_interval(error: float) -> None:
    # Squares of 3.5e9 in units of 1e-18 do not fit 64 bits; the interval became narrower where they wrapped around.
    architecture = network()
    keys = [unit.key for unit in units_of(architecture)]
    known = table(estimated=tuple(keys))
    uncertain = replace(
        known, entries={key: replace(entry, error=round(error * 1e9)) for key, entry in known.entries.items()}
    )
    found = predict(uncertain, architecture)
    spread = 1.6448536269514722 * error * np.sqrt(len(keys)) * known.reference.latency_ms
    half = np.hypot(known.interval.relative * found.latency_ms, spread)
    assert found.high_ms - found.latency_ms == pytest.approx(half, rel=1e-5)


def test_an_estimate_that_says_nothing_is_refused() -> None:
    architecture = network()
    key = units_of(architecture)[1].key
    known = table(estimated=(key,))
    entries = {**known.entries, key: replace(known.entries[key], error=10**14)}
    with pytest.raises(TableError, match="the estimate of .* says nothing: its error is 1e\\+05 times"):
        predict(replace(known, entries=entries), architecture)


def test_interpolation_is_close_for_other_sizes_and_marked() -> None:
    from dataclasses import replace

    from edgenas.space import SearchSpace

    wide = SearchSpace(definition=replace(tiny().definition, width=(0.75, 1.25), resolution=(10,)))
    code = wide.sample(1, np.random.default_rng(0))[0]
    architecture = wide.decode(code)
    with pytest.raises(TableError):
        predict(TABLE, architecture)
    found = predict(TABLE, architecture, interpolate=True)
    units = units_of(architecture)
    truth = 0.02 + sum(true_ratio(unit) + 0.001 for unit in units)
    assert found.latency_ms == pytest.approx(0.03 * truth, rel=0.1)
    assert found.interpolated
    assert found.latency_ms == SpaceLatency(TABLE, wide, interpolate=True).latency_ms(code[None])[0]


def test_a_kind_that_the_table_never_saw_cannot_be_interpolated() -> None:
    with pytest.raises(TableError, match="cannot interpolate .*the table has no"):
        predict(TABLE, load("mobilenet_v4").decode(load("mobilenet_v4").largest()), interpolate=True)


def test_codes_outside_the_space_are_refused() -> None:
    with pytest.raises(SpaceError):
        LATENCY.predict(np.full((1, len(tiny().cardinalities)), 99))


def test_no_networks_give_no_latencies() -> None:
    assert LATENCY.latency_ms(np.zeros((0, len(tiny().cardinalities)), dtype=np.int64)).shape == (0,)


def test_a_layer_tells_the_error_of_its_entry_in_milliseconds() -> None:
    known = table()
    key = units_of(network())[1].key
    unsure = replace(known, entries={**known.entries, key: replace(known.entries[key], error=5 * 10**6)})
    layer = next(layer for layer in predict(unsure, network()).layers if layer.key == key)
    # 5e6 billionths of the reference's 0.03 ms.
    assert layer.error_ms == pytest.approx(0.005 * 0.03) and not layer.interpolated


@pytest.mark.parametrize(("error", "passes"), [(29.9999995, True), (30.0, True), (30.000001, False)])
def test_an_estimate_may_be_wrong_by_thirty_times_the_reference(error: float, passes: bool) -> None:
    key = units_of(network())[1].key
    known = table(estimated=(key,))
    wide = replace(known, entries={**known.entries, key: replace(known.entries[key], error=round(error * 1e9))})
    if passes:
        assert predict(wide, network()).low_ms < 0
    else:
        with pytest.raises(TableError, match="allowed: 30 times"):
            predict(wide, network())


def test_costs_of_a_table_estimate_nothing_unless_told() -> None:
    unit = units_of(load("mobilenet_v4").decode(load("mobilenet_v4").largest()))[0]
    with pytest.raises(TableError, match="has no entry for .*stem"):
        TableCosts(TABLE).entry(unit, where="stem")
