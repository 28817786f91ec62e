import math
from types import SimpleNamespace

import pytest

from edgenas.measure import campaign


def _noise(monkeypatch, visits: list[list[tuple[float, float]]]) -> float:
    """Noise of visits given as (ratio, reference_ms), one list for each network; the reference takes 1 ms."""
    found = [[SimpleNamespace(ratio=r, reference_ms=ms) for r, ms in several] for several in visits]
    monkeypatch.setattr(campaign, "typical_reference_ms", lambda kept: 1.0)
    monkeypatch.setattr(campaign, "visits_of", lambda kept, code: found[code[0]])
    return campaign.visit_noise(None, [(index,) for index in range(len(found))])  # type: ignore[arg-type]


def test_disturbed_visits_are_left_out_where_others_remain(monkeypatch) -> None:
    steady = [(2.0, 1.0), (2.0, 1.0), (1.0, 2.0)]
    assert _noise(monkeypatch, [steady]) == 0.0


def test_where_all_visits_were_disturbed_their_noise_counts(monkeypatch) -> None:
    # The build used to end in a NaN here.
    assert _noise(monkeypatch, [[(2.0, 2.0), (2.2, 3.0)]]) == pytest.approx(math.log(1.1) / math.sqrt(2))


def test_without_two_visits_of_a_network_the_noise_is_unknown(monkeypatch) -> None:
    assert math.isnan(_noise(monkeypatch, [[(2.0, 1.0)], [(3.0, 1.0)]]))
