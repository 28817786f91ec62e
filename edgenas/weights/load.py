"""Weights to start from: a file, or published ones by name, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from edgenas.arch.architecture import Architecture
from edgenas.arch.zoo import published
from edgenas.data.network_input import Preprocessing
from edgenas.errors import WeightsError, explain, nearest
from edgenas.nn.checkpoint import Checkpoint, load_checkpoint
from edgenas.nn.once_for_all import supernet_in
from edgenas.nn.origins import PACKAGES, Package
from edgenas.nn.pretrained import is_checkpoint, load_start
from edgenas.reading.json_text import plain_value
from edgenas.weights.locate import check_digest, file_sha256, find
from edgenas.weights.source import ImageInput, WeightSource
from edgenas.weights.sources import SOURCES, source_named

_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Weights that a training starts from.

    Attributes:
        path: Of the file.
        source: What is known of them; None of a file that is not known.
        said: The package of a foreign file, as the user said; None where it is told from names.
        supernet: What is known of the supernet that the file holds; None for a network.
    """

    path: Path
    source: WeightSource | None = None
    said: Package | None = None
    supernet: WeightSource | None = None

    @property
    def package(self) -> Package | None:
        """Whose names the arrays have, where that is known."""
        return self.said if self.source is None else cast(Package, self.source.layout)

    def images(self) -> ImageInput | None:
        """Return how images were prepared for the weights; None where nobody says.

        Raises:
            WeightsError: The file is damaged.
        """
        if self.source is not None or self.supernet is not None:
            return cast(WeightSource, self.source or self.supernet).images
        if not is_checkpoint(self.path):
            return None
        values = plain_value(load_checkpoint(self.path).metadata.get("preprocessing", "null"))
        if values is None:
            return None
        stored = Preprocessing.from_dict(values)
        factor = 1 / (255 * stored.scale)
        return ImageInput(
            mean=tuple(value * factor for value in stored.mean), std=tuple(value * factor for value in stored.std),
            interpolation=stored.interpolation, crop=stored.crop,
        )  # fmt: skip

    def load(self, architecture: Architecture) -> Checkpoint:
        """Read the weights of a network that may have other classes, channels and padding.

        Args:
            architecture: The network to be trained.

        Raises:
            WeightsError: They are of another network, or the file is damaged.
        """
        return load_start(self.path, architecture, package=self.package)


def find_start(start: str | Path, *, package: str | None = None, supernets: bool = False) -> Start:
    """Find weights by their file or name.

    Args:
        start: A file, a name of `SOURCES`, or a network of the zoo, for which the preferred weights are taken.
        package: The package of a foreign file whose names do not say it, one of `PACKAGES`.
        supernets: Whether a supernet may be the start.

    Raises:
        WeightsError: There is no such file or name (the nearest is named), the weights are not on this machine, or the
            file is not the published one; or `package` is unknown, or the weights say themselves that they are of
            another; or they are a supernet's where a network's are wanted.
    """
    found = _found(start, supernets=supernets)
    if found.supernet is not None and not supernets:
        require_network(found.supernet)
    if package is None:
        return found
    if package not in PACKAGES:
        what = f"unknown package{nearest(package, PACKAGES)}"
        raise WeightsError(explain(what, got=repr(package), allowed=", ".join(PACKAGES)))
    ours = found.source is None and found.supernet is None and is_checkpoint(found.path)
    if ours or found.supernet or found.package not in (None, package):
        origin = "edgenas" if ours else "once-for-all" if found.supernet else found.package
        raise WeightsError(
            explain(f"the weights {start} are of {origin}", got=f"the package {package}", remedy="Leave it out.")
        )
    return replace(found, said=package)


def _found(start: str | Path, *, supernets: bool) -> Start:
    path = Path(start)
    if path.is_file():
        source = known(path)
        return Start(path=path, source=source, supernet=None if source else _supernet_of(path))
    text = str(start)
    if path.suffix in _SUFFIXES or (len(path.parts) > 1 and ":" not in path.parts[0]):
        raise WeightsError(explain("there is no such file of weights", got=text))
    source = source_named(text)
    if not supernets:
        require_network(source)
    there = find(source)
    if there is None:
        raise WeightsError(
            explain(
                f"the weights {source.name} are not on this machine", allowed=source.origin,
                remedy=f"edgenas weights fetch {source.name}",
            )
        )  # fmt: skip
    check_digest(source, there)
    if not source.supernet:
        return Start(path=there, source=source)
    held = _supernet_of(there)
    if held is not source:
        raise WeightsError(
            explain(
                f"{there} is not the file of {source.name}, or is incomplete",
                got=f"{there.stat().st_size:,} bytes, " + ("of no supernet" if held is None else f"of {held.name}"),
                remedy=f"Delete it and fetch it again: edgenas weights fetch {source.name}",
            )
        )
    return Start(path=there, supernet=source)


def _supernet_of(path: Path) -> WeightSource | None:
    """Return the supernet of once-for-all that a file holds, told by its arrays; None if it holds something else."""
    if path.suffix == ".safetensors" and is_checkpoint(path):
        return None
    space = supernet_in(path)
    return next((source for source in SOURCES.values() if source.supernet and source.network == space), None)


def require_network(source: WeightSource) -> None:
    """Refuse weights that are of no single network.

    Raises:
        WeightsError: They are a supernet's.
    """
    if source.supernet:
        raise WeightsError(
            explain(
                f"{source.name} is a supernet and no network", allowed="weights of a network",
                remedy=f"A search of its space {source.network} starts from it: supernet.start: {source.name}",
            )
        )


def known(path: Path) -> WeightSource | None:
    """Return the published weights that a file is, told by its name and digest; None if it is none of them."""
    named = [source for source in SOURCES.values() if source.file == path.name and source.sha256]
    digest = file_sha256(path) if named else ""
    return next((source for source in named if digest.startswith(source.sha256)), None)


def network_of(source: WeightSource) -> Architecture:
    """Return the network that published weights were trained with: its resolution, padding and epsilon."""
    require_network(source)
    return replace(
        published(source.network), resolution=source.resolution, padding=source.padding, norm_eps=source.norm_eps
    )
