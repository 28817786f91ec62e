"""Bundles of deployable files: written, and run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.api.config import Config, load_config, with_sections
from edgenas.api.images import data_section
from edgenas.api.networks import Network, load_network
from edgenas.api.runs import Run, context_of
from edgenas.api.train import TrainedNetwork
from edgenas.display import or_default
from edgenas.errors import InputError, explain
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    from edgenas.config.settings import RunSettings
    from edgenas.data import ImageData
    from edgenas.deploy import Card, Difference

_PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")


def export(
    model: TrainedNetwork | Run | str | Path,
    data: ImageData | None = None,
    out: str | Path = "export",
    *,
    recipe: str | Path = "mobile",
    force: bool = False,
    config: Config = None,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> Card:
    """Write a trained network as a bundle: model files, a card of their accuracy and latency, scripts, checksums.

    Every file is run on its runtime and compared with torch, and its latency is measured on this machine.

    Args:
        model: What `train` returned, a run, a checkpoint (.safetensors), or a run directory.
        data: The images that it was trained on, to calibrate and judge with; those of the configuration, or of the run
            that the checkpoint lies in, if None.
        out: Folder to make.
        recipe: Which files: a name (`mobile`, `onnx-fp32`, `tflite-int8`, ...) or a YAML file.
        force: Replace the folder where it exists.
        config: Names the images where `data` does not.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        The card; `card.files` has accuracy, latency and size of each file.

    Raises:
        InputError: It is no trained network, or there are no images.
        WeightsError: The checkpoint is damaged, or does not say what its input and its classes are.
        ConfigError: There is no such recipe, or it is broken.
        DataError: The images are not those of its classes.
        ExportError: The folder exists, or a file does not compute what torch computes.
    """
    from edgenas.pipeline.commands.export import export_checkpoint
    from edgenas.pipeline.core.given import Given
    from edgenas.pipeline.core.lock import writing_beside

    checkpoint, target = _checkpoint_of(model), Path(out).expanduser()
    settings = _settings_for(checkpoint, data, config)
    if settings is None:
        raise InputError(
            explain(
                f"no images to calibrate and judge {checkpoint} with",
                remedy="Name the configuration that it was trained with (--data CONFIG), or give its images.",
            )
        )
    shown, told = or_default(progress, say)
    # The folder is replaced as a whole, so its lock lies beside it.
    with writing_beside(target):
        return export_checkpoint(
            checkpoint, settings, str(recipe), target, force=force, given=Given(images=data), progress=shown, say=told
        )


def export_untrained(
    network: Network,
    out: str | Path,
    *,
    recipe: str | Path = "mobile",
    force: bool = False,
) -> tuple[Path, ...]:
    """Write the files of a network with random weights, to measure them on a device before anything is trained.

    Args:
        network: See `load_network`.
        out: Folder to make.
        recipe: See `export`.
        force: Write into the folder where it exists.

    Returns:
        The files.

    Raises:
        ArchitectureError: It is no network.
        ConfigError: There is no such recipe, or it is broken.
        ExportError: The folder exists.
    """
    from edgenas.pipeline.commands.export import export_untrained as write
    from edgenas.pipeline.core.lock import writing_beside

    folder = Path(out).expanduser()
    architecture = load_network(network)
    with writing_beside(folder):
        return tuple(folder / name for name in write(architecture, str(recipe), folder, force=force))


def check_export(
    folder: str | Path,
    data: ImageData | None = None,
    *,
    config: Config = None,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> tuple[Difference, ...]:
    """Run a bundle again and say what is not as its card says.

    Args:
        folder: The bundle.
        data: The images that it was trained on; those of the configuration, or of the run that the bundle lies in, if
            None. Without any, accuracy is judged by the few images in the bundle.
        config: Names the images where `data` does not.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        What differs; nothing where everything is as the card says.

    Raises:
        ExportError: It is no bundle.
        DataError: The images are not those of its classes.
    """
    from edgenas.pipeline.commands.export import check_export as check
    from edgenas.pipeline.core.given import Given

    path = Path(folder).expanduser()
    shown, told = or_default(progress, say)
    settings = _settings_for(path, data, config)
    return check(path, settings, given=Given(images=data), progress=shown, say=told)


def is_trained(source: str | Path) -> bool:
    """Whether a path is meant as a trained network: a run directory, a checkpoint, or a pickle (which is refused)."""
    path = Path(source).expanduser()
    return path.is_dir() or path.suffix in (".safetensors", *_PICKLES)


def _checkpoint_of(model: TrainedNetwork | Run | str | Path) -> Path:
    if isinstance(model, TrainedNetwork | Run):
        return model.checkpoint
    if not isinstance(model, str | Path):
        raise InputError(
            explain(
                "this is no trained network",
                got=type(model).__name__,
                allowed="what train returned, a run, a checkpoint (.safetensors) or a run directory",
                remedy="Train it first, or write its files with random weights by export_untrained.",
            )
        )
    path = Path(model).expanduser()
    if path.suffix in _PICKLES:
        raise InputError(
            explain(
                f"{path} is not a checkpoint: pickles are not read",
                allowed="a .safetensors file of `edgenas train` or of a run",
                remedy="Start a training from foreign weights: edgenas train NETWORK CONFIG --start FILE.",
            )
        )
    if path.suffix != ".safetensors" and not path.is_dir():
        raise InputError(
            explain(
                "no trained network",
                got=repr(str(model)),
                allowed="a checkpoint (.safetensors) or a run directory",
                remedy="For the files of a network with random weights call export_untrained.",
            )
        )
    return path / "model.safetensors" if path.is_dir() else path


def _settings_for(file: Path, data: ImageData | None, config: Config) -> RunSettings | None:
    """Settings that name the images of a checkpoint or bundle; None where nothing does."""
    if data is not None:
        return with_sections(load_config(config), data=data_section(data).model_dump())
    if config is not None:
        return load_config(config)
    run = file.parent
    return context_of(run, progress=None, say=None).settings if (run / "settings.json").is_file() else None
