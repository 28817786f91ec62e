"""Class folders of photographs as arrays, decoded once for a whole benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgenas.data import DataSettings, load


def decode(source: Path, folder: Path, *, resolution: int) -> Path:
    """Write train.npz and test.npz of class folders, scaled and cropped to a size; what was written is kept.

    Args:
        source: One folder of image files a class, or train/ and test/ folders of such folders.
        folder: Where the arrays go.
        resolution: Height and width, pixels.

    Returns:
        The folder, a data.path of source npz.
    """
    if (folder / "test.npz").is_file():
        return folder
    data = load(DataSettings(source="folder", path=str(source), resolution=resolution))
    folder.mkdir(parents=True, exist_ok=True)
    # The test part is written last: where it is there, all is there.
    for name, splits in {"train": (data.train, data.validation), "test": (data.test,)}.items():
        np.savez(
            folder / f"{name}.npz",
            images=np.concatenate([np.asarray(split.images) for split in splits]),
            labels=np.concatenate([split.labels for split in splits]),
            classes=np.array(data.classes),
        )
    return folder
