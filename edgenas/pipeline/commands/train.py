"""Train one network on the images of a configuration, outside of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgenas.arch import Architecture
from edgenas.config.settings import RunSettings
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory, make_folder
from edgenas.pipeline.core.given import NOTHING, Given
from edgenas.pipeline.core.images import following, load_images, preprocessing_of
from edgenas.pipeline.core.seen import history_metadata, history_of, require_unseen
from edgenas.pipeline.training.initial_weights import fit_to_data, padded_as, starting_weights
from edgenas.pipeline.training.network import train_network
from edgenas.pipeline.training.teacher import require_apart_teacher, require_teacher
from edgenas.reading.json_text import plain_text
from edgenas.types import ProgressFactory, Say


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A finished training.

    Attributes:
        checkpoint: The file with weights, architecture, preprocessing and labels.
        architecture: The network, fitted to the images.
        validation_accuracy: In [0, 1].
        test_accuracy: In [0, 1].
        test_standard_error: Of it.
        images_per_second: Of the training, without judging.
        waiting_share: Share of the training spent waiting for images.
        device: Where it was trained.
    """

    checkpoint: Path
    architecture: Architecture
    validation_accuracy: float
    test_accuracy: float
    test_standard_error: float
    images_per_second: float
    waiting_share: float
    device: str


def train_alone(
    architecture: Architecture,
    settings: RunSettings,
    out: Path,
    *,
    start: str | Path | None = None,
    start_package: str | None = None,
    given: Given = NOTHING,
    progress: ProgressFactory,
    say: Say,
) -> Alone:
    """Train a network by the train section of a configuration; its head is fitted to the images' classes.

    Args:
        architecture: Any network; classes, channels and resolution become those of the images.
        settings: Of a run; its data, train, seed and compute sections are used.
        out: Folder for the checkpoint and the state of the training.
        start: Weights of the same network to start from: a file, or a name of `edgenas.weights`. A head for other
            classes is drawn anew. Padding and the preparation of images are those of these weights, unless the
            configuration states the latter.
        start_package: Of a foreign file whose names do not say it; see `edgenas.weights.load.find_start`.
        given: Images that were loaded already.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Raises:
        WeightsError: `start` is of another network.
        DataError: The images cannot be used, or `start` or the teacher was trained on the test images.
        TrainingError: The training cannot go on.
    """
    import torch

    from edgenas.data.identity import find_seen
    from edgenas.nn import Checkpoint, save_checkpoint
    from edgenas.train.accuracy import BATCH_SIZE, evaluate_batches
    from edgenas.train.loop.images import judging_batches
    from edgenas.train.processes import current
    from edgenas.weights.load import find_start

    require_teacher(settings.train.teacher)
    begin = None if start is None else find_start(start, package=start_package)
    data_settings = following(settings.data, None if begin is None else begin.images())
    # Only this start counts, not one that the configuration names for a supernet.
    settings = settings.model_copy(
        update={"data": data_settings, "supernet": settings.supernet.model_copy(update={"start": None})}
    )
    make_folder(out)
    context = RunContext(settings, RunDirectory(path=out), progress=progress, say=say, given=given)
    wanted = settings.data.resolution or (None if settings.data.source == "digits" else architecture.resolution)
    processes = current()
    if not processes.first:
        processes.wait()
    data = load_images(context, resolution=wanted)
    if processes.first:
        # The others read what this process prepared.
        processes.wait()
    for note in data.notes:
        say(f"  {note}")
    weights = None
    if begin is not None:
        require_unseen(history_of(begin.path), data, of=f"the start {begin.path}", say=say)
        weights = begin.load(architecture)
        architecture = padded_as(architecture, weights, say=say)
    require_apart_teacher(settings.train.teacher, data, say=say)
    fitted = fit_to_data(architecture, len(data.classes), data.channels, data.resolution, say=say)
    preprocessing = preprocessing_of(context, data)
    with progress("train") as report:
        trained = train_network(
            context,
            fitted,
            data,
            preprocessing,
            seed=context.seed("train"),
            initial=None if weights is None else (
                lambda fresh: starting_weights(weights, fitted, fresh, of=str(start), say=say)
            ),
            ancestor=None if begin is None else begin.path,
            folder=context.directory.file("state/settings").parent,
            progress=report,
        )
    module, found, device = trained.module, trained.fit, context.compute_device
    tested = evaluate_batches(
        module.to(device),
        judging_batches(data.test, preprocessing, batch_size=BATCH_SIZE, device=torch.device(device)),
    )
    module.to("cpu")
    for note in found.notes:
        say(f"  {note}")
    checkpoint = out / "model.safetensors"
    metadata = {
        "preprocessing": plain_text(preprocessing.to_dict()),
        "labels": plain_text(list(data.classes)),
        "training": plain_text(settings.train.model_dump()),
        **history_metadata(trained.history),
    }
    if processes.first:
        save_checkpoint(checkpoint, Checkpoint(architecture=fitted, weights=module.weights(), metadata=metadata))
        finding = find_seen(trained.history, data.contents)
        context.directory.write_json("training.json", {**found.to_dict(), "test_images": finding.to_dict()})
    processes.wait()
    return Alone(
        checkpoint=checkpoint,
        architecture=fitted,
        validation_accuracy=found.validation_accuracy,
        test_accuracy=tested.value,
        test_standard_error=tested.standard_error,
        images_per_second=found.images_per_second,
        waiting_share=found.waiting_share,
        device=device,
    )
