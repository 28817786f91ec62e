"""Weights that a training starts from: of a checkpoint, or of a state dict of torchvision or timm."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture
from edgenas.errors import SpaceError, WeightsError, explain
from edgenas.types import Say

if TYPE_CHECKING:
    from edgenas.nn import Weights
    from edgenas.space import SearchSpace
    from edgenas.supernet import Supernet


def fit_to_data(
    architecture: Architecture, classes: int, channels: int, resolution: int, *, say: Say
) -> Architecture:
    """Fit a network to the classes, channels and size of images, and say what was changed."""
    fitted = dataclasses.replace(architecture, classes=classes, in_channels=channels, resolution=resolution)
    for name in ("classes", "in_channels", "resolution"):
        before, after = getattr(architecture, name), getattr(fitted, name)
        if before != after:
            say(f"  {name.replace('_', ' ')}: {before} in the network, {after} for these images")
    return fitted


def starting_weights(start: Path, architecture: Architecture, fresh: Weights, *, say: Say) -> Weights:
    """Read weights for a network that may differ from them in its classifier and input channels.

    Args:
        start: A checkpoint, or a state dict of torchvision or timm (`.pth` or `.safetensors`).
        architecture: The network to be trained.
        fresh: Its initial weights, kept where the checkpoint's do not fit the new task.
        say: Told what was drawn anew.

    Raises:
        WeightsError: The blocks are not the same.
    """
    from edgenas.nn import load_start

    checkpoint = load_start(start, architecture)
    theirs = checkpoint.architecture
    if tuple(theirs.blocks()) != tuple(architecture.blocks()) or theirs.stem != architecture.stem:
        raise WeightsError(
            explain(f"{start} is a checkpoint of another network", got=theirs.digest, allowed=architecture.digest)
        )
    weights, new = dict(fresh), []
    for name, value in checkpoint.weights.items():
        if name in fresh and fresh[name].shape == value.shape:
            weights[name] = value
        else:
            new.append(name)
    if new:
        say(f"  drawn anew, since their shape depends on the images: {', '.join(sorted(new))}")
    return weights


def start_from(supernet: Supernet, start: Path, *, say: Say) -> None:
    """Write the weights of a trained network into the places of its member in a supernet.

    Args:
        supernet: Of a space that has the network; changed in place.
        start: A checkpoint, or a state dict of torchvision or timm of a published network of the space; its classifier
            and stem may be for other classes and channels, and are then left out.
        say: Told what was left out.

    Raises:
        WeightsError: The space does not have the network, or the file holds no such weights.
    """
    genes = _member_of(supernet.space, start)
    ours = supernet.space.decode(genes)
    supernet.load_member(genes, starting_weights(start, ours, supernet.member_weights(genes), say=say))


def _member_of(space: SearchSpace, start: Path) -> NDArray[np.int64]:
    """Find out which member of a space (D,) the weights of a file are of.

    A checkpoint names its network. A foreign state dict does not, so it is tried as each published network of the
    space.
    """
    from edgenas.nn import load_start

    published, refusals = _published_members(space), []
    for architecture in (*published.values(), space.decode(space.largest())):
        try:
            return space.encode(_for_task_of(space, load_start(start, architecture).architecture))
        except (SpaceError, WeightsError) as error:
            refusals.append(str(error))
    takes = ["a checkpoint of a member", *(f"a torchvision or timm state dict of {name}" for name in published)]
    raise WeightsError(
        f"supernet.start: {start} is not of the space {space.name}, which takes {' or '.join(takes)}: {refusals[0]}"
    )


def _published_members(space: SearchSpace) -> dict[str, Architecture]:
    """Return the published networks in a space by name, with its classes, channels and largest resolution."""
    from edgenas.arch.zoo import NAMES, published

    networks = {name: _for_task_of(space, published(name)) for name in NAMES}
    return {name: network for name, network in networks.items() if space.contains(network)}


def _for_task_of(space: SearchSpace, network: Architecture) -> Architecture:
    task = space.decode(space.largest())
    return dataclasses.replace(network, classes=task.classes, in_channels=task.in_channels, resolution=task.resolution)
