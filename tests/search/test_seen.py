"""The set of codes against Python's own."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas.search.seen import SeenCodes


@settings(deadline=None)
@given(batches=st.lists(st.lists(st.integers(0, 400), max_size=60), max_size=8))
def test_the_first_of_each_new_code_is_claimed(batches):
    seen, known = SeenCodes((20, 21)), set()
    for batch in batches:
        genes = np.array([divmod(v, 21) for v in batch], dtype=np.int64).reshape(-1, 2)
        keys = seen.keys(genes)
        assert seen.contains(keys).tolist() == [v in known for v in batch]
        expected = []
        for value in batch:
            expected.append(value not in known)
            known.add(value)
        assert seen.claim(keys).tolist() == expected


def test_it_grows_and_forgets_nothing():
    seen, rng = SeenCodes((4,) * 40), np.random.default_rng(0)
    genes = rng.integers(0, 4, size=(20_000, 40))
    for start in range(0, 20_000, 900):
        assert seen.claim(seen.keys(genes[start : start + 900])).all()
    assert seen.contains(seen.keys(genes)).all()
    assert not seen.claim(seen.keys(genes)).any()
