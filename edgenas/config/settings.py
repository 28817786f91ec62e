"""The settings of a run, one class a section: what a YAML may say, its defaults and its limits."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from edgenas.config.bounds import Seed, Threads
from edgenas.config.sections.delivery import ExportSection, ScaleSection, WorkersSection
from edgenas.config.sections.images import DataSection, SpaceSection
from edgenas.config.sections.names import PathText
from edgenas.config.sections.search import FrontSection, SearchSection
from edgenas.config.sections.section import Section
from edgenas.config.sections.target import LatencySection, TargetSection
from edgenas.config.sections.training import SupernetSection, TrainSection
from edgenas.text import SAFE_NAME, is_safe_name

_COMPUTE = r"^(auto|cpu|cuda(:\d+)?)$"


class RunSettings(Section):
    """A whole run."""

    name: str = Field(pattern=SAFE_NAME, description="Names the run directory.")
    seed: Seed = Field(0, description="The same seed gives the same run.")
    output: PathText = Field("runs", description="Folder of run directories.")
    threads: Threads | None = Field(None, description="Threads for training; all cores if left out.")
    compute: str = Field(
        "auto", json_schema_extra={"pattern": _COMPUTE}, description="Where to train: auto, cpu, cuda or cuda:N."
    )
    checkpoint_minutes: Annotated[float, Field(gt=0, le=10_000)] = Field(
        10.0, description="Longest time between two checkpoints of a training; it changes no result."
    )
    data: DataSection = DataSection()
    space: SpaceSection = SpaceSection()
    target: TargetSection = TargetSection()
    latency: LatencySection = LatencySection()
    supernet: SupernetSection = SupernetSection()
    search: SearchSection = SearchSection()
    front: FrontSection = FrontSection()
    train: TrainSection = TrainSection()
    export: ExportSection = ExportSection()
    scale: ScaleSection = ScaleSection()
    workers: WorkersSection = WorkersSection()

    @model_validator(mode="after")
    def _works_with_one_thread(self) -> RunSettings:
        if self.workers.count > 1 and self.threads != 1:
            raise ValueError(
                "threads: 1 with workers.count above 1; each is one core, and another number of threads would change "
                "the last digits of a training"
            )
        return self

    @model_validator(mode="after")
    def _averages_what_can_be(self) -> RunSettings:
        if self.search.strategy == "darts_second_order" and self.supernet.averaging_decay is not None:
            raise ValueError("no supernet.averaging_decay with darts_second_order, which learns from the weights alone")
        return self

    @model_validator(mode="after")
    def _starts_from_what_there_is(self) -> RunSettings:
        if self.train.from_supernet is None:
            # Set in place: the key stays one that was left out, so that another estimator decides it anew.
            values = {"from_supernet": self._judges_with_supernet()}
            train = self.train.model_copy(update=values)
            train.__pydantic_fields_set__.discard("from_supernet")
            self.__dict__["train"] = train
        return self

    def _judges_with_supernet(self) -> bool:
        from edgenas.evaluate.registry import ESTIMATORS
        from edgenas.search.strategies import STRATEGIES

        return ESTIMATORS[self.search.estimator].needs_supernet or STRATEGIES[self.search.strategy].one_shot

    @model_validator(mode="after")
    def _halves_epochs(self) -> RunSettings:
        if self.search.estimator == "halving" and self.train.seconds is not None:
            raise ValueError("no train.seconds with the estimator halving, which compares trainings of so many epochs")
        return self

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if set(value) == {"."}:
            raise ValueError("a name with a letter or digit; this is a folder above")
        if not is_safe_name(value):
            raise ValueError("a name that every system takes for a folder of its own")
        return value

    @field_validator("compute")
    @classmethod
    def _names_a_device(cls, value: str) -> str:
        if not re.match(_COMPUTE, value):
            raise ValueError("auto, cpu, cuda or cuda:N")
        return value
