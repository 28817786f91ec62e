"""The images of a run, loaded as the configuration says, and their description in `data.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgenas.config.sections.images import DataSection
from edgenas.errors import WeightsError
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.start import start_of

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.weights.source import ImageInput

DATA_FILE = "data.json"


def load_images(context: RunContext, *, resolution: int | None = None, cache: bool = True) -> ImageData:
    """Load the images as the configuration says; prepared images are kept in the cache that all runs share.

    Images of that size that the caller passed in are taken instead.

    Args:
        context: Of the run.
        resolution: Another height and width than the configuration's, pixels.
        cache: Whether prepared images are kept, if the configuration says so too.

    Raises:
        DataError: They cannot be used.
    """
    from edgenas.data import DataSettings, load
    from edgenas.data.cache.place import default_cache

    given = context.given.images
    if given is not None and resolution in (None, given.resolution):
        return given
    values = data_section(context).model_dump(exclude={"mean", "std"})
    values["interpolation"] = values["interpolation"] or "bilinear"
    values["crop"] = values["crop"] or 1.0
    # The supernet shrinks images for smaller resolutions, so they are prepared for the largest.
    values["resolution"] = resolution or values["resolution"] or max(context.settings.space.resolutions or [0]) or None
    store = values.pop("cache") and cache and values["source"] != "digits"
    folder = values.pop("cache_dir") or str(default_cache())
    seed = values.pop("seed")
    seed = context.seed("data") if seed is None else seed
    settings = DataSettings(**values, seed=seed, cache_dir=folder, store=store, workers=context.threads)
    with context.progress("images") as report:
        return load(settings, progress=report)


def data_section(context: RunContext) -> DataSection:
    """Return the data section of a run; what it leaves open of preparing images is as for the weights of its start."""
    return context.once("data section", lambda: _followed(context))


def _followed(context: RunContext) -> DataSection:
    section = context.settings.data
    try:
        start = start_of(context.settings.supernet)
        return section if start is None else following(section, start.images())
    except WeightsError:
        stored = context.directory.path / DATA_FILE
        if not stored.is_file():
            raise
        # The weights are gone since the run was made; its images are prepared as they were then.
        return following(section, _recorded(context))


def _recorded(context: RunContext) -> ImageInput:
    from edgenas.data import Preprocessing
    from edgenas.weights.source import ImageInput

    stored = Preprocessing.from_dict(context.directory.read_json(DATA_FILE)["preprocessing"])
    return ImageInput(mean=stored.mean, std=stored.std, interpolation=stored.interpolation, crop=stored.crop)


def following(section: DataSection, images: ImageInput | None) -> DataSection:
    """Fill in what a section leaves open of preparing images, from the training of the weights that are the start.

    Args:
        section: Of a configuration; what it states stays.
        images: How images were prepared for the weights; None where nobody says.
    """
    if images is None:
        return section
    found = {"interpolation": images.interpolation, "crop": images.crop}
    norm = {"mean": list(images.mean), "std": list(images.std)} if section.mean is None else {}
    missing = {name: value for name, value in found.items() if getattr(section, name) is None}
    return section.model_copy(update=missing | norm)


def preprocessing_of(context: RunContext, data: ImageData) -> Preprocessing:
    """Return what is done to an image before a network sees it.

    Args:
        context: Of the run; its data section, and the weights of its start, may state mean and deviation.
        data: Images; mean and deviation are otherwise those of their training part.
    """
    from edgenas.data.statistics import fitted_preprocessing

    section = data_section(context)
    fitted = fitted_preprocessing(data, resize=section.resize)
    if data.settings is not None:
        used = data.settings
        fitted = replace(fitted, interpolation=used.interpolation, crop=used.crop)
    if section.mean is None or section.std is None:
        return fitted
    return replace(fitted, mean=_by_channel(section.mean, data.channels), std=_by_channel(section.std, data.channels))


def _by_channel(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """One value a channel; for grey images, or where one is given, the average of all."""
    return tuple(values) if len(values) == channels else (sum(values) / len(values),) * channels


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
