"""Scikit-learn's handwritten digits: 1,797 grey images of 8 x 8 that come with the package."""

from __future__ import annotations

import numpy as np

from edgenas.data.registry import Source
from edgenas.data.settings import DataSettings
from edgenas.data.sources.raw import ArrayReader, RawData

GREATEST_VALUE = 16


def read(settings: DataSettings) -> RawData:
    """Return the digits; their values 0..16 are scaled to 0..255."""
    # Imported here: scikit-learn takes a second to import and no other source needs it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / GREATEST_VALUE)).astype(np.uint8)[..., None]
    names = tuple(str(name) for name in bunch.target_names)
    return RawData(classes=names, train=ArrayReader(images=images, labels=bunch.target.astype(np.int64)))


SOURCE = Source(read=read, needs_path=False)
