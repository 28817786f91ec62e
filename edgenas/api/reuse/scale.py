"""Larger and smaller versions of a network, and the growths that suit some images best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgenas.api.config import Config, load_config
from edgenas.api.networks import Network, load_network
from edgenas.arch import Architecture
from edgenas.display import or_default, progress_bar
from edgenas.errors import InputError, explain
from edgenas.pipeline.commands.scale import RESULT_FILE as FIT_FILE
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    from edgenas.scale import Fitted

__all__ = ["FIT_FILE", "ScaledNetwork", "fit_folder", "fit_scaling", "is_published_family", "scale"]

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledNetwork:
    """A member of a family.

    Attributes:
        name: Such as `phi1` or `2ms`.
        architecture: The network.
        phi: How far it was scaled; None where a latency was asked for.
        target_ms: The latency that was asked for, ms; None where phi was.
        latency_ms: Measured on this device, ms; None where phi was asked for.
    """

    name: str
    architecture: Architecture
    phi: float | None = None
    target_ms: float | None = None
    latency_ms: float | None = None

    def write(self, folder: str | Path) -> Path:
        """Write the network as `NAME.json`, which `load_network` reads, and return the file.

        Args:
            folder: Made where it is not there.

        Raises:
            StoreError: It cannot be written.
        """
        from edgenas.arch.document import to_document
        from edgenas.pipeline.core.directory import RunDirectory
        from edgenas.pipeline.core.lock import writing_beside

        name = f"{self.name}.json"
        with writing_beside(Path(folder) / name):
            return RunDirectory(path=Path(folder)).write_json(name, to_document(self.architecture))


def scale(
    network: Network,
    *,
    phi: Sequence[float] | float | None = None,
    targets_ms: Sequence[float] | float | None = None,
    alpha: float = 1.2,
    beta: float = 1.1,
    gamma: float = 1.15,
    runtime: str = "ort",
    precision: Literal["fp32", "int8"] = "fp32",
    threads: int = 1,
    memory_mib: int = 4096,
    progress: ProgressFactory | None = None,
) -> tuple[ScaledNetwork, ...]:
    """Make a family of a network: by phi (compound scaling, Tan & Le 2019), or one member for each latency.

    Args:
        network: A network that a search found, or any other; see `load_network`.
        phi: How far, one member each; negative makes it smaller. EfficientNet-B0 with the published growths gives B0 to
            B7 as published.
        targets_ms: Instead: latencies on this device, ms.
        alpha, beta, gamma: Growth of depth, width and resolution for each unit of phi, 1 or more.
        runtime, precision, threads: Of the measurements.
        memory_mib: Members that need more to run are refused, MiB.
        progress: Makes a progress display for a title; a bar, or lines, if None.

    Raises:
        ArchitectureError: It is no network.
        InputError: Neither or both of `phi` and `targets_ms` are given, or a growth is impossible.
        BudgetError: A member does not fit into memory, or a target is below the fastest member.
        DeviceError: The runtime is not installed.
    """
    architecture = load_network(network)
    if (phi is None) == (targets_ms is None):
        got = f"phi {phi}, targets {targets_ms}"
        raise InputError(explain("scale needs --phi or --targets, and not both", got=got))
    growth = (alpha, beta, gamma)
    if phi is not None:
        return tuple(_by_phi(architecture, value, growth, memory_mib * _MIB) for value in _several(phi))
    return _by_latency(architecture, _several(targets_ms or ()), growth, runtime, precision, threads, progress)


def fit_scaling(
    network: Network,
    config: Config = None,
    *,
    by: Literal["macs", "latency"] = "macs",
    step: float = 0.2,
    folder: str | Path | None = None,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> tuple[Fitted, ...]:
    """Find the growths of depth, width and resolution that suit some images best: train a grid at phi = 1.

    Args:
        network: The network at phi = 0; see `load_network`.
        config: Names the images and the training; see `load_config`.
        by: What doubles at phi = 1: multiply-accumulates, or latency measured on this device.
        step: Of the grid.
        folder: Keeps every finished training and `coefficients.json`; `runs/scale-by-BY` if None.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        The points of the grid, best first.

    Raises:
        InputError: The grid is impossible or empty.
        BudgetError: No point doubles the latency.
        DataError: The images cannot be used.
        TrainingError: A training cannot go on.
    """
    from edgenas.pipeline.commands.scale import fit_coefficients
    from edgenas.pipeline.core.context import RunContext
    from edgenas.pipeline.core.directory import RunDirectory
    from edgenas.pipeline.core.lock import writing

    shown, told = or_default(progress, say)
    directory = RunDirectory(path=fit_folder(folder, by))
    context = RunContext(load_config(config), directory, progress=shown, say=told)
    architecture = load_network(network)
    with writing(directory.path):
        return fit_coefficients(context, architecture, by=by, step=step)


def fit_folder(folder: str | Path | None, by: str) -> Path:
    """Return where `fit_scaling` keeps its trainings: `runs/scale-by-BY` where no folder is named."""
    from edgenas.pipeline.commands.scale import results_folder

    return results_folder(None if folder is None else Path(folder), by)


def _several(values: Sequence[float] | float) -> Sequence[float]:
    return [values] if isinstance(values, int | float) else list(values)


def is_published_family(architecture: Architecture, growth: tuple[float, float, float]) -> bool:
    """Whether a network with these growths is the base of the published EfficientNets."""
    from edgenas.arch.zoo import published

    return architecture.digest == published("efficientnet_b0").digest and growth == (1.2, 1.1, 1.15)


def _by_phi(
    architecture: Architecture, phi: float, growth: tuple[float, float, float], memory_limit_bytes: int
) -> ScaledNetwork:
    from edgenas.arch.zoo import EFFICIENTNET_SCALES
    from edgenas.scale import compound, scaled

    if is_published_family(architecture, growth) and phi in EFFICIENTNET_SCALES:
        # The published family is a table, not exact powers.
        width, depth, resolution = EFFICIENTNET_SCALES[int(phi)]
        member = scaled(
            architecture, width=width, depth=depth, resolution=resolution, memory_limit_bytes=memory_limit_bytes
        )
    else:
        alpha, beta, gamma = growth
        member = compound(
            architecture, alpha=alpha, beta=beta, gamma=gamma, phi=phi, memory_limit_bytes=memory_limit_bytes
        )
    return ScaledNetwork(name=f"phi{phi:g}", architecture=member, phi=phi)


def _by_latency(
    architecture: Architecture,
    targets_ms: Sequence[float],
    growth: tuple[float, float, float],
    runtime: str,
    precision: Literal["fp32", "int8"],
    threads: int,
    progress: ProgressFactory | None,
) -> tuple[ScaledNetwork, ...]:
    from edgenas.pipeline.core.device_latency import measured_latency
    from edgenas.scale import Coefficients, family

    with (progress or progress_bar)("find members") as report:
        found = family(
            architecture,
            Coefficients(alpha=growth[0], beta=growth[1], gamma=growth[2]),
            list(targets_ms),
            lambda member: measured_latency(member, runtime=runtime, precision=precision, threads=threads),
            progress=report,
        )
    return tuple(
        ScaledNetwork(
            name=f"{member.target_ms:g}ms",
            architecture=member.architecture,
            target_ms=member.target_ms,
            latency_ms=member.latency_ms,
        )
        for member in found
    )
