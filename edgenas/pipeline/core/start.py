"""The weights that the supernet of a run starts from, as its configuration names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.config.sections.training import SupernetSection
from edgenas.errors import WeightsError

if TYPE_CHECKING:
    from edgenas.weights.load import Start


def start_of(section: SupernetSection) -> Start | None:
    """Find the start of a supernet; None where it has none.

    Raises:
        WeightsError: See `edgenas.weights.load.find_start`.
    """
    if section.start is None:
        return None
    from edgenas.weights.load import find_start

    return find_start(section.start, package=section.start_package, supernets=True)


def starts_from_supernet(section: SupernetSection) -> bool:
    """Whether the start is a whole supernet, not one network."""
    try:
        start = start_of(section)
    except WeightsError:
        return False
    return start is not None and start.supernet is not None
