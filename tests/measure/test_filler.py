"""Weights of files that are only timed."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.arch.weights import check_weights
from edgenas.arch.zoo import published
from edgenas.formats import encode
from edgenas.measure import runtime
from edgenas.measure.filler import filler_weights
from edgenas.measure.table.build import reference_of
from edgenas.space import load


@pytest.mark.parametrize("name", ["mobilenet_v3_large", "efficientnet_b0"])
def test_filler_fits_the_network_and_holds_no_denormal_number(name: str) -> None:
    graph = lower(published(name))
    weights = filler_weights(graph)
    check_weights(graph, weights)
    smallest = np.finfo(np.float32).tiny
    for name, values in weights.items():
        assert np.isfinite(values).all()
        assert not ((values != 0) & (np.abs(values) < smallest)).any()
        assert not name.endswith(("running_var", "norm.weight")) or values.min() > 0.5


def test_activations_keep_their_magnitude_to_the_end() -> None:
    graph = lower(reference_of(load("tiny")))
    data = encode(graph, filler_weights(graph), file_format="onnx", precision="fp32")
    (logits,) = runtime("ort").open(data).outputs()
    assert 1e-3 < float(np.abs(logits).max()) < 1e3


def test_filler_repeats_and_is_not_shared_between_arrays() -> None:
    graph = lower(reference_of(load("tiny")))
    first, again = filler_weights(graph), filler_weights(graph)
    name = next(iter(first))
    assert np.array_equal(first[name], again[name])
    first[name][:] = 0
    assert again[name].any()
