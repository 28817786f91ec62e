"""Early checks of what would otherwise end a run late: the store, the teacher, the recipe's file for the target."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from edgenas.config.settings import RunSettings
from edgenas.pipeline.search.file_sizes import planned_file, target_file, wanted_sizes
from edgenas.pipeline.training.teacher import require_teacher
from edgenas.types import Say


def require_usable(settings: RunSettings, stages: Collection[str], *, own_store: Path, say: Say) -> None:
    """Refuse settings that a later stage could not work with.

    Args:
        settings: Of the run.
        stages: Names of those that may run.
        own_store: The store that is used where the settings name none.
        say: Told of a broken store that was set aside.

    Raises:
        StoreError: The store cannot be opened.
        WeightsError: The teacher cannot be read.
        ConfigError: There is no such recipe, or it is broken; or a memory is limited that nothing here can plan.
        BudgetError: The recipe writes no file for the target, so no budget could be held.
    """
    from edgenas.study import open_store

    require_teacher(settings.train.teacher)
    require_teacher(settings.supernet.teacher, key="supernet.teacher")
    if "winner" in stages:
        require_target_file(settings)
    if "search" in stages and "ram_bytes" in wanted_sizes(settings):
        planned_file(settings)
    if "search" in stages or settings.search.store is not None:
        open_store(settings.search.store or own_store, say=say).close()


def require_target_file(settings: RunSettings) -> None:
    """Make sure that a recipe writes the file that the budget is about.

    Raises:
        ConfigError: There is no such recipe, or it is broken.
        BudgetError: It does not.
    """
    target_file(settings)
