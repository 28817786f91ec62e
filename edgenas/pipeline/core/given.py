"""Loaded values that a caller passes in, in place of what a configuration names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgenas.pipeline.core.directory import RunDirectory

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.latency import LatencyTable
    from edgenas.space import SearchSpace

SPACE_FILE = "space.yaml"
"""The space of a run that was given as a value; `space.name` of its settings names this file."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """Loaded values of a run; None where the stages load what the settings name.

    Attributes:
        images: The images of the settings' data section, already loaded.
        space: The search space for these images; `space.name` of the settings is `SPACE_FILE`.
        table: The latency table of the space. It is taken as it is, whatever its device.
    """

    images: ImageData | None = None
    space: SearchSpace | None = None
    table: LatencyTable | None = None

    def keep(self, directory: RunDirectory) -> None:
        """Write the space, which a later process needs to open the run directory.

        Raises:
            StoreError: The folder cannot be written.
        """
        from edgenas.space import dump

        if self.space is not None:
            directory.write_text(SPACE_FILE, dump(self.space))


NOTHING = Given()
