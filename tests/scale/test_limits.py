"""A cost that is not a number meets no limit."""

from __future__ import annotations

import pytest

from edgenas.arch import Architecture
from edgenas.arch.zoo import published
from edgenas.errors import BudgetError, InputError
from edgenas.scale import EFFICIENTNET, choose, family, grid_by_latency, propose, require_reachable
from edgenas.scale.memory import require_memory

NAN = float("nan")
NETWORK = published("mobilenet_v3_small")


def _unknown(network: Architecture) -> float:
    return NAN


def test_an_unknown_latency_does_not_reach_a_target() -> None:
    with pytest.raises(BudgetError, match="nan"):
        require_reachable(NETWORK, _unknown, 1.0)


def test_networks_of_unknown_latency_are_not_proposed() -> None:
    assert propose(NETWORK, lambda network: 1.0 if network.digest == NETWORK.digest else NAN, 0.1) == ()


@pytest.mark.parametrize(("before", "reached"), [(NAN, 0.5), (1.0, NAN)])
def test_a_proposal_of_unknown_gain_is_not_chosen(before: float, reached: float) -> None:
    known = propose(NETWORK, lambda network: float(sum(block.out_channels for block in network.blocks())), 1.0)
    with pytest.raises(InputError, match="nan"):
        choose(known[:2], [reached, 0.5], accuracy=0.6, latency_ms=before if before != 1.0 else 1e9)


def test_no_member_of_a_family_has_an_unknown_latency() -> None:
    with pytest.raises(InputError, match="nan"):
        family(NETWORK, EFFICIENTNET, [1.0], _unknown)


def test_no_point_of_a_grid_has_an_unknown_latency_and_each_line_ends_at_once() -> None:
    asked = []

    def latency_ms(network: Architecture) -> float:
        asked.append(network.digest)
        return 1.0 if network.digest == NETWORK.digest else NAN

    with pytest.raises(BudgetError):
        grid_by_latency(NETWORK, latency_ms, step=0.5, most=1.5)
    assert len(asked) < 6


def test_an_unknown_need_of_memory_does_not_fit() -> None:
    with pytest.raises(BudgetError, match="nan"):
        require_memory(NETWORK, width=NAN, depth=1.0, resolution=224, limit_bytes=1 << 40)
