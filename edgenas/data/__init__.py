"""Images: sources, splits, preparation, preprocessing. Batches are in `edgenas.data.batches`, which needs torch."""

from edgenas.data.augment.settings import AugmentSettings
from edgenas.data.loading.load import load
from edgenas.data.network_input import Preprocessing, fit_preprocessing
from edgenas.data.registry import SOURCES, Source
from edgenas.data.settings import RESIZE_MODES, DataSettings, parse_source
from edgenas.data.values import ArraySplit, ImageData, LazySplit, Skipped, Split

__all__ = [
    "RESIZE_MODES",
    "SOURCES",
    "ArraySplit",
    "AugmentSettings",
    "DataSettings",
    "ImageData",
    "LazySplit",
    "Preprocessing",
    "Skipped",
    "Source",
    "Split",
    "fit_preprocessing",
    "load",
    "parse_source",
]
