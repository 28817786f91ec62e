"""The report stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenas.pipeline.core.artifacts import FAMILY_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.core.stage import Stage
from edgenas.version import __version__


def _inputs(context: RunContext) -> Mapping[str, Any]:
    family = context.directory.path / FAMILY_FILE
    return {
        "version": __version__,
        "name": context.settings.name,
        "family": file_digest(family) if context.settings.scale.wanted and family.is_file() else None,
    }


def _run(context: RunContext) -> None:
    from edgenas.report import write_report

    write_report(context.directory.path)


STAGE: Stage[RunContext] = Stage(
    name="report",
    title="write the report",
    needs=("data", "table", "supernet", "search", "front", "winner"),
    outputs=("report.html",),
    inputs=_inputs,
    run=_run,
)
