import json

import pytest
from hypothesis import given

from edgenas.arch.document import from_document, read_document, to_document
from edgenas.arch.zoo import published
from edgenas.errors import ArchitectureError
from tests.arch.strategies import architectures


def _changed(change) -> dict:
    document = json.loads(json.dumps(to_document(published("mobilenet_v3_small"))))
    change(document)
    return document


@given(architectures())
def test_any_architecture_survives_json(architecture) -> None:
    assert from_document(json.loads(json.dumps(to_document(architecture)))) == architecture


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format="x"), "no architecture document"),
        (lambda d: d.update(version=9), "unknown version"),
        (lambda d: d["stages"][0][0].update(kernl=3), r"stages\[0\]\[0\]\.kernl: unknown key \(did you mean 'kernel'"),
        (lambda d: d["stem"].pop("out_channels"), r"stem\.out_channels: is missing"),
        (lambda d: d.update(stages="none"), "stages: must be a list"),
        (lambda d: d["stages"][1][0].update(kernel=5), "was edited"),
        (lambda d: d.update(head=3), "head: must be a mapping"),
        (lambda d: d["stages"][0][0]["se"].update(channels="many"), r"se\.channels: must be a whole number"),
        (lambda d: d.update(resolution=None), "resolution: must be a whole number"),
        (lambda d: d["stages"][1][1].update(skip="false"), r"stages\[1\]\[1\]\.skip: must be true or false; got 'fal"),
        (lambda d: d["stages"][1][1].update(skip=0), "skip: must be true or false"),
        (lambda d: d["stages"][1][0].update(kernel=True), r"kernel: must be a whole number; got True"),
        (lambda d: d["stages"][1][0].update(stride=2.0), r"stride: must be a whole number; got 2\.0"),
        (lambda d: d["stages"][1][0].update(expand=1), "expand: must be true or false"),
        (lambda d: d["head"].update(hidden_norm="no"), "hidden_norm: must be true or false"),
        (lambda d: d.update(norm_eps=float("nan")), "norm_eps: must be a finite number"),
        (lambda d: d.update(norm_eps="1e-3"), "norm_eps: must be a number"),
        (lambda d: d.update(version=True), "unknown version"),
        (lambda d: d.update(digest=None), "was edited"),
        (lambda d: d["stages"][1][0].update(stride=3), r"stages\[1\]\[0\]: mbconv block: stride"),
    ],
)
def test_a_broken_document_is_refused_with_the_place(change, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        from_document(_changed(change))


def test_an_edited_document_is_accepted_without_its_digest() -> None:
    document = _changed(lambda d: (d["stages"][1][0].update(kernel=5), d.pop("digest")))
    assert from_document(document).stages[1].blocks[0].kernel == 5


def test_a_file_that_is_no_json_is_named(tmp_path) -> None:
    file = tmp_path / "network.json"
    file.write_text("{")
    with pytest.raises(ArchitectureError, match="network.json is not JSON"):
        read_document(file)
    with pytest.raises(ArchitectureError, match="cannot read"):
        read_document(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text", ['{"resolution": 1, "resolution": 2}', '{"norm_eps": NaN}', '{"norm_eps": 1e999}', "[" * 10_000]
)
def test_a_file_that_two_readers_read_differently_is_refused(tmp_path, text: str) -> None:
    file = tmp_path / "network.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ArchitectureError, match="network.json is"):
        read_document(file)
