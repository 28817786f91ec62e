"""The context that the stages of a run share: settings, directory, seeds, and a cache of loaded values."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edgenas.config.settings import RunSettings
from edgenas.pipeline.core.compute import choose_device
from edgenas.pipeline.core.directory import RunDirectory, make_folder
from edgenas.pipeline.core.given import NOTHING, Given
from edgenas.reading.json_text import plain_text
from edgenas.types import ProgressFactory, Say

Loaded = TypeVar("Loaded")


class RunContext:
    """The context of every stage.

    Nothing is read before a stage asks for it, so a run with nothing to do takes seconds.
    """

    def __init__(
        self,
        settings: RunSettings,
        directory: RunDirectory,
        *,
        progress: ProgressFactory,
        say: Say,
        given: Given = NOTHING,
    ) -> None:
        """Keep what is given.

        Args:
            settings: Of the run.
            directory: Of the run.
            progress: Makes a progress display for a title.
            say: Prints a line for people.
            given: What the caller has loaded already.
        """
        self.given = given
        self.settings = settings
        self.directory = directory
        self.progress = progress
        self.say = say
        self._loaded: dict[str, Any] = {}

    def once(self, name: str, load: Callable[[], Loaded]) -> Loaded:
        """Return a value that is loaded when it is first asked for.

        Args:
            name: Of the value; the same name is the same value.
            load: Called at most once.
        """
        if name not in self._loaded:
            self._loaded[name] = load()
        found: Loaded = self._loaded[name]
        return found

    def seed(self, stage: str) -> int:
        """Seed of a stage: independent between stages, fixed by the run's seed."""
        return int(np.random.SeedSequence([self.settings.seed, zlib.crc32(stage.encode())]).generate_state(1)[0])

    def state_folder(self, name: str, depends_on: Mapping[str, Any]) -> Path:
        """Return the folder for the state of long work. Other dependencies give another folder.

        Args:
            name: Relative to the run directory.
            depends_on: Settings, seeds, digests: JSON-able.
        """
        text = plain_text(depends_on, sort_keys=True)
        folder = self.directory.path / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        make_folder(folder)
        return folder

    @property
    def threads(self) -> int:
        """Threads for training; the processes that torchrun started on this host divide its cores."""
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        return self.settings.threads or max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

    @cached_property
    def compute_device(self) -> str:
        """Where to train; sets the number of threads of torch on first use."""
        return choose_device(self.settings.compute, threads=self.threads)
