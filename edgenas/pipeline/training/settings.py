"""From the sections of a configuration to the settings of trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.config.sections.training import AugmentSection, SupernetSection, TrainSection
from edgenas.errors import ConfigError, explain
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.start import starts_from_supernet
from edgenas.supernet.elastic.importance import Importance

if TYPE_CHECKING:
    from edgenas.data import AugmentSettings
    from edgenas.supernet.settings import SupernetSettings
    from edgenas.train import TrainSettings

_OWN = {"scheme", "random_members", "distillation_weight", "distil_after", "teacher_weight"}
_OF_SUPERNET = {"start", "start_package", "teacher", "importance", "kernel_transforms"}
PRETRAINED_IMPORTANCE: Importance = "l2"
"""By which the channels of a network that was trained are sorted, by benchmarks/importance.py."""


def augment_settings(section: AugmentSection) -> AugmentSettings:
    """Translate a configuration's section to the random changes of a batch."""
    from edgenas.data import AugmentSettings

    return AugmentSettings(**section.model_dump())


def train_settings(section: TrainSection, context: RunContext, *, seed: int) -> TrainSettings:
    """Translate a configuration's section to the settings of a training.

    Args:
        section: The section.
        context: Says how many threads read images which do not lie in memory, and how often checkpoints are written.
        seed: Of the training.
    """
    from edgenas.train import TrainSettings

    values = section.model_dump(exclude={"recipe", "from_supernet", "finalists", "augment", "teacher"})
    values |= {"seed": seed, "workers": context.threads, "checkpoint_minutes": context.settings.checkpoint_minutes}
    return TrainSettings(**values, augment=augment_settings(section.augment))


def supernet_settings(section: SupernetSection, context: RunContext, *, seed: int) -> SupernetSettings:
    """Translate a configuration's section to the settings of a supernet's training.

    Args:
        section: The section.
        context: Says how many threads read images which do not lie in memory, and how often checkpoints are written.
        seed: Of the training.
    """
    from edgenas.supernet.settings import SupernetSettings
    from edgenas.train import TrainSettings

    values = section.model_dump(exclude={*_OWN, *_OF_SUPERNET, "recipe", "augment", "recalibration_images"})
    values |= {"seed": seed, "workers": context.threads, "checkpoint_minutes": context.settings.checkpoint_minutes}
    train = TrainSettings(**values, augment=augment_settings(section.augment))
    return SupernetSettings(**section.model_dump(include=_OWN), importance=importance_of(section), train=train)


def importance_of(section: SupernetSection) -> Importance:
    """Return by which a supernet's channels are sorted.

    Raises:
        ConfigError: They are to be sorted, and the start is a supernet, whose smaller members that would destroy.
    """
    if section.start is None:
        return "none" if section.importance is None else section.importance
    whole = starts_from_supernet(section)
    if whole and section.importance not in (None, "none"):
        raise ConfigError(
            explain(
                f"the channels of {section.start} are sorted already", got=f"supernet.importance: {section.importance}",
                allowed="none", remedy="Leave the key out.",
            )
        )  # fmt: skip
    usual: Importance = "none" if whole else PRETRAINED_IMPORTANCE
    return usual if section.importance is None else section.importance


def transforms_kernels(section: SupernetSection) -> bool:
    """Whether a supernet learns transformations of its kernels.

    Raises:
        ConfigError: It must not, and the start is a supernet that needs its own.
    """
    if section.kernel_transforms is False and starts_from_supernet(section):
        raise ConfigError(
            explain(
                f"the smaller kernels of {section.start} are transformations of the larger ones",
                got="supernet.kernel_transforms: false", allowed="true", remedy="Leave the key out.",
            )
        )  # fmt: skip
    return section.start is not None if section.kernel_transforms is None else section.kernel_transforms
