"""What weights have seen, told by the content of images."""

from dataclasses import replace

import numpy as np
import pytest

from edgenas.data import DataSettings, load
from edgenas.data.identity import KEPT, ImageHistory, SplitContents, find_seen
from edgenas.errors import WeightsError


def split(start: int, count: int = 100, *, seed: int = 0, kind: str = "files", order: int = 0) -> SplitContents:
    """Train, validation and test of images numbered from `start`, 60, 20 and 20 %; contents lie all over 64 bits."""
    numbers = np.random.default_rng(7).integers(0, 2**64, 200_000, dtype=np.uint64)[start : start + count]
    numbers = np.random.default_rng(seed).permutation(numbers)
    parts = np.split(numbers, [int(0.6 * count), int(0.8 * count)])
    mixed = [np.random.default_rng(order).permutation(part) for part in parts]
    return SplitContents(train=mixed[0], validation=mixed[1], test=mixed[2], kind=kind, seed=seed)


@pytest.mark.parametrize("count", [100, 50_000])
def test_the_same_split_is_unseen_another_seed_is_seen_and_other_images_are_unseen(count: int) -> None:
    history = split(0, count).history()
    assert len(history.seen) <= KEPT
    assert find_seen(history, split(0, count)).verdict == "unseen"
    other = find_seen(history, split(0, count, seed=1))
    assert other.verdict == "seen"
    assert other.share == pytest.approx(0.8, abs=0.2)
    assert find_seen(history, split(100_000, count)).verdict == "unseen"


def test_the_digest_of_a_split_does_not_depend_on_the_order_of_its_images() -> None:
    assert split(0).digest == split(0, order=1).digest
    assert len({split(0).digest, split(0, seed=1).digest, split(1).digest, split(0, kind="pixels").digest}) == 4


def test_a_checkpoint_that_does_not_say_is_not_called_clean() -> None:
    found = find_seen(None, split(0))
    assert found.verdict == "unknown" and "Unknown whether the test images were trained on" in found.words
    assert find_seen(split(0).history(), None).verdict == "unknown"


def test_what_a_training_started_from_counts_too() -> None:
    history = split(1000).history().joined(split(0, seed=1).history(), what="the start")
    assert find_seen(history, split(0)).verdict == "seen"
    # Its own split, and no other image of it was seen before.
    assert find_seen(history, split(1000)).verdict == "unseen"
    unknown = split(0).history().joined(None, what="the start")
    assert find_seen(unknown, split(0)).verdict == "unknown"
    assert "the start do not say" in find_seen(unknown, split(0)).words
    assert find_seen(unknown, split(0, seed=1)).verdict == "seen"


def repeated(whole: SplitContents, images: int) -> SplitContents:
    """A split some of whose photographs are in the source twice: in training and in test."""
    test = np.concatenate([whole.test[images:], whole.train[:images]])
    return replace(whole, test=test)


def test_a_photograph_that_is_there_twice_is_not_an_image_of_another_training() -> None:
    own = repeated(split(0), 3)
    assert find_seen(own.history(), own).verdict == "unseen"
    started = own.history().joined(None, what="the start")
    found = find_seen(started, own)
    assert found.verdict == "unknown" and "the start do not say" in found.words
    # A start that saw other test images of this split is still found, and so is another split of the same source.
    both = own.history().joined(split(0, seed=1).history(), what="the start")
    assert find_seen(both, own).verdict == "seen"
    assert find_seen(own.history(), repeated(split(0, seed=1), 3)).verdict == "seen"
    assert find_seen(started, own, parts=("validation", "test")).verdict == "unknown"


def test_the_join_of_two_large_samples_is_a_sample_of_both() -> None:
    joined = split(0, 50_000).history().joined(split(60_000, 50_000).history(), what="the start")
    assert len(joined.seen) <= KEPT and not joined.whole
    for start in (0, 60_000):
        assert find_seen(joined, split(start, 50_000, seed=5)).share == pytest.approx(0.8, abs=0.1)
    assert find_seen(joined, split(120_000, 50_000)).verdict == "unseen"


def test_arrays_and_files_cannot_be_compared_and_that_is_said() -> None:
    assert find_seen(split(0).history(), split(0, seed=1, kind="pixels")).verdict == "unknown"


def test_a_history_survives_its_text_and_a_damaged_one_is_refused() -> None:
    history = split(0).history()
    again = ImageHistory.from_json(history.to_json())
    assert np.array_equal(again.seen, history.seen) and again.splits == history.splits
    for text in ("", "{}", "[]", history.to_json().replace('"seen": "', '"seen": "?'), '{"splits": 3}'):
        with pytest.raises(WeightsError, match="damaged"):
            ImageHistory.from_json(text)


def test_the_same_images_at_another_size_are_the_same_split_and_another_seed_is_not() -> None:
    first, larger = load(DataSettings()), load(DataSettings(resolution=16, channels=3, noise_std=0.1))
    other = load(DataSettings(seed=1))
    assert first.contents is not None and larger.contents is not None and other.contents is not None
    assert first.contents.digest == larger.contents.digest != other.contents.digest
    found = find_seen(first.contents.history(), other.contents)
    assert found.verdict == "seen" and found.share == pytest.approx(0.8, abs=0.05)
