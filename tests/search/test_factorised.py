"""Independent choices: large logits, and draws at the edges of what rounding leaves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.search.factorised import draw, entropies, softmax


def test_large_logits_have_chances_too() -> None:
    found = softmax(np.array([[800.0, 800.0 + np.log(3.0), -np.inf], [-800.0, -800.0, -800.0]]))
    assert found == pytest.approx(np.array([[0.25, 0.75, 0.0], [1 / 3] * 3]))
    assert entropies(found)[1] == pytest.approx(np.log(3.0))


def test_a_number_beyond_the_last_edge_draws_the_last_choice_that_a_gene_has() -> None:
    chances = np.array([[0.5, 0.25, 0.0], [0.25, 0.25, 0.25]])
    rng = SimpleNamespace(random=lambda shape: np.full(shape, 0.99))
    assert draw(chances, (2, 3), 2, rng).tolist() == [[1, 2], [1, 2]]  # type: ignore[arg-type]
