"""Bringing a trained network to a tighter budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.api.config import Config, Overrides, changed, load_config, with_sections
from edgenas.api.images import data_section
from edgenas.api.runs import Run, context_of
from edgenas.api.tables import load_table
from edgenas.api.train import TrainedNetwork
from edgenas.display import or_default
from edgenas.errors import InputError, explain
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    from edgenas.config.settings import RunSettings
    from edgenas.data import ImageData
    from edgenas.latency import LatencyTable
    from edgenas.pipeline.commands.refine.result import Refined


def refine(
    model: TrainedNetwork | Run | str | Path,
    data: ImageData | None = None,
    *,
    to_share: float | None = None,
    budget_ms: float | None = None,
    table: str | Path | LatencyTable | None = None,
    step_share: float = 0.05,
    short_steps: int = 40,
    folder: str | Path | None = None,
    config: Config = None,
    overrides: Overrides = (),
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> Refined:
    """Narrow a trained network step by step to a latency budget (NetAdapt, Yang 2018), its weights carried over.

    Args:
        model: What `train` returned, a run, a checkpoint, or a run directory; it stays as it is.
        data: The images that it was trained on; those of the configuration, or of the run, if None.
        to_share: Wanted share of its measured latency, between 0 and 1.
        budget_ms: Instead: wanted latency, ms.
        table: See `load_table`; the run's own if None, and where there is none every proposal is measured.
        step_share: What each step saves at least, as a share of the first latency.
        short_steps: Optimiser steps of each proposal.
        folder: For the results; beside the model, with `-refined` at the end, if None. A stopped walk is resumed.
        config: Of the training; the run's own if None.
        overrides: Keys that replace the configuration's.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Raises:
        InputError: Neither or both of `to_share` and `budget_ms` are given, or there are no images.
        BudgetError: The budget lies below what narrowing can reach, or is met already.
        WeightsError, DataError, TableError: The checkpoint, images or table cannot be used.
        TrainingError: A training cannot go on.
    """
    from edgenas.pipeline.commands.refine.result import Plan
    from edgenas.pipeline.commands.refine.walk import refine as walk
    from edgenas.pipeline.core.artifacts import CHECKPOINT_FILE, TABLE_FILE
    from edgenas.pipeline.core.context import RunContext
    from edgenas.pipeline.core.directory import RunDirectory
    from edgenas.pipeline.core.given import Given
    from edgenas.pipeline.core.lock import writing
    from edgenas.pipeline.core.tables import Wanted, own_table, require_usable_table

    plan = Plan(share=to_share, budget_ms=budget_ms, step_share=step_share, short_steps=short_steps)
    source = _source_of(model)
    run = source if source.is_dir() else source.parent
    checkpoint = source / CHECKPOINT_FILE if source.is_dir() else source
    settings = _settings(run, source, data, config, overrides)
    shown, told = or_default(progress, say)
    target = settings.target
    wanted = Wanted(target.runtime, target.precision, target.threads)
    chosen = own_table(run / TABLE_FILE, wanted, say=told) if table is None else load_table(table)
    if table is not None and chosen is not None:
        require_usable_table(chosen, wanted, here=True, name=str(table) if isinstance(table, str | Path) else "")
    if chosen is None:
        told("  no latency table: every proposal is measured")
    where = Path(folder) if folder else source.resolve().with_name(f"{source.resolve().stem}-refined")
    context = RunContext(settings, RunDirectory(path=where), progress=shown, say=told, given=Given(images=data))
    with writing(where):
        return walk(context, checkpoint, plan, table=chosen)


def _source_of(model: TrainedNetwork | Run | str | Path) -> Path:
    if isinstance(model, TrainedNetwork):
        return model.checkpoint
    return model.path if isinstance(model, Run) else Path(model).expanduser()


def _settings(run: Path, source: Path, data: ImageData | None, config: Config, overrides: Overrides) -> RunSettings:
    if config is not None or data is not None:
        settings = load_config(config, overrides)
        return settings if data is None else with_sections(settings, data=data_section(data).model_dump())
    if not (run / "settings.json").is_file():
        raise InputError(explain(f"no images to train {source} with", remedy="Name a configuration: --data CONFIG."))
    own = context_of(run, progress=None, say=None).settings
    return changed(own, overrides, source=str(run / "settings.json"))
