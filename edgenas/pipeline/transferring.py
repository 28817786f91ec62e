"""One trained supernet, other images: its weights carried over and adapted, its networks judged there.

What comes out is a folder that `edgenas specialise` and `edgenas supernet` read like a run: the adapted supernet, the
images, the judged networks. The run it comes from is read only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas import __version__
from edgenas.arch.notation import format_notation
from edgenas.config.settings import RunSettings
from edgenas.errors import InputError, explain
from edgenas.pipeline.context import RunContext
from edgenas.pipeline.directory import RunDirectory
from edgenas.pipeline.images import load_images
from edgenas.pipeline.searching import SEARCH_FILE
from edgenas.pipeline.sharing import SUPERNET_FILE, supernet_settings

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.space import SearchSpace
    from edgenas.supernet import Supernet

Genes = NDArray[np.int64]

RESULT_FILE = "transfer.json"
FEWEST = 4
JUDGE_IMAGES = 2000
"""At most so many validation images judge a network: its standard error is then 1.1 points or less."""


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
        networks: All judged networks.
        spearman, spearman_low, spearman_high, kendall: Agreement of their order between the data sets; 95 %.
        unadapted_mean: Mean accuracy of the first four with weights as they were: chance, where the head is fresh.
        mean_accuracy: Mean accuracy after adapting.
        epochs, seconds: Of the adapting.
        replaced: Weights that could not be carried over.
        scratch: Supernets from scratch, budgets doubled until one is as good; empty where nobody asked.
        saved: Share of the epochs that the transfer saved against the first as good; None where none was.
    """

    networks: tuple[Judged, ...]
    spearman: float
    spearman_low: float
    spearman_high: float
    kendall: float
    unadapted_mean: float
    mean_accuracy: float
    epochs: int
    seconds: float
    replaced: tuple[str, ...]
    scratch: tuple[Scratch, ...]
    saved: float | None


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


def carry_over(old: Supernet, new: Supernet, *, same_classes: bool) -> tuple[str, ...]:
    """Copy the shared weights of one supernet into another of the same blocks.

    The classifier is drawn anew unless the classes are the same ones. A stem for other channels takes the mean over
    the old ones, scaled so that grey images give the same sums.

    Args:
        old: Trained.
        new: Changed in place.
        same_classes: Whether the classes are the same, by name.

    Returns:
        Names of the weights that could not be copied.

    Raises:
        WeightsError: The supernets are of different blocks.
    """
    import torch

    from edgenas.errors import WeightsError

    before, replaced = old.shared_weights(), []
    with torch.no_grad():
        for name, weight in new.shared_weights().items():
            if name not in before:
                raise WeightsError(explain("the supernets are of different blocks", got=f"no {name}"))
            value = before[name].to(weight.device)
            if name.startswith("head.classifier") and not same_classes:
                replaced.append(name)
            elif value.shape == weight.shape:
                weight.copy_(value)
            elif name.startswith("stem.") and value.ndim == 4 and value.shape[0] == weight.shape[0]:
                grey = value.mean(1, keepdim=True) * (value.shape[1] / weight.shape[1])
                weight.copy_(grey.expand_as(weight))
                replaced.append(name)
            else:
                raise WeightsError(
                    explain(f"{name} cannot be carried over", got=tuple(value.shape), allowed=tuple(weight.shape))
                )
    return tuple(replaced)


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
        InputError: The run judged too few networks.
        DataError: The images cannot be used.
        TrainingError: A training cannot go on.
    """
    from edgenas.data import fit_preprocessing
    from edgenas.evaluate import agreement
    from edgenas.supernet import load_supernet, save_supernet

    genes, on_front, known = _networks(source, networks)
    settings = target_settings(source.settings, other, source.space, name=out.name)
    context = RunContext(settings, RunDirectory(path=out), progress=source.progress, say=source.say)
    data = load_images(context)
    preprocessing = fit_preprocessing(data.train, resize=settings.data.resize)
    space = _adapted_space(source, data)
    old, _ = load_supernet(source.directory.path / SUPERNET_FILE, space=source.space)
    started = time.monotonic()
    supernet = _fresh(space, context.seed("transfer"))
    replaced = carry_over(old, supernet, same_classes=_same_classes(source, data))
    for name in replaced:
        source.say(f"  {name}: made anew for {len(data.classes)} classes and {data.channels} channel(s)")
    unadapted = _accuracies(context, supernet, data, preprocessing, genes[:FEWEST])
    wanted = epochs or max(1, source.settings.supernet.epochs // 4)
    seconds = _train(context, supernet, data, preprocessing, epochs=wanted, title="adapt the supernet")
    save_supernet(context.directory.file(SUPERNET_FILE), supernet, replace(preprocessing, resolution=data.resolution))
    accuracies = _accuracies(context, supernet, data, preprocessing, genes)
    source.say(f"  adapted and judged {len(genes)} networks in {time.monotonic() - started:.1f} s")
    tried = _from_scratch(context, space, data, preprocessing, genes, accuracies.mean(), wanted) if scratch else ()
    reached = [entry for entry in tried if entry.mean_accuracy >= accuracies.mean()]
    bands = np.zeros(len(genes), np.int64)
    found = agreement(known, accuracies, bands=bands, rng=np.random.default_rng(context.seed("agreement")))
    answer = Transfer(
        networks=tuple(
            Judged(genes=tuple(int(gene) for gene in row), notation=format_notation(space.decode(row)), on_front=front,
                   source_accuracy=float(before), accuracy=float(after))
            for row, front, before, after in zip(genes, on_front, known, accuracies, strict=True)
        ),
        spearman=found.spearman, spearman_low=found.spearman_low, spearman_high=found.spearman_high,
        kendall=found.kendall, unadapted_mean=float(unadapted.mean()), mean_accuracy=float(accuracies.mean()),
        epochs=wanted, seconds=seconds, replaced=replaced, scratch=tried,
        saved=1 - wanted / reached[0].epochs if reached else None,
    )  # fmt: skip
    _write(context, source, data, preprocessing, answer)
    return answer


def _networks(source: RunContext, count: int) -> tuple[Genes, list[bool], NDArray[np.float64]]:
    """The run's front and a sample of what else it judged: codes (N, D), which are on the front, accuracies (N,)."""
    search = source.directory.read_json(SEARCH_FILE)
    entries, front = search["evaluations"], list(search["front"])
    rest = [index for index, entry in enumerate(entries) if "genes" in entry and index not in set(front)]
    drawn = np.random.default_rng(source.seed("transfer")).permutation(rest).tolist() if rest else []
    # At most half of them from the front, which by itself spans few accuracies.
    chosen = [*front[: max(1, count // 2)], *drawn][:count]
    if len(chosen) < FEWEST:
        raise InputError(
            explain("too few networks to compare the data sets", got=len(chosen), allowed=f"{FEWEST} or more",
                    remedy="Search for longer, or raise --networks.")
        )  # fmt: skip
    genes = np.asarray([entries[index]["genes"] for index in chosen], np.int64)
    accuracy = np.array([entries[index]["metrics"]["accuracy"]["value"] for index in chosen])
    return genes, [index in set(front) for index in chosen], accuracy


def _adapted_space(source: RunContext, data: ImageData) -> SearchSpace:
    from edgenas.space import with_task

    return with_task(source.space, classes=len(data.classes), in_channels=data.channels)


def _same_classes(source: RunContext, data: ImageData) -> bool:
    return list(data.classes) == list(source.directory.read_json("data.json")["classes"])


def _fresh(space: SearchSpace, seed: int) -> Supernet:
    import torch

    from edgenas.supernet import Supernet

    return Supernet(space, generator=torch.Generator().manual_seed(seed))


def _train(
    context: RunContext, supernet: Supernet, data: ImageData, preprocessing: Preprocessing, *, epochs: int, title: str
) -> float:
    """Train a supernet by the run's settings for some epochs; return the seconds."""
    from edgenas.supernet import train_supernet

    section = context.settings.supernet.model_copy(update={"epochs": epochs})
    settings = supernet_settings(section, seed=context.seed("transfer"), workers=context.threads)
    with context.progress(title) as report:
        result = train_supernet(
            supernet, data, settings, preprocessing=preprocessing,
            progress=lambda done, total, what: report(done, total, "steps"), device=context.compute_device,
        )  # fmt: skip
    return result.seconds


def _accuracies(
    context: RunContext, supernet: Supernet, data: ImageData, preprocessing: Preprocessing, genes: Genes
) -> NDArray[np.float64]:
    from edgenas.supernet import SupernetEvaluator

    device = context.compute_device
    evaluator = SupernetEvaluator(
        supernet.to(device), data, preprocessing, images=JUDGE_IMAGES,
        calibration=context.settings.supernet.recalibration_images, device=device,
    )  # fmt: skip
    with context.progress("judge on the other images") as report:
        return evaluator.evaluate(genes, progress=report).accuracy


def _from_scratch(
    context: RunContext,
    space: SearchSpace,
    data: ImageData,
    preprocessing: Preprocessing,
    genes: Genes,
    wanted: float,
    epochs: int,
) -> tuple[Scratch, ...]:
    """Train supernets from scratch, each with a whole schedule twice as long, until one is as good."""
    most, tried = max(epochs, context.settings.supernet.epochs), list[Scratch]()
    while not tried or (tried[-1].mean_accuracy < wanted and tried[-1].epochs < most):
        budget = min(most, 2 * tried[-1].epochs if tried else epochs)
        supernet = _fresh(space, context.seed("transfer"))
        seconds = _train(context, supernet, data, preprocessing, epochs=budget, title=f"from scratch, {budget} epochs")
        accuracy = float(_accuracies(context, supernet, data, preprocessing, genes).mean())
        tried.append(Scratch(epochs=budget, seconds=seconds, mean_accuracy=accuracy))
    return tuple(tried)


def _write(
    context: RunContext, source: RunContext, data: ImageData, preprocessing: Preprocessing, answer: Transfer
) -> None:
    """Write what makes the folder readable like a run, and the result last."""
    directory = context.directory
    directory.write_json("settings.json", {"version": __version__, **context.settings.model_dump()})
    directory.write_json("data.json", _data_document(context, data, preprocessing))
    directory.write_json(RESULT_FILE, {"source": str(source.directory.path), **asdict(answer)})


def _data_document(context: RunContext, data: ImageData, preprocessing: Preprocessing) -> dict[str, Any]:
    counts: Sequence[tuple[str, int]] = [
        ("train", len(data.train)), ("validation", len(data.validation)), ("test", len(data.test)),
    ]  # fmt: skip
    return {
        "source": context.settings.data.source,
        "path": context.settings.data.path,
        "digest": data.digest,
        "classes": list(data.classes),
        "channels": data.channels,
        "resolution": data.resolution,
        "native_size": list(data.native_size) if data.native_size else None,
        "counts": dict(counts),
        "skipped": [{"name": entry.name, "reason": entry.reason} for entry in data.skipped],
        "notes": list(data.notes),
        "preprocessing": preprocessing.to_dict(),
    }
