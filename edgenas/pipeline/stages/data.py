"""The data stage: load the images, split them, fix the preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.images import data_document, data_section, preprocessing_of
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.training.teacher import load_teacher, require_apart_teacher


def _signature(context: RunContext) -> str:
    """Return what changes with the images: signatures of files, or the content of sources without files.
    """
    from edgenas.data.loading.signature import tree_signature

    settings = context.settings.data
    if settings.path is None:
        return "absent"
    if settings.source == "huggingface" and not Path(settings.path).exists():
        from edgenas.data.loading.load import source_key

        return source_key(settings.source, settings.path)
    return tree_signature(Path(settings.path).expanduser())


def _inputs(context: RunContext) -> Mapping[str, Any]:
    settings = context.settings
    # A key of a newer version, left at its default, must not change the fingerprint of finished runs.
    section = data_section(context)
    optional = ("seed", "interpolation", "crop", "mean", "std")
    unused = {name for name in optional if getattr(section, name) is None} | {"cache_dir", "cache_limit_gib"}
    given = context.given.images
    return {
        **({} if given is None else {"given": given.digest}),
        "data": section.model_dump(exclude=unused),
        "resolutions": settings.space.resolutions,
        "seed": settings.seed,
        "files": _signature(context),
    }


def _run(context: RunContext) -> None:
    data = artifacts.images(context)
    preprocessing = preprocessing_of(context, data)
    # Checked here, so that a teacher of other classes does not end a run hours later at its last training.
    load_teacher(context.settings.train.teacher, classes=data.classes, preprocessing=preprocessing)
    require_apart_teacher(context.settings.train.teacher, data, say=context.say)
    for note in data.notes:
        context.say(f"  {note}")
    context.directory.write_json("data.json", data_document(context, data, preprocessing))


STAGE: Stage[RunContext] = Stage(
    name="data", title="load the images", needs=(), outputs=("data.json",), inputs=_inputs, run=_run
)
