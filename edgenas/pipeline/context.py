"""What the stages of a run share: settings, the directory, and values that are loaded once."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas.config.settings import RunSettings
from edgenas.pipeline.directory import RunDirectory, make_folder

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.latency import LatencyTable
    from edgenas.space import SearchSpace
    from edgenas.supernet import SupernetEvaluator

Progress = Callable[[int, int, str], None]
ProgressFactory = Callable[[str], AbstractContextManager[Progress]]

TABLE_FILE = "latency/table.json"


class RunContext:
    """Handed to every stage. Nothing is read before a stage asks for it, so a run with nothing to do takes seconds."""

    def __init__(
        self,
        settings: RunSettings,
        directory: RunDirectory,
        *,
        progress: ProgressFactory,
        say: Callable[[str], None],
    ) -> None:
        """Keep what is given.

        Args:
            settings: Of the run.
            directory: Of the run.
            progress: Makes a progress display for a title.
            say: Prints a line for people.
        """
        self.settings = settings
        self.directory = directory
        self.progress = progress
        self.say = say

    def seed(self, stage: str) -> int:
        """Seed of a stage: independent between stages, fixed by the run's seed."""
        return int(np.random.SeedSequence([self.settings.seed, zlib.crc32(stage.encode())]).generate_state(1)[0])

    def state_folder(self, name: str, depends_on: Mapping[str, Any]) -> Path:
        """Folder for the state of a long piece of work, of its own for everything that the work depends on.

        Args:
            name: Relative to the run directory.
            depends_on: Settings, seeds, digests: JSON-able.
        """
        text = json.dumps(depends_on, sort_keys=True)
        folder = self.directory.path / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        make_folder(folder)
        return folder

    @property
    def threads(self) -> int:
        """Threads for training."""
        affinity = getattr(os, "sched_getaffinity", None)
        return self.settings.threads or (len(affinity(0)) if affinity else os.cpu_count() or 1)

    @cached_property
    def compute_device(self) -> str:
        """Where to train; sets the number of threads of torch on first use."""
        from edgenas.pipeline.compute import choose_device

        return choose_device(self.settings.compute, threads=self.threads)

    @cached_property
    def data(self) -> ImageData:
        """The images in three splits."""
        from edgenas.pipeline.images import load_images

        return load_images(self)

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """What is done to an image before the network sees it."""
        from edgenas.data import Preprocessing

        return Preprocessing.from_dict(self.directory.read_json("data.json")["preprocessing"])

    @cached_property
    def space(self) -> SearchSpace:
        """The search space, adapted to the images."""
        from edgenas.space import load, with_task

        about = self.directory.read_json("data.json")
        return with_task(
            load(self.settings.space.name),
            classes=len(about["classes"]),
            in_channels=about["channels"],
            resolutions=self.settings.space.resolutions or [about["resolution"]],
        )

    @cached_property
    def table(self) -> LatencyTable:
        """The latency table that the table stage wrote."""
        from edgenas.latency import read_table

        return read_table(self.directory.path / TABLE_FILE)

    @cached_property
    def evaluator(self) -> SupernetEvaluator:
        """The trained supernet, ready to judge networks."""
        from edgenas.pipeline.sharing import load_evaluator

        return load_evaluator(self)
