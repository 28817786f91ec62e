"""Random numbers of a batch: repeatable, shared by processes, and of the right distribution."""

import numpy as np
import pytest
import torch
from scipy import stats

from edgenas.data.augment.draws import Draws, log_uniform, step_generator

CPU = torch.device("cpu")


def everything(drawn: Draws) -> list[torch.Tensor]:
    return [drawn.uniform(0.0, 2.0, 3), drawn.normal(2), drawn.coin().float(), drawn.below(9), drawn.beta(0.3)]


def test_seed_epoch_and_step_decide_every_draw() -> None:
    def drawn(**place: int) -> torch.Tensor:
        return torch.rand(4, generator=step_generator(CPU, **{"seed": 1, "epoch": 2, "step": 3, **place}))

    assert torch.equal(drawn(), drawn())
    others = [drawn(seed=2), drawn(epoch=3), drawn(step=2), drawn(epoch=3, step=2)]
    assert all(not torch.equal(drawn(), other) for other in others)


def test_processes_that_share_a_batch_draw_what_one_process_draws() -> None:
    def of(part: slice) -> list[torch.Tensor]:
        return everything(Draws(torch.Generator().manual_seed(4), 7, part=part))

    whole, first, second = of(slice(None)), of(slice(0, 4)), of(slice(4, 7))
    for all_rows, one, other in zip(whole, first, second, strict=True):
        assert torch.equal(all_rows, torch.cat([one, other]))


@pytest.mark.parametrize("alpha", [1e-4, 0.2, 1.0, 8.0])
def test_weights_of_mixes_are_beta_variates(alpha: float) -> None:
    found = Draws(torch.Generator().manual_seed(0), 20_000).beta(alpha).double().numpy()
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    if alpha < 0.01:  # nearly all weights are 0 or 1, half of them each
        assert 0.48 < found.mean() < 0.52 and ((found < 1e-6) | (found > 1 - 1e-6)).mean() > 0.99
        return
    # Single precision holds weights close to 1 only as 1, so the distribution is compared at chosen weights.
    for weight in (0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999):
        assert abs((found <= weight).mean() - stats.beta(alpha, alpha).cdf(weight)) < 0.012


def test_whole_numbers_stay_below_their_counts_and_reach_them() -> None:
    counts = torch.tensor([1, 2, 5]).repeat(2000)
    found = Draws(torch.Generator().manual_seed(0), 6000).below(counts)
    assert (found >= 0).all() and (found < counts).all()
    assert [found[counts == count].max().item() for count in (1, 2, 5)] == [0, 1, 4]


def test_logarithms_of_ratios_are_uniform() -> None:
    found = log_uniform(Draws(torch.Generator().manual_seed(0), 20_000), 3.0).log().double().numpy()
    assert stats.kstest(found, stats.uniform(-np.log(3), 2 * np.log(3)).cdf).pvalue > 1e-3


def test_a_permutation_holds_every_image_once() -> None:
    assert sorted(Draws(torch.Generator().manual_seed(0), 50).permutation().tolist()) == list(range(50))
