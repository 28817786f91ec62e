"""Shared weights of a space whose networks pad as TensorFlow does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgenas.arch import lower
from edgenas.cost import macs, params
from edgenas.errors import SpaceError
from edgenas.latency import graph_units
from edgenas.latency.units import units
from edgenas.space import read
from edgenas.space.costs.contexts import distinct_blocks
from edgenas.space.costs.counts import population_costs
from edgenas.supernet.judging.member import Member
from edgenas.supernet.supernet import Supernet
from tests.supernet.samples import MIXED

SAME = read(MIXED.replace("name: mixed", "name: mixed\npadding: same"))
SYMMETRIC = read(MIXED)
NET = Supernet(SAME, generator=torch.Generator().manual_seed(1))


def test_members_extracted_networks_and_judged_members_compute_the_same() -> None:
    for genes in SAME.sample(20, np.random.default_rng(0)):
        extracted = NET.extract(genes)
        assert extracted.architecture.padding == "same"
        size = extracted.architecture.resolution
        x = torch.randn(4, 1, size, size, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            assert torch.equal(NET.train()(x, genes), extracted.train()(x))
            member = Member(NET, genes)
            member.calibrate([x])
            expected = member.module().eval()(x)
            assert torch.allclose(member.logits(x), expected, rtol=1e-3, atol=1e-6)


def test_members_of_the_same_code_compute_something_else_with_the_other_padding() -> None:
    other = Supernet(SYMMETRIC, generator=torch.Generator().manual_seed(1))
    genes, x = SAME.largest(), torch.randn(4, 1, 12, 12, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found, expected = NET.train()(x, genes), other.train()(x, genes)
    assert (found - expected).abs().max() > 0.1 * expected.abs().max()


def test_a_space_finds_its_members_and_refuses_those_of_the_other_padding() -> None:
    genes = SAME.canonical(SAME.sample(20, np.random.default_rng(1)))
    for code in genes:
        network = SAME.decode(code)
        assert (SAME.encode(network) == code).all()
        with pytest.raises(SpaceError, match="padding do not fit; got same; allowed: symmetric"):
            SYMMETRIC.encode(network)
    assert SAME.digest != SYMMETRIC.digest
    with pytest.raises(SpaceError, match="padding"):
        read(MIXED.replace("name: mixed", "name: mixed\npadding: valid"))


def test_costs_and_units_of_a_population_are_those_of_its_networks() -> None:
    genes = SAME.sample(30, np.random.default_rng(2))
    graphs = [lower(SAME.decode(code)) for code in genes]
    found = population_costs(SAME).macs_and_params(genes)
    assert found.tolist() == [[macs(graph), params(graph)] for graph in graphs]
    known = {unit.key for ops in distinct_blocks(SAME) for unit, _ in units(ops)}
    needed = {unit.key for graph in graphs for unit, _ in graph_units(graph)}
    assert needed <= known and any(key.endswith(" same") for key in needed)
