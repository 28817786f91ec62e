import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenas.measure import ModelFile
from edgenas.pipeline.commands.refine.trials import reached
from edgenas.pipeline.core.device_latency import Share, pooled, shares
from tests.pipeline.conftest import steady_files

some_share = st.builds(Share, value=st.floats(0.1, 2), error=st.floats(0, 0.1))


def _visit(*latencies_ms: float, error: float = 0.01):
    files = steady_files([ModelFile(name="x", data=b"", file_format="onnx")] * len(latencies_ms))
    return [
        dataclasses.replace(file, latency_ms=ms, standard_error_ms=error * ms)
        for file, ms in zip(files, latencies_ms, strict=True)
    ]


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.1, 10))
def test_a_share_does_not_change_where_all_networks_of_a_visit_are_slowed_alike(first, other, slower) -> None:
    (share,) = shares(_visit(first, other))
    (slowed,) = shares(_visit(slower * first, slower * other))
    assert slowed.value == pytest.approx(share.value)
    assert share.value == pytest.approx(other / first)
    assert share.error == pytest.approx(share.value * 0.01 * 2**0.5)


def test_a_visit_of_one_session_has_no_error_of_its_own() -> None:
    (share,) = shares(_visit(1.0, 0.5, error=float("nan")))
    assert share == Share(value=0.5, error=0.0)


@given(st.lists(some_share, min_size=1, max_size=5))
def test_a_pooled_share_lies_among_those_of_the_visits(found) -> None:
    share = pooled(found)
    assert min(each.value for each in found) <= share.value <= max(each.value for each in found)
    assert share.error <= max(max(each.error for each in found), 2.0)


def test_one_disturbed_visit_moves_a_pooled_share_little_and_widens_its_error() -> None:
    steady = [Share(value=0.70, error=0.003), Share(value=0.701, error=0.003)]
    share = pooled([*steady, Share(value=0.78, error=0.003)])
    assert share.value == 0.701
    assert share.error > 0.02 > pooled(steady).error


def test_a_goal_is_met_within_the_error_but_never_by_more_than_a_hundredth() -> None:
    assert reached(Share(value=0.704, error=0.005), 0.7)
    assert not reached(Share(value=0.706, error=0.005), 0.7)
    assert not reached(Share(value=0.72, error=0.1), 0.7)
