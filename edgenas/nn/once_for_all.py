"""State dicts of once-for-all's supernets (Cai 2020): their names in all published spellings, and which they are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch

from edgenas.errors import WeightsError
from edgenas.nn.pretrained import read_state

# Each release wraps layers otherwise: the published files, the class of the PyPI package, and files that it writes.
_SPELLINGS = (
    (".mobile_inverted_conv.", ".conv."),
    (".bn.bn.", ".bn."),
    (".conv.conv.weight", ".conv.weight"),
    (".linear.linear.", ".linear."),
)
_STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")
MATRICES = {5: "7to5_matrix", 3: "5to3_matrix"}
"""Names of the transformations of kernels, by the size that they make."""

# By whether there is a convolution before the last pooling beside the last layer, and the channels of the stem.
_SPACES = {(True, 16): "ofa_mbv3_w1.0", (True, 24): "ofa_mbv3_w1.2", (False, 40): "ofa_proxyless_w1.3"}


def once_for_all_space(state: Mapping[str, torch.Tensor]) -> str | None:
    """Return the preset of the space whose supernet a state dict is; None if it is none of the known ones.

    Args:
        state: Tensors by name, in any spelling.
    """
    names = usual_names(state)
    matrices = all(any(name.endswith(matrix) for name in names) for matrix in MATRICES.values())
    stem = names.get("first_conv.conv.weight")
    if not matrices or stem is None or "classifier.linear.weight" not in names:
        return None
    return _SPACES.get(("final_expand_layer.conv.weight" in names, stem.shape[0]))


def usual_names(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state dict under one spelling, without statistics of norms: `blocks.1.conv.depth_conv.conv.weight`.

    The statistics are those of the largest member. Every other member needs its own (Cai 2020, section 3.3).
    """
    found = {}
    for name, tensor in state.items():
        if name.endswith(_STATISTICS):
            continue
        for spelled, usual in _SPELLINGS:
            name = name.replace(spelled, usual)
        found[name] = tensor
    return found


def supernet_in(path: Path) -> str | None:
    """Return the preset of the space whose supernet a file holds; None if it holds something else or is damaged."""
    facts = path.stat()
    return _supernet_in(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _supernet_in(path: Path, changed: int, size: int) -> str | None:
    """Read a file once for as long as it does not change; a command asks several times."""
    try:
        return once_for_all_space(read_state(path))
    except WeightsError:
        return None
