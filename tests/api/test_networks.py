"""Networks by name, file, notation, or of a value that has one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import edgenas as en
from edgenas.arch.notation import format_notation
from edgenas.errors import ArchitectureError


def test_every_name_of_the_zoo_is_a_network() -> None:
    assert all(isinstance(en.load_network(name), en.Architecture) for name in en.NETWORKS)


def test_a_notation_a_network_and_what_has_one_are_the_same(tmp_path: Path) -> None:
    network = en.load_network("mobilenet_v3_small")
    for other in (format_notation(network), network, SimpleNamespace(architecture=network)):
        assert en.load_network(other).digest == network.digest
    assert en.load_network(network, resolution=96).resolution == 96


def test_counts_are_those_of_the_papers() -> None:
    counts = en.count("mobilenet_v3_large")
    assert (counts.macs, counts.params) == (216_589_760, 5_483_032)
    assert sum(layer.macs for layer in counts.layers) == counts.macs
    assert sum(layer.params for layer in counts.layers) == counts.params
    assert max(layer.live_bytes for layer in counts.layers) == counts.peak_activation_bytes


@pytest.mark.parametrize("what", ["mobilenet", "none.json", 3, None, SimpleNamespace(architecture="x")])
def test_what_is_no_network_is_refused(what: object) -> None:
    with pytest.raises(ArchitectureError):
        en.load_network(what)  # type: ignore[arg-type]
