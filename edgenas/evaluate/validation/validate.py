"""Validation of estimators: how well each orders networks, compared with their MACs, and what it costs.

Networks are spread evenly over the range of costs and trained stand-alone with several seeds. Every estimator's order
is compared with the mean accuracy of those trainings. That accuracy is measured on a part of the validation images that
no estimator sees (`part_validation`), so that shared images favour none. The result decides which estimator is used, so
the test images are not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import InputError, TrainingError, explain
from edgenas.evaluate.counts import CountEvaluator
from edgenas.evaluate.protocol import Estimates, Evaluator
from edgenas.evaluate.trained import TrainedEvaluator
from edgenas.evaluate.validation.ranking import (
    Agreement,
    Margin,
    Partial,
    agreement,
    beyond,
    cost_bands,
    margin,
    margin_within_bands,
    spearman,
    within_bands,
)
from edgenas.evaluate.validation.strata import stratified_networks
from edgenas.space import SearchSpace, population_costs
from edgenas.types import Floats, Genes, Progress
from edgenas.workers import Workers

BANDS = 3
BASELINE = "macs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found about one estimator.

    Attributes:
        name: The estimator.
        source: What kind of number it gives.
        agreement: With the mean accuracy of stand-alone trainings.
        over_macs: By how much it orders better than MACs; None for MACs itself.
        over_macs_within_bands: The same among networks of similar cost.
        beyond_macs: What it knows of the truth that MACs do not say.
        gap_points: Mean of estimate minus truth in points of accuracy; None where it gives no accuracy.
        seconds_per_network: To judge one, preparation not included.
        preparation_seconds: Before the first one.
        values: (N,) as estimated.
        verdict: Whether it beats MACs, or adds to them: where the whole interval lies above 0.
    """

    name: str
    source: str
    agreement: Agreement
    over_macs: Margin | None
    over_macs_within_bands: Margin | None
    beyond_macs: Partial | None
    gap_points: float | None
    seconds_per_network: float
    preparation_seconds: float
    values: tuple[float, ...]
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What was found about all estimators of a space on a data set.

    Attributes:
        genes: (N, D) networks, cheapest first.
        macs: (N,) of them.
        bands: (N,) number of the cost band of each.
        accuracy: (N, S) accuracy of the stand-alone trainings, one column per seed.
        training_seconds: Of one stand-alone training, mean.
        ceiling: Spearman's rho between two seeds (mean over pairs): what one training says about another; None for
            one seed.
        ceiling_within_bands: The same within cost bands.
        ceiling_of_mean: rho that the mean over seeds can be expected to reach with the true order: the root of its
            reliability by the Spearman-Brown formula. No estimator can be expected above it.
        estimators: One entry each, MACs and parameters first.
        notes: What a reader should know, one sentence each.
    """

    genes: tuple[tuple[int, ...], ...]
    macs: tuple[int, ...]
    bands: tuple[int, ...]
    accuracy: tuple[tuple[float, ...], ...]
    training_seconds: float
    ceiling: float | None
    ceiling_within_bands: float | None
    ceiling_of_mean: float | None
    estimators: tuple[Judged, ...]
    notes: tuple[str, ...]

    def estimator(self, name: str) -> Judged:
        """Return what was found about one.

        Raises:
            InputError: It was not judged.
        """
        for judged in self.estimators:
            if judged.name == name:
                return judged
        known = ", ".join(judged.name for judged in self.estimators)
        raise InputError(explain("no such estimator was judged", got=repr(name), allowed=known))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        found: dict[str, Any] = _plain(asdict(self))
        return found


def validate_estimators(
    space: SearchSpace,
    estimators: Sequence[Evaluator],
    trained: TrainedEvaluator,
    *,
    networks: int = 24,
    seeds: int = 2,
    bands: int = BANDS,
    first_seed: int = 0,
    rng: np.random.Generator,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Judge estimators.

    Args:
        space: Whose networks.
        estimators: To be judged; MACs and parameters are added.
        trained: Trains networks stand-alone; its validation images are the truth's part of `part_validation`, the
            estimators have the other part.
        networks: N, at least 3 a band.
        seeds: S trainings of each.
        bands: Bands of cost within which order is judged too.
        first_seed: Of the trainings.
        rng: Draws networks and resamples.
        workers: Train so many networks at once; one after the other if None. The result is the same.
        progress: Called with (done, all, what).

    Raises:
        InputError: There are too few networks for the bands.
        TrainingError: Fewer than 3 networks could be trained.
    """
    if networks < 3 * bands or seeds < 1:
        raise InputError(
            explain("too few networks or seeds", got=f"{networks} and {seeds}", allowed=f"{3 * bands} and 1 or more")
        )
    genes = stratified_networks(space, networks, rng)
    accuracy, seconds, notes = _truth(genes, trained, seeds, first_seed, workers or Workers(), progress)
    good = np.isfinite(accuracy).all(1)
    if good.sum() < 3:
        raise TrainingError(explain("too few networks could be trained", got=int(good.sum()), allowed="3 or more"))
    genes, accuracy = genes[good], accuracy[good]
    macs = population_costs(space).macs(genes)
    band = cost_bands(macs.astype(np.float64), bands)
    everyone: list[Evaluator] = [CountEvaluator(space, "macs"), CountEvaluator(space, "params"), *estimators]
    found = []
    for estimator in everyone:
        estimates = estimator.evaluate(genes, progress=progress)
        judged = _judge(estimator, estimates, macs.astype(np.float64), accuracy.mean(1), band, rng)
        if isinstance(judged, str):
            notes.append(judged)
        else:
            found.append(judged)
    ceiling, within, of_mean = _ceilings(accuracy, band)
    return Validation(
        genes=tuple(tuple(int(gene) for gene in row) for row in genes),
        macs=tuple(int(value) for value in macs),
        bands=tuple(int(value) for value in band),
        accuracy=tuple(tuple(float(value) for value in row) for row in accuracy),
        training_seconds=seconds,
        ceiling=ceiling,
        ceiling_within_bands=within,
        ceiling_of_mean=of_mean,
        estimators=tuple(found),
        notes=tuple(notes),
    )


def _truth(
    genes: Genes, trained: TrainedEvaluator, seeds: int, first_seed: int, workers: Workers, progress: Progress | None
) -> tuple[Floats, float, list[str]]:
    accuracy = np.full((len(genes), seeds), np.nan)
    seconds, notes = [], []
    tasks = [(row, first_seed + seed) for row in genes for seed in range(seeds)]
    for done, training in enumerate(workers.each(lambda task: trained.train(task[0], seed=task[1]), tasks)):
        if isinstance(training, TrainingError):
            notes.append(f"Network {done // seeds} is left out, its training failed: {training}")
        else:
            accuracy[divmod(done, seeds)] = training.validation_accuracy
            seconds.append(training.seconds)
        if progress is not None:
            progress(done + 1, len(tasks), "training networks stand-alone")
    return accuracy, float(np.mean(seconds)) if seconds else 0.0, notes


def _judge(
    estimator: Evaluator,
    estimates: Estimates,
    macs: Floats,
    truth: Floats,
    bands: NDArray[np.int64],
    rng: np.random.Generator,
) -> Judged | str:
    """Judge one estimator, or return why this is impossible."""
    if not np.isfinite(estimates.values).all():
        missing = int((~np.isfinite(estimates.values)).sum())
        return f"{estimator.name} is not judged: it gave no value for {missing} of {len(truth)} networks."
    found = agreement(estimates.values, truth, bands=bands, rng=rng)
    over = within = added = None
    if estimator.name != BASELINE:
        over = margin(estimates.values, macs, truth, rng=rng)
        within = margin_within_bands(estimates.values, macs, truth, bands=bands, rng=rng)
        added = beyond(estimates.values, macs, truth, rng=rng)
    gap = float(np.mean(estimates.values - truth)) * 100 if estimator.unit == "1" else None
    return Judged(
        name=estimator.name,
        source=estimator.source,
        agreement=found,
        over_macs=over,
        over_macs_within_bands=within,
        beyond_macs=added,
        gap_points=gap,
        seconds_per_network=estimates.seconds / len(truth),
        preparation_seconds=estimates.preparation_seconds,
        values=tuple(float(value) for value in estimates.values),
        verdict=_verdict(over, within, added),
    )


def _verdict(over: Margin | None, within: Margin | None, added: Partial | None) -> str:
    if over is None or within is None or added is None:
        return "the baseline"
    if over.clear or within.clear:
        return "beats MACs" if over.clear and within.clear else f"beats MACs {'over all' if over.clear else 'in bands'}"
    if over.high < 0:
        return "worse than MACs"
    return "does not beat MACs, adds to them" if added.clear else "does not beat MACs"


def _ceilings(accuracy: Floats, bands: NDArray[np.int64]) -> tuple[float | None, float | None, float | None]:
    seeds = accuracy.shape[1]
    if seeds < 2:
        return None, None, None
    pairs = [(accuracy[:, i], accuracy[:, j]) for i in range(seeds) for j in range(i)]
    one = float(np.mean([spearman(a, b) for a, b in pairs]))
    within = [within_bands(a, b, bands) for a, b in pairs]
    # Spearman-Brown: reliability of a mean of S; its root bounds the correlation with the true order.
    reliability = seeds * one / (1 + (seeds - 1) * one) if one > 0 else 0.0
    return one, float(np.nanmean(within)), math.sqrt(reliability)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
