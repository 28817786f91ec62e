"""Search spaces, made to fit images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.api.networks import Network, load_network
from edgenas.errors import SpaceError, explain

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.space import SearchSpace


def load_space(
    name: str | Path | SearchSpace,
    *,
    data: ImageData | None = None,
    classes: int | None = None,
    channels: int | None = None,
    resolutions: Sequence[int] | None = None,
) -> SearchSpace:
    """Load a search space and fit it to images.

    Args:
        name: A preset (`edgenas.SPACES`), the path of a YAML file, or a space.
        data: Images whose classes, channels and size the space takes over.
        classes: Outputs of the classifier; those of `data`, or of the space, if None.
        channels: Channels of the images, 1 or 3; likewise.
        resolutions: Choices of the input size, pixels; likewise. Images are made smaller where they have to be, so
            the largest must not exceed their size.

    Raises:
        SpaceError: There is no such space, or a value is impossible.
    """
    from edgenas.space import SearchSpace, load, with_task

    if not isinstance(name, str | Path | SearchSpace):
        allowed = "a preset, the path of a YAML file, or a space"
        raise SpaceError(explain("this is no search space", got=type(name).__name__, allowed=allowed))
    space = name if isinstance(name, SearchSpace) else load(name)
    if data is not None:
        classes = len(data.classes) if classes is None else classes
        channels = data.channels if channels is None else channels
        resolutions = [data.resolution] if resolutions is None else resolutions
    fitted = with_task(space, classes=classes, in_channels=channels, resolutions=resolutions)
    if data is not None:
        require_fit(fitted, data)
    return fitted


def space_around(
    network: Network,
    *,
    data: ImageData | None = None,
    classes: int | None = None,
    channels: int | None = None,
    resolutions: Sequence[int] | None = None,
    widths: Sequence[float] | None = None,
    out: str | Path | None = None,
) -> SearchSpace:
    """Return the space of a network and of all that is smaller by depth, kernel, expansion, width and resolution.

    The network is its largest member, so that a supernet of the space can start from the network's weights.

    Args:
        network: See `load_network`.
        data: Images whose classes, channels and size the network takes over.
        classes: Outputs of the classifier; those of `data`, or of the network, if None.
        channels: Channels of the images, 1 or 3; likewise.
        resolutions: Choices of the input size, pixels, the network's own among them; two thirds, five sixths and all
            of it if None.
        widths: Choices of the multiplier of all channels, at most 1; 0.75 and 1 if None.
        out: A YAML file to write, which `load_space` reads; none if None.

    Raises:
        ArchitectureError: It is no network.
        SpaceError: A width or resolution is impossible.
        StoreError: The file cannot be written.
    """
    from edgenas import atomic
    from edgenas.pipeline.core.directory import cannot_write
    from edgenas.space import dump
    from edgenas.space.around import WIDTHS, around

    found = load_network(network)
    if data is not None:
        classes = len(data.classes) if classes is None else classes
        channels = data.channels if channels is None else channels
    size = max(resolutions) if resolutions else found.resolution if data is None else data.resolution
    fitted = replace(
        found, classes=found.classes if classes is None else classes,
        in_channels=found.in_channels if channels is None else channels, resolution=size,
    )  # fmt: skip
    name = network if isinstance(network, str) and "|" not in network else found.digest[:10]
    space = around(
        fitted, name=f"around {Path(name).stem}", resolutions=resolutions, widths=WIDTHS if widths is None else widths
    )
    if data is not None:
        require_fit(space, data)
    if out is not None:
        try:
            atomic.write_text(Path(out), dump(space))
        except OSError as error:
            raise cannot_write(Path(out), error) from error
    return space


def require_fit(space: SearchSpace, data: ImageData) -> None:
    """Make sure that the networks of a space take these images.

    Raises:
        SpaceError: Classes or channels differ, or a network wants larger images.
    """
    definition = space.definition
    ours = (definition.classes, definition.in_channels)
    theirs = (len(data.classes), data.channels)
    if ours != theirs:
        raise SpaceError(
            explain(
                f"the space {space.name} is for other images",
                got="{} classes and {} channel(s)".format(*ours),
                allowed="{} classes and {} channel(s), as the images have".format(*theirs),
                remedy="Load it for them: load_space(name, data=data).",
            )
        )
    largest = max(definition.resolution)
    if largest > data.resolution:
        raise SpaceError(
            explain(
                f"the space {space.name} has networks for larger images",
                got=f"{largest} pixels",
                allowed=f"at most {data.resolution} pixels, the size of the images",
                remedy=f"Load the images with resolution={largest}, or the space with fewer resolutions.",
            )
        )
