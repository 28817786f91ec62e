"""Pareto local search: where it looks first."""

from __future__ import annotations

import numpy as np

from edgenas.search import Results, Task
from edgenas.search.evolution.local_search import ParetoLocalSearch, finite_crowding

from .spaces import WideSpace


def test_the_ends_of_a_front_count_as_its_sparsest_inner_member():
    front = np.array([[0.0, 10.0], [1.0, 4.0], [2.0, 3.0], [10.0, 0.0]])
    behind = front + 20.0
    crowding = finite_crowding(np.concatenate([front, behind[:2]]), np.array([0, 0, 0, 0, 1, 1]))
    assert crowding[0] == crowding[3] == max(crowding[1], crowding[2])
    assert crowding[4:].tolist() == [1.0, 1.0], "a front without inner members"


def told(searcher, genes, objectives):
    nothing = np.zeros((len(genes), 0))
    failed = np.zeros(len(genes), dtype=bool)
    searcher.tell(Results(genes=genes, objectives=objectives, violations=nothing, failed=failed, margins=nothing))


def test_a_front_is_explored_where_the_first_objective_is_good_before_where_it_is_poor():
    searcher = ParetoLocalSearch(Task(space=WideSpace(), objectives=2, seed=0, budget=60), initial=8, recombination=0.0)
    genes = searcher.ask(8)
    # Two members on the front: one good in the first objective, one worse in it than any other.
    objectives = np.stack([np.r_[1.0, np.linspace(2, 3, 6), 50.0], np.r_[5.0, np.full(6, 6.0), 0.0]], axis=1)
    told(searcher, genes, objectives)
    child = searcher.ask(1)
    assert (child[0] != genes[0]).sum() <= 2, "a neighbour of the good one; the last gene may die with the first"


def test_a_recombination_takes_each_gene_from_one_of_two_members_of_the_front():
    task = Task(space=WideSpace(), objectives=2, seed=3, budget=60)
    searcher = ParetoLocalSearch(task, initial=10, recombination=1.0, mutated=0.0)
    known = searcher.ask(10)
    told(searcher, known, np.stack([np.arange(10.0), np.arange(10.0)[::-1]], axis=1))
    child = searcher.ask(1)[0]
    from_pair = [((child == a) | (child == b))[:-1].all() for a in known for b in known]
    assert any(from_pair) and not (known == child).all(axis=1).any()
