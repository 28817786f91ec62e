"""Images: from a folder, a file or a name to three splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgenas.errors import ConfigError, DataError, explain
from edgenas.types import ProgressFactory

if TYPE_CHECKING:
    from edgenas.config.sections.images import DataSection
    from edgenas.data import ImageData

_PARTS = ("train", "training")


def load_images(
    path: str | Path = "digits",
    *,
    resolution: int | None = None,
    resize: Literal["crop", "squash"] = "crop",
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
    crop: float = 1.0,
    channels: Literal[1, 3] | None = None,
    noise_std: float = 0.0,
    train_limit: int | None = None,
    validation_limit: int | None = None,
    test_limit: int | None = None,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
    cache: str | Path | bool | None = None,
    memory_limit_mib: int = 2048,
    progress: ProgressFactory | None = None,
) -> ImageData:
    """Load images and their classes, split them and prepare them for a network.

    Args:
        path: A folder with one folder of images a class (alone or below train/, validation/ and test/), an `.npz` file
            with `images` (N, H, W, C) uint8 and `labels` (N,), a folder of IDX files (MNIST and its family), or
            `digits` (8 x 8, comes with scikit-learn). `SOURCE:PATH` names the source too, as in `huggingface:NAME`.
        resolution: Height and width of the prepared images, pixels; the native size if None, which then must be the
            same for all and square.
        resize: `crop` scales the shorter side and cuts the centre; `squash` ignores the aspect ratio.
        interpolation: Filter of the resize.
        crop: Share of each side that is kept, (0, 1].
        channels: 1 or 3; as the images are if None.
        noise_std: Gaussian noise added once to every image, as a share of the full range, 0 to 1.
        train_limit, validation_limit, test_limit: Largest number of images of a split (a stratified subset).
        validation_fraction: Share of all images that decides during a search.
        test_fraction: Share of all images for the final figure, where the source has no test part.
        seed: Of splits, subsets and noise. The same seed and files give the same splits.
        cache: Whether prepared images are kept: True for the cache that all runs share (EDGENAS_CACHE, or
            `~/.cache/edgenas`), or the folder of another; in memory if None. What is known of files is always kept.
        memory_limit_mib: Without a cache, larger sets (as prepared) are decoded while training, MiB.
        progress: Makes a progress display for a title; a bar, or lines, if None.

    Returns:
        Three splits that share no image: train, validation, test.

    Raises:
        DataError: The images or labels cannot be used; the message names the file or class.
        ConfigError: The source is unknown or needs an extra that is not installed, or a value is impossible.
    """
    from edgenas.data import DataSettings, load
    from edgenas.data.cache.place import default_cache
    from edgenas.display import progress_bar

    if not isinstance(path, str | Path):
        remedy = "Write arrays to a file first: numpy.savez('images.npz', images=images, labels=labels)."
        raise DataError(explain("this is no place of images", got=type(path).__name__, allowed="a path or a name",
                                remedy=remedy))  # fmt: skip
    source, place = _source_of(str(path))
    settings = DataSettings(
        source=source,  # type: ignore[arg-type]
        path=place,
        resolution=resolution,
        resize=resize,
        interpolation=interpolation,
        crop=crop,
        channels=channels,
        noise_std=noise_std,
        train_limit=train_limit,
        validation_limit=validation_limit,
        test_limit=test_limit,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        seed=seed,
        cache_dir=str(default_cache() if cache is None or isinstance(cache, bool) else cache),
        store=cache is not None and cache is not False,
        memory_limit_mib=memory_limit_mib,
    )
    with (progress or progress_bar)("images") as report:
        return load(settings, progress=report)


def _source_of(text: str) -> tuple[str, str | None]:
    """Tell the source from `SOURCE:PATH`, or from what lies at a path."""
    from edgenas.data import SOURCES, parse_source

    if text.partition(":")[0] in SOURCES and (":" in text or not SOURCES[text].needs_path):
        source, place = parse_source(text)
        # A run directory may be opened from another working directory.
        return source, _absolute(place) if place is not None and source != "huggingface" else place
    path = Path(text).expanduser()
    if path.is_file():
        return "npz", _absolute(text)
    if path.is_dir():
        return _folder_source(path), _absolute(text)
    raise DataError(
        explain(
            "no such images",
            got=repr(text),
            allowed="a folder of class folders, an .npz file, a folder of IDX files, digits, or SOURCE:PATH with a "
            f"source of {', '.join(SOURCES)}",
            remedy="For a data set of Hugging Face write huggingface:NAME.",
        )
    )


def _folder_source(path: Path) -> str:
    entries = list(path.iterdir())
    names = [entry.name.lower() for entry in entries if entry.is_file()]
    if "train.npz" in names:
        return "npz"
    # Names such as train-images-idx3-ubyte.gz and train-images.idx3-ubyte.
    if any("images-idx" in name.replace(".", "-") for name in names):
        return "idx"
    return "folder"


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().resolve())


def data_section(data: ImageData, *, resolution: int | None = None) -> DataSection:
    """Return the data section of a configuration that loads the same images again.

    Args:
        data: Images that `load_images` returned.
        resolution: Another height and width, pixels; as they are if None.

    Raises:
        DataError: The images do not say where they come from.
    """
    from edgenas.config.sections.images import DataSection
    from edgenas.data import ImageData
    from edgenas.data.cache.place import default_cache

    if not isinstance(data, ImageData):
        remedy = "Load them with edgenas.load_images."
        raise DataError(explain("these are no images", got=type(data).__name__, allowed="ImageData", remedy=remedy))
    settings = data.settings
    if settings is None:
        raise DataError(
            explain("the images do not say where they come from", remedy="Load them with edgenas.load_images.")
        )
    if settings.channels not in (None, 1, 3):
        raise ConfigError(explain("impossible channels", got=settings.channels, allowed="1 or 3"))
    return DataSection(
        source=settings.source,
        path=settings.path,
        resolution=resolution or data.resolution,
        resize=settings.resize,
        interpolation=None if settings.interpolation == "bilinear" else settings.interpolation,
        crop=None if settings.crop == 1 else settings.crop,
        channels=1 if data.channels == 1 else 3,
        noise_std=settings.noise_std,
        train_limit=settings.train_limit,
        validation_limit=settings.validation_limit,
        test_limit=settings.test_limit,
        validation_fraction=settings.validation_fraction,
        test_fraction=settings.test_fraction,
        seed=settings.seed,
        cache=settings.store and settings.cache_dir is not None,
        cache_dir=None if settings.cache_dir in (None, str(default_cache())) else settings.cache_dir,
        cache_limit_gib=settings.cache_limit_gib,
        memory_limit_mib=settings.memory_limit_mib,
    )
