"""Settings of the images: where they lie, their size, and how they are split."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal, get_args

from edgenas.data.registry import SOURCES
from edgenas.errors import ConfigError, explain, nearest

ResizeMode = Literal["crop", "squash"]

RESIZE_MODES: tuple[str, ...] = get_args(ResizeMode)

Interpolation = Literal["bilinear", "bicubic"]

INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)


def machine_threads() -> int:
    """Return the processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Where the images come from and what is done to them once, before any training.

    Attributes:
        source: One of `SOURCES`.
        path: A file or directory, or the name of a Hugging Face data set; unused by `digits`.
        resolution: Height and width of the prepared images in pixels; None keeps the native size, which then must be
            the same for all images and square.
        resize: "crop" scales the shorter side to `resolution` and cuts the centre; "squash" ignores the aspect ratio.
        interpolation: Filter of the resize, always antialiased.
        crop: Share of each side that the centre crop keeps, (0, 1]; images of the right size stay as they are.
        channels: 1 or 3; None keeps 1 where every image is grey and uses 3 otherwise.
        noise_std: Standard deviation of Gaussian noise added once to every image, as a share of the full range.
        train_limit, validation_limit, test_limit: Largest number of images of a split (a stratified subset).
        validation_fraction: Share of the training images set aside for search.
        test_fraction: Share of all images set aside for the final figure, where the source has no test part.
        seed: Decides splits, subsets and noise.
        cache_dir: Folder of the cache, shared by all that name it; None keeps nothing on disk.
        store: Whether prepared images are kept in the cache, beside what is known of files; otherwise they are prepared
            in memory.
        cache_limit_gib: Largest size of all prepared images in the cache. Those not used for longest go first. None
            takes half of what the disk has for them.
        memory_limit_mib: Prepared sets above this size that are not stored are decoded while training.
        workers: Threads that decode images; as many as this process may use if left out.
    """

    source: str = "digits"
    path: str | None = None
    resolution: int | None = None
    resize: ResizeMode = "crop"
    interpolation: Interpolation = "bilinear"
    crop: float = 1.0
    channels: int | None = None
    noise_std: float = 0.0
    train_limit: int | None = None
    validation_limit: int | None = None
    test_limit: int | None = None
    validation_fraction: float = 0.2
    test_fraction: float = 0.2
    seed: int = 0
    cache_dir: str | None = None
    store: bool = True
    cache_limit_gib: float | None = None
    memory_limit_mib: int = 2048
    workers: int = field(default_factory=machine_threads)

    def __post_init__(self) -> None:
        if SOURCES[self.source].needs_path and not self.path:
            raise ConfigError(explain(f"data source {self.source!r} needs a path", remedy="Set data.path."))
        if self.resize not in RESIZE_MODES:
            raise ConfigError(explain("unknown data.resize", got=repr(self.resize), allowed=", ".join(RESIZE_MODES)))
        if self.interpolation not in INTERPOLATIONS:
            allowed = ", ".join(INTERPOLATIONS)
            raise ConfigError(explain("unknown data.interpolation", got=repr(self.interpolation), allowed=allowed))
        if not 0 < self.crop <= 1:
            raise ConfigError(explain("impossible data.crop", got=self.crop, allowed="above 0, at most 1"))
        if self.channels not in (None, 1, 3):
            raise ConfigError(explain("impossible data.channels", got=self.channels, allowed="1, 3 or nothing"))
        _require_fraction("validation_fraction", self.validation_fraction)
        _require_fraction("test_fraction", self.test_fraction)
        if self.validation_fraction + self.test_fraction >= 1:
            raise ConfigError(
                explain(
                    "nothing is left to train on",
                    got=f"validation_fraction {self.validation_fraction} + test_fraction {self.test_fraction}",
                    allowed="a sum below 1",
                )
            )
        if not 0 <= self.noise_std <= 1:
            raise ConfigError(explain("impossible data.noise_std", got=self.noise_std, allowed="0 to 1"))
        for name in ("resolution", "train_limit", "validation_limit", "test_limit", "memory_limit_mib", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(explain(f"impossible data.{name}", got=value, allowed="1 or more"))
        if self.cache_limit_gib is not None and not self.cache_limit_gib > 0:
            raise ConfigError(explain("impossible data.cache_limit_gib", got=self.cache_limit_gib, allowed="above 0"))
        if self.seed < 0:
            raise ConfigError(explain("impossible data.seed", got=self.seed, allowed="0 or more"))


def parse_source(text: str) -> tuple[str, str | None]:
    """Split "npz:DIR" into the source and the path; "digits" has no path.

    Args:
        text: SOURCE or SOURCE:PATH.

    Returns:
        Source and path, to be handed to `DataSettings`.

    Raises:
        ConfigError: The source is unknown.
    """
    source, _, path = text.partition(":")
    if source not in SOURCES:
        hint = nearest(source, SOURCES)
        raise ConfigError(
            explain(
                f"unknown data source{hint}",
                got=repr(text),
                allowed=", ".join(f"{name}:PATH" if SOURCES[name].needs_path else name for name in SOURCES),
            )
        )
    return source, path or None


def _require_fraction(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ConfigError(explain(f"impossible data.{name}", got=value, allowed="above 0 and below 1"))
