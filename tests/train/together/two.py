"""What two processes do in `test_together.py`: `python two.py JOB FOLDER`, started twice as torchrun does it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgenas.data import AugmentSettings, ImageData, fit_preprocessing
from edgenas.errors import EdgenasError
from edgenas.nn import build
from edgenas.reading.json_text import plain_text
from edgenas.supernet import Supernet, SupernetSettings, train_supernet
from edgenas.train import TrainSettings, evaluate, fit
from edgenas.train.processes import current, joined
from tests.supernet.samples import blobs, tiny_space

DATA = blobs(per_class=33)
# 132 images: three batches of 43, which two processes divide into 22 and 21, and three images that are left out.
SETTINGS = TrainSettings(epochs=3, batch_size=43, learning_rate=1e-2, workers=1)
AUGMENTED = replace(
    SETTINGS, augment=AugmentSettings(crop_padding=1, flip=True, jitter=0.2, randaugment_ops=1, erase_probability=0.3)
)


def network() -> nn.Module:
    """Return the same untrained network in every process."""
    return build(tiny_space().decode(tiny_space().largest()))


def trained(settings: TrainSettings, folder: Path | None, data: ImageData = DATA) -> dict[str, object]:
    """Losses, accuracies and weights of a training, as plain values."""
    model, steps = network(), []
    preprocessing = fit_preprocessing(data.train)
    found = fit(
        model, data, settings, preprocessing=preprocessing, checkpoint_dir=folder,
        progress=lambda done, *_: steps.append(done),
    )  # fmt: skip
    return {
        "losses": [record.train_loss for record in found.history],
        "accuracies": [record.train_accuracy for record in found.history],
        "validation": found.validation_accuracy,
        "alone": evaluate(model, data.validation, preprocessing).value,
        "weights": [value.double().sum().item() for value in model.state_dict().values()],
        "digest": digest(model),
        "first_step": steps[0] if steps else None,
        "notes": list(found.notes),
    }


def shared(settings: SupernetSettings) -> dict[str, object]:
    """Losses and weights of a supernet's training."""
    supernet = Supernet(tiny_space())
    found = train_supernet(supernet, DATA, settings)
    return {"losses": [record.train_loss for record in found.history], "digest": digest(supernet)}


def digest(model: nn.Module) -> str:
    """Identity of weights, to the bit."""
    import hashlib

    values = [value.detach().numpy().tobytes() for value in model.state_dict().values()]
    return hashlib.sha256(b"".join(values)).hexdigest()


def gradients() -> dict[str, object]:
    """Largest difference between gradients of ours and of torch's DistributedDataParallel, after one backward pass."""
    from torch.nn.parallel import DistributedDataParallel

    torch.manual_seed(0)
    images, labels = torch.randn(12, 1, 8, 8), torch.arange(12) % 4
    part = slice(0, 6) if current().first else slice(6, 12)
    ours, theirs = network().train(), DistributedDataParallel(network().train())
    for model in (ours, theirs):
        nn.functional.cross_entropy(model(images[part]), labels[part]).backward()
    found = [weight.grad for weight in ours.parameters() if weight.grad is not None]
    current().combine(found, 6)
    others = [weight.grad for weight in theirs.parameters() if weight.grad is not None]
    return {"difference": max(float((a - b).abs().max()) for a, b in zip(found, others, strict=True))}


def jobs(folder: Path) -> dict[str, object]:
    """Do all jobs of the tests in one start of the processes, since a start takes seconds."""
    everything = replace(
        SETTINGS, accumulation=2, averaging_decay=0.9, recalibration_images=86, clip_norm=1.0, keep="best",
        augment=AugmentSettings(crop_padding=1, flip=True, mixup_alpha=0.2),
    )  # fmt: skip
    found: dict[str, object] = {"rank": current().rank, "gradients": gradients()}
    found["plain"] = trained(SETTINGS, folder / "plain")
    found["again"] = trained(SETTINGS, folder / "plain")
    found["everything"] = trained(everything, None)
    found["augmented"] = trained(AUGMENTED, None)
    often = replace(SETTINGS, checkpoint_minutes=1e-9)

    class Killed(Exception):
        pass

    from edgenas.train.network import NetworkWork

    once = NetworkWork.end_epoch

    def kill(work: NetworkWork, epoch: int, *more: object) -> object:
        if epoch == 1:
            raise Killed
        return once(work, epoch, *more)  # type: ignore[arg-type]

    NetworkWork.end_epoch = kill  # type: ignore[method-assign,assignment]
    try:
        trained(often, folder / "killed")
    except Killed:
        NetworkWork.end_epoch = once  # type: ignore[method-assign]
    found["resumed"] = trained(often, folder / "killed" if current().first else Path("/nowhere"))
    for scheme in ("sandwich", "progressive"):
        settings = SupernetSettings(scheme=scheme, train=replace(SETTINGS, averaging_decay=0.9))
        found[scheme] = shared(settings)
    for name, wrong in {"few": replace(SETTINGS, batch_size=3), "clock": replace(SETTINGS, seconds=5.0)}.items():
        try:
            trained(wrong, None)
        except EdgenasError as error:
            found[name] = str(error)
    batch = np.arange(5, dtype=np.float32) * (1 + current().rank)
    values = torch.from_numpy(batch)
    current().combine([values], 1 + current().rank)
    found["combined"] = values.tolist()
    found["told"] = current().told(b"word" if current().first else None).decode()
    found["agreed"] = [current().agree(False), current().agree(not current().first)]
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined():
        result = jobs(Path(sys.argv[1]))
        Path(sys.argv[1], f"rank-{current().rank}.json").write_text(plain_text(result), encoding="utf-8")
