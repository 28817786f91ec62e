"""The learning rate and the budget as laws."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas.train import TrainSettings
from edgenas.train.loop.schedule import learning_rate, spent_share, total_steps

SETTINGS = TrainSettings(learning_rate=2.0, warmup_share=0.1, final_learning_rate_share=0.01)


def test_it_starts_at_0_peaks_after_warm_up_and_ends_at_its_final_share() -> None:
    assert learning_rate(SETTINGS, 0.0) == 0
    assert learning_rate(SETTINGS, 0.05) == pytest.approx(1.0)
    assert learning_rate(SETTINGS, 0.1) == pytest.approx(2.0)
    assert learning_rate(SETTINGS, 0.55) == pytest.approx((2.0 + 0.02) / 2)
    assert learning_rate(SETTINGS, 1.0) == pytest.approx(0.02)


def test_an_exponential_falls_by_the_same_factor_in_the_same_time() -> None:
    settings = replace(SETTINGS, schedule="exponential")
    assert learning_rate(settings, 0.05) == pytest.approx(1.0)
    assert learning_rate(settings, 0.1) == pytest.approx(2.0)
    assert learning_rate(settings, 0.55) == pytest.approx(0.2)
    assert learning_rate(settings, 1.0) == pytest.approx(0.02)
    # 0.97 every 2.4 of 350 epochs, the schedule of EfficientNet.
    ends = TrainSettings(learning_rate=1.0, warmup_share=0, schedule="exponential",
                         final_learning_rate_share=0.97 ** (350 / 2.4))  # fmt: skip
    assert learning_rate(ends, 24 / 350) == pytest.approx(0.97**10)


@settings(deadline=None)
@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_it_rises_in_warm_up_and_falls_after(a: float, b: float) -> None:
    a, b = sorted((a, b))
    if b <= 0.1:
        assert learning_rate(SETTINGS, a) <= learning_rate(SETTINGS, b)
    if a >= 0.1:
        assert learning_rate(SETTINGS, a) >= learning_rate(SETTINGS, b) - 1e-12


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_no_warm_up_and_nothing_but_warm_up_work(warmup: float) -> None:
    settings = TrainSettings(learning_rate=1.0, warmup_share=warmup)
    assert 0 <= learning_rate(settings, 0.0) <= 1
    assert 0 <= learning_rate(settings, 1.0) <= 1


def test_the_budget_that_is_spent_first_counts() -> None:
    assert total_steps(TrainSettings(epochs=3, steps=20), 10) == 20
    assert total_steps(TrainSettings(epochs=3, steps=50), 10) == 30
    assert total_steps(TrainSettings(epochs=None, seconds=5.0), 10) is None
    both = TrainSettings(epochs=3, seconds=5.0)
    assert spent_share(both, 15, 30, 1.0) == 0.5
    assert spent_share(both, 15, 30, 4.0) == 0.8
