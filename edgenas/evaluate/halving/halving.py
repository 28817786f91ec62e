"""Early stopping: successive halving (Jamieson 2016) and its asynchronous form ASHA (Li 2020).

Both train many candidates a little and few of them fully. The accuracies on the way are of partial fidelity. They
decide which candidates continue and are never a result.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol

from edgenas.errors import ConfigError, SearchError, TrainingError, explain
from edgenas.evaluate.halving.curves import Curves, HalvingResult
from edgenas.types import Progress
from edgenas.workers import Workers


class ResumableEvaluator(Protocol):
    """Trains candidates piece by piece."""

    def __call__(self, candidate: int, from_epoch: int, to_epoch: int) -> float:
        """Train a candidate from one epoch to another and return its validation accuracy in [0, 1].

        Raises:
            TrainingError: It cannot be trained; it is then left out and its reason kept.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HalvingSettings:
    """The training epochs of the rungs.

    Attributes:
        min_epochs: r, what every candidate gets.
        max_epochs: R, a full training.
        reduction: eta: one of eta candidates continues, and epochs grow by the factor eta.
    """

    min_epochs: int = 1
    max_epochs: int = 27
    reduction: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.min_epochs <= self.max_epochs:
            raise ConfigError(
                explain(
                    "impossible halving",
                    got=f"{self.min_epochs} to {self.max_epochs} epochs",
                    allowed="1 <= min_epochs <= max_epochs",
                )
            )
        if self.reduction < 2:
            raise ConfigError(explain("impossible halving.reduction", got=self.reduction, allowed="2 or more"))

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which candidates are compared: r, r eta, r eta^2, ... and R itself."""
        epochs = [self.min_epochs]
        while epochs[-1] * self.reduction < self.max_epochs:
            epochs.append(epochs[-1] * self.reduction)
        return (*epochs, self.max_epochs) if epochs[-1] != self.max_epochs else tuple(epochs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of training to do: bring a candidate from one rung's epochs to the next."""

    candidate: int
    rung: int
    from_epoch: int
    to_epoch: int


def successive_halving(
    evaluator: ResumableEvaluator,
    candidates: int,
    settings: HalvingSettings,
    *,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> HalvingResult:
    """Train all to the first rung, the best 1/eta of them to the second, and so on (Jamieson 2016, figure 3).

    Args:
        evaluator: Trains and judges.
        candidates: How many there are, numbered from 0.
        settings: Rungs and reduction.
        progress: Called with (epochs trained, epochs in all, "epochs") after every piece.
        workers: Train candidates of a rung at once; one after the other if None. The result is the same.

    Raises:
        TrainingError: No candidate could be trained.
        ConfigError: There is no candidate.
    """
    _require_candidates(candidates)
    several = workers or Workers()
    curves = Curves(settings.max_epochs)
    pieces = list(zip(_sizes(candidates, settings), pairwise((0, *settings.rungs)), strict=True))
    total = sum(size * (end - start) for size, (start, end) in pieces)
    alive = list(range(candidates))
    for size, (start, end) in pieces:
        reached, ranked = list[int](), curves.ranked(alive)
        # If the training of one of the best fails, the next best takes its place.
        while ranked and len(reached) < size:
            count = size - len(reached)
            chosen, ranked = ranked[:count], ranked[count:]
            answers = several.each(partial(evaluator, from_epoch=start, to_epoch=end), chosen)
            for candidate, answer in zip(chosen, answers, strict=True):
                if isinstance(answer, TrainingError):
                    curves.fail(candidate, str(answer))
                elif curves.add(candidate, start, end, answer):
                    reached.append(candidate)
                if progress is not None:
                    progress(curves.epochs, total, "epochs")
        alive = reached
    return curves.result()


class AsynchronousHalving:
    """ASHA (Li 2020, algorithm 2): hands out jobs so that no worker waits for a rung to fill.

    A candidate continues as soon as it is among the best 1/eta of those seen at its rung; otherwise a new candidate
    starts. When all have started and none qualifies, the best of the highest rung continues if no candidate has reached
    the last rung. So there is always one full training.
    """

    def __init__(self, candidates: int, settings: HalvingSettings) -> None:
        _require_candidates(candidates)
        self._candidates = candidates
        self._settings = settings
        self._curves = Curves(settings.max_epochs)
        self._started = 0
        self._finished: list[list[int]] = [[] for _ in settings.rungs]
        self._promoted: list[set[int]] = [set() for _ in settings.rungs]
        self._running: dict[int, Job] = {}

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing is left to start."""
        return not self._running and self._choose() is None

    def next_job(self) -> Job | None:
        """Return the next job for an idle worker; None if it must wait for a report or all is done."""
        choice = self._choose()
        if choice is None:
            return None
        candidate, rung = choice
        if rung == 0:
            self._started += 1
        else:
            self._promoted[rung - 1].add(candidate)
        ends = (0, *self._settings.rungs)
        job = Job(candidate=candidate, rung=rung, from_epoch=ends[rung], to_epoch=ends[rung + 1])
        self._running[candidate] = job
        return job

    def report(self, job: Job, accuracy: float | TrainingError) -> None:
        """Record the result of a job: an accuracy in [0, 1], or the reason of its failure.

        Raises:
            SearchError: The job is not running.
        """
        if self._running.get(job.candidate) != job:
            raise SearchError(explain("a report on a job that is not running", got=job))
        del self._running[job.candidate]
        if isinstance(accuracy, TrainingError):
            self._curves.fail(job.candidate, str(accuracy))
            return
        if self._curves.add(job.candidate, job.from_epoch, job.to_epoch, accuracy):
            self._finished[job.rung].append(job.candidate)

    def result(self) -> HalvingResult:
        """Return what is known.

        Raises:
            TrainingError: No candidate could be trained.
        """
        return self._curves.result()

    def _choose(self) -> tuple[int, int] | None:
        """Return (candidate, rung) of the next job without changing anything."""
        for rung in reversed(range(len(self._finished) - 1)):
            best = self._ranked(rung)[: len(self._finished[rung]) // self._settings.reduction]
            for candidate in best:
                if candidate not in self._promoted[rung]:
                    return candidate, rung + 1
        if self._started < self._candidates:
            return self._started, 0
        return self._last_resort()

    def _last_resort(self) -> tuple[int, int] | None:
        if self._running or self._finished[-1]:
            return None
        for rung in reversed(range(len(self._finished) - 1)):
            waiting = [candidate for candidate in self._ranked(rung) if candidate not in self._promoted[rung]]
            if waiting:
                return waiting[0], rung + 1
        return None

    def _ranked(self, rung: int) -> list[int]:
        """Return the candidates seen at a rung, best first by their accuracy there."""
        epoch = self._settings.rungs[rung]
        return self._curves.ranked(self._finished[rung], epoch=epoch)


def asynchronous_halving(
    evaluator: ResumableEvaluator, candidates: int, settings: HalvingSettings, *, workers: int = 2
) -> HalvingResult:
    """Run ASHA with threads; where a cluster hands out the jobs, use `AsynchronousHalving` itself.

    Args:
        evaluator: Trains and judges; called from several threads, never twice at once for one candidate.
        candidates: How many there are.
        settings: Rungs and reduction.
        workers: Jobs at a time. With one the order, and so the result, is repeatable.

    Raises:
        TrainingError: No candidate could be trained.
    """
    scheduler = AsynchronousHalving(candidates, settings)
    running: dict[Future[float], Job] = {}
    with ThreadPoolExecutor(workers) as pool:
        while True:
            while len(running) < workers and (job := scheduler.next_job()) is not None:
                running[pool.submit(evaluator, job.candidate, job.from_epoch, job.to_epoch)] = job
            if not running:
                return scheduler.result()
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                error = future.exception()
                outcome = error if isinstance(error, TrainingError) else future.result()
                scheduler.report(running.pop(future), outcome)


def _sizes(candidates: int, settings: HalvingSettings) -> list[int]:
    """Return how many candidates train to each rung; at least one to every rung."""
    return [max(1, candidates // settings.reduction**rung) for rung in range(len(settings.rungs))]


def _require_candidates(candidates: int) -> None:
    if candidates < 1:
        raise ConfigError(explain("nothing to train", got=f"{candidates} candidates", allowed="1 or more"))
