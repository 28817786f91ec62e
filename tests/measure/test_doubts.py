"""What a build says against its own table."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.latency import Interval
from edgenas.latency.model.crossval import LeftOut
from edgenas.measure import files
from edgenas.measure.table.build import table_protocol
from edgenas.measure.table.warnings import doubts

NAN = float("nan")


def _said(*, error: float, by_macs: float, relative: float, noise: float, covered: int = 100) -> tuple[str, ...]:
    several = np.ones(10)
    left_out = LeftOut(error=error * several, measured_error=0 * several, by_macs=by_macs * several, drawn=several > 0)
    interval = Interval(level=0.9, relative=relative, networks=10, visit_noise=noise)
    return doubts(left_out, interval, covered=covered, total=100, networks=12)


def test_nothing_is_said_against_a_good_table() -> None:
    assert _said(error=0.01, by_macs=0.2, relative=0.03, noise=0.01) == ()
    assert _said(error=0.01, by_macs=0.009, relative=0.03, noise=0.01) == ()


def test_a_table_that_is_no_better_than_macs_says_so_in_one_line() -> None:
    (line,) = _said(error=0.3, by_macs=0.2, relative=0.6, noise=0.01)
    assert "no better than a line on MACs" in line and "30.0 %" in line and "20.0 %" in line
    assert "12 networks are too few" in line and "\n" not in line


@pytest.mark.parametrize(("noise", "remedy"), [(0.08, "when the machine is quiet"), (0.01, "build with more")])
def test_a_wide_interval_is_named_with_its_cause(noise: float, remedy: str) -> None:
    (line,) = _said(error=0.05, by_macs=0.2, relative=0.15, noise=noise)
    assert "+-15 %" in line and remedy in line


def test_units_that_no_network_contains_are_counted() -> None:
    (line,) = _said(error=0.01, by_macs=0.2, relative=0.03, noise=0.01, covered=60)
    assert "60 of the space's 100 units" in line


@pytest.mark.parametrize("said", [{"error": NAN}, {"relative": NAN}])
def test_what_is_not_a_number_is_doubted(said: dict[str, float]) -> None:
    assert len(_said(**{"error": 0.01, "by_macs": 0.2, "relative": 0.03, "noise": 0.01, **said})) == 1


def test_a_spread_that_is_not_a_number_is_not_settled() -> None:
    def samples(value_ns: float) -> SimpleNamespace:
        return SimpleNamespace(value_ns=lambda _: value_ns)

    how = table_protocol(threads=1, mode="hot")
    assert files._settled([[samples(1.0), samples(1.0)]], how)
    assert not files._settled([[samples(1.0), samples(NAN)]], how)
