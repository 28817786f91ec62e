"""What every searcher must do. Inherit, and say how to make one; every test here then runs for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.tables import TabularSpace
from edgenas.errors import SearchError
from edgenas.search import Result, Results, Searcher, SpaceView

from .spaces import WideSpace, all_codes, judge, layered_space


class SearcherConformance:
    """Laws of `Searcher`."""

    def make(
        self, space: SpaceView, *, objectives: int, limits: int, seed: int, budget: int, known_margins=None
    ) -> Searcher:
        raise NotImplementedError

    def walk(self, searcher, steps, batch=4, *, objectives=1, limits=0, **kind) -> list[Results]:
        told = []
        for _ in range(steps):
            genes = searcher.ask(batch)
            if len(genes) == 0:
                break
            told.append(judge(genes, objectives=objectives, limits=limits, **kind))
            searcher.tell(told[-1])
        return told

    def fresh(self, space=None, *, objectives=1, limits=0, seed=0, budget=60, known_margins=None) -> Searcher:
        return self.make(
            space or layered_space(),
            objectives=objectives,
            limits=limits,
            seed=seed,
            budget=budget,
            known_margins=known_margins,
        )

    def test_the_same_seed_gives_the_same_walk(self):
        first, second = (self.walk(self.fresh(seed=3), 10) for _ in range(2))
        assert all(np.array_equal(a.genes, b.genes) for a, b in zip(first, second, strict=True))

    def test_another_seed_gives_another_walk(self):
        first, second = (self.walk(self.fresh(seed=s), 6) for s in (3, 4))
        assert not all(np.array_equal(a.genes, b.genes) for a, b in zip(first, second, strict=True))

    def test_asking_twice_without_telling_is_refused(self):
        searcher = self.fresh()
        searcher.ask(2)
        with pytest.raises(SearchError, match="told"):
            searcher.ask(2)

    def test_telling_before_asking_is_refused(self):
        with pytest.raises(SearchError, match="asked"):
            self.fresh().tell([Result(genes=(0,) * 5, objectives=(1.0,))])

    def test_results_of_other_candidates_are_refused(self):
        searcher = self.fresh()
        genes = searcher.ask(3)
        with pytest.raises(SearchError, match="not those"):
            searcher.tell(judge(genes[::-1], objectives=1, limits=0))

    def test_asking_for_nothing_is_refused(self):
        with pytest.raises(SearchError):
            self.fresh().ask(0)

    def test_rows_and_columns_tell_the_same(self):
        columns, rows = self.fresh(), self.fresh()
        for _ in range(8):
            results = judge(columns.ask(4), objectives=1, limits=0)
            assert np.array_equal(results.genes, rows.ask(4))
            columns.tell(results)
            rows.tell(
                [
                    Result(genes=tuple(int(v) for v in g), objectives=tuple(float(v) for v in o))
                    for g, o in zip(results.genes, results.objectives, strict=True)
                ]
            )

    def test_proposals_are_canonical_and_never_repeated(self):
        space = layered_space()
        told = self.walk(self.fresh(space), 15)
        genes = np.concatenate([t.genes for t in told])
        assert np.array_equal(space.canonical(genes), genes)
        assert len(np.unique(genes, axis=0)) == len(genes)

    @pytest.mark.parametrize("batch", [1, 7])
    def test_a_small_space_is_exhausted_exactly_and_then_nothing_is_proposed(self, batch):
        space = layered_space(((0, 1), (2,)))
        networks = len(np.unique(space.canonical(all_codes(space)), axis=0))
        searcher = self.fresh(space)
        told = self.walk(searcher, 100, batch)
        genes = np.concatenate([t.genes for t in told])
        assert len(np.unique(genes, axis=0)) == len(genes) == networks
        assert all(len(t) == batch for t in told[:-1])
        assert searcher.ask(3).shape == (0, 3)

    def test_a_space_of_one_member_gives_that_member(self):
        searcher = self.fresh(TabularSpace((1, 1), np.zeros((1, 2), dtype=int)))
        assert len(self.walk(searcher, 5)) == 1

    def test_a_table_with_holes_is_walked_only_where_it_has_rows(self):
        codes = np.indices((3, 3, 3)).reshape(3, -1).T[::2]
        searcher = self.fresh(TabularSpace((3, 3, 3), codes))
        genes = np.concatenate([t.genes for t in self.walk(searcher, 40)])
        assert sorted(map(tuple, genes)) == sorted(map(tuple, codes))

    @pytest.mark.parametrize("objectives", [1, 2, 3])
    @pytest.mark.parametrize("limits", [0, 2])
    def test_failures_objectives_and_limits_of_any_number_are_taken(self, objectives, limits):
        searcher = self.fresh(WideSpace(), objectives=objectives, limits=limits)
        told = self.walk(searcher, 10, 5, objectives=objectives, limits=limits, failing=True)
        assert sum(len(t) for t in told) == 50 == searcher.evaluated
        assert any(t.failed.any() for t in told)

    def test_it_goes_on_when_every_evaluation_fails(self):
        searcher = self.fresh(WideSpace(), objectives=2, limits=1)
        for _ in range(8):
            results = judge(searcher.ask(5), objectives=2, limits=1)
            searcher.tell(replace(results, failed=np.ones(5, dtype=bool)))
        assert searcher.evaluated == 40

    @pytest.mark.parametrize("objectives", [1, 2])
    def test_constant_objectives_do_no_harm(self, objectives):
        searcher = self.fresh(WideSpace(), objectives=objectives)
        told = self.walk(searcher, 9, 5, objectives=objectives, constant=True)
        assert len(np.unique(np.concatenate([t.genes for t in told]), axis=0)) == 45

    def test_limits_that_nothing_meets_do_no_harm(self):
        searcher = self.fresh(limits=1)
        for _ in range(9):
            genes = searcher.ask(4)
            margins = 1.0 + genes.sum(axis=1, keepdims=True) / 10
            searcher.tell(replace(judge(genes, objectives=1, limits=1), violations=margins, margins=margins))
        assert searcher.evaluated == 36

    @pytest.mark.parametrize(("wide", "most"), [(False, 4), (True, 38), (True, 12)])
    def test_no_network_is_proposed_that_breaks_a_known_limit(self, wide, most):
        space = WideSpace() if wide else layered_space()
        searcher = self.fresh(space, limits=2, known_margins={1: lambda genes: genes.sum(axis=1) / most - 1.0})
        told = self.walk(searcher, 12, 5, limits=2, failing=True)
        genes = np.concatenate([t.genes for t in told])
        assert len(np.unique(genes, axis=0)) == len(genes) > 20
        assert (genes.sum(axis=1) <= most).all()

    @pytest.mark.parametrize("wide", [False, True])
    def test_known_limits_that_nothing_meets_are_refused(self, wide):
        never = {0: lambda genes: 1.5 + genes.sum(axis=1)}
        with pytest.raises(SearchError, match="limit 0 by 150 %"):
            self.fresh(WideSpace() if wide else layered_space(), limits=1, known_margins=never).ask(3)

    def test_a_known_limit_leaves_a_small_space_that_is_exhausted_exactly(self):
        space = layered_space(((0, 1), (2,)))
        networks = np.unique(space.canonical(all_codes(space)), axis=0)
        searcher = self.fresh(space, limits=1, known_margins={0: lambda genes: genes.sum(axis=1) - 3.0})
        genes = np.concatenate([t.genes for t in self.walk(searcher, 100, limits=1)])
        assert sorted(map(tuple, genes)) == sorted(tuple(g) for g in networks if g.sum() <= 3)

    def test_violations_are_enough_where_margins_are_not_known(self):
        searcher = self.fresh(limits=1)
        for _ in range(9):
            searcher.tell(replace(judge(searcher.ask(4), objectives=1, limits=1), margins=None))
        assert searcher.evaluated == 36

    def test_its_own_history_replays_to_the_same_state(self):
        searcher = self.fresh(objectives=2, limits=1, seed=5)
        told = self.walk(searcher, 9, objectives=2, limits=1, failing=True)
        again = self.fresh(objectives=2, limits=1, seed=5)
        for results in told:
            assert np.array_equal(again.ask(len(results)), results.genes)
            again.tell(results)
        assert np.array_equal(again.ask(4), searcher.ask(4))

    def test_a_value_that_is_not_finite_is_refused_unless_it_failed(self):
        searcher = self.fresh()
        results = judge(searcher.ask(3), objectives=1, limits=0)
        with pytest.raises(SearchError, match="finite"):
            searcher.tell(replace(results, objectives=np.full((3, 1), np.inf)))


class WarmStartConformance(SearcherConformance):
    """Laws of searchers that take an earlier run."""

    def test_networks_of_an_earlier_run_are_not_proposed_again(self):
        space = layered_space()
        before = np.concatenate([t.genes for t in self.walk(self.fresh(space, seed=1), 10)])
        searcher = self.fresh(space, seed=2)
        searcher.warm_start(judge(before, objectives=1, limits=0))
        after = np.concatenate([t.genes for t in self.walk(searcher, 10)])
        assert not set(map(tuple, before)) & set(map(tuple, after))
        with pytest.raises(SearchError, match="warm start"):
            searcher.warm_start(judge(before, objectives=1, limits=0))
