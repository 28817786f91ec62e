"""Images: sources, splits, preparation, preprocessing. Batches are in `edgenas.data.batches`, which needs torch."""

from edgenas.data.augment_settings import AugmentSettings
from edgenas.data.load import load
from edgenas.data.preprocessing import Preprocessing, fit_preprocessing
from edgenas.data.settings import RESIZE_MODES, SOURCES, DataSettings, parse_source
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
    "Split",
    "fit_preprocessing",
    "load",
    "parse_source",
]
