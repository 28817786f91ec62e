"""Exporting a trained network of a run as a bundle: files, card, checks."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.pipeline.core.artifacts import TABLE_SUMMARY_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.training.network import Trained
from edgenas.pipeline.training.settings import augment_settings
from edgenas.reading.json_text import plain_text

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.data.identity import Finding
    from edgenas.deploy import Card, FileCard
    from edgenas.latency import RuntimeName
    from edgenas.measure import FileLatency, ModelFile


def recipe_digest(recipe: str) -> str:
    """Digest of a recipe's content, so that an edited recipe exports again.

    Raises:
        ConfigError: There is no such recipe, or it is broken.
    """
    from edgenas.deploy import load_recipe

    document = dataclasses.asdict(load_recipe(recipe))
    # A key of a newer version, left at its default, must not change the digest.
    if not document["licence"]:
        del document["licence"]
    text = plain_text(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def image_facts(data: ImageData, finding: Finding) -> dict[str, Any]:
    """Return what a card says of the images that its accuracies are on.

    Args:
        data: Images.
        finding: Whether the weights have seen the test images.
    """
    split = {} if data.contents is None else {"split": data.contents.digest}
    return {**split, "test_images": finding.to_dict()}


def table_facts(context: RunContext) -> dict[str, str]:
    """Return what a card says of the table by which a run's network was chosen; nothing where there was no table."""
    if not context.directory.has(TABLE_SUMMARY_FILE):
        return {}
    found = context.directory.read_json(TABLE_SUMMARY_FILE)
    loops = (found.get("validation") or {}).get("loops")
    bias = (
        f"its bias against loops in fresh processes was {loops['bias_percent']:+.1f} "
        f"+- {loops['bias_error_percent']:.1f} %"
        if loops
        else "its bias against loops in fresh processes is not known"
    )
    return {"latency_table": f"chosen by predictions of +-{found['interval_percent']:.1f} %; {bias}"}


def export_network(context: RunContext, trained: Trained, folder: Path) -> Card:
    """Write the bundle of a trained network and measure its files on this device.

    Args:
        context: Of the run.
        trained: The network.
        folder: The bundle's folder. An existing one stays until the new bundle is complete.

    Raises:
        ExportError: A file does not compute what torch computes, or does not run as it should.
    """
    from edgenas.data.identity import find_seen
    from edgenas.deploy import Images, export_bundle, load_recipe
    from edgenas.measure import measure_files
    from edgenas.pipeline.search.file_sizes import size_facts

    about, settings, data = context.directory.read_json("data.json"), context.settings, trained.data

    def measure(files: Sequence[ModelFile]) -> Sequence[FileLatency]:
        own = [on_target(file, settings.target.runtime) for file in files]
        return measure_files(own, threads=settings.target.threads, seed=context.seed("export"))

    with context.progress("export") as report:
        return export_bundle(
            trained.module.architecture,
            trained.module.weights(),
            load_recipe(settings.export.recipe),
            data=Images(train=data.train, validation=data.validation, test=data.test),
            preprocessing=trained.preprocessing,
            labels=about["classes"],
            out=folder,
            measure=measure,
            force=True,
            data_facts={
                **{name: about[name] for name in ("source", "digest", "counts", "notes")},
                **image_facts(data, find_seen(trained.history, data.contents)),
            },
            training_facts={**settings.train.model_dump(), "epochs": len(trained.fit.history), "run": settings.name,
                            **table_facts(context)},
            seed=context.seed("export"),
            augment=augment_settings(settings.train.augment),
            file_facts=lambda files: size_facts(settings, trained.module.architecture, files),
            progress=report,
        )


def on_target(file: ModelFile, runtime: str) -> ModelFile:
    """Return a file with the runtime that runs it: the target's, where that reads it."""
    from edgenas.formats import file_format_of

    reads = file_format_of(runtime) == file.file_format
    return dataclasses.replace(file, runtime=runtime) if reads else file


def measured_again(folder: Path, entry: FileCard, *, runtime: RuntimeName, threads: int, seed: int) -> FileLatency:
    """Measure one file of a bundle again. It was chosen by its first measurement, which chance favours.

    Args:
        folder: The bundle.
        entry: The file.
        runtime: It runs on.
        threads: Of the runtime.
        seed: Of the order of measurements.

    Raises:
        DeviceError: The runtime is missing.
    """
    return measured_beside(folder, entry, (), runtime=runtime, threads=threads, seed=seed)[0]


def measured_beside(
    folder: Path, entry: FileCard, others: Sequence[ModelFile], *, runtime: RuntimeName, threads: int, seed: int
) -> Sequence[FileLatency]:
    """Measure one file of a bundle alternately with other files; see `measured_again`.

    Returns:
        Latency of the bundle's file, then those of the others.
    """
    from edgenas.measure import ModelFile, measure_files

    file = ModelFile(name=entry.name, data=(folder / entry.name).read_bytes(), file_format=entry.format)
    return measure_files((on_target(file, runtime), *others), threads=threads, seed=seed)


def file_document(entry: FileCard) -> dict[str, Any]:
    """Return what reports and the summary show of one file; None where it could not be run here."""
    tested, latency = entry.test, entry.latency
    return {
        "name": entry.name,
        "format": entry.format,
        "precision": entry.precision,
        "accuracy": tested.accuracy.value if tested else None,
        "accuracy_low": tested.accuracy.low if tested else None,
        "accuracy_high": tested.accuracy.high if tested else None,
        "top1_agreement": tested.top1_agreement if tested else None,
        "latency_ms": latency.latency_ms if latency else None,
        "latency_spread_ms": latency.standard_error_ms if latency else None,
        "bytes": entry.bytes,
        "steps": list(entry.steps),
    }
