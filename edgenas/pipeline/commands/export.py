"""Export outside of a run's own stages: from a run directory, a checkpoint with images, or a bare architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenas.arch import Architecture, lower
from edgenas.arch.document import to_document
from edgenas.config.settings import RunSettings
from edgenas.errors import DataError, ExportError, WeightsError, explain
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.given import NOTHING, Given
from edgenas.pipeline.core.images import load_images
from edgenas.pipeline.core.seen import history_in, require_unseen
from edgenas.pipeline.export.bundle import image_facts
from edgenas.pipeline.training.settings import augment_settings
from edgenas.reading.json_text import plain_value
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.deploy import Card, Difference


def export_checkpoint(
    checkpoint: Path,
    settings: RunSettings,
    recipe: str,
    out: Path,
    *,
    force: bool,
    seed: int = 0,
    given: Given = NOTHING,
    progress: ProgressFactory,
    say: Say,
) -> Card:
    """Export a trained network with the images of a configuration.

    Args:
        checkpoint: Weights, architecture, preprocessing and labels, as `edgenas train` and a run write them.
        settings: Names the images and the seed of their splits. The seed must be that of the training.
        recipe: Name or file.
        out: Folder to make.
        force: Replace it where it exists.
        seed: Of the remedy that trains.
        given: Images that were loaded already.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Raises:
        WeightsError: The checkpoint is damaged, or carries no preprocessing and labels.
        DataError: The images are not those of its classes, or the test images are among those that it was trained on.
        ExportError: See `edgenas.deploy.export_bundle`.
    """
    from edgenas.data import Preprocessing
    from edgenas.deploy import Images, export_bundle, load_recipe
    from edgenas.measure import measure_files
    from edgenas.nn import load_checkpoint

    found, chosen = load_checkpoint(checkpoint), load_recipe(recipe)
    if "preprocessing" not in found.metadata or "labels" not in found.metadata:
        raise WeightsError(
            explain(
                f"{checkpoint} does not say what its input and its classes are",
                got=", ".join(found.metadata) or "no metadata",
                allowed="preprocessing and labels",
                remedy="Train it with `edgenas train`, or export from the run directory.",
            )
        )
    context = RunContext(settings, RunDirectory(path=out.parent), progress=progress, say=say, given=given)
    data = load_images(context, resolution=found.architecture.resolution, cache=False)
    history = history_in(found.metadata)
    finding = require_unseen(history, data, of=str(checkpoint), say=say)
    labels = plain_value(found.metadata["labels"])
    _require_classes(data.classes, labels, checkpoint)
    with progress("export") as report:
        return export_bundle(
            found.architecture,
            found.weights,
            chosen,
            data=Images(train=data.train, validation=data.validation, test=data.test),
            preprocessing=Preprocessing.from_dict(plain_value(found.metadata["preprocessing"])),
            labels=labels,
            out=out,
            measure=partial(measure_files, threads=settings.target.threads),
            force=force,
            data_facts={"source": settings.data.source, "digest": data.digest, **image_facts(data, finding)},
            training_facts=plain_value(found.metadata.get("training", "{}")),
            seed=seed,
            augment=augment_settings(settings.train.augment),
            progress=report,
        )


def check_export(
    folder: Path,
    settings: RunSettings | None,
    *,
    given: Given = NOTHING,
    progress: ProgressFactory,
    say: Say,
) -> tuple[Difference, ...]:
    """Run a bundle again, on its test images where a configuration names them, and say what differs.

    Args:
        folder: The bundle.
        settings: Of the training, which names the images; None judges by the images in the bundle alone.
        given: Images that were loaded already.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Raises:
        ExportError: It is no bundle.
        DataError: The images are not those of its classes.
    """
    from edgenas.deploy import check_bundle, load_card
    from edgenas.measure import measure_files

    if settings is None:
        say("  without a configuration accuracy is judged by the few images in the bundle: --data CONFIG for all")
        return check_bundle(folder, measure=measure_files)
    card = load_card(folder)
    context = RunContext(settings, RunDirectory(path=folder.parent), progress=progress, say=say, given=given)
    data = load_images(context, resolution=card.preprocessing["resolution"], cache=False)
    _require_classes(data.classes, card.labels, folder)
    _require_split(card.data.get("split"), data, folder, say=say)
    return check_bundle(folder, test=data.test, measure=partial(measure_files, threads=settings.target.threads))


def _require_classes(found: Sequence[str], wanted: Sequence[str], of: Path) -> None:
    if list(found) != list(wanted):
        raise DataError(
            explain(
                f"the images are of other classes than {of}",
                got=", ".join(found[:6]),
                allowed=", ".join(wanted[:6]),
                remedy="Name the configuration that it was trained with: --data CONFIG.",
            )
        )


def _require_split(known: object, data: ImageData, folder: Path, *, say: Say) -> None:
    """Refuse to check a bundle on other test images than those of its card."""
    if known is None or data.contents is None:
        say("  the card does not say which images its accuracies are on: it is unknown whether these were trained on")
    elif known != data.contents.digest:
        raise DataError(
            explain(
                f"the images are split in another way than for {folder}, whose training images may be among them",
                got=data.contents.digest[:12],
                allowed=str(known)[:12],
                remedy="Name the configuration that it was trained with: --data CONFIG, with its data.seed and images.",
            )
        )


def export_untrained(architecture: Architecture, recipe: str, out: Path, *, force: bool) -> tuple[str, ...]:
    """Write the files of a network with random weights, to be measured on a device before anything is trained.

    Args:
        architecture: The network.
        recipe: Name or file.
        out: Folder to make.
        force: Write into it where it exists.

    Returns:
        Names of the files.

    Raises:
        ExportError: The folder exists.
    """
    from edgenas.deploy import load_recipe
    from edgenas.formats import FORMATS, encode, random_weights

    if out.exists() and not force:
        raise ExportError(explain(f"{out} exists", remedy="Choose another folder, or replace it with --force."))
    graph = lower(architecture)
    weights = random_weights(graph, np.random.default_rng(0))
    directory = RunDirectory(path=out)
    written = []
    for file in load_recipe(recipe).files:
        if FORMATS[file.format].runtime is None:
            continue
        data = encode(
            graph,
            weights,
            file_format=file.format,
            precision=file.precision,  # type: ignore[arg-type]
            scheme=file.scheme,
            batch=file.batch or None,
        )
        directory.write_bytes(file.name, data)
        written.append(file.name)
    directory.write_json("architecture.json", to_document(architecture))
    directory.write_text("UNTRAINED.txt", "Random weights: for measuring latency and memory only.\n")
    return tuple(written)
