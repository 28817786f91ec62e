"""What a check of a bundle says of each figure: exactly at its limits, and on neither side more."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.deploy.bundle import check
from edgenas.deploy.bundle.card import installed_versions
from edgenas.deploy.bundle.contents import Difference
from edgenas.errors import ExportError

LOGITS = np.array([[2.0, 1.0], [0.0, 4.0]], np.float32)


def entry(**changes: object) -> SimpleNamespace:
    plain = {"name": "model.onnx", "format": "onnx", "precision": "fp32", "probe": LOGITS.tolist(), "test": None}
    return SimpleNamespace(**(plain | {"latency": SimpleNamespace(latency_ms=2.0)} | changes))


def judged(images: int = 4, value: float = 0.75, low: float = 0.5, high: float = 0.9) -> SimpleNamespace:
    return SimpleNamespace(images=images, accuracy=SimpleNamespace(value=value, low=low, high=high))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.onnx", "other.onnx"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.mark.parametrize(
    ("latency_ms", "said"), [(2.19, False), (1.81, False), (2.21, True), (1.79, True), (4.0, True)]
)
def test_a_latency_more_than_a_tenth_away_is_noted(folder: Path, latency_ms: float, said: bool) -> None:
    asked = []

    def measure(models: list) -> list[SimpleNamespace]:
        asked.extend((model.name, model.data, model.file_format, model.precision) for model in models)
        return [SimpleNamespace(latency_ms=latency_ms) for _ in models]

    gone, unmeasured = entry(name="gone.onnx"), entry(name="other.onnx", latency=None)
    found = list(check._latencies(folder, SimpleNamespace(files=[entry(), gone, unmeasured]), measure))
    assert asked == [("model.onnx", b"model.onnx", "onnx", "fp32")]
    assert [(one.name, one.serious) for one in found] == [("model.onnx", False)] * said
    assert all(f"2.000 ms on the card, {latency_ms:.3f} ms here" in one.what for one in found)


def test_a_latency_that_is_nan_is_noted(folder: Path) -> None:
    found = check._latencies(folder, SimpleNamespace(files=[entry()]), lambda m: [SimpleNamespace(latency_ms=np.nan)])
    assert len(list(found)) == 1


def test_nothing_is_measured_where_no_latency_is_on_the_card(folder: Path) -> None:
    card = SimpleNamespace(files=[entry(latency=None)])
    assert list(check._latencies(folder, card, lambda models: pytest.fail("measured"))) == []


def test_other_versions_are_noted_and_equal_ones_are_not() -> None:
    here = installed_versions()
    package = next(iter(here))
    assert list(check._versions(SimpleNamespace(files=(), versions=here))) == []
    found = list(check._versions(SimpleNamespace(files=(), versions={**here, package: "0.0", "nothing": "1"})))
    assert [(one.name, one.serious) for one in found] == [(package, False), ("nothing", False)]
    assert found[0].what == f"0.0 on the card, {here[package]} here"
    assert found[1].what == "1 on the card, not installed here"


def of_file(monkeypatch, folder: Path, one: SimpleNamespace, *, labels=None, probe=True) -> list[Difference]:
    """What is said of a file whose logits are `LOGITS` on the probe, and the classes 0, 1, 1, 1 on the test images."""
    images = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    monkeypatch.setattr(check, "open_file", lambda data, form: lambda batch: LOGITS)
    monkeypatch.setattr(check, "logits_of_split", lambda predict, test, preprocessing: images)
    monkeypatch.setattr(check.Preprocessing, "from_dict", lambda values: SimpleNamespace(apply=lambda given: given))

    class Test:
        def __len__(self) -> int:
            return 4

    test = None if labels is None else Test()
    if test is not None:
        test.labels = np.array(labels)
    card = SimpleNamespace(preprocessing={})
    return list(check._file(folder, card, one, np.zeros((2, 1), np.uint8) if probe else None, test))


def test_a_file_that_gives_what_is_on_the_card_is_not_spoken_of(monkeypatch, folder: Path) -> None:
    assert of_file(monkeypatch, folder, entry(test=judged()), labels=[0, 1, 1, 0]) == []
    assert of_file(monkeypatch, folder, entry(test=judged())) == []
    assert of_file(monkeypatch, folder, entry(), labels=[1, 0, 0, 0]) == []


def test_without_its_probe_a_file_cannot_be_judged(monkeypatch, folder: Path) -> None:
    (found,) = of_file(monkeypatch, folder, entry(), probe=False)
    assert found.serious and "cannot be judged: probe.npz is missing or damaged" in found.what


@pytest.mark.parametrize(
    ("labels", "serious"),
    [([0, 1, 1, 1], True), ([0, 1, 0, 0], False), ([0, 0, 0, 0], True), ([1, 0, 0, 0], True)],
)
def test_another_accuracy_is_serious_outside_its_interval_alone(monkeypatch, folder, labels, serious: bool) -> None:
    (found,) = of_file(monkeypatch, folder, entry(test=judged()), labels=labels)
    accuracy = np.mean(np.array(labels) == [0, 1, 1, 1])
    assert found.serious is serious and found.what == f"accuracy 0.750000 on the card, {accuracy:.6f} here"


def test_the_end_of_the_interval_belongs_to_it(monkeypatch, folder: Path) -> None:
    (found,) = of_file(monkeypatch, folder, entry(test=judged(low=0.25, high=1.0)), labels=[0, 1, 1, 1])
    assert not found.serious
    (found,) = of_file(monkeypatch, folder, entry(test=judged(low=0.25)), labels=[0, 0, 0, 0])
    assert not found.serious


def test_another_number_of_test_images_is_noted(monkeypatch, folder: Path) -> None:
    (found,) = of_file(monkeypatch, folder, entry(test=judged(images=5)), labels=[0, 1, 1, 0])
    assert not found.serious and found.what == "5 test images on the card, 4 here"


def test_logits_of_another_shape_are_serious_and_not_compared(monkeypatch, folder: Path) -> None:
    (found,) = of_file(monkeypatch, folder, entry(probe=[[2.0, 1.0]]))
    assert found.serious and "logits (1, 2) on the card, (2, 2) here" in found.what


def test_logits_of_zeros_are_compared_too() -> None:
    nothing = np.zeros((1, 2), np.float32)
    one = entry(probe=nothing.tolist())
    assert list(check._compare_probe(one, nothing)) == []
    assert list(check._compare_probe(one, nothing + np.float32(1e-17))) == []
    assert len(list(check._compare_probe(one, nothing + np.float32(1e-15)))) == 1


def test_the_error_of_logits_is_counted_in_the_largest_of_either_sign() -> None:
    one = entry(probe=[[-4.0, 1.0]])
    assert list(check._compare_probe(one, np.array([[-4.0, 1.00036]], np.float32))) == []
    (found,) = check._compare_probe(one, np.array([[-4.0, 1.0006]], np.float32))
    assert found.what == "logits on probe.npz differ by 0.00015 of the largest"


@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-4), ("fp16", 1e-2), ("int8", 5e-2)])
def test_logits_may_differ_by_what_their_precision_allows_and_no_more(precision: str, limit: float) -> None:
    one = entry(precision=precision, probe=[[1.0, -0.5]])
    for share, said in ((0.0, 0), (0.9, 0), (1.1, 1), (float("nan"), 1)):
        found = list(check._compare_probe(one, np.array([[1.0 + share * limit, -0.5]], np.float32)))
        assert [found_one.serious for found_one in found] == [True] * said, share


def test_what_differs_by_exactly_the_limit_is_within_it(monkeypatch, folder: Path) -> None:
    monkeypatch.setattr(check, "_TOLERANCE", {"fp32": 0.25})
    monkeypatch.setattr(check, "_LATENCY_TOLERANCE", 0.25)
    assert list(check._compare_probe(entry(), LOGITS + np.float32([[1, 0], [0, 0]]))) == []
    for latency_ms in (2.5, 1.5):
        card = SimpleNamespace(files=[entry()])
        assert list(check._latencies(folder, card, lambda _, ms=latency_ms: [SimpleNamespace(latency_ms=ms)])) == []


@pytest.mark.parametrize("measured", [False, True])
def test_files_that_are_there_and_can_run_here_are_run_and_latencies_are_measured_where_one_asks(
    monkeypatch, folder: Path, measured: bool
) -> None:
    (folder / "card.json").write_text("{}")
    (folder / "model.pte").write_bytes(b"of a runtime that is not here")
    files = [entry(), entry(name="gone.onnx"), entry(name="model.pte", format="executorch"), entry(name="other.onnx")]
    card = SimpleNamespace(files=files, versions={})
    monkeypatch.setattr(check.Card, "from_dict", lambda document: card)
    monkeypatch.setattr(check, "check_contents", lambda at, given, document: iter([("contents", document)]))
    monkeypatch.setattr(check, "can_run", lambda file_format: file_format == "onnx")
    monkeypatch.setattr(check, "_file", lambda at, given, one, probe, test: iter([(one.name, probe, test)]))
    monkeypatch.setattr(check, "_latencies", lambda at, given, measure: iter([("latencies", measure)]))
    found = check.check_bundle(folder, test="images", measure="clock" if measured else None)  # type: ignore[arg-type]
    run = [("model.onnx", None, "images"), ("other.onnx", None, "images")]
    assert found == (("contents", {}), *run, *[("latencies", "clock")] * measured)
    assert check.load_card(folder) is card


def test_a_probe_of_pickled_objects_is_not_loaded(folder: Path) -> None:
    with (folder / "probe.npz").open("wb") as stream:
        np.savez(stream, images=np.array([{"not": "an image"}], dtype=object))
    assert check._probe(folder) is None


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive at all"])
def test_a_broken_probe_is_none(folder: Path, data: bytes) -> None:
    assert check._probe(folder) is None
    (folder / "probe.npz").write_bytes(data)
    assert check._probe(folder) is None
    with (folder / "probe.npz").open("wb") as stream:
        np.savez(stream, images=np.ones((1, 2), np.uint8))
    assert check._probe(folder).tolist() == [[1, 1]]


def test_a_card_that_is_a_list_is_no_card(folder: Path) -> None:
    (folder / "card.json").write_text("[]")
    with pytest.raises(ExportError, match="is not a card"):
        check.load_card(folder)
