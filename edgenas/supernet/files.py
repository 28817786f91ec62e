"""A trained supernet as one safetensors file that carries its space and the preprocessing of its images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from edgenas.data import Preprocessing
from edgenas.errors import DataError, SpaceError, WeightsError, explain
from edgenas.nn.tensor_file import read_tensors, write_tensors
from edgenas.reading.json_text import parse_json, plain_text
from edgenas.space import SearchSpace, dump, read
from edgenas.supernet.supernet import Supernet

SPACE_KEY = "edgenas.space"
PREPROCESSING_KEY = "edgenas.preprocessing"


def save_supernet(
    path: Path, supernet: Supernet, preprocessing: Preprocessing, *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a supernet; the file is moved into place when complete.

    Args:
        path: The `.safetensors` file; replaced where it exists.
        supernet: What to write.
        preprocessing: Of its training images.
        metadata: Further texts by name, such as which images it was trained on.

    Raises:
        StoreError: The file cannot be written.
    """
    arrays = {name: parameter.detach().cpu().float().numpy() for name, parameter in supernet.shared_weights().items()}
    prepared = plain_text(preprocessing.to_dict())
    own = {SPACE_KEY: dump(supernet.space), PREPROCESSING_KEY: prepared}
    write_tensors(path, arrays, {**(metadata or {}), **own})


@torch.no_grad()
def load_supernet(path: Path, *, space: SearchSpace | None = None) -> tuple[Supernet, Preprocessing]:
    """Read a supernet.

    Args:
        path: A file that `save_supernet` wrote.
        space: The space that the supernet must have; None accepts any.

    Raises:
        WeightsError: It is no such file, is damaged, or belongs to another space.
    """
    remedy = "Train it again (edgenas supernet train, or the run); a damaged file is replaced."
    found = read_tensors(path, what="the supernet", remedy=remedy)
    metadata, arrays = found.metadata, found.arrays
    try:
        stored = read(metadata[SPACE_KEY], source=f"space in {path}")
        prepared = parse_json(metadata[PREPROCESSING_KEY], source=str(path), error=DataError)
        preprocessing = Preprocessing.from_dict(prepared)
    except KeyError as error:
        raise WeightsError(explain(f"{path} is no supernet", allowed="a file that supernet training wrote")) from error
    except (SpaceError, DataError) as error:
        raise WeightsError(explain(f"the space or preprocessing in {path} is damaged", got=str(error))) from error
    if space is not None and space.digest != stored.digest:
        raise WeightsError(
            explain(f"{path} is a supernet of another space", got=stored.name, allowed=f"{space.name} as it is now")
        )
    changed = any(".change" in name for name in arrays)
    supernet = Supernet(stored, kernel_transforms=changed)
    for name, parameter in supernet.shared_weights().items():
        if name not in arrays or arrays[name].shape != tuple(parameter.shape):
            raise WeightsError(explain(f"{path} is damaged: {name} is missing or has another shape"))
        parameter.copy_(torch.from_numpy(arrays[name]))
    return supernet, preprocessing
