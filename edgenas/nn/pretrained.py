"""Reading state dicts of other packages for the published networks, matched by order and shape."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from edgenas.arch.architecture import Architecture
from edgenas.arch.lower import lower
from edgenas.arch.weights import Weights, check_weights, weight_shapes
from edgenas.errors import WeightsError, explain
from edgenas.nn.checkpoint import Checkpoint, load_checkpoint
from edgenas.nn.foreign import unwrapped
from edgenas.nn.origins import ORIGINS, Package, package_of
from edgenas.nn.tensor_file import OURS

# A safetensors file keeps no order, so the order of execution is read from the names: of the whole network, ...
_TOP = (
    "conv_stem", "bn1", "layers", "features", "blocks", "conv_head", "bn2", "norm_head", "classifier", "head", "fc",
    "_conv_stem", "_bn0", "_blocks", "_conv_head", "_bn1", "_fc",
)  # fmt: skip
# ... inside a timm block with a last 1x1 convolution, ...
_INVERTED = (
    "dw_start", "conv_pw", "conv_exp", "pw_exp", "bn1", "conv_dw", "dw_mid", "bn2", "se", "conv_pwl", "pw_proj", "bn3",
)  # fmt: skip
# ... in one whose first convolution is not depthwise (there bn2 belongs to the last), ...
_FUSED = ("conv_exp", "bn1", "se", "conv_pwl", "bn2")
# ... in one without (depthwise separable), and of one layer's arrays.
_SEPARABLE = ("conv", "conv_dw", "bn1", "se", "conv_pw", "bn2")
# ... and in one of efficientnet-pytorch.
_ORIGINAL = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_se_reduce", "_se_expand", "_project_conv", "_bn2")
_ARRAYS = ("conv", "conv_reduce", "conv_expand", "fc1", "fc2", "bn", "weight", "bias", "running_mean", "running_var")


def load_pretrained(
    path: Path, architecture: Architecture, *, norm_eps: float | None = None, package: Package | None = None
) -> Weights:
    """Read a state dict of a published network: of torchvision, timm or efficientnet-pytorch.

    Args:
        path: `.safetensors`, or `.pth` / `.pt` that holds nothing but tensors (nothing in it is executed).
        architecture: The network.
        norm_eps: Epsilon of the batch norms in its training; None takes that of its package's network. The difference
            to the architecture's epsilon is added to the variances, so that the network computes the same.
        package: The package of the network; None tells it from names, and refuses if they do not say.

    Returns:
        Its weights under our names.

    Raises:
        WeightsError: The file is damaged, holds something else, or belongs to another network (says which layer) or to
            one that pads otherwise.
    """
    return convert_state(read_state(path), architecture, norm_eps=norm_eps, package=package, path=path)


def load_start(path: Path, architecture: Architecture, *, package: Package | None = None) -> Checkpoint:
    """Read weights to start a training from: a checkpoint of ours, or a state dict of another package.

    Args:
        path: `.safetensors`, `.pth` or `.pt`.
        architecture: The network to be trained, which says what a foreign state dict is of; it may have other classes
            and input channels, and pad otherwise.
        package: Of a foreign state dict, where the user knows it.

    Returns:
        The weights with the network that they are of: with their classes, channels and padding.

    Raises:
        WeightsError: See `load_pretrained` and `load_checkpoint`.
    """
    if is_checkpoint(path):
        return load_checkpoint(path)
    state = read_state(path)
    kernels = [tensor for tensor in state.values() if tensor.dim() > 1]
    if not kernels or kernels[0].dim() != 4:
        got = f"{len(state)} arrays"
        raise WeightsError(explain(f"{path} is not a state dict of a convolutional network", got=got))
    # The stem comes first and the classifier last.
    theirs = replace(architecture, in_channels=kernels[0].shape[1], classes=kernels[-1].shape[0])
    _matched(state, theirs, path)
    squeezed = any(block.se is not None for block in architecture.blocks())
    found = package_of(list(state), squeezed=squeezed, package=package, path=path)
    theirs = replace(theirs, padding=ORIGINS[found].padding)
    return Checkpoint(architecture=theirs, weights=convert_state(state, theirs, package=found, path=path))


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint of ours, by its metadata.

    Raises:
        WeightsError: It is called a safetensors file and is none.
    """
    if path.suffix != ".safetensors":
        return False
    try:
        with safe_open(path, framework="numpy") as file:
            return any(key.startswith(OURS) for key in file.metadata() or {})
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(explain(f"cannot read {path}", got=str(error))) from error


def read_state(path: Path) -> Mapping[str, torch.Tensor]:
    """Read a state dict of another package in order of execution. Nothing in the file is run.

    Raises:
        WeightsError: The file is damaged or holds something else.
    """
    if path.suffix == ".safetensors":
        try:
            state = load_file(path)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(explain(f"cannot read {path}", got=str(error))) from error
        named = unwrapped(state, where=str(path))
        return {name: named[name] for name in _execution_order(list(named))}
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the unpickler raise nearly anything
        reason = _reason(error)
        remedy = "A state dict holds tensors by name; other pickles are refused and nothing in them is run."
        raise WeightsError(explain(f"{path} is not a state dict", got=reason, remedy=remedy)) from error
    return unwrapped(state, where=str(path))


def _reason(error: Exception) -> str:
    """The reason of a failure, without torch's advice to load the file unsafely."""
    text = str(error)
    if isinstance(error, pickle.UnpicklingError):
        found = re.search(r"GLOBAL ([\w.]+)", text)
        return f"a pickle that calls {found[1]}" if found else "a pickle of something else than tensors"
    return text.splitlines()[0] if text else type(error).__name__


def convert_state(
    state: Mapping[str, torch.Tensor],
    architecture: Architecture,
    *,
    norm_eps: float | None = None,
    package: Package | None = None,
    path: Path | None = None,
) -> Weights:
    """Rename a state dict that lies in order of execution.

    Args:
        state: Tensors by foreign name; counters of batch norm are left out.
        architecture: The network.
        norm_eps, package: See `load_pretrained`.
        path: Of the file, whose name may tell the network.

    Raises:
        WeightsError: Shapes or number of the tensors do not fit; says at which layer.
    """
    given, weights = _matched(state, architecture, path)
    squeezed = any(block.se is not None for block in architecture.blocks())
    found = package_of(given, squeezed=squeezed, package=package, path=path)
    origin = ORIGINS[found]
    if origin.padding != architecture.padding:
        raise WeightsError(
            explain(
                "the weights are of a network that pads otherwise",
                got=f"{architecture.padding} in the network",
                allowed=f"{origin.padding}, as {found} trains it",
                remedy=f'Give the network their padding: dataclasses.replace(network, padding="{origin.padding}").',
            )
        )
    eps = norm_eps if norm_eps is not None else origin.eps(architecture)
    for name in weights:
        if name.endswith("running_var"):
            weights[name] += np.float32(eps - architecture.norm_eps)
    check_weights(lower(architecture), weights)
    return weights


def _matched(
    state: Mapping[str, torch.Tensor], architecture: Architecture, path: Path | None
) -> tuple[list[str], Weights]:
    """Match arrays by order and shape: the foreign names, and the arrays under ours.

    Raises:
        WeightsError: Shapes or number of the tensors do not fit; says at which layer.
    """
    wanted = weight_shapes(lower(architecture))
    given = list(unwrapped(state, where="the state dict" if path is None else str(path)).items())
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
    return [name for name, _ in given], weights


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:2] if len(shape) == 4 and shape[2:] == (1, 1) else shape


def _execution_order(names: list[str]) -> list[str]:
    def having(*parts: str) -> set[str]:
        return {name.rpartition(f".{part}.")[0] for name in names for part in parts if f".{part}." in name}

    original = {".".join(name.split(".")[:2]) for name in names if name.startswith("_blocks.")}
    inverted, fused = having("conv_pwl", "pw_proj"), having("conv_exp") - having("conv_dw")

    def key(name: str) -> list[tuple[int, int]]:
        parts = name.split(".")
        ranks = []
        for depth, part in enumerate(parts):
            block = ".".join(parts[:depth])
            table: tuple[str, ...] = _TOP if depth == 0 else _SEPARABLE
            for blocks, order in ((original, _ORIGINAL), (inverted, _INVERTED), (fused, _FUSED)):
                table = order if depth and block in blocks else table
            if re.fullmatch(r"\d+", part):
                ranks.append((0, int(part)))
            elif part in table:
                ranks.append((0, table.index(part)))
            else:
                ranks.append((1, _ARRAYS.index(part) if part in _ARRAYS else len(_ARRAYS)))
        return ranks

    return sorted(names, key=key)
