"""One module per form in which images may come; each has `read(settings) -> RawData`."""

from __future__ import annotations

from collections.abc import Callable

from edgenas.data.settings import DataSettings
from edgenas.data.sources import digits, folder, huggingface, idx, npz
from edgenas.data.sources.raw import RawData

__all__ = ["READERS"]

READERS: dict[str, Callable[[DataSettings], RawData]] = {
    "digits": digits.read,
    "npz": npz.read,
    "idx": idx.read,
    "folder": folder.read,
    "huggingface": huggingface.read,
}
