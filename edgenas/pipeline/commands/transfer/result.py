"""What a transfer to other images found."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgenas.pipeline.commands.transfer.warm_predictor import Learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """A supernet trained on the other images from scratch.

    Attributes:
        epochs: Of its whole schedule.
        seconds: Of its training.
        mean_accuracy: Of the judged networks, in [0, 1].
    """

    epochs: int
    seconds: float
    mean_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A network on both data sets.

    Attributes:
        genes: Its code, (D,).
        notation: In the space of the other images.
        on_front: Whether it is on the run's front.
        source_accuracy, accuracy: Inherited, on validation images of the run and of the other data, in [0, 1].
    """

    genes: tuple[int, ...]
    notation: str
    on_front: bool
    source_accuracy: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What was found.

    Attributes:
        networks: Judged to compare the data sets.
        spearman, spearman_low, spearman_high, kendall: Agreement of their order between the data sets; 95 %.
        unadapted_mean: Mean accuracy of the first four with weights as they were: chance, where the head is fresh.
        mean_accuracy: Mean accuracy after adapting.
        epochs, seconds: Of the adapting.
        judging_seconds: Of judging one network, on average.
        macs_spearman: Rank correlation of accuracy on the other data with plain multiply-accumulates. The source's
            ranking is useful only if it does better.
        learned: How well predictors order networks that they have not seen.
        proposed: The warm-started predictor's choice among the run's other networks, judged after all others.
        replaced: Weights that could not be carried over.
        scratch: Supernets from scratch, with budgets doubled until one is as good; empty if none were asked for.
        saved: Share of epochs that the transfer saved against the first supernet from scratch that was as good; None if
            none was.
    """

    networks: tuple[Judged, ...] = field(repr=False)
    spearman: float
    spearman_low: float
    spearman_high: float
    kendall: float
    unadapted_mean: float
    mean_accuracy: float
    epochs: int
    seconds: float
    judging_seconds: float
    macs_spearman: float
    learned: tuple[Learned, ...] = field(repr=False)
    proposed: tuple[Judged, ...] = field(repr=False)
    replaced: tuple[str, ...]
    scratch: tuple[Scratch, ...]
    saved: float | None
