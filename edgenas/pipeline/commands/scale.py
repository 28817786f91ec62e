"""Finding the coefficients of compound scaling on a configuration's images: a grid, each point trained the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from edgenas.arch import Architecture
from edgenas.arch.notation import format_notation
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import measured_networks, shares
from edgenas.pipeline.core.images import load_images
from edgenas.pipeline.training.initial_weights import fit_to_data
from edgenas.pipeline.training.network import train_afresh
from edgenas.scale import Candidate, Fitted, fit, grid_by_latency, grid_by_macs

RESULT_FILE = "coefficients.json"


def fit_coefficients(
    context: RunContext, architecture: Architecture, *, by: Literal["macs", "latency"], step: float = 0.2
) -> tuple[Fitted, ...]:
    """Train every point of a grid at phi = 1 and order the points by accuracy on validation images.

    Trained points are kept in the context's folder and not trained again.

    Args:
        context: Its settings name images, training and, by latency, the runtime to measure on.
        architecture: The network at phi = 0; classes, channels and resolution become those of the images.
        by: What doubles at phi = 1: multiply-accumulates (Tan & Le 2019), or latency measured on this device.
        step: Of the grid.

    Returns:
        The points, best first; also written to `coefficients.json`.

    Raises:
        InputError: The grid is impossible or empty.
        BudgetError: No point doubles the latency.
        DataError: The images cannot be used.
        TrainingError: A training cannot go on.
    """
    data = load_images(context)
    base = fit_to_data(architecture, len(data.classes), data.channels, data.resolution, say=context.say)
    found = fit_points(context, _grid(context, base, by=by, step=step))
    context.directory.write_json(RESULT_FILE, {"by": by, "base": format_notation(base), "points": _rows(found)})
    return found


def _grid(
    context: RunContext, base: Architecture, *, by: Literal["macs", "latency"], step: float
) -> tuple[Candidate, ...]:
    if by == "macs":
        return grid_by_macs(base, step=step, tolerance=step)
    with context.progress("measure the grid") as report:
        return grid_by_latency(base, _latency_over(context, base), step=step, tolerance=step, progress=report)


def _latency_over(context: RunContext, base: Architecture) -> Callable[[Architecture], float]:
    """Latency of a network on this device as a multiple of the base's, measured alternately with it."""
    target = context.settings.target

    def latency(network: Architecture) -> float:
        if network.digest == base.digest:
            return 1.0
        visit = measured_networks(
            [base, network], runtime=target.runtime, precision=target.precision, threads=target.threads
        )
        return shares(visit)[0].value

    return latency


def fit_points(context: RunContext, candidates: tuple[Candidate, ...]) -> tuple[Fitted, ...]:
    """Train candidates by the train section and order them by validation accuracy, best first."""
    with context.progress("train the grid") as report:
        return fit(candidates, lambda network: trained_accuracy(context, network), progress=report)


def trained_accuracy(context: RunContext, architecture: Architecture) -> float:
    """Train a network from scratch on the context's images at its own resolution; accuracy on validation images."""
    seed = context.seed("coefficients")
    return train_afresh(context, architecture, folder="trained", seed=seed).fit.validation_accuracy


def _rows(found: tuple[Fitted, ...]) -> list[dict[str, Any]]:
    return [
        {**asdict(entry.candidate.coefficients), "ratio": entry.candidate.ratio, "accuracy": entry.quality,
         "notation": format_notation(entry.candidate.architecture)}
        for entry in found
    ]  # fmt: skip


def results_folder(base: Path | None, by: str) -> Path:
    """Folder of a fit where none is named."""
    return base or Path("runs") / f"scale-by-{by}"
