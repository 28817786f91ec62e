"""The learning rate as a function of the share of the budget that is spent."""

from __future__ import annotations

import math

from edgenas.train.settings import TrainSettings


def learning_rate(settings: TrainSettings, progress: float) -> float:
    """Return the learning rate: linear warm-up, then the schedule.

    The cosine is one cycle of Loshchilov 2017, eq. 5. The exponential falls by the same factor in the same time, as
    "0.97 every 2.4 epochs" does (Tan 2019, section 5.2), without its steps.

    Args:
        settings: Peak, warm-up, schedule and end.
        progress: Share of the budget spent at the middle of the step, in [0, 1].
    """
    warmup = settings.warmup_share
    if progress < warmup:
        return settings.learning_rate * progress / warmup
    done = 0.0 if warmup >= 1 else min((progress - warmup) / (1 - warmup), 1.0)
    if settings.schedule == "exponential":
        return settings.learning_rate * settings.final_learning_rate_share**done
    low = settings.learning_rate * settings.final_learning_rate_share
    return low + (settings.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * done))


def total_steps(settings: TrainSettings, steps_per_epoch: int) -> int | None:
    """Return the optimizer steps that `epochs` and `steps` allow; None where only the clock limits."""
    limits = [settings.steps, None if settings.epochs is None else settings.epochs * steps_per_epoch]
    return min((limit for limit in limits if limit is not None), default=None)


def spent_share(settings: TrainSettings, step: float, total: int | None, seconds: float) -> float:
    """Return the share of the budget that is spent; 1 or more ends the training.

    Args:
        settings: Holds the clock's budget.
        step: Steps done; half steps are allowed.
        total: See `total_steps`.
        seconds: Wall-clock time so far.
    """
    by_steps = 0.0 if total is None else step / total
    by_clock = 0.0 if settings.seconds is None else seconds / settings.seconds
    return max(by_steps, by_clock)
