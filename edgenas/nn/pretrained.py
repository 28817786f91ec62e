"""Weights in: state dicts of torchvision and timm for the published networks, matched by order and shape."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from edgenas.arch.architecture import Architecture
from edgenas.arch.lower import lower
from edgenas.arch.weights import Weights, check_weights, weight_shapes
from edgenas.errors import WeightsError, explain

# A safetensors file keeps no order, so the order of execution is read from the names: of the whole network, ...
_TOP = ("conv_stem", "bn1", "features", "blocks", "conv_head", "bn2", "norm_head", "classifier", "head", "fc")
# ... inside a timm block with a last 1x1 convolution, ...
_INVERTED = (
    "dw_start", "conv_pw", "conv_exp", "pw_exp", "bn1", "conv_dw", "dw_mid", "bn2", "se", "conv_pwl", "pw_proj", "bn3",
)  # fmt: skip
# ... in one without (depthwise separable), and of one layer's arrays.
_SEPARABLE = ("conv", "conv_dw", "bn1", "se", "conv_pw", "bn2")
_ARRAYS = ("conv", "conv_reduce", "conv_expand", "fc1", "fc2", "bn", "weight", "bias", "running_mean", "running_var")


def load_pretrained(path: Path, architecture: Architecture) -> Weights:
    """Read a torchvision or timm state dict of a published network.

    Args:
        path: `.safetensors`, or `.pth` / `.pt` that holds nothing but tensors (nothing in it is executed).
        architecture: The network.

    Returns:
        Its weights under our names.

    Raises:
        WeightsError: The file is damaged, holds something else, or belongs to another network; says which layer.
    """
    if path.suffix == ".safetensors":
        try:
            state = load_file(path)
        except (OSError, SafetensorError) as error:
            raise WeightsError(explain(f"cannot read {path}", got=str(error))) from error
        return convert_state({name: state[name] for name in _execution_order(list(state))}, architecture)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "A state dict holds tensors by name; other pickles are refused and nothing in them is run."
        raise WeightsError(explain(f"{path} is not a state dict", got=reason, remedy=remedy)) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(explain(f"{path} is not a state dict", got=type(state).__name__, allowed="tensors by name"))
    return convert_state(state, architecture)


def convert_state(state: Mapping[str, torch.Tensor], architecture: Architecture) -> Weights:
    """Rename a state dict that lies in order of execution.

    Args:
        state: Tensors by foreign name; counters of batch norm are left out.
        architecture: The network.

    Raises:
        WeightsError: Shapes or number of the tensors do not fit; says at which layer.
    """
    graph = lower(architecture)
    wanted = weight_shapes(graph)
    given = [(name, tensor) for name, tensor in state.items() if not name.endswith("num_batches_tracked")]
    weights: Weights = {}
    for (ours, shape), (theirs, tensor) in zip(wanted.items(), given, strict=False):
        array: NDArray[np.float32] = tensor.detach().to(torch.float32).numpy()
        # Some write a fully connected layer as a 1x1 convolution or the other way round.
        if _squeezed(array.shape) != _squeezed(shape) or ours.rpartition(".")[2] != theirs.rpartition(".")[2]:
            raise WeightsError(
                explain(
                    f"the state dict does not fit at {ours}",
                    got=f"{theirs} {tuple(array.shape)}",
                    allowed=shape,
                    remedy="These are the weights of another network.",
                )
            )
        weights[ours] = array.reshape(shape).copy()
    if len(given) != len(wanted):
        raise WeightsError(explain("the state dict has another number of arrays", got=len(given), allowed=len(wanted)))
    check_weights(graph, weights)
    return weights


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:2] if len(shape) == 4 and shape[2:] == (1, 1) else shape


def _execution_order(names: list[str]) -> list[str]:
    inverted = {name.rpartition(f".{part}.")[0] for name in names for part in ("conv_pwl", "pw_proj") if part in name}

    def key(name: str) -> list[tuple[int, int]]:
        parts = name.split(".")
        ranks = []
        for depth, part in enumerate(parts):
            block = ".".join(parts[:depth])
            table = _TOP if depth == 0 else _INVERTED if block in inverted else _SEPARABLE
            if re.fullmatch(r"\d+", part):
                ranks.append((0, int(part)))
            elif part in table:
                ranks.append((0, table.index(part)))
            else:
                ranks.append((1, _ARRAYS.index(part) if part in _ARRAYS else len(_ARRAYS)))
        return ranks

    return sorted(names, key=key)
