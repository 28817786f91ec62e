"""A trained supernet taken to other images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.api.config import Config, Overrides, load_config, with_sections
from edgenas.api.images import data_section
from edgenas.api.runs import Run, context_of
from edgenas.display import or_default
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.pipeline.commands.transfer.result import Transfer


def transfer(
    run: str | Path | Run,
    data: ImageData | Config = None,
    overrides: Overrides = (),
    *,
    epochs: int | None = None,
    networks: int = 40,
    against_scratch: bool = False,
    folder: str | Path | None = None,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> Transfer:
    """Carry a run's shared weights over to other images, adapt them, and see whether its networks rank the same there.

    Args:
        run: A finished run; it stays as it is.
        data: Images of `load_images`, or a configuration that names them.
        overrides: Keys that replace the configuration's.
        epochs: Of adapting; a quarter of the run's if None.
        networks: How many are judged, up to half of them from the front; 4 or more.
        against_scratch: Train supernets from scratch too, to see what was saved.
        folder: For the adapted supernet and `transfer.json`; see `transferred_folder` if None.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Raises:
        StoreError: It is no run directory.
        InputError: The run judged too few networks.
        DataError: The images cannot be used.
        TrainingError: A training cannot go on.
    """
    from edgenas.data import ImageData
    from edgenas.pipeline.commands.transfer.command import transfer as transfer_run
    from edgenas.pipeline.core.lock import writing

    shown, told = or_default(progress, say)
    source = context_of(run, progress=shown, say=told)
    if isinstance(data, ImageData):
        settings = with_sections(load_config(None, overrides), data=data_section(data).model_dump())
    else:
        settings = load_config(data, overrides)
    out = transferred_folder(source.directory.path, folder, settings.name)
    with writing(out):
        return transfer_run(source, settings, out, epochs=epochs, networks=networks, scratch=against_scratch)


def transferred_folder(run: Path, folder: str | Path | None, name: str) -> Path:
    """Return where a transfer is written: RUN-on-NAME beside the run where no folder is named."""
    return Path(folder) if folder else run.resolve().with_name(f"{run.resolve().name}-on-{name}")
