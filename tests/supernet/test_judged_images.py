"""Which images judge, calibrate and score networks where fewer than all are taken: some of every class."""

from dataclasses import replace

import numpy as np
import torch

from edgenas.data import ImageData, fit_preprocessing
from edgenas.evaluate import ZeroCostEvaluator
from edgenas.supernet import Supernet, SupernetEvaluator
from edgenas.supernet.judging.calibration import calibration_images
from tests.supernet.samples import tiny_space

CLASSES, EACH = 100, 10


class Recording:
    """Images as folders list them, one class after the other; remembers which classes were read."""

    def __init__(self) -> None:
        self.labels = np.repeat(np.arange(CLASSES), EACH)
        self.shape = (8, 8, 1)
        self.seen: list[int] = []

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: np.ndarray) -> np.ndarray:
        self.seen += self.labels[indices].tolist()
        return np.broadcast_to(self.labels[indices].astype(np.uint8)[:, None, None, None], (len(indices), 8, 8, 1))

    def counts(self) -> tuple[int, int]:
        counts = np.bincount(self.seen, minlength=CLASSES)
        return int(counts.min()), int(counts.max())


def images() -> tuple[ImageData, Recording, Recording]:
    train, validation = Recording(), Recording()
    data = ImageData(
        train=train, validation=validation, test=Recording(), classes=tuple(str(k) for k in range(CLASSES)),
        native_size=(8, 8), skipped=(), notes=(), digest="recording",
    )  # fmt: skip
    return data, train, validation


def space():  # type: ignore[no-untyped-def]
    from edgenas.space import with_task

    return with_task(tiny_space(), classes=CLASSES, in_channels=1)


def test_a_network_is_judged_on_some_images_of_every_class() -> None:
    data, train, validation = images()
    preprocessing = fit_preprocessing(data.train)
    train.seen.clear()
    net = Supernet(space(), generator=torch.Generator().manual_seed(0))
    evaluator = SupernetEvaluator(net, data, preprocessing, images=300, calibration=256)
    evaluator.evaluate([net.space.largest()])
    assert evaluator.images == 300
    assert validation.counts() == (3, 3)
    assert train.counts() == (2, 3)


def test_calibration_batches_are_of_all_classes_and_mixed() -> None:
    data, train, _ = images()
    preprocessing = fit_preprocessing(data.train)
    train.seen.clear()
    batches = calibration_images(
        data, preprocessing, count=260, batch_size=64, seed=0, device=torch.device("cpu")
    )  # fmt: skip
    assert [len(batch) for batch in batches] == [64] * 4
    assert train.counts() == (2, 3)
    assert all(len(set(train.seen[start : start + 64])) > 30 for start in range(0, 256, 64))


def test_a_score_sees_every_class() -> None:
    data, train, _ = images()
    preprocessing = fit_preprocessing(data.train)
    train.seen.clear()
    evaluator = ZeroCostEvaluator("grad_norm", space(), data, preprocessing, images=100, initialisations=1)
    evaluator.evaluate(space().largest()[None])
    assert train.counts() == (1, 1)


def test_all_images_are_judged_on_where_no_number_is_given() -> None:
    data, _, validation = images()
    net = Supernet(space(), generator=torch.Generator().manual_seed(0))
    SupernetEvaluator(net, replace(data), fit_preprocessing(data.train)).evaluate([net.space.largest()])
    assert validation.counts() == (EACH, EACH)
