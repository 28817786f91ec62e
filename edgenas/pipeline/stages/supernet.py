"""The supernet stage: train the shared weights that judge candidates."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.config.sections.training import SupernetSection
from edgenas.errors import ConfigError, WeightsError, explain
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SUPERNET_FILE, SUPERNET_TRAINING_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.core.seen import history_metadata, history_of, require_unseen, trained_on
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.core.start import start_of
from edgenas.pipeline.search.file_sizes import require_limits
from edgenas.pipeline.training.initial_weights import start_from
from edgenas.pipeline.training.settings import importance_of, supernet_settings, transforms_kernels
from edgenas.pipeline.training.teacher import load_teacher, require_apart_teacher, teacher_digest
from edgenas.reading.json_text import plain_text
from edgenas.train.registry import without_newer_defaults

if TYPE_CHECKING:
    from edgenas.data.identity import ImageHistory
    from edgenas.supernet import Supernet, SupernetResult

_ELASTIC = ("teacher", "importance", "kernel_transforms")
_START = ("start", "start_package")


def _elastic(section: SupernetSection) -> dict[str, Any]:
    """Return what the keys of a newer version mean, where they change anything."""
    importance = importance_of(section)
    return {
        **({} if section.teacher is None else {"teacher": teacher_digest(section.teacher)}),
        **({} if importance == "none" else {"importance": importance}),
        **({"kernel_transforms": True} if transforms_kernels(section) else {}),
    }


def _inputs(context: RunContext) -> Mapping[str, Any]:
    settings = context.settings
    # A key of a newer version, left at its default, must not change the fingerprint of finished supernets.
    unused = () if settings.supernet.teacher_weight else ("teacher_weight",)
    weights = {} if settings.supernet.start is None else {"start": _digest_of_start(settings.supernet)}
    return {
        "seed": settings.seed,
        "space": artifacts.space(context).digest,
        "supernet": without_newer_defaults(
            settings.supernet.model_dump(exclude={"recalibration_images", *_START, *_ELASTIC, *unused})
        ),
        **_elastic(settings.supernet),
        **weights,
    }


def _digest_of_start(section: SupernetSection) -> str:
    """Identity of the weights that a supernet starts from; "absent" where there are none of that name."""
    try:
        start = start_of(section)
    except WeightsError:
        return "absent"
    assert start is not None
    said = "" if start.said is None else f" as {start.said}"
    return file_digest(start.path) + said


def train_along(context: RunContext) -> None:
    """Take part in the training of a run's supernet in a process beside the one that does the stage.

    Args:
        context: With the settings of that process. Nothing is written.
    """
    _trained(context, None)


def _trained(
    context: RunContext, folder: Path | None
) -> tuple[Supernet, SupernetResult, list[tuple[str, ImageHistory | None]]]:
    """Train the supernet of a run, and return it with the weights that it comes from.

    Args:
        context: Of the run.
        folder: Of the checkpoints.
    """
    import torch

    from edgenas.supernet import Supernet, train_supernet

    require_limits(context)
    seed = context.seed("supernet")
    device = context.compute_device
    section, images = context.settings.supernet, artifacts.images(context)
    supernet = Supernet(
        artifacts.space(context), generator=torch.Generator().manual_seed(seed),
        kernel_transforms=transforms_kernels(section),
    )  # fmt: skip
    preprocessing = artifacts.preprocessing(context)
    require_apart_teacher(section.teacher, images, say=context.say)
    teacher = load_teacher(section.teacher, classes=images.classes, preprocessing=preprocessing)
    ancestors: list[tuple[str, ImageHistory | None]] = []
    if (start := start_of(section)) is not None:
        history = history_of(start.path)
        require_unseen(history, artifacts.images(context), of=f"supernet.start {start.path}", say=context.say)
        ancestors.append(("the weights that the supernet started from", history))
        _require_whole(section, start_from(supernet, start, say=context.say))
    if section.teacher is not None:
        ancestors.append(("its teacher's weights", history_of(Path(section.teacher))))
    if not section.epochs:
        return supernet, _as_it_is(context, supernet), ancestors
    settings = supernet_settings(context.settings.supernet, context, seed=seed)
    with context.progress("train the supernet") as report:
        result = train_supernet(
            supernet,
            artifacts.images(context),
            settings,
            preprocessing=preprocessing,
            teacher=teacher if teacher is None else teacher.to(device).eval(),
            progress=report,
            checkpoint_dir=folder,
            device=device,
        )
    return supernet, result, ancestors


def _require_whole(section: SupernetSection, fresh: tuple[str, ...]) -> None:
    """Refuse to take weights as they are where some were drawn anew.

    Raises:
        ConfigError: Some were.
    """
    if fresh and not section.epochs:
        raise ConfigError(
            explain(
                f"what was drawn anew for these images must be trained: {', '.join(fresh)}", got="supernet.epochs 0",
                remedy="Set supernet.epochs, or take images of the classes and channels of the weights.",
            )
        )  # fmt: skip


def _as_it_is(context: RunContext, supernet: Supernet) -> SupernetResult:
    """Take the weights of the start without any training."""
    import torch

    from edgenas.supernet import SupernetResult
    from edgenas.supernet.training.placement import place

    preprocessing = place(supernet, artifacts.images(context), artifacts.preprocessing(context), torch.device("cpu"))
    return SupernetResult(
        history=(), steps=0, member_steps=0, seconds=0.0, images_per_second=0.0, waiting_share=0.0,
        notes=("Nothing was trained: the weights are those of the start.",), preprocessing=preprocessing,
    )  # fmt: skip


def _run(context: RunContext) -> None:
    from edgenas.supernet.files import save_supernet
    from edgenas.train.processes import current

    folder = context.state_folder("supernet/checkpoint", {**_inputs(context), "data": artifacts.images(context).digest})
    current().told(plain_text({"supernet": str(context.directory.path)}).encode())
    supernet, result, ancestors = _trained(context, folder)
    for note in result.notes:
        context.say(f"  {note}")
    metadata = history_metadata(trained_on(artifacts.images(context), *ancestors))
    save_supernet(context.directory.file(SUPERNET_FILE), supernet, result.preprocessing, metadata=metadata)
    context.directory.write_json(
        SUPERNET_TRAINING_FILE,
        {
            "scheme": context.settings.supernet.scheme,
            "epochs": len(result.history),
            "seconds": result.seconds,
            "images_per_second": result.images_per_second,
            "waiting_share": result.waiting_share,
            "notes": list(result.notes),
            "device": context.compute_device,
            "processes": current().count,
            "history": [{"epoch": record.epoch + 1, "loss": record.train_loss} for record in result.history],
        },
    )
    shutil.rmtree(folder, ignore_errors=True)


STAGE: Stage[RunContext] = Stage(
    name="supernet",
    title="train the supernet",
    needs=("data",),
    outputs=(SUPERNET_FILE, SUPERNET_TRAINING_FILE),
    inputs=_inputs,
    run=_run,
    wanted=lambda context: artifacts.needs_supernet(context.settings),
)
