"""The teacher of a training, from the checkpoint that a configuration names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.errors import ConfigError, WeightsError, explain
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.core.seen import history_of, require_unseen
from edgenas.reading.json_text import plain_value
from edgenas.types import Say

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.train import Teacher


def load_teacher(path: str | None, *, classes: tuple[str, ...], preprocessing: Preprocessing) -> Teacher | None:
    """Read a teacher; None where no checkpoint is named.

    Args:
        path: A checkpoint that edgenas wrote.
        classes: Names of the classes of the student's images.
        preprocessing: Of the student's images.

    Raises:
        WeightsError: It is no checkpoint, or of other classes or channels.
    """
    if path is None:
        return None
    from edgenas.data import Preprocessing
    from edgenas.nn import build, load_checkpoint
    from edgenas.train import Teacher

    found = load_checkpoint(Path(path))
    labels = plain_value(found.metadata.get("labels", "null"))
    if found.architecture.classes != len(classes) or (labels is not None and tuple(labels) != classes):
        raise WeightsError(
            explain(
                f"the teacher {path} knows other classes",
                got=_named(labels, found.architecture.classes),
                allowed=_named(classes, len(classes)),
                remedy="Train a teacher on these images first (edgenas train), or leave the teacher out.",
            )
        )
    model = build(found.architecture)
    model.load_weights(found.weights)
    own = plain_value(found.metadata.get("preprocessing", "null"))
    return Teacher(model, images=preprocessing, own=preprocessing if own is None else Preprocessing.from_dict(own))


def require_apart_teacher(path: str | None, data: ImageData, *, say: Say) -> None:
    """Refuse a teacher that was trained on the test images, since the student learns from it.

    Args:
        path: A checkpoint that edgenas wrote; None where there is no teacher.
        data: Images of the student.
        say: Told where the teacher does not say what it was trained on.

    Raises:
        DataError: It was.
    """
    if path is not None:
        require_unseen(history_of(Path(path)), data, of=f"the teacher {path}", say=say)


def teacher_for(path: str | None, *, classes: tuple[str, ...]) -> Callable[[Preprocessing], Teacher] | None:
    """Return the function that reads the teacher for networks of several resolutions; None if no checkpoint is named.

    Args:
        path: A checkpoint that edgenas wrote.
        classes: Names of the classes of the students' images.
    """
    if path is None:
        return None

    def read(preprocessing: Preprocessing) -> Teacher:
        teacher = load_teacher(path, classes=classes, preprocessing=preprocessing)
        assert teacher is not None
        return teacher

    return read


def require_teacher(path: str | None, *, key: str = "train.teacher") -> None:
    """Check at the start of a run that the file of a teacher exists, since it is read hours later.

    Raises:
        ConfigError: It is not.
    """
    if path is not None and not Path(path).is_file():
        raise ConfigError(
            explain(f"{key} is not there", got=path, allowed="a checkpoint that edgenas wrote (.safetensors)")
        )


def teacher_digest(path: str | None) -> str | None:
    """Return the identity of a teacher's file, for the state of a training."""
    if path is None:
        return None
    return file_digest(Path(path)) if Path(path).is_file() else "absent"


def _named(classes: tuple[str, ...] | list[str] | None, count: int) -> str:
    names = ", ".join(classes[:6]) + (", ..." if count > 6 else "") if classes else "without names"
    return f"{count} ({names})"
