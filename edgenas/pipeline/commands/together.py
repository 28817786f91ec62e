"""Several processes on one run: process 0 does the stages, and the others take part in the training of the supernet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.config.settings import RunSettings
from edgenas.display import no_progress, say_nothing
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.stages.supernet import train_along
from edgenas.reading.json_text import plain_text, plain_value

if TYPE_CHECKING:
    from edgenas.train.processes import Processes


@contextmanager
def leading(processes: Processes) -> Iterator[None]:
    """Let the other processes go at the end of a block. Where it fails, torchrun ends them."""
    yield
    processes.told(plain_text({"done": ""}).encode())


def follow(processes: Processes, settings: RunSettings) -> Path:
    """Take part in what process 0 trains, until it is done.

    Args:
        processes: That do the run together.
        settings: Of the run, as in process 0.

    Returns:
        The run directory.
    """
    place = Path(settings.output) / settings.name
    while "supernet" in (told := plain_value(processes.told(None))):
        directory = RunDirectory(path=Path(told["supernet"]))
        train_along(RunContext(settings, directory, progress=no_progress, say=say_nothing))
    return place
