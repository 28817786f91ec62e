"""A search that starts from what the store knows: once fixed, the same after a kill, and only what is comparable."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.pipeline.search import known
from edgenas.pipeline.search.candidate_judge import Judge
from edgenas.search import AskTell
from edgenas.space import load
from edgenas.study import Context, Evaluation, Failure, Metric, open_store
from tests.pipeline.test_one_shot import search

SPACE = load("tiny")
HERE = Context(evaluator="inherited", settings="s", data="d", device="t")


class Run(SimpleNamespace):
    """As much of a run's context as the known evaluations need."""

    def once(self, name, make):
        return SPACE


def run(folder: Path, *, seed: int = 0, warm_start: str = "store", retry_failures: bool = False) -> Run:
    from edgenas.config.sections.search import SearchSection
    from edgenas.config.sections.target import TargetSection
    from edgenas.pipeline.core.directory import RunDirectory

    section = SearchSection(warm_start=warm_start, retry_failures=retry_failures)
    settings = SimpleNamespace(seed=seed, search=section, target=TargetSection())
    return Run(settings=settings, directory=RunDirectory(path=folder), say=lambda text: None)


def judged(count: int, seed: int = 0) -> list[Evaluation]:
    genes = np.unique(SPACE.canonical(SPACE.sample(count, np.random.default_rng(seed))), axis=0)
    metrics = (("accuracy", Metric(value=0.5, source="inherited")),)
    return [
        Evaluation(digest=SPACE.decode(code).digest, genes=tuple(int(g) for g in code), metrics=metrics)
        for code in genes
    ]


def put(store, outcomes, context=HERE) -> None:
    store.put_many({context.key(outcome.digest): outcome for outcome in outcomes}, context=context)


def test_only_networks_of_the_same_space_that_worked_and_were_judged_alike_are_known(tmp_path) -> None:
    store, good = open_store(tmp_path / "store.sqlite"), judged(6)
    put(store, good)
    put(store, [Failure(reason="broke", digest="f" * 64)])
    put(store, judged(5, seed=1), Context(evaluator="trained", settings="s", data="d", device="t"))
    other = judged(9, seed=2)
    lines = [(*other[0].genes, 0), tuple(99 for _ in other[0].genes), other[0].genes[:-1], other[1].genes]
    put(store, [Evaluation(digest=f"{k}" * 64, genes=g, metrics=other[0].metrics) for k, g in enumerate(lines)])
    found = known.known_outcomes(run(tmp_path), HERE, store)
    assert sorted(e.digest for e in found) == sorted(e.digest for e in good)
    assert known.known_outcomes(run(tmp_path, warm_start="none"), HERE, store) == ()
    store.close()


def test_failures_of_the_store_are_known_by_their_codes_unless_they_are_to_be_tried_again(tmp_path) -> None:
    store, good = open_store(tmp_path / "store.sqlite"), judged(6)
    bad = [Failure(reason="broke", digest=e.digest, genes=e.genes) for e in good[:2]]
    put(store, [*bad, *good[2:], Failure(reason="of an earlier version", digest="f" * 64)])
    said: list[str] = []
    here = run(tmp_path)
    here.say = said.append
    for _ in range(2):  # written down, then read back
        assert sorted(o.digest for o in known.known_outcomes(here, HERE, store)) == sorted(e.digest for e in good)
    assert said == [f"  the search starts from {len(good) - 2} evaluations and 2 failures of the store"] * 2
    again = run(tmp_path, retry_failures=True)
    assert sorted(o.digest for o in known.known_outcomes(again, HERE, store)) == sorted(e.digest for e in good[2:])
    store.close()


def test_a_warm_search_proposes_nothing_that_failed_before(tmp_path, monkeypatch) -> None:
    shared = f"search.store={tmp_path / 'shared.sqlite'}"
    outcome, failed = Judge._outcome, []

    def every_third_fails(self, code, costs, row, *rest):
        found = outcome(self, code, costs, row, *rest)
        if len(failed) < 3 and row % 3 == 0:
            failed.append(found.digest)
            return Failure(reason="it broke", digest=found.digest)
        return found

    monkeypatch.setattr(Judge, "_outcome", every_third_fails)
    cold = search(tmp_path, shared, "search.strategy=pareto_local_search")
    monkeypatch.setattr(Judge, "_outcome", outcome)
    told, warm_start = [], AskTell.warm_start
    monkeypatch.setattr(AskTell, "warm_start", lambda s, r: (told.append(r), warm_start(s, r))[1])
    asked, ask = [], AskTell.ask
    monkeypatch.setattr(AskTell, "ask", lambda s, n: (asked.append(ask(s, n)), asked[-1])[1])
    warm = ("search.strategy=pareto_local_search", "search.warm_start=store", "search.evaluations=9")
    found = search(tmp_path, shared, *warm, "search.baseline=false")
    assert cold["failures"] == 3 and int(told[0].failed.sum()) == 3
    assert (found["known"], found["judged"], found["failures"]) == (7, 9, 0)
    bad = {tuple(code) for code in told[0].genes[told[0].failed].tolist()}
    assert not bad & {tuple(code) for batch in asked for code in batch.tolist()}


def test_what_a_search_started_from_is_fixed_until_it_is_finished_or_another_begins(tmp_path) -> None:
    store = open_store(tmp_path / "store.sqlite")
    put(store, judged(6))
    first = known.known_outcomes(run(tmp_path), HERE, store)
    put(store, judged(30, seed=1))
    assert known.known_outcomes(run(tmp_path), HERE, store) == first
    another = known.known_outcomes(run(tmp_path, seed=1), HERE, store)
    assert len(another) > len(first)
    known.forget_known(run(tmp_path))
    assert len(known.known_outcomes(run(tmp_path), HERE, store)) == len(another)
    store.close()


@pytest.mark.parametrize("broken", ["", "{}", "[1]", '{"about": 3', '{"about": null, "outcomes": 3}'])
def test_a_broken_file_is_written_anew_and_said(tmp_path, broken) -> None:
    store = open_store(tmp_path / "store.sqlite")
    put(store, judged(6))
    first = known.known_outcomes(run(tmp_path), HERE, store)
    (tmp_path / known.KNOWN_FILE).write_text(broken)
    assert known.known_outcomes(run(tmp_path), HERE, store) == first
    assert json.loads((tmp_path / known.KNOWN_FILE).read_text())["outcomes"]
    store.close()


def test_a_warm_search_judges_others_counts_them_alone_and_is_replayed_after_a_kill(tmp_path, monkeypatch) -> None:
    shared = f"search.store={tmp_path / 'shared.sqlite'}"
    cold = search(tmp_path, shared, "search.strategy=pareto_local_search")
    warm = (shared, "search.strategy=pareto_local_search", "search.warm_start=store", "search.evaluations=9")
    told, warm_start = [], AskTell.warm_start
    monkeypatch.setattr(AskTell, "warm_start", lambda s, r: (told.append(r.genes.tolist()), warm_start(s, r))[1])

    class Killed(Exception):
        pass

    evaluate, seen = Judge._outcome, []

    def kill(self, code, costs, row, *rest):
        if len(seen) == 4:
            raise Killed
        seen.append(code.tolist())
        return evaluate(self, code, costs, row, *rest)

    monkeypatch.setattr(Judge, "_outcome", kill)
    with pytest.raises(Killed):
        search(tmp_path, *warm)
    monkeypatch.setattr(Judge, "_outcome", evaluate)
    found = search(tmp_path, *warm)
    before = {e["digest"] for e in cold["evaluations"]}
    digests = [e["digest"] for e in found["evaluations"]]
    assert (found["known"], found["judged"], len(digests)) == (10, 9, 19)
    assert set(digests[:10]) == before and len(set(digests)) == 19
    assert told[0] == told[1] and len(told) == 2, "what was judged before the kill is no part of the known"
    assert [e["genes"] for e in found["evaluations"][10:14]] == seen, "the same walk"
    assert len(found["progress"]["pareto_local_search"]["hypervolume"]) == 9
    assert not (tmp_path / "quickstart" / known.KNOWN_FILE).exists()
