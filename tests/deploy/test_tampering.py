"""`check_bundle` notices every change of a bundle, with the sums made anew too."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenas.deploy import check_bundle, load_card
from edgenas.deploy.bundle.card import Card, digest_of
from edgenas.deploy.bundle.check import _compare_probe
from edgenas.deploy.bundle.contents import check_contents
from edgenas.errors import ExportError

NAMES = ("model.onnx", "model.int8.onnx", "model.tflite", "model.int8.tflite", "model.fp16.tflite", "labels.txt",
         "card.md", "predict_onnx.py", "predict_tflite.py", "probe.npz")  # fmt: skip


def sum_anew(folder: Path) -> None:
    """Write SHA256SUMS again for what is there, as whoever tampers would."""
    files = sorted(path for path in folder.iterdir() if path.name != "SHA256SUMS" and path.is_file())
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / "SHA256SUMS").write_text("".join(lines))


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(bundle, tmp_path / "copy")
    return tmp_path / "copy"


def serious_names(folder: Path) -> set[str]:
    """What differs, without running any file."""
    values = json.loads((folder / "card.json").read_text())
    return {found.name for found in check_contents(folder, Card.from_dict(values), values) if found.serious}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def swap(path: Path) -> None:
    path.write_bytes((path.parent / NAMES[NAMES.index(path.name) - 1]).read_bytes())


def link(path: Path) -> None:
    path.rename(path.parent.parent / path.name)
    path.symlink_to(path.parent.parent / path.name)


CHANGES: tuple[Callable[[Path], None], ...] = (Path.unlink, truncate, flip, swap, link)


@pytest.mark.parametrize("sums", ["old", "new"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_change_of_every_file_is_serious(
    copy: Path, bundle: Path, change: Callable[[Path], None], sums: str
) -> None:
    for name in NAMES:
        change(copy / name)
        if sums == "new":
            sum_anew(copy)
        assert name in serious_names(copy), name
        (copy / name).unlink(missing_ok=True)
        shutil.copy(bundle / name, copy / name)
        shutil.copy(bundle / "SHA256SUMS", copy / "SHA256SUMS")
    assert serious_names(copy) == set()


def test_a_file_that_belongs_to_no_bundle_is_noted(copy: Path) -> None:
    (copy / "model.exe").write_bytes(b"MZ")
    (copy / "more").mkdir()
    assert {(found.name, found.serious) for found in check_bundle(copy)} == {("model.exe", False), ("more", False)}
    shutil.rmtree(copy / "more")
    sum_anew(copy)
    assert {found.name for found in check_bundle(copy) if found.serious} == {"model.exe"}


def fields(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all plain values of a document; of long lists the first."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    inside = [found for key, item in items for found in fields(item, (*path, key))]
    yield from inside or [path]


def changed(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return value + "x" if isinstance(value, str) else [*value, "x"] if isinstance(value, list) else {"x": 1}


def edit(folder: Path, path: tuple[Any, ...], make: Callable[[Any], Any], *, digest: bool) -> None:
    document = json.loads((folder / "card.json").read_text())
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = make(place[path[-1]])
    if digest:
        document["digest"] = digest_of({name: value for name, value in document.items() if name != "digest"})
    (folder / "card.json").write_text(json.dumps(document, indent=1) + "\n")
    sum_anew(folder)


def found_in(folder: Path) -> bool:
    try:
        return any(found.serious for found in check_bundle(folder))
    except ExportError:
        return True


def test_every_field_of_the_card_is_covered(copy: Path, bundle: Path) -> None:
    document = json.loads((bundle / "card.json").read_text())
    missed = []
    for path in fields(document):
        shutil.copy(bundle / "card.json", copy / "card.json")
        edit(copy, path, changed, digest=False)
        try:
            noticed = bool(serious_names(copy))
        except ExportError:
            noticed = True
        missed += [] if noticed else [path]
    assert missed == []


@pytest.mark.parametrize(
    "path",
    [("identity",), ("notation",), ("macs",), ("params",), ("weights_sha256",), ("labels", 0), ("files", 0, "bytes"),
     ("files", 0, "sha256"), ("files", 0, "name"), ("preprocessing", "scale"), ("recipe",), ("files", 0, "probe", 0, 0),
     ("architecture", "resolution"), ("files", 0, "test", "accuracy", "value"), ("created",)],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
def test_a_field_contradicts_the_others_even_with_every_digest_made_anew(copy: Path, path: tuple[Any, ...]) -> None:
    edit(copy, path, changed, digest=True)
    assert found_in(copy)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "..", "", "a/b.onnx", "model.onnx\n", None, 3])
def test_a_name_that_leaves_the_folder_is_refused(copy: Path, name: Any) -> None:
    (copy.parent / "model.onnx").write_bytes((copy / "model.onnx").read_bytes())
    edit(copy, ("files", 0, "name"), lambda _: name, digest=True)
    with pytest.raises(ExportError):
        load_card(copy)


def test_sums_that_name_files_elsewhere_are_serious(copy: Path) -> None:
    for line in ("0  ../elsewhere", f"{'0' * 64}  /etc/passwd", "nonsense"):
        text = (copy / "SHA256SUMS").read_text()
        (copy / "SHA256SUMS").write_text(f"{text}{line}\n")
        assert serious_names(copy), line
        (copy / "SHA256SUMS").write_text(text)
    (copy / "SHA256SUMS").write_text(text + text.splitlines()[0] + "\n")
    assert "SHA256SUMS" in serious_names(copy)
    (copy / "SHA256SUMS").write_bytes(b"\xff\xfe")
    assert serious_names(copy) >= {"model.onnx", "labels.txt"}


@pytest.mark.parametrize("text", ["NaN", "Infinity", '"a"', "null", "[]"])
def test_a_card_with_a_number_that_is_none_is_refused(copy: Path, text: str) -> None:
    card = (copy / "card.json").read_text()
    for field in ("macs", "torch_test"):
        at = json.dumps(json.loads(card)[field], indent=1)
        start = card.index(f'"{field}": ')
        end = card.index(",\n \"", start) if field == "torch_test" else card.index(",", start)
        (copy / "card.json").write_text(card[: start + len(field) + 4] + text + card[end:])
        assert at and found_in(copy)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_no_probe(bundle: Path, value: float) -> None:
    entry = load_card(bundle).files[0]
    logits = np.array(entry.probe, np.float32)
    assert list(_compare_probe(entry, logits)) == []
    logits[0, 0] = value
    assert [found.serious for found in _compare_probe(entry, logits)] == [True]
    assert [found.serious for found in _compare_probe(entry, logits[:, 1:])] == [True]


def test_the_probe_tolerates_what_its_precision_allows_and_no_more(bundle: Path) -> None:
    card = load_card(bundle)
    for name, tolerance in (("model.onnx", 1e-4), ("model.fp16.tflite", 1e-2), ("model.int8.onnx", 5e-2)):
        entry = card.file(name)
        logits = np.array(entry.probe, np.float32)
        largest = np.abs(logits).max()
        for share, count in ((0.9, 0), (1.1, 1), (-1.1, 1)):
            moved = logits.copy()
            moved[1, 1] += share * tolerance * largest
            assert len(list(_compare_probe(entry, moved))) == count, (name, share)
