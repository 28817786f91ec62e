"""A search in a few lines: it is the run's search, it repeats, and what cannot be is refused at once."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import edgenas as en
from edgenas.errors import BudgetError, ConfigError, DataError, InputError, SearchError, SpaceError, TableError
from edgenas.pipeline.search.budget import looked_at
from tests.api.conftest import QUICK, SILENT, SMALL
from tests.measure.fakes import use


def genes(found: en.SearchResult) -> list[tuple[int, ...]]:
    return [network.genes for network in found.evaluations]


def test_the_front_is_of_judged_networks_within_the_budget_and_its_best_the_most_accurate(
    found: en.SearchResult, table: en.LatencyTable
) -> None:
    assert len(found.evaluations) == 16
    assert {network.genes for network in found.front} <= set(genes(found))
    assert found.budget_ms is not None
    slack = 1 + table.interval.relative
    assert all(network.latency_ms <= found.budget_ms * slack for network in found.front)
    within = [network for network in found.front if network.latency_ms <= found.budget_ms]
    assert found.best.accuracy == max(network.accuracy for network in within)
    assert {network.metrics["accuracy"].source for network in found.front} == {"inherited"}


def test_the_latencies_are_those_of_the_table(found: en.SearchResult, table: en.LatencyTable) -> None:
    for network in found.front:
        assert network.latency_ms == pytest.approx(en.predict_latency(network, table).latency_ms, rel=1e-6)


def test_the_same_seed_finds_the_same_networks_and_another_seed_others(
    found: en.SearchResult, space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable, tmp_path: Path
) -> None:
    def search(seed: int) -> en.SearchResult:
        return en.search(space, data, table, budget_share=0.8, evaluations=16, seed=seed, folder=tmp_path / "kept",
                         config=QUICK, **SILENT)  # fmt: skip

    again = search(0)
    assert genes(again) == genes(found)
    assert [network.accuracy for network in again.evaluations] == [network.accuracy for network in found.evaluations]
    assert genes(search(1)) != genes(found)


def test_the_same_call_on_a_folder_finds_nothing_to_do(
    space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable, tmp_path: Path
) -> None:
    said: list[str] = []

    def search(strategy: str) -> en.SearchResult:
        said.clear()
        return en.search(space, data, table, evaluations=4, strategy=strategy, folder=tmp_path / "kept",
                         config=QUICK | {"search.baseline": False}, progress=en.no_progress,
                         say=said.append)  # fmt: skip

    first = search("random")
    assert genes(search("random")) == genes(first)
    assert said == [f"{stage}: unchanged" for stage in ("data", "table", "supernet", "search")]
    search("nsga2")
    assert "supernet: unchanged" in said and "search: unchanged" not in said


def test_a_run_with_the_same_settings_and_table_finds_the_same_networks(run: en.Run) -> None:
    # The run's own images, space and table, handed over as values, under its own settings.
    context = SMALL | {"seed": run.settings.seed}
    found = en.search(run.space, run.data, run.table, config=context, **SILENT)
    assert genes(found) == [network.genes for network in run.evaluations]
    assert found.budget_ms == json.loads((run.path / "search.json").read_text())["budget_ms"]


def test_a_temporary_folder_lives_as_long_as_a_network_of_it(
    space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable
) -> None:
    found = en.search(space, data, table, evaluations=2, strategy="random", config=QUICK, **SILENT)
    best, path = found.best, found.run.path
    del found
    gc.collect()
    assert best.folder.path == path and (path / "search.json").is_file()
    del best
    gc.collect()
    assert not path.exists()


def test_the_folder_of_a_search_opens_like_a_run(
    space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = en.search(space, data, table, budget_share=0.8, evaluations=8, folder="kept", config=QUICK, **SILENT)
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "kept").rename(tmp_path / "elsewhere" / "moved")
    opened = en.open_run(moved)
    assert opened.data.digest == data.digest
    assert opened.space.digest == space.digest
    assert opened.table.entries == table.entries
    assert [network.genes for network in opened.front] == [network.genes for network in found.front]
    assert not opened.finished
    assert "not finished" in repr(opened) and "not finished" in opened._repr_html_()


def test_measured_networks_decide_where_it_is_asked_for(
    space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable
) -> None:
    found = en.search(space, data, table, budget_share=0.8, evaluations=12, measure=2, config=QUICK, **SILENT)
    measured = [network for network in found.front if network.measured_ms is not None]
    assert 1 <= len(measured) <= 2
    assert found.best in measured
    assert found.best.latency_ms == found.best.measured_ms


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"strategy": "nsga3"}, ConfigError, "did you mean 'nsga2'"),
        ({"estimator": "supernett"}, ConfigError, "did you mean 'supernet'"),
        ({"evaluations": 0}, ConfigError, "search.evaluations: not usable; got 0"),
        ({"objectives": ["acuracy"]}, ConfigError, "did you mean 'accuracy'"),
        ({"budget_ms": 1.0, "budget_share": 0.5}, ConfigError, "one of budget_ms and budget_share"),
        ({"budget_ms": 1e-6}, BudgetError, "no network of the space tiny meets the latency budget; got 1e-06 ms"),
        ({"max_macs": 10}, BudgetError, "meets target.max_macs"),
        ({"max_params": 10}, BudgetError, "meets target.max_params"),
        ({"config": {"supernet.epoks": 3}}, ConfigError, "did you mean 'epochs'"),
        ({"config": {"target.runtime": "litert"}}, TableError, "of another target: runtime; got ort; allowed: litert"),
        ({"config": "quickstrat"}, ConfigError, "cannot read the configuration"),
        ({"folder": "a b"}, ConfigError, "name: not usable; got 'a b'"),
        ({"space": "tinny"}, SpaceError, "did you mean 'tiny'"),
        ({"space": 3}, SpaceError, "this is no search space; got int"),
        ({"table": "none.json"}, en.EdgenasError, "none.json"),
        ({"table": 3}, TableError, "this is no latency table; got int"),
        ({"data": "photos"}, DataError, "these are no images; got str"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    space: en.SearchSpace,
    data: en.ImageData,
    table: en.LatencyTable,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgenas.supernet.train_supernet", lambda *_, **__: pytest.fail("trained"))
    arguments: dict[str, object] = {"space": space, "data": data, "table": table, "config": QUICK}
    with pytest.raises(error) as caught:
        en.search(**(arguments | change), **SILENT)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_table_of_another_device_predicts_and_does_not_measure(
    space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable
) -> None:
    foreign = replace(table, device=replace(table.device, cpu="Cortex-A55"))
    how = {"evaluations": 2, "strategy": "random", "config": QUICK | {"search.baseline": False}, **SILENT}
    assert len(en.search(space, data, foreign, **how).evaluations) == 2  # type: ignore[arg-type]
    with pytest.raises(TableError, match="of another device.*got Cortex-A55"):
        en.search(space, data, foreign, measure=1, **how)  # type: ignore[arg-type]


def test_a_finished_run_is_not_searched_anew(
    run: en.Run, space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable
) -> None:
    before = {path: path.read_bytes() for path in run.path.rglob("*.json")}
    with pytest.raises(InputError, match="holds a finished run"):
        en.search(space, data, table, folder=run.path, config=QUICK, **SILENT)
    assert {path: path.read_bytes() for path in run.path.rglob("*.json")} == before


def test_a_budget_of_one_kind_replaces_one_of_the_other(
    space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable
) -> None:
    config = QUICK | {"target.budget_share": 0.5}
    found = en.search(space, data, table, budget_ms=1.0, evaluations=2, strategy="random", config=config, **SILENT)
    assert found.budget_ms == 1.0


def test_a_table_of_another_space_is_refused(data: en.ImageData, table: en.LatencyTable) -> None:
    other = en.load_space("mobilenet_v2", data=data)
    with pytest.raises(TableError, match="does not cover the space mobilenet_v2.*a table of tiny.*measure_table"):
        en.search(other, data, table, config=QUICK, **SILENT)


def test_a_space_for_other_images_is_refused(data: en.ImageData, table: en.LatencyTable) -> None:
    with pytest.raises(SpaceError, match=r"7 classes and 1 .*allowed: 10 classes and 1 .*load_space\(name, data=data"):
        en.search(en.load_space("tiny", classes=7, channels=1, resolutions=[8]), data, table, **SILENT)
    with pytest.raises(SpaceError, match="got 16 pixels; allowed: at most 8 pixels.*resolution=16"):
        en.load_space("tiny", data=data, resolutions=[8, 16])


def test_strategies_are_compared_at_equal_cost(
    space: en.SearchSpace, data: en.ImageData, table: en.LatencyTable, tmp_path: Path
) -> None:
    compare: Callable[..., dict[str, object]] = en.compare_strategies
    given = {"seeds": 2, "evaluations": 6, "folder": tmp_path / "kept", "config": QUICK, **SILENT}
    found = compare(["random", "nsga2"], space, data, table, **given)
    assert set(found["strategies"]) == {"random", "nsga2"}  # type: ignore[call-overload]
    assert (tmp_path / "kept" / "comparison.png").is_file()
    with pytest.raises(SearchError, match="did you mean 'random'"):
        compare(["randon"], space, data, table, **given)


@pytest.mark.parametrize(("pace", "refused"), [(0.5, False), (1.0, True), (2.0, True)])
def test_a_budget_is_one_of_now_though_the_table_is_of_another_day(
    monkeypatch: pytest.MonkeyPatch, data: en.ImageData, space: en.SearchSpace, table: en.LatencyTable, pace: float,
    *, refused: bool,
) -> None:
    use(monkeypatch, noise=0.002, drift=pace)
    fastest = min(en.predict_latency(space.decode(genes), table).low_ms for genes in looked_at(space, seed=0)[:400])
    monkeypatch.setattr("edgenas.api.search._Job.run", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(BudgetError if refused else KeyboardInterrupt):
        en.search(space, data, table, budget_ms=0.6 * fastest, evaluations=16, config=QUICK, **SILENT)
