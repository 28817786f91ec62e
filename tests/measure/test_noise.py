"""What several visits of a network say together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgenas.measure import Samples
from edgenas.measure.protocol.ratios import SHARES, Ratios, disturbed
from edgenas.measure.protocol.visit import Visit

_clock = iter(range(10**9))


def _visit(ratio: float, reference_ms: float = 1.0, *, at: float | None = None, unlucky: float = 1.0) -> Visit:
    """A visit long after the one before, unless it says when."""
    nothing = Samples(wall_ns=np.ones(1), cpu_ns=np.ones(1))
    sessions = (ratio * reference_ms, ratio * reference_ms * unlucky)
    return Visit(
        latency_ms=sum(sessions) / 2, reference_ms=reference_ms, sessions_ms=sessions, samples=(nothing, nothing),
        reference_samples=nothing, at=1000.0 * next(_clock) if at is None else at, seconds=0.1,
    )  # fmt: skip


def test_a_lone_visit_is_divided_by_its_own_reference() -> None:
    found = Ratios.of([[_visit(2.0, 1.5)], [_visit(3.0, 0.7)]], own_share=0.0)
    assert found.combined == pytest.approx([2.0, 3.0])
    assert math.isnan(found.noise) and np.isnan(found.errors).all()


def test_an_unlucky_session_of_the_reference_spoils_no_ratio() -> None:
    steady = [[_visit(2.0, at=0.4 * step)] for step in range(10)]
    steady[4] = [_visit(2.0 / 1.5, 1.5, at=1.6)]  # the network took what it takes, the reference 50 % more
    assert Ratios.of(steady, own_share=0.0).combined == pytest.approx(np.full(10, 2.0), rel=1e-6)
    assert Ratios.of(steady, own_share=1.0).combined[4] == pytest.approx(2.0 / 1.5)


def test_what_slows_a_visit_for_a_moment_cancels_with_its_own_reference() -> None:
    moments = [[_visit(2.0, 1.0 + 0.3 * (step % 2), at=0.4 * step)] for step in range(10)]
    assert Ratios.of(moments, own_share=1.0).combined == pytest.approx(np.full(10, 2.0), rel=1e-6)
    assert np.ptp(Ratios.of(moments, own_share=0.0).combined) > 0.3


@pytest.mark.parametrize(("momentary", "lucky", "wanted"), [(0.05, 0.001, 1.0), (0.001, 0.05, 0.0)])
def test_the_measurements_say_which_reference_is_better(momentary: float, lucky: float, wanted: float) -> None:
    rng = np.random.default_rng(0)
    visits: list[list[Visit]] = [[] for _ in range(40)]
    for step in range(80):
        moment, luck = np.exp(momentary * rng.standard_normal()), np.exp(lucky * rng.standard_normal())
        visits[step % 40].append(_visit(2.0 / luck, moment * luck, at=0.4 * step))
    found = Ratios.steadiest(visits)
    assert wanted in SHARES
    assert found.combined == pytest.approx(Ratios.of(visits, own_share=wanted).combined)
    assert found.noise < 0.02


def test_a_drift_of_the_clock_cancels() -> None:
    drifting = [[_visit(2.0, 1.0 + 0.001 * step, at=0.4 * step)] for step in range(100)]
    assert Ratios.of(drifting, own_share=0.0).combined == pytest.approx(np.full(100, 2.0), rel=0.03)
    assert Ratios.of(drifting, own_share=0.0).reference_ms == pytest.approx(1.0495)


def test_visits_with_sessions_far_apart_are_left_out_where_others_remain() -> None:
    found = [_visit(2.0), _visit(2.0), _visit(2.0, unlucky=1.5)]
    assert disturbed(found[2]) and not disturbed(found[0])
    ratios = Ratios.steadiest([found])
    assert ratios.combined == pytest.approx([2.0]) and ratios.noise == pytest.approx(0.0, abs=1e-12)
    assert Ratios.steadiest([found[2:]]).combined == pytest.approx([2.5])


def test_noise_is_pooled_over_networks() -> None:
    found = Ratios.steadiest([[_visit(2.0), _visit(2.2)], [_visit(1.0), _visit(1.0)], [_visit(5.0)]])
    assert found.noise == pytest.approx(math.log(1.1) / 2)
    assert found.combined == pytest.approx([2.1, 1.0, 5.0])


def test_a_network_that_repeats_badly_is_less_certain_and_more_visits_make_it_surer() -> None:
    calm = [[_visit(1.0), _visit(1.01)] for _ in range(10)]
    errors = Ratios.steadiest([*calm, [_visit(1.0), _visit(1.2)]]).errors
    assert errors[-1] > 1.2 * errors[0]
    assert Ratios.steadiest([*calm, calm[0] * 2]).errors[-1] < errors[0]
