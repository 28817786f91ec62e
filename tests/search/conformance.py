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

    def test_telling_before_asking_is_refused(self):
        with pytest.raises(SearchError, match="asked"):
            self.fresh().tell([Result(genes=(0,) * 5, objectives=(1.0,))])

    @pytest.mark.parametrize("kind", ["another", "told before", "twice", "too short"])
    def test_results_that_are_not_of_pending_candidates_one_each_are_refused_and_nothing_changes(self, kind):
        searcher, undisturbed = self.fresh(seed=3), self.fresh(seed=3)
        for one in (searcher, undisturbed):
            self.walk(one, 5)
            one.tell(judge(one.ask(4)[:1], objectives=1, limits=0))
        told = self.walk(self.fresh(seed=3), 5)[0].genes
        pending = judge(np.asarray(searcher._waiting_for), objectives=1, limits=0)
        wrong = {
            "another": replace(pending, genes=(pending.genes + 1) % 3),
            "told before": pending.pick(np.array([0, 1, 2])),
            "twice": pending.pick(np.array([0, 1, 1])),
            "too short": replace(pending, genes=pending.genes[:, :-1]),
        }[kind]
        if kind == "told before":
            wrong.genes[0] = told[0]
        with pytest.raises(SearchError, match="not those"):
            searcher.tell(wrong)
        assert (searcher.pending, searcher.evaluated) == (undisturbed.pending, undisturbed.evaluated) == (3, 21)
        for one in (searcher, undisturbed):
            one.tell(
                pending.pick(np.array([2, 0, 1]))
                if kind != "told before"
                else judge(np.asarray(one._waiting_for), objectives=1, limits=0)
            )
        assert np.array_equal(searcher.ask(6), undisturbed.ask(6))

    def scattered(self, searcher, steps, *, seed=0, objectives=1, limits=0, **kind) -> np.ndarray:
        """Walk with up to 12 pending: asked one to four at a time, told some at a time in random order."""
        rng, pending, asked = np.random.default_rng(seed), [], []
        for _ in range(steps):
            new = list(searcher.ask(int(rng.integers(1, 5))))
            asked, pending = asked + new, pending + new
            rng.shuffle(pending)
            count = len(pending) if not new else max(len(pending) - 12, int(rng.integers(0, len(pending) + 1)))
            chosen, pending = pending[:count], pending[count:]
            if chosen:
                searcher.tell(judge(np.array(chosen), objectives=objectives, limits=limits, **kind))
            assert (searcher.pending, searcher.evaluated) == (len(pending), len(asked) - len(pending))
        return np.array(asked)

    @pytest.mark.parametrize("wide", [False, True])
    @pytest.mark.parametrize("objectives", [1, 2])
    def test_it_is_asked_while_others_are_pending_and_told_in_any_order_a_few_at_a_time(self, wide, objectives):
        space = WideSpace() if wide else layered_space()
        walks = [
            self.scattered(
                self.fresh(space, objectives=objectives, limits=1), 25, objectives=objectives, limits=1, failing=True
            )
            for _ in range(2)
        ]
        assert np.array_equal(*walks), "the same asks and tells give the same proposals"
        assert np.array_equal(space.canonical(walks[0]), walks[0])
        assert len(np.unique(walks[0], axis=0)) == len(walks[0]) > 40, "none twice"

    def test_a_small_space_is_exhausted_exactly_while_all_is_pending(self):
        space = layered_space(((0, 1), (2,)))
        networks = len(np.unique(space.canonical(all_codes(space)), axis=0))
        searcher = self.fresh(space)
        asked = np.concatenate([searcher.ask(4) for _ in range(12)])
        assert len(np.unique(asked, axis=0)) == len(asked) == networks == searcher.pending
        assert searcher.ask(3).shape == (0, 3)

    def test_pending_candidates_meet_known_limits(self):
        searcher = self.fresh(limits=1, known_margins={0: lambda genes: genes.sum(axis=1) / 5 - 1.0})
        assert (self.scattered(searcher, 15, limits=1).sum(axis=1) <= 5).all()

    def test_results_told_one_by_one_leave_a_searcher_that_goes_on(self):
        searcher = self.fresh(WideSpace(), seed=2)
        asked = searcher.ask(60)
        for row in np.random.default_rng(0).permutation(60):
            searcher.tell(judge(asked[[row]], objectives=1, limits=0))
        assert (searcher.pending, searcher.evaluated) == (0, 60)
        assert len(searcher.ask(5)) == 5

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

    learns = True
    """Whether what is known shapes what is proposed."""

    def warmed(self, known, *, space=None, **kind) -> Searcher:
        searcher = self.fresh(space or WideSpace(), **kind)
        searcher.warm_start(known)
        return searcher

    def known(self, count=40, *, seed=0, **kind) -> Results:
        space = WideSpace()
        genes = space.canonical(space.sample(count, np.random.default_rng(seed)))
        return judge(genes, objectives=kind.pop("objectives", 1), limits=0, **kind)

    def test_networks_of_an_earlier_run_are_not_proposed_again(self):
        space = layered_space()
        before = np.concatenate([t.genes for t in self.walk(self.fresh(space, seed=1), 10)])
        searcher = self.fresh(space, seed=2)
        searcher.warm_start(judge(before, objectives=1, limits=0))
        after = np.concatenate([t.genes for t in self.walk(searcher, 10)])
        assert not set(map(tuple, before)) & set(map(tuple, after))
        with pytest.raises(SearchError, match="warm start"):
            searcher.warm_start(judge(before, objectives=1, limits=0))

    @pytest.mark.parametrize("objectives", [1, 2])
    def test_what_is_known_shapes_the_first_proposal(self, objectives):
        known = self.known(objectives=objectives)
        turned = replace(known, objectives=-known.objectives)
        first, other = (self.warmed(k, objectives=objectives).ask(8) for k in (known, turned))
        assert self.learns == (not np.array_equal(first, other))

    def test_the_first_proposals_after_a_warm_start_are_better_than_random_ones(self):
        known = self.known(400)
        proposed = np.concatenate([self.warmed(known, seed=seed, budget=200).ask(8) for seed in range(4)])
        values = judge(proposed, objectives=1, limits=0).objectives
        better = values.mean() < np.percentile(known.objectives, 45)
        assert better or not self.learns

    def test_the_first_phase_counts_what_is_pending(self):
        """40 asked and 16 told: enough for every first phase, and what was told shapes what comes next."""
        proposed = []
        for sign in (1, -1):
            searcher = self.fresh(WideSpace(), seed=3)
            results = judge(searcher.ask(40)[:16], objectives=1, limits=0)
            searcher.tell(replace(results, objectives=sign * results.objectives))
            proposed.append(searcher.ask(8))
        assert self.learns == (not np.array_equal(*proposed))

    def test_nothing_known_changes_nothing(self):
        plain = self.walk(self.fresh(WideSpace()), 6)
        warm = self.walk(self.warmed([]), 6)
        assert all(np.array_equal(a.genes, b.genes) for a, b in zip(plain, warm, strict=True))

    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_fewer_known_results_than_the_first_phase_needs_are_taken(self, count):
        searcher = self.warmed(self.known(count))
        assert sum(len(t) for t in self.walk(searcher, 12, 5)) == 60 == searcher.evaluated

    def test_failures_among_the_known_teach_nothing_but_are_not_proposed_again(self):
        known = replace(self.known(), failed=np.ones(40, dtype=bool))
        searcher = self.warmed(known, objectives=1)
        asked = np.concatenate([t.genes for t in self.walk(searcher, 10, 5)])
        assert not set(map(tuple, known.genes)) & set(map(tuple, asked))

    def test_some_failures_among_the_known_do_no_harm(self):
        known = self.known(failing=True)
        assert 0 < known.failed.sum() < 40
        assert len(np.concatenate([t.genes for t in self.walk(self.warmed(known), 10, 5)])) == 50

    def test_a_network_that_is_known_several_times_counts_once_and_by_a_result_that_worked(self):
        known = self.known()
        failed = replace(known, failed=np.ones(40, dtype=bool))
        several = Results(
            **{
                name: np.concatenate([getattr(part, name) for part in (failed, known, known)])
                for name in ("genes", "objectives", "violations", "failed", "margins")
            }
        )
        assert np.array_equal(self.warmed(several).ask(8), self.warmed(known).ask(8))

    def test_the_known_may_come_in_parts(self):
        known = self.known()
        searcher = self.fresh(WideSpace())
        for part in (known.pick(np.arange(25)), known.pick(np.arange(25, 40))):
            searcher.warm_start(part)
        asked = np.concatenate([t.genes for t in self.walk(searcher, 6, 5)])
        assert not set(map(tuple, known.genes)) & set(map(tuple, asked))

    @pytest.mark.parametrize("value", [-1, 4])
    def test_codes_of_another_space_are_refused_and_nothing_changes(self, value):
        known = self.known()
        known.genes[3, 7] = value
        searcher = self.fresh(WideSpace())
        with pytest.raises(SearchError, match="space"):
            searcher.warm_start(known)
        assert np.array_equal(searcher.ask(5), self.fresh(WideSpace()).ask(5))

    def test_a_warm_start_while_candidates_are_pending_is_refused(self):
        searcher = self.fresh(WideSpace())
        searcher.ask(3)
        with pytest.raises(SearchError, match="warm start"):
            searcher.warm_start(self.known())
