"""Which images judge, calibrate and score networks where fewer than all are taken: some of every class."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgenas.data import ImageData, fit_preprocessing
from edgenas.data.batches import Batches
from edgenas.evaluate import ZeroCostEvaluator
from edgenas.supernet import Supernet, SupernetEvaluator
from edgenas.supernet.judging.calibration import calibration_batches
from edgenas.supernet.judging.images import HeldBatches, JudgingImages
from edgenas.supernet.judging.member import Member
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
    batches = calibration_batches(
        data, preprocessing, count=260, batch_size=64, seed=0, device=torch.device("cpu"), limit_bytes=2**20
    )  # fmt: skip
    assert [len(batch.labels) for batch in batches] == [64] * 4
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


def evaluator_at(sizes: tuple[int, ...], *, memory_mib: int) -> tuple[SupernetEvaluator, list[np.ndarray]]:
    from edgenas.data import ArraySplit
    from edgenas.space import with_task

    rng = np.random.default_rng(0)
    split = ArraySplit(
        images=rng.integers(0, 256, (200, 24, 24, 1), dtype=np.uint8), labels=rng.integers(0, CLASSES, 200)
    )
    data = replace(images()[0], train=split, validation=split)
    wide = with_task(space(), resolutions=sizes)
    net = Supernet(wide, generator=torch.Generator().manual_seed(0))
    evaluator = SupernetEvaluator(net, data, fit_preprocessing(split), calibration=128, memory_mib=memory_mib)
    rows = wide.sample(12, np.random.default_rng(1))
    return evaluator, list(rows)


def test_images_that_are_not_kept_give_the_same_accuracies() -> None:
    kept, rows = evaluator_at((8, 16, 24), memory_mib=1024)
    anew, _ = evaluator_at((8, 16, 24), memory_mib=0)
    assert kept._images.nbytes == 0
    assert kept.evaluate(rows).accuracy.tolist() == anew.evaluate(rows).accuracy.tolist()
    assert kept._images.nbytes == sum(328 * size * size for size in (8, 16, 24))
    assert anew._images.nbytes == 0


def test_kept_batches_are_those_of_the_split_to_the_bit() -> None:
    evaluator, _ = evaluator_at((8, 16, 24), memory_mib=1024)
    for size in (8, 16, 24):
        preprocessing = replace(evaluator._preprocessing, resolution=size)
        wanted = list(Batches(evaluator._validation, preprocessing, batch_size=64).in_order())
        _, held = evaluator._images.at(size)
        for _ in range(2):
            found = list(held)
            assert [len(batch.labels) for batch in found] == [64, 64, 64, 8]
            for one, other in zip(found, wanted, strict=True):
                assert torch.equal(one.images, other.images)
                assert torch.equal(one.labels, other.labels)


def test_the_resolution_that_was_not_used_for_longest_makes_room() -> None:
    evaluator, _ = evaluator_at((8, 16, 24), memory_mib=1024)
    made: list[int] = []

    def make(size: int) -> tuple[HeldBatches, HeldBatches]:
        made.append(size)
        return evaluator._batches_at(size)

    held = JudgingImages(make, limit_bytes=328 * (24 * 24 + 16 * 16))
    for size in (8, 16, 8, 24, 8, 16):
        held.at(size)
        assert held.nbytes <= 328 * (24 * 24 + 16 * 16)
    assert made == [8, 16, 24, 16]


def test_a_member_that_does_not_fit_the_memory_is_judged_in_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, rows = evaluator_at((24,), memory_mib=1024)
    small, _ = evaluator_at((24,), memory_mib=1024)
    sizes: list[int] = []
    right = Member.logits

    def logits(member: Member, pixels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pixels))
        if len(pixels) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return right(member, pixels)

    expected = whole.evaluate(rows[:2]).accuracy.tolist()
    monkeypatch.setattr(Member, "logits", logits)
    assert small.evaluate(rows[:1]).accuracy.tolist() == expected[:1]
    assert sizes == [64, 32, *[16] * 12, 2, 2, 2, 2]


def test_a_member_that_never_fits_the_memory_is_an_error_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator, rows = evaluator_at((24,), memory_mib=1024)

    def logits(member: Member, pixels: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Member, "logits", logits)
    with pytest.raises(torch.OutOfMemoryError):
        evaluator.evaluate(rows[:1])
