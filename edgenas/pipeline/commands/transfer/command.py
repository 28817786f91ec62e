"""One trained supernet, other images: its weights carried over and adapted, its networks judged there.

The result is a folder that `edgenas specialise` and `edgenas supernet` read like a run. It holds the adapted supernet,
the images and the judged networks. The source run is not changed.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgenas.arch.notation import format_notation
from edgenas.config.settings import RunSettings
from edgenas.errors import InputError, explain
from edgenas.pipeline.commands.transfer.adaptation import (
    carry_over,
    fresh,
    from_scratch,
    inherited_accuracies,
    train_shared,
)
from edgenas.pipeline.commands.transfer.result import Judged, Scratch, Transfer
from edgenas.pipeline.commands.transfer.warm_predictor import Learned, WarmPredictor, learning_curve
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SEARCH_FILE, SUPERNET_FILE, require_supernet
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.images import data_document, load_images, preprocessing_of
from edgenas.pipeline.core.open_run import settings_document
from edgenas.pipeline.core.seen import history_metadata, history_of, require_unseen, trained_on
from edgenas.types import Floats, Genes

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.space import SearchSpace


RESULT_FILE = "transfer.json"
FEWEST = 4
_PROPOSED = 0.25
"""Networks that the predictor proposes and that are judged too, as a share of those judged for the comparison."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """Networks that the run judged: codes (N, D), accuracies (N,), which are on its front (N,)."""

    genes: Genes
    accuracy: Floats
    on_front: NDArray[np.bool_]

    def pick(self, index: NDArray[np.int64]) -> _Known:
        return _Known(genes=self.genes[index], accuracy=self.accuracy[index], on_front=self.on_front[index])


def target_settings(source: RunSettings, other: RunSettings, space: SearchSpace, *, name: str) -> RunSettings:
    """Return the run's settings with the images of another configuration; space and resolutions stay the run's."""
    resolutions = sorted(set(space.definition.resolution))
    data = other.data.model_copy(update={"resolution": max(resolutions)})
    return source.model_copy(
        update={
            "name": name,
            "data": data,
            "space": source.space.model_copy(update={"resolutions": resolutions}),
        }
    )


def transfer(
    source: RunContext,
    other: RunSettings,
    out: Path,
    *,
    epochs: int | None = None,
    networks: int = 40,
    scratch: bool = False,
) -> Transfer:
    """Adapt a run's supernet to other images and judge its networks there.

    Args:
        source: A finished run; nothing in it is changed.
        other: Names the images (its data section; the rest is the run's).
        out: Folder for the adapted supernet and `transfer.json`.
        epochs: Of the adapting; a quarter of the run's supernet training if None.
        networks: How many are judged: the front first, then others that the run judged.
        scratch: Whether supernets are trained from scratch too, to see what was saved.

    Raises:
        InputError: The run judged too few networks, or has no shared weights.
        DataError: The images cannot be used, or the supernet was trained on those that would judge it.
        TrainingError: A training cannot go on.
    """
    from edgenas.evaluate import agreement, spearman
    from edgenas.supernet import load_supernet, save_supernet

    require_supernet(source)
    known = _known(source)
    chosen, others = _chosen(source, known, networks)
    settings = target_settings(source.settings, other, artifacts.space(source), name=out.name)
    context = RunContext(settings, RunDirectory(path=out), progress=source.progress, say=source.say)
    data = load_images(context)
    history = history_of(source.directory.path / SUPERNET_FILE)
    # Networks are judged on the validation images here. A later specialisation reads the test images.
    require_unseen(history, data, of="the run's supernet", say=source.say, parts=("validation", "test"))
    preprocessing = preprocessing_of(context, data)
    space = _adapted_space(source, data)
    old, _ = load_supernet(source.directory.path / SUPERNET_FILE, space=artifacts.space(source))
    supernet = fresh(space, context.seed("transfer"), kernel_transforms=old.kernel_transforms)
    replaced = carry_over(old, supernet, same_classes=_same_classes(source, data))
    for name in replaced:
        source.say(f"  {name}: made anew for {len(data.classes)} classes and {data.channels} channel(s)")
    unadapted = inherited_accuracies(context, supernet, data, preprocessing, chosen.genes[:FEWEST])
    wanted = epochs or max(1, source.settings.supernet.epochs // 4)
    seconds = train_shared(context, supernet, data, preprocessing, epochs=wanted, title="adapt the supernet")
    save_supernet(
        context.directory.file(SUPERNET_FILE), supernet, replace(preprocessing, resolution=data.resolution),
        metadata=history_metadata(trained_on(data, ("the supernet that was adapted", history))),
    )  # fmt: skip
    started = time.monotonic()
    accuracies = inherited_accuracies(context, supernet, data, preprocessing, chosen.genes)
    judging_seconds = (time.monotonic() - started) / len(chosen.genes)
    learned, proposed = _predicted(source, known, chosen, accuracies, others)
    proposed_accuracies = inherited_accuracies(context, supernet, data, preprocessing, proposed.genes)
    tried: tuple[Scratch, ...] = ()
    if scratch:
        tried = from_scratch(context, space, data, preprocessing, chosen.genes, accuracies.mean(), wanted)
    reached = [entry for entry in tried if entry.mean_accuracy >= accuracies.mean()]
    bands = np.zeros(len(chosen.genes), np.int64)
    found = agreement(chosen.accuracy, accuracies, bands=bands, rng=np.random.default_rng(context.seed("agreement")))
    answer = Transfer(
        networks=_judged(space, chosen, accuracies),
        spearman=found.spearman,
        spearman_low=found.spearman_low,
        spearman_high=found.spearman_high,
        kendall=found.kendall,
        unadapted_mean=float(unadapted.mean()),
        mean_accuracy=float(accuracies.mean()),
        epochs=wanted,
        seconds=seconds,
        judging_seconds=judging_seconds,
        macs_spearman=spearman(_macs(space, chosen.genes), accuracies),
        learned=learned,
        proposed=_judged(space, proposed, proposed_accuracies),
        replaced=replaced,
        scratch=tried,
        saved=1 - wanted / reached[0].epochs if reached else None,
    )
    _write(context, source, data, preprocessing, answer)
    shutil.rmtree(context.directory.path / "state", ignore_errors=True)
    return answer


def _judged(space: SearchSpace, known: _Known, accuracies: Floats) -> tuple[Judged, ...]:
    return tuple(
        Judged(
            genes=tuple(int(gene) for gene in row),
            notation=format_notation(space.decode(row)),
            on_front=bool(front),
            source_accuracy=float(before),
            accuracy=float(after),
        )
        for row, front, before, after in zip(known.genes, known.on_front, known.accuracy, accuracies, strict=True)
    )


def _macs(space: SearchSpace, genes: Genes) -> Floats:
    from edgenas.space import population_costs

    return population_costs(space).macs(genes).astype(np.float64)


def _predicted(
    source: RunContext, known: _Known, chosen: _Known, accuracies: Floats, others: _Known
) -> tuple[tuple[Learned, ...], _Known]:
    """Start a predictor from the run's accuracies: how well it orders, and which other networks it proposes."""
    from edgenas.search.predictor import AccuracyPredictor, encode

    space, rng = artifacts.space(source), np.random.default_rng(source.seed("predictor"))
    start = AccuracyPredictor.fit(encode(space, known.genes), known.accuracy)
    inputs = encode(space, chosen.genes)
    learned = learning_curve(start, inputs, accuracies, rng=rng)
    count = min(len(others.genes), max(1, round(_PROPOSED * len(chosen.genes))))
    warm = WarmPredictor.fit(start, inputs, accuracies)
    if not len(others.genes):
        return learned, others
    best = np.argsort(-warm.predict(encode(space, others.genes)).mean, kind="stable")[:count]
    return learned, others.pick(best)


def _known(source: RunContext) -> _Known:
    search = source.directory.read_json(SEARCH_FILE)
    front = set(search["front"])
    entries = [(place, entry) for place, entry in enumerate(search["evaluations"]) if "genes" in entry]
    return _Known(
        genes=np.asarray([entry["genes"] for _, entry in entries], np.int64),
        accuracy=np.array([entry["metrics"]["accuracy"]["value"] for _, entry in entries]),
        on_front=np.array([place in front for place, _ in entries], dtype=bool),
    )


def _chosen(source: RunContext, known: _Known, count: int) -> tuple[_Known, _Known]:
    """The run's front and a sample of what else it judged, to compare the data sets with; and all others."""
    front, rest = np.flatnonzero(known.on_front), np.flatnonzero(~known.on_front)
    drawn = np.random.default_rng(source.seed("transfer")).permutation(rest)
    # At most half of them come from the front, since the front alone spans few accuracies.
    order = np.concatenate([front[: max(1, count // 2)], drawn])
    chosen = order[:count]
    if len(chosen) < FEWEST:
        raise InputError(
            explain("too few networks to compare the data sets", got=len(chosen), allowed=f"{FEWEST} or more",
                    remedy="Search for longer, or raise --networks.")
        )  # fmt: skip
    return known.pick(chosen), known.pick(np.setdiff1d(np.arange(len(known.genes)), chosen))


def _adapted_space(source: RunContext, data: ImageData) -> SearchSpace:
    from edgenas.space import with_task

    return with_task(artifacts.space(source), classes=len(data.classes), in_channels=data.channels)


def _same_classes(source: RunContext, data: ImageData) -> bool:
    return list(data.classes) == list(source.directory.read_json("data.json")["classes"])


def _write(
    context: RunContext, source: RunContext, data: ImageData, preprocessing: Preprocessing, answer: Transfer
) -> None:
    """Write the files of a run directory, and the result last."""
    directory = context.directory
    directory.write_json("settings.json", settings_document(context.settings))
    directory.write_json("data.json", data_document(context, data, preprocessing))
    directory.write_json(RESULT_FILE, {"source": str(source.directory.path), **asdict(answer)})
