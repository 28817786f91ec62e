"""One-shot strategies of a run: learned on the run's table, taken up where killed, judged and shown like any other."""

import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgenas.config import load
from edgenas.errors import BudgetError, SearchError
from edgenas.pipeline.commands.run import run_some
from edgenas.pipeline.search import one_shot
from edgenas.pipeline.stages import DATA, LATENCY_TABLE, SEARCH, SUPERNET

SMALL = [
    "latency.networks=8", "latency.validation_networks=0", "latency.force=true", "latency.use_shipped=false",
    "supernet.epochs=2", "search.evaluations=10", "target.budget_share=0.6", "data.train_limit=300",
    "data.test_limit=100", "search.baseline=false", "search.one_shot.epochs=4",
]  # fmt: skip
STAGES = (DATA, LATENCY_TABLE, SUPERNET, SEARCH)


@contextmanager
def quiet(title: str):
    yield lambda done, total, what: None


def search(folder: Path, *overrides: str) -> dict:
    configuration = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
    settings = load(configuration, [*SMALL, f"output={folder}", *overrides])
    run_some(STAGES, settings, progress=quiet, say=lambda text: None)
    return json.loads((folder / "quickstart" / "search.json").read_text())


def test_a_one_shot_strategy_aims_at_the_latency_budget_of_the_run(tmp_path) -> None:
    found = search(tmp_path, "search.strategy=tunas")
    learned = found["one_shot"]
    assert learned["cost"] == "latency_ms"
    assert 0.3 * found["budget_ms"] < learned["target"] < found["budget_ms"]
    assert learned["best"]["cost"] == pytest.approx(learned["target"], rel=0.05)
    assert found["evaluations"][0]["digest"] == learned["best"]["digest"]
    assert found["evaluations"][0]["metrics"]["accuracy"]["source"] == "inherited"
    assert len(learned["history"][-1]["probabilities"]) == len(learned["genes"])
    assert not (tmp_path / "quickstart" / one_shot.STATE).exists()
    again = search(tmp_path, "search.strategy=gumbel", "search.one_shot.cost=macs", "search.one_shot.target=200000")
    assert again["one_shot"]["best"]["cost"] == pytest.approx(200_000, rel=0.05)
    with pytest.raises(SearchError, match="needs a cost to hit"):
        search(tmp_path, "search.strategy=darts", "search.one_shot.cost=macs")
    with pytest.raises(SearchError, match=r"costs as little as the one-shot target; got 1e-09 .*within that"):
        search(tmp_path, "search.strategy=darts", "search.one_shot.target=1e-9")
    with pytest.raises(BudgetError, match=r"meets target.max_macs; got 10; allowed: [\d,]+ or more"):
        search(tmp_path, "search.strategy=tunas", "target.max_macs=10")


def test_a_search_that_was_killed_while_it_judged_does_not_learn_again(tmp_path, monkeypatch) -> None:
    class Killed(Exception):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("edgenas.study.Study.run", kill)
        with pytest.raises(Killed):
            search(tmp_path, "search.strategy=tunas")
    monkeypatch.setattr("edgenas.oneshot.policy.PolicyLearner.learn_by_reward", kill)
    assert search(tmp_path, "search.strategy=tunas")["one_shot"]["steps"] > 0


def test_a_penalty_needs_no_target(tmp_path) -> None:
    found = search(
        tmp_path, "search.strategy=tunas", "search.one_shot.goal=penalty", "search.one_shot.cost=macs",
        "search.one_shot.from_supernet=false",
    )  # fmt: skip
    largest = found["one_shot"]["target"]
    assert found["one_shot"]["goal"] == "penalty" and found["one_shot"]["best"]["cost"] <= largest
