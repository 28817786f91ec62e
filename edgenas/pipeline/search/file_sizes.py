"""The sizes that a run asks for: which file ships for the target, and whose plan its memory is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas.arch import Architecture
from edgenas.config.settings import RunSettings
from edgenas.errors import BudgetError, ConfigError, explain
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.search.cost_model import Costs
from edgenas.pipeline.search.limits import LIMITS, SIZES, limits_of
from edgenas.types import Genes

if TYPE_CHECKING:
    from edgenas.deploy import FileCard, FileSpec
    from edgenas.pipeline.search.sizes import Shipped, SizeModel
    from edgenas.space.costs.counts import PopulationCosts


def wanted_sizes(settings: RunSettings) -> tuple[str, ...]:
    """Return which of `file_bytes` and `ram_bytes` are limited or objectives."""
    asked = {*limits_of(settings.target), *settings.search.objectives}
    return tuple(metric for metric in SIZES if metric in asked)


def target_file(settings: RunSettings) -> FileSpec:
    """Return the file of the recipe that the limits are about.

    Raises:
        ConfigError: There is no such recipe.
        BudgetError: It writes no file for the target.
    """
    from edgenas.deploy import load_recipe
    from edgenas.formats import file_format_of

    files = load_recipe(settings.export.recipe).files
    wanted = (file_format_of(settings.target.runtime), settings.target.precision)
    fitting = [file for file in files if (file.format, file.precision) == wanted]
    if not fitting:
        raise BudgetError(
            explain(
                f"the recipe {settings.export.recipe} writes no file for the target",
                got=", ".join(file.name for file in files),
                allowed=f"one with format {wanted[0]} and precision {wanted[1]}",
                remedy="Choose another export.recipe, or another target.",
            )
        )
    return fitting[0]


def planned_file(settings: RunSettings) -> tuple[FileSpec, str]:
    """Return the file whose memory is planned, and whose plan it is.

    Where the target's file is no TFLite file, it is the recipe's TFLite file of the same precision, or the usual one.

    Raises:
        ConfigError: The plan of the target's runtime is not known.
    """
    from edgenas.deploy import FileSpec, load_recipe
    from edgenas.formats.arena import ARENAS

    runtime, precision = settings.target.ram_of or settings.target.runtime, settings.target.precision
    if runtime not in ARENAS:
        raise ConfigError(
            explain(
                f"nothing here knows how the runtime {runtime} plans its memory",
                got="target.max_ram_kib, or the objective ram_bytes",
                allowed=f"the plan of {' or '.join(ARENAS)}",
                remedy="Set target.ram_of to one of them, or target.runtime to litert.",
            )
        )
    file = target_file(settings)
    if file.format != "tflite":
        fitting = [
            each
            for each in load_recipe(settings.export.recipe).files
            if (each.format, each.precision) == ("tflite", precision)
        ]
        file = fitting[0] if fitting else FileSpec(name="model.tflite", format="tflite", precision=precision)
    return file, runtime


def shipped(context: RunContext) -> Shipped:
    """Return what is sized in a run."""
    from edgenas.deploy import load_recipe
    from edgenas.pipeline.search.sizes import Shipped

    settings = context.settings
    planned, runtime = planned_file(settings) if "ram_bytes" in wanted_sizes(settings) else (None, "")
    return Shipped(
        file=target_file(settings),
        planned=planned,
        runtime=runtime,
        preprocessing=artifacts.preprocessing(context).to_dict(),
        labels=tuple(artifacts.images(context).classes),
        licence=load_recipe(settings.export.recipe).licence,
    )


def size_model(context: RunContext) -> SizeModel | None:
    """Return the sizes of the networks of a run; None where it asks for none. They are prepared once."""
    metrics = wanted_sizes(context.settings)
    return context.once("sizes", lambda: _made(context, metrics)) if metrics else None


def _made(context: RunContext, metrics: tuple[str, ...]) -> SizeModel:
    from edgenas.pipeline.search.sizes import SizeModel

    limits = limits_of(context.settings.target)
    return SizeModel(
        artifacts.space(context), shipped(context), metrics=metrics, limits=limits, seed=context.seed("sizes")
    )


def sized_by(context: RunContext) -> dict[str, Any]:
    """Return what stored sizes depend on; empty where a run asks for none."""
    metrics = wanted_sizes(context.settings)
    if not metrics:
        return {}
    found = shipped(context)
    planned = None if found.planned is None else dataclasses.asdict(found.planned)
    labels = list(found.labels)
    about = [dataclasses.asdict(found.file), planned, found.runtime, found.preprocessing, labels, found.licence]
    return {"sizes": [metrics, *about]}


def file_values(settings: RunSettings, network: Architecture, files: Sequence[FileCard]) -> dict[str, float]:
    """Return the sizes of an exported network that a run asks for, by metric.

    Args:
        settings: Of the run.
        network: The network.
        files: The exported files.
    """
    from edgenas.deploy.shipping import shipped_arena

    metrics, values = wanted_sizes(settings), dict[str, float]()
    if not metrics:
        return values
    by_name = {file.name: file for file in files}
    own = target_file(settings)
    if "file_bytes" in metrics and own.name in by_name:
        values["file_bytes"] = by_name[own.name].bytes
    if "ram_bytes" in metrics:
        planned, runtime = planned_file(settings)
        kept = by_name[planned.name].float_ops if planned.name in by_name else ()
        values["ram_bytes"] = shipped_arena(network, planned, runtime, float_ops=kept)
    return values


def size_facts(settings: RunSettings, network: Architecture, files: Sequence[FileCard]) -> dict[str, str]:
    """Return what a card says of the limits of a run."""
    values = file_values(settings, network, files)
    found = {kind.key: (metric, kind) for metric, kind in LIMITS.items() if metric in values}
    runtime = settings.target.ram_of or settings.target.runtime
    limits = limits_of(settings.target)
    facts = {}
    for key, (metric, kind) in found.items():
        words = f" ({runtime}'s plan for activations)" if metric == "ram_bytes" else ""
        most = f", at most {kind.text(limits[metric])}" if metric in limits else ""
        facts[key.removeprefix("max_").removesuffix("_kib")] = f"{kind.text(values[metric])}{words}{most}"
    return facts


def require_limits(context: RunContext) -> None:
    """Make sure, before anything is trained, that some network keeps each limit beside the latency budget.

    Raises:
        BudgetError: None does; says the nearest possible.
        ConfigError: The plan of the memory that is limited is not known.
    """
    from edgenas.pipeline.search.budget import require_possible
    from edgenas.space import population_costs

    target = context.settings.target.model_copy(update={"budget_ms": None, "budget_share": None})
    if not limits_of(target) and not wanted_sizes(context.settings):
        return
    space, sizes = artifacts.space(context), size_model(context)
    costs = CountModel(counts=population_costs(space), sizes=sizes)
    require_possible(target, space, costs, seed=context.seed("budget"))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountModel:
    """Counts and sizes of a space's networks, without a latency table."""

    counts: PopulationCosts
    sizes: SizeModel | None

    def __call__(self, genes: Genes) -> Costs:
        """Return the costs of networks (N, D); latencies are not known."""
        unknown = np.full(len(genes), np.nan)
        macs, params = self.counts.macs(genes), self.counts.params(genes)
        return Costs(latency_ms=unknown, latency_error_ms=unknown, macs=macs, params=params)
