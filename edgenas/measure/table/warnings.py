"""Doubts about a table that was just fitted, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping

from edgenas.errors import shorten
from edgenas.latency.model.crossval import LeftOut
from edgenas.latency.table import Interval

# Intervals of a larger half width are of no use for choosing among networks.
# Chosen, not measured: a limit of usefulness.
_WIDE = 0.10
# Below this error the line on MACs is as good as any fit, so a fit that is no better is not doubted.
# Chosen, not measured: the aim of the method (2.0 %).
_GOOD = 0.02
# Chosen, not measured: the share of units that networks should have held.
_COVERED = 0.9
# Noise of a visit that a quiet machine does not have.
# Quiet machines repeat visits to 0.7 to 1.0 % (docs/latency.md); twice that is the limit.
_NOISY = 0.02
# Letters of a list of groups.
# Chosen, not measured: some lines of a terminal.
_LISTED = 300


def doubts(
    left_out: LeftOut,
    interval: Interval,
    *,
    covered: int,
    total: int,
    networks: int,
    strange: Mapping[str, int] | None = None,
) -> tuple[str, ...]:
    """Return the doubts about a fit; empty for a good one.

    Args:
        left_out: Errors on networks that were left out of the fit.
        interval: The interval that the table announces.
        covered: Units of the space that measured networks contain.
        total: Units of the space.
        networks: Measured networks.
        strange: How many units of the space belong to each group that no measured network contains.
    """
    found = []
    error, by_macs = left_out.median, left_out.median_by_macs
    if not error <= _GOOD and not error < by_macs:
        found.append(
            f"the table is no better than a line on MACs: networks left out of the fit are {100 * error:.1f} % off "
            f"(median), by MACs {100 * by_macs:.1f} %; {_remedy(interval, networks)}"
        )
    elif not interval.relative <= _WIDE:
        found.append(
            f"predictions are only known to +-{100 * interval.relative:.0f} %; {_remedy(interval, networks)}"
        )
    if covered < _COVERED * total:
        found.append(
            f"the {networks} networks contain {covered} of the space's {total} units, the others are estimated: "
            "measure more networks"
        )
    if strange:
        listed = ", ".join(f"{name} ({number} unit{'s' if number > 1 else ''})" for name, number in strange.items())
        found.append(
            f"no measured network contains any {shorten(listed, _LISTED)}: these units are estimated from other kinds "
            "with an error of 100 % or more of their time, which widens what is predicted of networks that hold them: "
            "measure more networks"
        )
    return tuple(found)


def _remedy(interval: Interval, networks: int) -> str:
    if not interval.visit_noise <= _NOISY:
        return (
            f"a measurement repeats to {100 * interval.visit_noise:.1f} % only: build again when the machine is quiet, "
            "or with more networks"
        )
    return f"{networks} networks are too few for this space: build with more"
