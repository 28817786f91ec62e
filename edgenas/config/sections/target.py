"""Sections about the device: what is aimed at, and the latency table."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from edgenas.config.bounds import KiB, Macs, Milliseconds, Networks, Threads
from edgenas.config.sections.names import ArenaName, PathText, PrecisionName, RuntimeName
from edgenas.config.sections.section import Section


class TargetSection(Section):
    """Where the network shall run and how fast it must be there."""

    runtime: RuntimeName = Field("ort", description="What runs the files on the device.")
    precision: PrecisionName = Field("fp32", description="Of the file that the budget is about.")
    threads: Threads = Field(1, description="Threads of the runtime on the device.")
    budget_ms: Milliseconds | None = Field(None, description="Largest measured latency of the exported file, ms.")
    budget_share: float | None = Field(
        None, gt=0, le=1, description="Instead: share of the latency of the space's largest network."
    )
    max_macs: Macs | None = Field(None, description="Largest number of multiply-accumulates.")
    max_params: Macs | None = Field(None, description="Largest number of parameters.")
    max_file_kib: KiB | None = Field(None, description="Largest size of the very file that ships for the target, KiB.")
    max_ram_kib: KiB | None = Field(
        None, description="Largest memory that the runtime plans for activations of one image, KiB (docs/search.md)."
    )
    ram_of: ArenaName | None = Field(
        None, description="Whose plan max_ram_kib and ram_bytes mean; that of runtime if left out, which knows litert."
    )

    @model_validator(mode="after")
    def _one_budget(self) -> TargetSection:
        if self.budget_ms is not None and self.budget_share is not None:
            raise ValueError("one of budget_ms and budget_share")
        return self


class LatencySection(Section):
    """The latency table of the space on the target."""

    table: PathText | None = Field(
        None, description="A table file or shipped table; measured on this device if left out."
    )
    use_shipped: bool = Field(True, description="Use a shipped table of this very space and machine, where it holds.")
    networks: Annotated[Networks, Field(ge=4)] = Field(60, description="Networks to measure for a new table.")
    validation_networks: Networks = Field(12, description="Held-out networks on which a new table is checked.")
    force: bool = Field(False, description="Measure even on a busy machine.")
