"""Training one network."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.api.candidates import Candidate
from edgenas.api.config import Config, given, load_config, with_sections
from edgenas.api.folder import Folder, folder_of
from edgenas.api.images import data_section
from edgenas.api.networks import Network, load_network
from edgenas.arch import Architecture
from edgenas.display import no_progress, or_default, say_nothing
from edgenas.errors import InputError, explain
from edgenas.markup import html_table
from edgenas.reading.json_text import plain_value
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgenas.data import ImageData
    from edgenas.nn import GraphModule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedNetwork:
    """A trained network.

    Attributes:
        checkpoint: File with weights, architecture, preprocessing and names of the classes.
        architecture: The network.
        validation_accuracy: On the validation images, in [0, 1].
        test_accuracy: On the test images, in [0, 1].
        test_standard_error: Of that.
        images_per_second: Of the training, without judging.
        waiting_share: Share of the training that was spent waiting for images.
        device: Where it was trained.
        folder: Where the checkpoint lies; temporary unless one was named.
    """

    checkpoint: Path
    architecture: Architecture
    validation_accuracy: float
    test_accuracy: float
    test_standard_error: float
    images_per_second: float
    waiting_share: float
    device: str
    folder: Folder = field(repr=False)

    def module(self) -> GraphModule:
        """Return the network as a torch module, ready to judge.

        Raises:
            WeightsError: The checkpoint is damaged or gone.
        """
        import torch

        from edgenas.nn import build, load_checkpoint

        found = load_checkpoint(self.checkpoint)
        module = build(found.architecture, generator=torch.Generator().manual_seed(0))
        module.load_weights(found.weights)
        return module.eval()

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.str_]:
        """Return the names of the classes (N,) of images.

        Args:
            images: (N, H, W, C) uint8 of any size, with C of 1, 3 or 4.

        Raises:
            DataError: The images have another shape or type.
        """

        import numpy as np
        import torch

        from edgenas.data import Preprocessing
        from edgenas.errors import DataError
        from edgenas.nn import load_checkpoint

        images = np.asarray(images)
        if images.ndim != 4 or images.shape[3] not in (1, 3, 4) or images.dtype != np.uint8:
            got, wanted = f"{images.shape} {images.dtype}", "(N, H, W, C) uint8 with C of 1, 3 or 4"
            raise DataError(explain("the images cannot be used", got=got, allowed=wanted))
        metadata = load_checkpoint(self.checkpoint).metadata
        preprocessing = Preprocessing.from_dict(plain_value(metadata["preprocessing"]))
        with torch.no_grad():
            logits = self.module()(torch.from_numpy(preprocessing.apply(images)))
        return np.array(plain_value(metadata["labels"]))[logits.argmax(dim=1).numpy()]

    def __repr__(self) -> str:
        test = f"{100 * self.test_accuracy:.2f} +- {164.5 * self.test_standard_error:.2f} % test"
        return f"TrainedNetwork({test}, {100 * self.validation_accuracy:.2f} % validation, {str(self.checkpoint)!r})"

    def _repr_html_(self) -> str:
        from edgenas.arch.notation import format_notation

        rows = [
            ("test accuracy", f"{100 * self.test_accuracy:.2f} +- {164.5 * self.test_standard_error:.2f} % (90 %)"),
            ("validation accuracy", f"{100 * self.validation_accuracy:.2f} %"),
            ("network", format_notation(self.architecture)),
            ("checkpoint", self.checkpoint),
        ]
        return html_table((), rows)


def train(
    network: Network,
    data: ImageData | None = None,
    *,
    epochs: int | None = None,
    start: str | Path | None = None,
    start_package: str | None = None,
    teacher: str | Path | None = None,
    from_supernet: bool = True,
    seed: int | None = None,
    folder: str | Path | None = None,
    config: Config = None,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> TrainedNetwork:
    """Train one network and judge it on the test images.

    Where torchrun started several processes, they train together: each takes its part of every batch, and process 0
    writes and prints. See docs/scale.md.

    Args:
        network: A network that a search found, or any other; see `load_network`. Its classes, channels and input size
            become those of the images; what a search found keeps its input size.
        data: Images of `load_images`; those of the configuration if None.
        epochs: 40 if None.
        start: Weights of the same network to start from: a checkpoint, a state dict of another package, or a name of
            `list_weights`. Padding, and what `config` leaves open of preparing images, are those of these weights.
        start_package: Whose network a foreign file is, where its names do not say it: torchvision, timm, timm_tf or
            efficientnet_pytorch.
        teacher: Checkpoint of a network of the same classes, to distil from.
        from_supernet: Whether a network that a search found starts from the search's shared weights.
        seed: Of weights, order and augmentation; 0 if None.
        folder: Keeps the checkpoint and the state of the training. The same call resumes where it was stopped.
            Temporary if None.
        config: Every other key of the `train` section: settings, a file, a name, or keys such as
            {"train.learning_rate": 1e-3, "train.augment.flip": True}. Arguments above come before it.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        The trained network with its accuracy.

    Raises:
        ArchitectureError: It is no network.
        InputError: `start_package` without `start`.
        WeightsError: `start` or `teacher` is of another network or of other classes.
        DataError: The images cannot be used.
        ConfigError: A key or value is not allowed.
        TrainingError: The training cannot go on.
    """
    from edgenas.pipeline.commands.train import train_alone
    from edgenas.pipeline.core.given import Given
    from edgenas.pipeline.core.lock import writing
    from edgenas.train.processes import joined

    if start is None and start_package is not None:
        raise InputError(explain("start_package is of a start, and there is none", got=repr(start_package)))
    keys = given(train__epochs=epochs, seed=seed, train__teacher=None if teacher is None else str(teacher))
    settings, architecture = load_config(load_config(config), keys), load_network(network)
    where = folder_of("train", folder)
    wanted = None
    if isinstance(network, Candidate):
        wanted = network.architecture.resolution
        if start is None and from_supernet:
            start = _shared_weights(network, where)
    if data is not None:
        settings = with_sections(settings, data=data_section(data, resolution=wanted).model_dump())
    shown, told = or_default(progress, say)
    with joined() as processes, writing(where.path) if processes.first else nullcontext():
        if not processes.first:
            shown, told = no_progress, say_nothing
        found = train_alone(
            architecture, settings, where.path, start=start, start_package=start_package,
            given=Given(images=data), progress=shown, say=told,
        )  # fmt: skip
    return TrainedNetwork(
        checkpoint=found.checkpoint,
        architecture=found.architecture,
        validation_accuracy=found.validation_accuracy,
        test_accuracy=found.test_accuracy,
        test_standard_error=found.test_standard_error,
        images_per_second=found.images_per_second,
        waiting_share=found.waiting_share,
        device=found.device,
        folder=where,
    )


def _shared_weights(network: Candidate, where: Folder) -> Path | None:
    """Return the search's shared weights of a network, as the start of its training; None if there are none."""
    from edgenas.api.supernets import extract
    from edgenas.pipeline.core.artifacts import SUPERNET_FILE

    if not (network.folder.path / SUPERNET_FILE).is_file():
        return None
    return extract(network.folder.path, network.architecture, where.path / "start.safetensors")
