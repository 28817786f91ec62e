"""The data stage: load the images, split them, fix the preprocessing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.pipeline.context import RunContext
from edgenas.pipeline.stage import Stage
from edgenas.pipeline.teaching import load_teacher

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing


def _signature(path: str | None) -> str:
    """Digest of the names, sizes and times of the files under a path; tells whether images may have changed."""
    if path is None or not Path(path).exists():
        return "absent"
    root = Path(path)
    files = sorted(entry for entry in root.rglob("*") if entry.is_file()) if root.is_dir() else [root]
    digest = hashlib.sha256()
    for entry in files:
        stat = entry.stat()
        digest.update(f"{entry.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def load_images(context: RunContext, *, resolution: int | None = None, cache: bool = True) -> ImageData:
    """Load the images as the configuration says; prepared images are cached in the run directory.

    Args:
        context: Of the run.
        resolution: Another height and width than the configuration's, pixels.
        cache: Whether prepared images are kept in the run directory.

    Raises:
        DataError: They cannot be used.
    """
    from edgenas.data import DataSettings, load

    values = context.settings.data.model_dump()
    # The supernet shrinks images for smaller resolutions, so they are prepared for the largest.
    values["resolution"] = resolution or values["resolution"] or max(context.settings.space.resolutions or [0]) or None
    cache = values.pop("cache") and cache and values["source"] != "digits"
    folder = str(context.directory.path / "cache") if cache else None
    settings = DataSettings(**values, seed=context.seed("data"), cache_dir=folder, workers=context.threads)
    with context.progress("images") as report:
        return load(settings, progress=lambda done, total: report(done, total, ""))


def _inputs(context: RunContext) -> Mapping[str, Any]:
    settings = context.settings
    return {
        "data": settings.data.model_dump(),
        "resolutions": settings.space.resolutions,
        "seed": settings.seed,
        "files": _signature(settings.data.path),
    }


def _run(context: RunContext) -> None:
    from edgenas.data import fit_preprocessing

    data = context.data
    preprocessing = fit_preprocessing(data.train, resize=context.settings.data.resize)
    # Here already, so that a teacher of other classes does not end a run at its last training.
    load_teacher(context.settings.train.teacher, classes=data.classes, preprocessing=preprocessing)
    for note in data.notes:
        context.say(f"  {note}")
    context.directory.write_json("data.json", data_document(context, data, preprocessing))


def data_document(context: RunContext, data: ImageData, preprocessing: Preprocessing) -> dict[str, Any]:
    """Return what `data.json` says of images."""
    return {
        "source": context.settings.data.source,
        "path": context.settings.data.path,
        "digest": data.digest,
        "classes": list(data.classes),
        "channels": data.channels,
        "resolution": data.resolution,
        "native_size": list(data.native_size) if data.native_size else None,
        "counts": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        "skipped": [{"name": entry.name, "reason": entry.reason} for entry in data.skipped],
        "notes": list(data.notes),
        "preprocessing": preprocessing.to_dict(),
    }


STAGE: Stage[RunContext] = Stage(
    name="data", title="load the images", needs=(), outputs=("data.json",), inputs=_inputs, run=_run
)
