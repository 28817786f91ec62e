"""The data stage: load the images, split them, fix the preprocessing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.images import data_document
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.training.teacher import load_teacher

if TYPE_CHECKING:
    pass


def _signature(path: str | None) -> str:
    """Digest of the names, sizes and times of the files under a path; tells whether images may have changed."""
    if path is None or not Path(path).exists():
        return "absent"
    root = Path(path)
    files = sorted(entry for entry in root.rglob("*") if entry.is_file()) if root.is_dir() else [root]
    digest = hashlib.sha256()
    for entry in files:
        stat = entry.stat()
        digest.update(f"{entry.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _inputs(context: RunContext) -> Mapping[str, Any]:
    settings = context.settings
    # A key that says nothing must not make the data of finished runs look like others.
    unused = {"seed"} if settings.data.seed is None else set()
    given = context.given.images
    return {
        **({} if given is None else {"given": given.digest}),
        "data": settings.data.model_dump(exclude=unused),
        "resolutions": settings.space.resolutions,
        "seed": settings.seed,
        "files": _signature(settings.data.path),
    }


def _run(context: RunContext) -> None:
    from edgenas.data import fit_preprocessing

    data = artifacts.images(context)
    preprocessing = fit_preprocessing(data.train, resize=context.settings.data.resize)
    # Here already, so that a teacher of other classes does not end a run at its last training.
    load_teacher(context.settings.train.teacher, classes=data.classes, preprocessing=preprocessing)
    for note in data.notes:
        context.say(f"  {note}")
    context.directory.write_json("data.json", data_document(context, data, preprocessing))


STAGE: Stage[RunContext] = Stage(
    name="data", title="load the images", needs=(), outputs=("data.json",), inputs=_inputs, run=_run
)
