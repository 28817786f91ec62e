"""Batches: order, repeatability, and the same numbers however the images are held."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgenas.data import ArraySplit, AugmentSettings, DataSettings, LazySplit, fit_preprocessing, load
from edgenas.data import batches as batches_module
from edgenas.data.batches import Batch, Batches
from edgenas.data.endless import EndlessBatches
from edgenas.data.transfer import has_room, to_device

ALL = AugmentSettings(
    crop_padding=2, crop_scale=0.3, flip=True, jitter=0.3, hue=0.1, randaugment_form="timm", randaugment_ops=2,
    randaugment_noise=0.05, erase_probability=0.3, erase_fill="noise", mixup_alpha=0.2, cutmix_alpha=1.0,
)  # fmt: skip


def numbered(count: int = 50) -> ArraySplit:
    """Image i holds the value i everywhere; its label is i modulo 5."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 6, 6, 3)).copy()
    return ArraySplit(images=images, labels=np.arange(count, dtype=np.int64) % 5)


def make(split: ArraySplit, batch_size: int = 16, **values: int) -> Batches:
    return Batches(split, fit_preprocessing(split), batch_size=batch_size, **values)


def same(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a.images, b.images)
        and torch.equal(a.labels, b.labels)
        and (a.targets is None if b.targets is None else a.targets is not None and torch.equal(a.targets, b.targets))
        for a, b in zip(first, second, strict=True)
    )


def test_in_order_yields_every_image_once_with_its_label() -> None:
    split = numbered()
    batches = list(make(split).in_order())
    assert [len(batch.labels) for batch in batches] == [16, 16, 16, 2]
    assert torch.cat([batch.labels for batch in batches]).tolist() == split.labels.tolist()
    expected = fit_preprocessing(split).apply(split.images)
    assert np.array_equal(torch.cat([batch.images for batch in batches]).numpy(), expected)


def test_an_epoch_takes_each_image_at_most_once_and_keeps_labels_with_images() -> None:
    split = numbered()
    preprocessing = fit_preprocessing(split)
    batches = list(make(split).shuffled(seed=0, epoch=0, classes=5))
    assert [len(batch.labels) for batch in batches] == [16, 16, 16]
    values = torch.cat([batch.images[:, 0, 0, 0] for batch in batches]).numpy()
    numbers = np.rint((values * preprocessing.std[0] + preprocessing.mean[0]) * 255).astype(int)
    assert len(set(numbers)) == 48
    assert torch.cat([batch.labels for batch in batches]).tolist() == (numbers % 5).tolist()


def test_seed_and_epoch_alone_decide_an_augmented_epoch() -> None:
    batches = make(numbered())

    def epoch(seed: int, number: int) -> list[Batch]:
        return list(batches.shuffled(seed=seed, epoch=number, classes=5, augment=ALL))

    assert same(epoch(0, 0), epoch(0, 0))
    assert not same(epoch(0, 0), epoch(0, 1))
    assert not same(epoch(0, 0), epoch(1, 0))


def test_each_step_of_each_epoch_has_draws_of_its_own() -> None:
    rows = np.broadcast_to(np.arange(8, dtype=np.uint8)[None, :, None, None] * 30, (40, 8, 8, 1)).copy()
    batches = make(ArraySplit(images=rows, labels=np.zeros(40, np.int64)), batch_size=20)
    shifts = AugmentSettings(crop_padding=3)
    drawn = [
        tuple(batch.images[:, 0, :, 0].flatten().tolist())
        for epoch in range(2)
        for batch in batches.shuffled(seed=0, epoch=epoch, classes=1, augment=shifts)
    ]
    assert len(set(drawn)) == 4


def test_repeated_images_lie_in_one_batch_with_their_labels_and_are_changed_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split, read = numbered(), list[int]()
    plain = ArraySplit.read
    monkeypatch.setattr(ArraySplit, "read", lambda self, indices: read.append(len(indices)) or plain(self, indices))
    batches = make(split)
    read.clear()
    epoch = list(batches.shuffled(seed=0, epoch=0, classes=5, augment=AugmentSettings(repeats=3)))
    assert [len(batch.labels) for batch in epoch] == [16, 16, 16]
    assert read == [6, 6, 6]
    for batch in epoch:
        values = batch.images[:, 0, 0, 0]
        assert sorted(torch.unique(values, return_counts=True)[1].tolist()) == [1, 3, 3, 3, 3, 3]
        assert len({(value, label) for value, label in zip(values.tolist(), batch.labels.tolist(), strict=True)}) == 6
    brighter = AugmentSettings(repeats=3, brightness=0.9)
    batch = next(make(split).shuffled(seed=0, epoch=0, classes=5, augment=brighter))
    assert len(set(batch.images[:3, 0, 0, 0].tolist())) == 3


def test_crops_are_cut_from_larger_images_at_the_networks_resolution() -> None:
    split = ArraySplit(images=np.full((8, 20, 20, 3), 90, np.uint8), labels=np.zeros(8, np.int64))
    batches = Batches(split, fit_preprocessing(split, resolution=12), batch_size=8)
    batch = next(batches.shuffled(seed=0, epoch=0, classes=1, augment=AugmentSettings(crop_scale=0.1)))
    assert batch.images.shape == (8, 3, 12, 12)
    assert torch.equal(batch.images, next(batches.in_order()).images)


def test_an_epoch_can_be_taken_up_in_its_middle() -> None:
    batches = make(numbered())
    whole = list(batches.shuffled(seed=3, epoch=2, classes=5, augment=ALL))
    assert same(whole[2:], list(batches.shuffled(seed=3, epoch=2, classes=5, augment=ALL, first_step=2)))


def test_images_come_in_channels_last_memory() -> None:
    for augment in (AugmentSettings(), ALL):
        batch = next(make(numbered()).shuffled(seed=0, epoch=0, classes=5, augment=augment))
        assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    batches = make(numbered(7), batch_size=64)
    assert batches.steps == 1
    assert len(next(batches.shuffled(seed=0, epoch=0, classes=5)).labels) == 7


def test_another_resolution_is_resized_on_the_way_within_a_grey_level_of_deployed_code(
    rng: np.random.Generator,
) -> None:
    split = ArraySplit(images=rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8), labels=np.zeros(8, np.int64))
    preprocessing = fit_preprocessing(split, resolution=10)
    images = next(Batches(split, preprocessing, batch_size=8).in_order()).images.numpy()
    grey_level = 1 / 255 / min(preprocessing.std)
    assert np.abs(images - preprocessing.apply(split.images)).max() <= 1.01 * grey_level


@pytest.mark.parametrize("workers", [1, 3])
def test_files_memory_maps_and_arrays_give_the_same_batches(
    tmp_path: Path, write_folder: Callable[..., Path], workers: int
) -> None:
    root = write_folder(tmp_path / "images", a=60, b=60, size=60)
    settings = DataSettings(source="folder", path=str(root))
    ways = (settings, replace(settings, memory_limit_mib=1), replace(settings, cache_dir=str(tmp_path / "cache")))
    epochs = []
    for way in ways:
        train = load(way).train
        batches = Batches(train, fit_preprocessing(train), batch_size=20, workers=workers)
        epochs.append(list(batches.shuffled(seed=0, epoch=0, classes=2, augment=ALL)))
        assert batches.waiting_seconds > 0
    assert len(epochs[0]) == 3
    assert same(epochs[0], epochs[1])
    assert same(epochs[0], epochs[2])


def test_leaving_an_epoch_early_ends_its_threads(tmp_path: Path, write_folder: Callable[..., Path]) -> None:
    import threading

    root = write_folder(tmp_path / "images", a=60, b=60, size=60)
    train = load(DataSettings(source="folder", path=str(root), memory_limit_mib=1)).train
    before = threading.active_count()
    epoch = Batches(train, fit_preprocessing(train), batch_size=4).shuffled(seed=0, epoch=0, classes=2)
    next(epoch)
    epoch.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_set_that_stays_on_its_device_gives_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    split = numbered(50)
    expected = list(make(split).shuffled(seed=1, epoch=0, classes=5, augment=ALL))
    # The only device of this machine may be a CPU, where nothing needs to stay; it takes the same way all the same.
    monkeypatch.setattr("edgenas.data.batches.has_room", lambda *_: True)
    monkeypatch.setattr("edgenas.data.batches.COPIED", 20)
    resident = make(split)
    assert same(list(resident.shuffled(seed=1, epoch=0, classes=5, augment=ALL)), expected)
    reads: list[int] = []
    monkeypatch.setattr(ArraySplit, "read", lambda self, indices: reads.append(len(indices)))
    assert same(list(resident.shuffled(seed=1, epoch=0, classes=5, augment=ALL)), expected)
    assert reads == []


def test_images_stay_on_no_cpu_and_only_within_the_limit() -> None:
    assert not has_room(10, torch.device("cpu"), 1000)
    assert not has_room(1001, torch.device("cuda"), 1000)


def test_values_reach_a_device_in_the_type_that_is_wanted() -> None:
    values = np.arange(6, dtype=np.float64).reshape(2, 3)[:, ::-1]
    found = to_device(values, torch.device("cpu"), torch.float32)
    assert found.dtype == torch.float32 and np.array_equal(found.numpy(), values)


def test_a_batch_in_parts_holds_the_same_images_labels_and_targets() -> None:
    batch = next(make(numbered()).shuffled(seed=0, epoch=0, classes=5, augment=ALL))
    parts = batch.split(3)
    assert [len(part.labels) for part in parts] == [6, 5, 5]
    assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
    assert batch.targets is not None
    assert torch.equal(torch.cat([p.targets for p in parts if p.targets is not None]), batch.targets)
    assert batch.split(1) == [batch]


def test_endless_batches_go_on_from_any_position() -> None:
    whole = EndlessBatches(make(numbered()), seed=0, classes=5)
    taken = [whole.next() for _ in range(7)]
    later = EndlessBatches(make(numbered()), seed=0, classes=5)
    later.skip_to(5)
    assert same([later.next(), later.next()], taken[5:]) and later.position == 7


def test_images_are_read_by_as_many_threads_as_torch_has_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = load(DataSettings())
    preprocessing = fit_preprocessing(data.train)
    split = LazySplit(
        prepare=lambda index: data.train.read(np.array([index]))[0], indices=np.arange(40),
        labels=data.train.labels[:40], shape=data.train.shape,
    )  # fmt: skip
    pools: list[int] = []
    pool = batches_module.ThreadPoolExecutor

    def counted(workers: int) -> object:
        pools.append(workers)
        return pool(workers)

    monkeypatch.setattr(batches_module, "ThreadPoolExecutor", counted)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for workers in (None, 5):
        assert sum(len(b.labels) for b in Batches(split, preprocessing, batch_size=8, workers=workers).in_order()) == 40
    assert pools == [3, 5]
