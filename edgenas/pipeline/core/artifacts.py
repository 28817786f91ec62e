"""Names of the files of a run, and the values that stages load from them. Each value is loaded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.errors import InputError, explain
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.given import SPACE_FILE
from edgenas.pipeline.core.images import DATA_FILE, load_images
from edgenas.pipeline.core.named_network import network_named

if TYPE_CHECKING:
    from edgenas.config.settings import RunSettings
    from edgenas.data import ImageData, Preprocessing
    from edgenas.latency import LatencyTable
    from edgenas.space import SearchSpace
    from edgenas.supernet import SupernetEvaluator

SETTINGS_FILE = "settings.json"
STORE_FILE = "store.sqlite"
TABLE_FILE = "latency/table.json"
TABLE_SUMMARY_FILE = "latency/summary.json"
SUPERNET_FILE = "supernet/supernet.safetensors"
SUPERNET_TRAINING_FILE = "supernet/training.json"
SEARCH_FILE = "search.json"
FRONT_FILE = "front.json"
WINNER_FILE = "winner.json"
ARCHITECTURE_FILE = "architecture.json"
CHECKPOINT_FILE = "model.safetensors"
EXPORT_FOLDER = "export"
FAMILY_FILE = "family.json"
FAMILY_FOLDER = "family"
SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"


def images(context: RunContext) -> ImageData:
    """Return the images of a run in three splits."""
    return context.once("images", lambda: load_images(context))


def preprocessing(context: RunContext) -> Preprocessing:
    """Return what is done to an image of a run before a network sees it."""
    from edgenas.data import Preprocessing

    return context.once(
        "preprocessing", lambda: Preprocessing.from_dict(context.directory.read_json(DATA_FILE)["preprocessing"])
    )


def space(context: RunContext) -> SearchSpace:
    """Return the search space of a run, adapted to its images."""
    return context.once("space", lambda: _load_space(context))


def _load_space(context: RunContext) -> SearchSpace:
    from edgenas.space import load, with_task

    about, section = context.directory.read_json(DATA_FILE), context.settings.space
    name = section.name
    if section.around is not None:
        return _space_around(section.around, about, section.resolutions)
    # A space that was given as a value lies in the run directory itself.
    own = context.directory.path / SPACE_FILE
    return with_task(
        load(own if name == SPACE_FILE and own.is_file() else name),
        classes=len(about["classes"]),
        in_channels=about["channels"],
        resolutions=context.settings.space.resolutions or [about["resolution"]],
    )


def _space_around(text: str, about: dict[str, Any], resolutions: list[int] | None) -> SearchSpace:
    from edgenas.space import around, smaller_resolutions

    network = replace(
        network_named(text), classes=len(about["classes"]), in_channels=about["channels"],
        resolution=max(resolutions or [about["resolution"]]),
    )  # fmt: skip
    name = Path(text).stem if "|" not in text else f"network {network.digest[:10]}"
    sizes = resolutions or smaller_resolutions(network.resolution)
    return around(network, name=f"around {name}", resolutions=sizes)


def table(context: RunContext) -> LatencyTable:
    """Return the latency table that the table stage wrote."""
    from edgenas.latency import read_table

    return context.once("table", lambda: read_table(context.directory.path / TABLE_FILE))


def needs_supernet(settings: RunSettings) -> bool:
    """Whether anything in a run needs shared weights: what judges, a one-shot strategy, the winner's training."""
    from edgenas.evaluate.registry import ESTIMATORS
    from edgenas.search import STRATEGIES

    judged = ESTIMATORS[settings.search.estimator].needs_supernet
    return judged or STRATEGIES[settings.search.strategy].one_shot or bool(settings.train.from_supernet)


def require_supernet(context: RunContext) -> None:
    """Refuse a run without shared weights.

    Raises:
        InputError: It has none.
    """
    if not (context.directory.path / SUPERNET_FILE).is_file() and not needs_supernet(context.settings):
        raise InputError(
            explain(
                f"{context.directory.path} has no shared weights: nothing in its run needed them",
                got=f"search.estimator: {context.settings.search.estimator}",
                remedy="Run it again with train.from_supernet: true, which trains them.",
            )
        )


def evaluator(context: RunContext) -> SupernetEvaluator:
    """Return the trained supernet of a run, ready to judge networks."""
    return context.once("evaluator", lambda: load_evaluator(context))


def load_evaluator(context: RunContext, *, data: ImageData | None = None) -> SupernetEvaluator:
    """Load the run's supernet, ready to judge.

    Args:
        context: Of the run.
        data: Its images; loaded if None.

    Raises:
        WeightsError: Its file is damaged or belongs to another space.
        InputError: The run has none.
    """
    require_supernet(context)
    from edgenas.supernet import SupernetEvaluator
    from edgenas.supernet.files import load_supernet

    device = context.compute_device
    supernet, preprocessing = load_supernet(context.directory.path / SUPERNET_FILE, space=space(context))
    return SupernetEvaluator(
        supernet.to(device),
        images(context) if data is None else data,
        preprocessing,
        images=context.settings.search.judge_images,
        calibration=context.settings.supernet.recalibration_images,
        device=device,
    )
