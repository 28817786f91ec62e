"""Published weights: which there are, fetching and loading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.api.networks import Network, load_network
from edgenas.arch import Architecture
from edgenas.display import or_default
from edgenas.types import Say

if TYPE_CHECKING:
    from edgenas.arch.weights import Weights
    from edgenas.nn import GraphModule
    from edgenas.weights.source import WeightSource


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedWeights:
    """Weights with the network that they are of.

    Attributes:
        architecture: The network, with the resolution, padding and classes of the training.
        weights: Arrays by name.
        source: What is known of published weights; None of others.
        file: Where they lie.
        sha256: Of the file, 64 hex digits.
    """

    architecture: Architecture
    weights: Weights
    source: WeightSource | None
    file: Path
    sha256: str

    def module(self) -> GraphModule:
        """Return the network as a torch module, ready to judge."""
        from edgenas.nn import build

        module = build(self.architecture)
        module.load_weights(self.weights)
        return module.eval()

    def __repr__(self) -> str:
        name = str(self.file) if self.source is None else self.source.name
        return f"LoadedWeights({name!r}, {self.architecture!r})"


def list_weights(network: str | None = None) -> tuple[WeightSource, ...]:
    """Return the published weights that are known, the preferred ones of each network first.

    Args:
        network: Only those of this network of the zoo.

    Raises:
        ArchitectureError: There is no such network.
    """
    from edgenas.arch.zoo import published
    from edgenas.weights.sources import SOURCES

    if network is not None:
        published(network)
    return tuple(source for source in SOURCES.values() if network in (None, source.network))


def show_weights(name: str) -> WeightSource:
    """Return what is known of published weights.

    Args:
        name: `torchvision:mobilenet_v2.v2`, its part behind the colon, or a network of the zoo for its preferred ones.

    Raises:
        WeightsError: No such weights are known; the nearest is named.
    """
    from edgenas.weights.sources import source_named

    return source_named(name)


def find_weights(name: str) -> Path | None:
    """Return where the file of published weights lies on this machine; None if it does not.

    Args:
        name: See `show_weights`.

    Raises:
        WeightsError: No such weights are known; the nearest is named.
    """
    from edgenas.weights.locate import find

    return find(show_weights(name))


def fetch_weights(name: str, *, say: Say | None = None) -> Path:
    """Fetch published weights from their publisher and check their digest. Nothing is fetched twice.

    Args:
        name: See `show_weights`.
        say: Told what is fetched, from where, and how large it is; prints if None.

    Returns:
        The file.

    Raises:
        WeightsError: No such weights are known, there is no network, or what came is not the published file.
        ConfigError: A package is needed for it.
        StoreError: The cache cannot be written.
    """
    from edgenas.weights.fetch import fetch

    return fetch(show_weights(name), say=or_default(None, say)[1])


def load_weights(weights: str | Path, network: Network | None = None) -> LoadedWeights:
    """Load weights with the network that they are of.

    Args:
        weights: A checkpoint of edgenas, a state dict of another package, or a name of `list_weights`.
        network: Whose weights a state dict holds, if the file is not known; classes, channels and padding may differ.

    Raises:
        WeightsError: There is no such file or name, they are not on this machine, or are of another network.
    """
    from edgenas.errors import WeightsError, explain
    from edgenas.nn.pretrained import is_checkpoint
    from edgenas.weights.load import find_start, network_of
    from edgenas.weights.locate import file_sha256

    start = find_start(weights)
    if network is not None:
        architecture = load_network(network)
    elif start.source is not None:
        architecture = network_of(start.source)
    elif is_checkpoint(start.path):
        # A checkpoint says itself what it is of.
        architecture = load_network(start.path)
    else:
        what = f"{start.path} does not say which network its weights are of"
        raise WeightsError(explain(what, remedy="Name it: network='mobilenet_v2', or --network mobilenet_v2."))
    found = start.load(architecture)
    return LoadedWeights(
        architecture=found.architecture, weights=found.weights, source=start.source, file=start.path,
        sha256=file_sha256(start.path),
    )  # fmt: skip
