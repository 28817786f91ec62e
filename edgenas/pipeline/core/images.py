"""The images of a run, loaded as the configuration says, and their description in `data.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgenas.pipeline.core.context import RunContext

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing


def load_images(context: RunContext, *, resolution: int | None = None, cache: bool = True) -> ImageData:
    """Load the images as the configuration says; prepared images are cached in the run directory.

    Images of that size that the caller passed in are taken instead.

    Args:
        context: Of the run.
        resolution: Another height and width than the configuration's, pixels.
        cache: Whether prepared images are kept in the run directory.

    Raises:
        DataError: They cannot be used.
    """
    from edgenas.data import DataSettings, load

    given = context.given.images
    if given is not None and resolution in (None, given.resolution):
        return given
    values = context.settings.data.model_dump()
    # The supernet shrinks images for smaller resolutions, so they are prepared for the largest.
    values["resolution"] = resolution or values["resolution"] or max(context.settings.space.resolutions or [0]) or None
    cache = values.pop("cache") and cache and values["source"] != "digits"
    folder = str(context.directory.path / "cache") if cache else None
    seed = values.pop("seed")
    seed = context.seed("data") if seed is None else seed
    settings = DataSettings(**values, seed=seed, cache_dir=folder, workers=context.threads)
    with context.progress("images") as report:
        return load(settings, progress=report)


def data_document(context: RunContext, data: ImageData, preprocessing: Preprocessing) -> dict[str, Any]:
    """Return what `data.json` says of images."""
    return {
        "source": context.settings.data.source,
        "path": context.settings.data.path,
        "digest": data.digest,
        "split": None if data.contents is None else data.contents.digest,
        "classes": list(data.classes),
        "channels": data.channels,
        "resolution": data.resolution,
        "native_size": list(data.native_size) if data.native_size else None,
        "counts": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        "skipped": [{"name": entry.name, "reason": entry.reason} for entry in data.skipped],
        "notes": list(data.notes),
        "preprocessing": preprocessing.to_dict(),
    }
