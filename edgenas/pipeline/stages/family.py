"""The family stage: the winner made larger or smaller, every member trained, exported and measured like the winner."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas import atomic
from edgenas.arch import Architecture, lower
from edgenas.arch.document import read_document, to_document
from edgenas.arch.notation import format_notation
from edgenas.config.sections.delivery import ScaleSection
from edgenas.config.settings import RunSettings
from edgenas.cost import macs, params
from edgenas.errors import BudgetError, explain
from edgenas.formats import file_format_of
from edgenas.pipeline.core.artifacts import ARCHITECTURE_FILE, CHECKPOINT_FILE, FAMILY_FILE, FAMILY_FOLDER
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import measured_latency
from edgenas.pipeline.core.directory import cannot_write
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.export.bundle import export_network, file_document
from edgenas.pipeline.search.limits import target_document
from edgenas.pipeline.training.network import train_afresh
from edgenas.scale import Coefficients, Inheritance, Member, compound, family, inherit, memory_bytes
from edgenas.train.registry import without_newer_defaults

if TYPE_CHECKING:
    from edgenas.nn import Weights

_MIB = 1 << 20


def _inputs(context: RunContext) -> Mapping[str, Any]:
    from edgenas.pipeline.export.bundle import recipe_digest

    settings = context.settings
    return {
        "seed": settings.seed,
        "scale": settings.scale.model_dump(exclude={"inherit"}),
        # Only where it changes anything, so that older families stay.
        **({"inherit": True} if inherits(settings) else {}),
        "train": without_newer_defaults(settings.train.model_dump()),
        "target": target_document(settings.target),
        "recipe": recipe_digest(settings.export.recipe),
    }


def inherits(settings: RunSettings) -> bool:
    """Whether members start from the winner's weights: as said, else where its own go back to a start."""
    wanted = settings.scale.inherit
    return settings.supernet.start is not None if wanted is None else wanted


def _run(context: RunContext) -> None:
    winner = read_document(context.directory.path / ARCHITECTURE_FILE)
    chosen = scaled_members(context, winner)
    for name, (network, _) in chosen.items():
        require_training_memory(name, network, context)
    # Members of an earlier family stay until all of this one are there.
    draft = atomic.draft_of(context.directory.file(FAMILY_FOLDER))
    try:
        rows = [_row(context, name, network, facts, draft / name) for name, (network, facts) in chosen.items()]
        atomic.replace_folder(draft, context.directory.path / FAMILY_FOLDER)
    except OSError as error:
        raise cannot_write(context.directory.path / FAMILY_FOLDER, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    context.directory.write_json(FAMILY_FILE, {"winner": format_notation(winner), "members": rows})
    for row in rows:
        share = "" if row["target_share"] is None else f", {100 * row['target_share']:.1f} % of its target"
        latency = "not measured" if row["latency_ms"] is None else f"{row['latency_ms']:.4f} ms"
        context.say(f"  {row['name']}: {100 * row['test_accuracy']['value']:.1f} % test, {latency}{share}")


def scaled_members(context: RunContext, winner: Architecture) -> dict[str, tuple[Architecture, dict[str, Any]]]:
    """Scale the winner as the scale section says.

    Args:
        context: Of the run.
        winner: The network at phi = 0.

    Returns:
        Network and facts (phi, target) by name.

    Raises:
        BudgetError: A member does not fit into memory, or a target is below the fastest member.
    """
    section = context.settings.scale
    growth = Coefficients(alpha=section.alpha, beta=section.beta, gamma=section.gamma)
    if section.phi is not None:
        limit = section.memory_mib * _MIB
        return {
            f"phi{phi:g}": (compound(winner, **asdict(growth), phi=phi, memory_limit_bytes=limit), {"phi": [phi] * 3})
            for phi in section.phi
        }
    target = context.settings.target
    with context.progress("find members") as report:
        found = family(
            winner, growth, section.targets_ms or [],
            lambda network: measured_latency(
                network, runtime=target.runtime, precision=target.precision, threads=target.threads
            ),
            progress=report,
        )  # fmt: skip
    for member in found:
        _say_jump(context, section, member)
    return {
        f"{member.target_ms:g}ms": (member.architecture, {"phi": list(member.phi), "target_ms": member.target_ms})
        for member in found
    }


def _say_jump(context: RunContext, section: ScaleSection, member: Member) -> None:
    if not member.within:
        context.say(
            f"  no member lies between 95 and 100 % of {member.target_ms:g} ms: the latency jumps there; the next "
            f"below takes {member.latency_ms:.4f} ms"
        )


def require_training_memory(name: str, network: Architecture, context: RunContext) -> None:
    """Refuse a member whose training needs more memory than the section allows, before anything is allocated.

    Raises:
        BudgetError: It does; holds the estimate.
    """
    settings = context.settings
    part = -(-settings.train.batch_size // settings.train.accumulation)
    needed, limit = memory_bytes(network, batch=part, training=True), settings.scale.memory_mib * _MIB
    if not needed <= limit:
        raise BudgetError(
            explain(
                f"the training of {name} does not fit into memory", got=f"an estimate of {needed / _MIB:.0f} MiB for "
                f"{part} images at once", allowed=f"at most {settings.scale.memory_mib} MiB",
                remedy="Choose a smaller phi, raise train.accumulation, or raise scale.memory_mib.",
            )
        )  # fmt: skip


def _row(
    context: RunContext, name: str, network: Architecture, facts: dict[str, Any], folder: Path
) -> dict[str, Any]:
    origins: list[Inheritance] = []
    ancestor = context.directory.path / CHECKPOINT_FILE if inherits(context.settings) else None

    def initial(fresh: Weights) -> Weights:
        from edgenas.nn import load_checkpoint

        winner = load_checkpoint(context.directory.path / CHECKPOINT_FILE)
        weights, origin = inherit(winner.architecture, dict(winner.weights), network, fresh)
        origins.append(origin)
        return weights

    with context.progress(f"train {name}") as report:
        trained = train_afresh(
            context, network, folder="family-state", seed=context.seed("family"), progress=report,
            initial=initial if ancestor else None, ancestor=ancestor,
        )  # fmt: skip
    for origin in origins:
        context.say(f"  {name}: {origin}")
    card = export_network(context, trained, folder)
    target, files = context.settings.target, [file_document(file) for file in card.files]
    wanted = (file_format_of(target.runtime), target.precision)
    own = next((file for file in files if (file["format"], file["precision"]) == wanted), None)
    latency_ms = own["latency_ms"] if own else None
    goal = facts.get("target_ms")
    graph = lower(network)
    return {
        "name": name,
        **facts,
        "architecture": to_document(network),
        "notation": format_notation(network),
        "resolution": network.resolution,
        "macs": macs(graph),
        "params": params(graph),
        "validation_accuracy": trained.fit.validation_accuracy,
        "test_accuracy": card.torch_test.to_dict(),
        "latency_ms": latency_ms,
        "target_share": latency_ms / goal if latency_ms is not None and goal else None,
        "files": files,
        "warnings": list(card.warnings),
        **({"inherited": {**origins[0].to_dict(), "told": str(origins[0])}} if origins else {}),
    }


STAGE: Stage[RunContext] = Stage(
    name="family",
    title="scale the winner",
    needs=("data", "winner"),
    outputs=(FAMILY_FILE, FAMILY_FOLDER),
    inputs=_inputs,
    run=_run,
)
