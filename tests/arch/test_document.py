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
        (lambda d: d.update(format="x"), "not an architecture document"),
        (lambda d: d.update(version=9), "unknown version"),
        (lambda d: d["stages"][0][0].update(kernl=3), r"stages\[0\]\[0\]: unknown key \(did you mean 'kernel'"),
        (lambda d: d["stem"].pop("out_channels"), "stem: missing out_channels"),
        (lambda d: d.update(stages="none"), "list of lists"),
        (lambda d: d["stages"][1][0].update(kernel=5), "was edited"),
        (lambda d: d.update(head=3), "head must be an object"),
        (lambda d: d["stages"][0][0]["se"].update(channels="many"), "positive integer"),
        (lambda d: d.update(resolution=None), "positive integer"),
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
