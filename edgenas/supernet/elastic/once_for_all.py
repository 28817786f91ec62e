"""Supernets of once-for-all (Cai 2020) as shared weights of ours: every member computes what it computes there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from edgenas.arch.architecture import Block
from edgenas.errors import WeightsError, explain
from edgenas.nn.once_for_all import MATRICES, once_for_all_space, usual_names
from edgenas.space import SearchSpace, load
from edgenas.supernet.elastic.kernels import shrink, smaller_kernels
from edgenas.supernet.shapes import Sharing
from edgenas.supernet.supernet import Supernet
from edgenas.types import Say

BLOCKS_OF_STAGE = 4
"""Every stage but the first has four blocks, and ProxylessNAS's last stage one."""

_LAYERS = {
    "expand": "inverted_bottleneck",
    "depthwise": "depth_conv",
    "project": "point_linear",
    "squeeze": "depth_conv.se.fc.reduce",
    "excite": "depth_conv.se.fc.expand",
}
_FIELDS = ("kind", "kernel", "expanded", "out_channels", "stride", "activation", "se", "skip", "expand", "start_kernel")


@torch.no_grad()
def load_once_for_all(
    supernet: Supernet, state: Mapping[str, Tensor], *, of: str, say: Say
) -> tuple[str, ...]:
    """Write a supernet of once-for-all into the shared weights.

    Every member then computes what once-for-all's member of the same choices computes with the statistics of the
    batch. Its statistics have to be estimated, as for any member.

    Args:
        supernet: Of a space whose members are members there too, with `kernel_transforms`; changed in place.
        state: Tensors by name, in any of the published spellings.
        of: Name of the weights, for messages.
        say: Told what stays as it was drawn: classifier and stem, where classes and channels are others.

    Returns:
        Names of the arrays that stay as they were drawn.

    Raises:
        WeightsError: They are of no known supernet, arrays are missing or have other shapes, or the space has members
            that the supernet has not (says which choice).
    """
    name = once_for_all_space(state)
    if name is None:
        allowed = "the published ones: mbv3 at widths 1.0 and 1.2, proxyless at width 1.3"
        raise WeightsError(explain(f"{of} is none of once-for-all's supernets", allowed=allowed))
    _require_part_of(supernet.space, load(name), of=of)
    assert supernet.kernel_transforms, "its smaller kernels are transformations"
    theirs, ours, fresh = usual_names(state), supernet.shared_weights(), []
    for sharing in supernet.shared.values():
        for part, tensor in _tensors(sharing, theirs, proxyless="proxyless" in name, of=of):
            own = ours[f"{sharing.name}.{part}"]
            if own.shape == tensor.shape:
                own.copy_(tensor)
            elif sharing.name in ("stem.conv", "head.classifier"):
                fresh.append(f"{sharing.name}.{part}")
            else:
                raise _unfit(f"{sharing.name}.{part}", tuple(tensor.shape), tuple(own.shape), of=of)
    if fresh:
        say(f"  drawn anew, since their shape depends on the images: {', '.join(sorted(fresh))}")
    return tuple(fresh)


def _tensors(
    sharing: Sharing, theirs: Mapping[str, Tensor], *, proxyless: bool, of: str
) -> Iterator[tuple[str, Tensor]]:
    """Yield all arrays of one layer under our names of its parts, as much of each as is shared."""
    layer = _layer(sharing.name, proxyless=proxyless)

    def taken(part: str) -> Tensor:
        name = f"{layer}.{part}"
        if name not in theirs:
            raise WeightsError(explain(f"{of} is incomplete", got=f"no {name}", remedy="Fetch the file again."))
        return theirs[name].float()

    linear = sharing.name == "head.classifier" or "se.fc" in layer
    weight = taken("weight" if linear else "conv.weight")
    if sharing.depthwise and sharing.kernel < weight.shape[2]:
        changes = {size: _change(taken(f"conv.{matrix}"), size) for size, matrix in MATRICES.items()}
        weight = shrink(weight, sharing.kernel, changes)
    if sharing.kernel == 0:
        weight = weight.flatten(1)
    # Classes and channels of images are taken whole: where they differ, no part of them fits.
    out = None if sharing.name == "head.classifier" else sharing.out_channels
    yield "weight", weight[:out, : None if sharing.name == "stem.conv" else sharing.in_channels]
    if sharing.norm:
        for part in ("weight", "bias"):
            yield f"norm.{part}", taken(f"bn.{part}")[:out]
    else:
        # The layer after the pooling has no bias there.
        yield "bias", taken("bias")[:out] if linear else torch.zeros(weight.shape[0])[:out]
    for size in smaller_kernels(sharing.kernel) if sharing.depthwise else ():
        yield f"change{size}", _change(taken(f"conv.{MATRICES[size]}"), size)


def _layer(name: str, *, proxyless: bool) -> str:
    """Return their name of a layer of ours."""
    parts = name.split(".")
    if parts[0] != "stages":
        last = "feature_mix_layer"
        ends = {"stem.conv": "first_conv", "head.classifier": "classifier.linear", "head.hidden": last}
        return ends.get(name, last if proxyless else "final_expand_layer")
    stage, block = int(parts[1]), int(parts[2])
    number = 0 if stage == 0 else 1 + BLOCKS_OF_STAGE * (stage - 1) + block
    return f"blocks.{number}.conv.{_LAYERS[parts[-1]]}"


def _change(matrix: Tensor, size: int) -> Tensor:
    """Return what a transformation adds to the plain centre."""
    if matrix.shape != (size**2, size**2):
        raise _unfit(MATRICES[size], tuple(matrix.shape), (size**2, size**2), of="the supernet")
    return matrix - torch.eye(size**2)


def _unfit(name: str, got: tuple[int, ...], allowed: tuple[int, ...], *, of: str) -> WeightsError:
    return WeightsError(explain(f"{of} does not fit at {name}", got=got, allowed=allowed))


def _require_part_of(space: SearchSpace, theirs: SearchSpace, *, of: str) -> None:
    """Refuse a space that has members which the supernet does not have.

    Raises:
        WeightsError: Says which choice it is.
    """
    remedy = f"Search the space {theirs.name}, or a part of it: `edgenas space show {theirs.name}`."

    def refuse(what: str, got: object, allowed: object) -> WeightsError:
        text = f"supernet.start: the space {space.name} is not a part of {of}: {what}"
        return WeightsError(explain(text, got=got, allowed=allowed, remedy=remedy))

    ours, largest = space.definition, theirs.decode(theirs.largest())
    own = space.decode(space.largest())
    if not math.isclose(ours.norm_eps, theirs.definition.norm_eps):
        raise refuse("norm_eps", f"{ours.norm_eps:g}", f"{theirs.definition.norm_eps:g}")
    if len(ours.width) > 1:
        raise refuse("width", ours.width, theirs.definition.width)
    for part, got, allowed in (
        ("padding", own.padding, largest.padding), ("stem", own.stem, largest.stem),
        ("head", own.head, largest.head), ("stages", len(space.stages), len(theirs.stages)),
    ):  # fmt: skip
        if got != allowed:
            raise refuse(part, got, allowed)
    for stage, index in space.grid:
        known = set(theirs.blocks_at(stage, index)) if (stage, index) in theirs.grid else set()
        where = f"stages[{stage}], block {index}"
        if not known:
            raise refuse(f"{where}: depth", index + 1, f"at most {BLOCKS_OF_STAGE}")
        for found in space.blocks_at(stage, index):
            if found not in known:
                raise refuse(*_difference(where, found, known))


def _difference(
    where: str, found: tuple[int, Block], known: set[tuple[int, Block]]
) -> tuple[str, object, object]:
    """Say in which choice a block is unlike all that are known."""
    channels, block = found
    if channels not in (inputs := sorted({entry[0] for entry in known})):
        return f"{where}: channels coming in", channels, ", ".join(map(str, inputs))
    for field in _FIELDS:
        values = {getattr(entry[1], field) for entry in known}
        if getattr(block, field) not in values:
            name = {"expanded": "expanded channels", "se": "squeeze_excite"}.get(field, field)
            ordered = sorted(values) if field in ("kernel", "expanded") else values
            return f"{where}: {name}", getattr(block, field), ", ".join(map(str, ordered))
    return where, block, "a block of the supernet"
