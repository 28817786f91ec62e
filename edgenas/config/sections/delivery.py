"""Sections about what is delivered, and by how many processes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgenas.config.bounds import MiB, Milliseconds
from edgenas.config.sections.names import PathText
from edgenas.config.sections.section import Section


class ExportSection(Section):
    """The files that are written for the chosen network."""

    recipe: PathText = Field("mobile", description="A recipe of `export/` or the path of a YAML file.")


class ScaleSection(Section):
    """A family of the winner; none where neither phi nor targets_ms is given."""

    phi: list[Annotated[float, Field(ge=-20, le=20)]] | None = Field(
        None, min_length=1, max_length=100, description="How far; negative makes it smaller."
    )
    targets_ms: list[Milliseconds] | None = Field(
        None, min_length=1, max_length=100, description="Instead: a measured latency of each member on the target, ms."
    )
    alpha: float = Field(1.2, ge=1, le=4, description="Growth of depth for each unit of phi.")
    beta: float = Field(1.1, ge=1, le=4, description="Growth of width.")
    gamma: float = Field(1.15, ge=1, le=4, description="Growth of resolution.")
    memory_mib: MiB = Field(4096, description="Members that need more, to run or to train, are refused.")
    inherit: bool | None = Field(
        None, description="Members start from the winner's weights (docs/scaling.md); if left out, where there is a "
        "supernet.start.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_kind(self) -> ScaleSection:
        if self.phi is not None and self.targets_ms is not None:
            raise ValueError("one of phi and targets_ms")
        return self

    @property
    def wanted(self) -> bool:
        """Whether there shall be a family."""
        return self.phi is not None or self.targets_ms is not None


class WorkersSection(Section):
    """Processes that train several networks at once: candidates of a search, a validation's networks, finalists."""

    kind: Literal["local"] = Field("local", description="Where they run: processes of this machine.")
    count: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="How many networks are trained at once. More need `threads: 1`; the results are the same."
    )
