"""Shared weights: training them, judging their members, taking one out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgenas.api.config import Config, Overrides, load_config
from edgenas.api.folder import Folder
from edgenas.api.networks import Network, load_network
from edgenas.api.runs import Run, context_of
from edgenas.arch import Architecture
from edgenas.display import or_default
from edgenas.reading.json_text import plain_text
from edgenas.types import ProgressFactory, Say


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """The accuracy of a network with shared weights.

    Attributes:
        architecture: The network.
        accuracy: On validation images, with normalisation statistics of its own, in [0, 1].
        standard_error: Of that.
    """

    architecture: Architecture
    accuracy: float
    standard_error: float


def train_supernet(
    config: Config = "quickstart",
    overrides: Overrides = (),
    *,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> Run:
    """Load the images and train the shared weights of a configuration: the first stages of `edgenas.run`.

    Where torchrun started several processes, they train together; process 0 writes and prints. See docs/scale.md.

    Args:
        config, overrides: See `edgenas.run`.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        The run, as far as it is.

    Raises:
        ConfigError: A key or value is not allowed.
        DataError: The images cannot be used.
        TrainingError: The training cannot go on.
    """
    from edgenas.pipeline.commands.run import run_some
    from edgenas.pipeline.commands.together import follow, leading
    from edgenas.pipeline.stages import DATA, SUPERNET
    from edgenas.train.processes import joined

    shown, told = or_default(progress, say)
    settings = load_config(config, overrides)
    with joined() as processes:
        if processes.first:
            with leading(processes):
                path = run_some((DATA, SUPERNET), settings, progress=shown, say=told)
        else:
            path = follow(processes, settings)
    return Run(folder=Folder(path=path))


def inherited_accuracy(
    run: str | Path | Run,
    networks: Sequence[Network] | None = None,
    *,
    count: int = 8,
    seed: int = 0,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> tuple[Inherited, ...]:
    """Judge networks with the shared weights of a run.

    Args:
        run: A run or its directory; its supernet is trained.
        networks: Members of its space; see `load_network`. Random ones if None.
        count: How many random networks.
        seed: Of the random networks.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Raises:
        StoreError: It is no run directory.
        SpaceError: A network is not of the run's space.
        WeightsError: The shared weights are damaged.
    """
    from edgenas.pipeline.core import artifacts

    shown, told = or_default(progress, say)
    context = context_of(run, progress=shown, say=told)
    space = artifacts.space(context)
    if networks:
        genes = np.stack([space.encode(load_network(network)) for network in networks])
    else:
        genes = space.canonical(space.sample(count, np.random.default_rng(seed)))
    with shown("judge") as report:
        found = artifacts.evaluator(context).evaluate(genes, progress=report)
    return tuple(
        Inherited(architecture=space.decode(code), accuracy=float(value), standard_error=float(error))
        for value, error, code in zip(found.accuracy, found.standard_error, genes, strict=True)
    )


def extract(
    run: str | Path | Run,
    network: Network,
    out: str | Path,
    *,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> Path:
    """Take one network out of shared weights, with normalisation statistics of its own.

    Args:
        run: A run or its directory; its supernet is trained.
        network: A member of its space; see `load_network`.
        out: The checkpoint to write (.safetensors).
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        The checkpoint.

    Raises:
        StoreError: It is no run directory, or the folder cannot be written.
        SpaceError: The network is not of the run's space.
        WeightsError: The shared weights are damaged.
    """
    from edgenas.nn import Checkpoint, save_checkpoint
    from edgenas.pipeline.core import artifacts
    from edgenas.pipeline.core.lock import writing_beside
    from edgenas.pipeline.core.seen import history_metadata, history_of

    shown, told = or_default(progress, say)
    context = context_of(run, progress=shown, say=told)
    architecture = load_network(network)
    member = artifacts.evaluator(context).member(artifacts.space(context).encode(architecture))
    about = context.directory.read_json(artifacts.DATA_FILE)
    metadata = {
        "preprocessing": plain_text(about["preprocessing"]),
        "labels": plain_text(about["classes"]),
        "origin": "supernet, not fine-tuned",
        **history_metadata(history_of(context.directory.path / artifacts.SUPERNET_FILE)),
    }
    file = Path(out)
    with writing_beside(file):
        save_checkpoint(file, Checkpoint(architecture=architecture, weights=member.weights(), metadata=metadata))
    return file
