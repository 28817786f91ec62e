"""Weights that a training starts from: of a checkpoint, a state dict of another package, or published ones by name."""

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
    from edgenas.nn import Checkpoint, Weights
    from edgenas.space import SearchSpace
    from edgenas.supernet import Supernet
    from edgenas.weights.load import Start


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


def padded_as(architecture: Architecture, start: Checkpoint, *, say: Say) -> Architecture:
    """Give a network the padding that its start weights were trained with, and say so if it had another."""
    padding = start.architecture.padding
    if padding != architecture.padding:
        say(f"  padding: {architecture.padding} in the network, {padding} for these weights")
    return dataclasses.replace(architecture, padding=padding)


def starting_weights(start: Checkpoint, architecture: Architecture, fresh: Weights, *, of: str, say: Say) -> Weights:
    """Take weights for a network that may differ from theirs in its classifier and input channels.

    Args:
        start: Weights with their network.
        architecture: The network to be trained.
        fresh: Its initial weights, kept where the checkpoint's do not fit the new task.
        of: Name of the weights.
        say: Told what was drawn anew.

    Raises:
        WeightsError: The blocks or the padding are not the same.
    """
    theirs = start.architecture
    same_blocks = tuple(theirs.blocks()) == tuple(architecture.blocks()) and theirs.stem == architecture.stem
    if not same_blocks or theirs.padding != architecture.padding:
        raise WeightsError(
            explain(f"{of} is a checkpoint of another network", got=theirs.digest, allowed=architecture.digest)
        )
    weights, new = dict(fresh), []
    for name, value in start.weights.items():
        if name in fresh and fresh[name].shape == value.shape:
            weights[name] = value
        else:
            new.append(name)
    if new:
        say(f"  drawn anew, since their shape depends on the images: {', '.join(sorted(new))}")
    return weights


def start_from(supernet: Supernet, start: Start | str | Path, *, say: Say) -> tuple[str, ...]:
    """Write trained weights into a supernet: of a network into the places of its member, of a supernet into all.

    Args:
        supernet: Of a space that has the network, or is a part of the supernet's; changed in place.
        start: A checkpoint, weights of a published network of the space, or a supernet of once-for-all, by file or
            name; classifier and stem may be for other classes and channels, and are then left out.
        say: Told what was left out.

    Returns:
        Names of the arrays that were left out.

    Raises:
        WeightsError: The space does not have the network, or the file holds no such weights.
    """
    from edgenas.weights.load import Start, find_start

    start = start if isinstance(start, Start) else find_start(start, supernets=True)
    if start.supernet is not None:
        from edgenas.nn.pretrained import read_state
        from edgenas.supernet.elastic.once_for_all import load_once_for_all

        return load_once_for_all(supernet, read_state(start.path), of=start.supernet.name, say=say)
    genes = _member_of(supernet.space, start)
    ours = supernet.space.decode(genes)
    fresh = supernet.member_weights(genes)
    found = starting_weights(start.load(ours), ours, fresh, of=str(start.path), say=say)
    supernet.load_member(genes, found)
    return tuple(name for name, value in fresh.items() if found[name] is value)


def _member_of(space: SearchSpace, start: Start) -> NDArray[np.int64]:
    """Find out which member of a space (D,) the weights of a file are of.

    A checkpoint names its network. A foreign state dict does not, so it is tried as each published network of the
    space.
    """
    from edgenas.weights.load import network_of

    published, refusals = _published_members(space), []
    if start.source is not None:
        try:
            return space.encode(_for_task_of(space, network_of(start.source)))
        except (SpaceError, WeightsError) as error:
            refusals.append(str(error))
    for architecture in (*published.values(), space.decode(space.largest())):
        try:
            return space.encode(_for_task_of(space, start.load(architecture).architecture))
        except (SpaceError, WeightsError) as error:
            refusals.append(str(error))
    takes = ["a checkpoint of a member", *(f"weights of {name}" for name in published)]
    allowed = " or ".join(takes)
    raise WeightsError(
        f"supernet.start: {start.path} is not of the space {space.name}, which takes {allowed}: {refusals[0]}"
    )


def _published_members(space: SearchSpace) -> dict[str, Architecture]:
    """Return the published networks in a space by name, with its classes, channels and largest resolution."""
    from edgenas.arch.zoo import NAMES, published

    # Public weights of a network may be of either padding; its file says which, and the space must have it.
    padding = space.definition.padding
    networks = {
        name: dataclasses.replace(_for_task_of(space, published(name)), padding=padding) for name in NAMES
    }
    return {name: network for name, network in networks.items() if space.contains(network)}


def _for_task_of(space: SearchSpace, network: Architecture) -> Architecture:
    task = space.decode(space.largest())
    return dataclasses.replace(network, classes=task.classes, in_channels=task.in_channels, resolution=task.resolution)
