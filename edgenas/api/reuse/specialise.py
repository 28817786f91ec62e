"""A trained supernet taken to another device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgenas.api.runs import Run, context_of
from edgenas.display import or_default
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable
    from edgenas.pipeline.commands.specialise.result import Specialised


def specialise(
    run: str | Path | Run,
    *,
    budget_ms: float | None = None,
    budget_share: float | None = None,
    table: str | Path | LatencyTable | None = None,
    runtime: str | None = None,
    precision: Literal["fp32", "int8"] | None = None,
    threads: int | None = None,
    evaluations: int = 200,
    measure: int = 8,
    also: Sequence[str | Path] = (),
    folder: str | Path | None = None,
    force: bool = False,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> Specialised:
    """Take a run's shared weights to another device: search on its table, export and measure; nothing is trained.

    Args:
        run: A finished run, or the folder of `transfer`; it stays as it is.
        budget_ms: Largest latency, ms.
        budget_share: Instead: share of the latency of the space's largest network on that device.
        table: The other device's table; one measured here if None.
        runtime, precision: Of a table that is measured here, `ort` and `fp32` if None; a table that is named must be of
            them.
        threads: Of the target; those of the run if None.
        evaluations: Networks to judge.
        measure: Networks to measure before one is exported.
        also: Folders of specialisations for other devices, to know their networks too.
        folder: For the bundle and `specialised.json`; see `specialised_folder` if None.
        force: Replace an export; measure on a busy machine.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Raises:
        StoreError: It is no run directory.
        BudgetError: There is no budget, or nothing meets it; the message says how fast the fastest is.
        TableError: The table does not cover the run's space, or is of another target.
        ExportError: There is a bundle, or a file does not compute what torch computes.
        DataError: The run's images are not what they were.
        DeviceError: The runtime is missing or the machine is busy.
    """
    from edgenas.config.sections.target import TargetSection
    from edgenas.latency import LatencyTable
    from edgenas.pipeline.commands.specialise.command import specialise as specialise_run
    from edgenas.pipeline.commands.specialise.device_table import device_table
    from edgenas.pipeline.core import artifacts
    from edgenas.pipeline.core.lock import writing
    from edgenas.pipeline.core.tables import Wanted, require_usable_table

    shown, told = or_default(progress, say)
    source = context_of(run, progress=shown, say=told)
    named = None if table is None or isinstance(table, LatencyTable) else str(table)
    out = specialised_folder(source.directory.path, folder, named or f"{runtime or 'ort'}-{precision or 'fp32'}")
    wanted = Wanted(runtime, precision, threads or source.settings.target.threads)
    with writing(out):
        device = table if isinstance(table, LatencyTable) else device_table(
            source, out, table=named, wanted=wanted, force=force
        )  # fmt: skip
        require_usable_table(device, wanted, here=False, space=artifacts.space(source), name=named or "")
        target = TargetSection(budget_ms=budget_ms, budget_share=budget_share)
        return specialise_run(
            source, device, target, out, evaluations=evaluations, measure=measure, also=[Path(path) for path in also],
            force=force,
        )  # fmt: skip


def specialised_folder(run: Path, folder: str | Path | None, table: str) -> Path:
    """Return where a specialisation is written: RUN-TABLE beside the run where no folder is named."""
    return Path(folder) if folder else run.resolve().with_name(f"{run.resolve().name}-{Path(table).stem}")
