"""Limits on the file: known for populations with the right sign, refused where nothing meets them, never proposed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.config.sections.target import TargetSection
from edgenas.config.settings import RunSettings
from edgenas.deploy import FileSpec
from edgenas.errors import BudgetError, ConfigError
from edgenas.pipeline.search import budget
from edgenas.pipeline.search import sizes as sizes_module
from edgenas.pipeline.search.file_sizes import (
    CountModel,
    file_values,
    planned_file,
    size_facts,
    target_file,
    wanted_sizes,
)
from edgenas.pipeline.search.limits import beyond, limit_rows, limits_of, target_document
from edgenas.pipeline.search.sizes import Shipped, SizeModel
from edgenas.pipeline.stages.front import choose
from edgenas.pipeline.stages.winner import over_limits
from edgenas.search import STRATEGIES
from edgenas.space import load, population_costs

SPACE = load("tiny")
FILE = FileSpec(name="a.tflite", format="tflite", precision="int8")
PREPROCESSING = {"scale": 1 / 255, "mean": [0.5], "std": [0.25], "channel_order": "grey"}
SHIPPED = Shipped(
    file=FILE, planned=FILE, runtime="tflite_micro", preprocessing=PREPROCESSING, labels=("a", "b")
)
METRICS = ("file_bytes", "ram_bytes")


def model(*metrics: str, **limits: float) -> SizeModel:
    return SizeModel(SPACE, SHIPPED, metrics=metrics or METRICS, limits=limits, seed=0)


@pytest.fixture(autouse=True)
def _few(monkeypatch) -> None:
    monkeypatch.setattr(sizes_module, "_LOOKED_AT", 14)


@pytest.fixture(scope="module")
def some() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Some networks and their true values."""
    genes = SPACE.canonical(SPACE.sample(24, np.random.default_rng(9)))
    sizes = model()
    found = [sizes.exact(SPACE.decode(code)) for code in genes]
    return genes, {name: np.array([values[name] for values in found]) for name in METRICS}


@pytest.mark.parametrize("metric", METRICS)
def test_the_side_of_a_limit_is_right_for_every_network(metric: str, some) -> None:
    genes, truth = some
    for limit in np.quantile(truth[metric], [0.2, 0.7]):
        values = model(metric, **{metric: float(limit)}).values(metric, genes)
        assert ((values <= limit) == (truth[metric] <= limit)).all()


@pytest.mark.parametrize("metric", METRICS)
def test_estimates_are_near_the_files_and_one_at_the_limit_is_the_file(metric: str, some) -> None:
    genes, truth = some
    assert np.abs(model(metric).values(metric, genes) / truth[metric] - 1).max() < 0.15
    at = float(truth[metric][7])
    assert model(metric, **{metric: at}).values(metric, genes)[7] == at


def test_no_strategy_proposes_a_network_whose_file_is_too_large(some) -> None:
    _, truth = some
    limit = float(np.quantile(truth["file_bytes"], 0.2))
    sizes = model("file_bytes", file_bytes=limit)
    margin = {0: lambda genes: sizes.values("file_bytes", genes) / limit - 1}
    for name in ("nsga2", "random", "ageing"):
        searcher = STRATEGIES[name](SPACE, objectives=1, limits=1, seed=1, budget=16, known_margins=margin)
        for code in searcher.ask(8):
            assert sizes.exact(SPACE.decode(code))["file_bytes"] <= limit


@pytest.mark.parametrize(("key", "metric"), [("max_file_kib", "file_bytes"), ("max_ram_kib", "ram_bytes")])
def test_an_impossible_limit_is_refused_with_the_nearest_possible(key: str, metric: str, monkeypatch) -> None:
    monkeypatch.setattr(budget, "_LOOKED_AT", 300)
    sizes = model(metric)
    costs = CountModel(counts=population_costs(SPACE), sizes=sizes)
    with pytest.raises(BudgetError, match=rf"no network .* meets target.{key}; got 1.000 KiB; allowed: [\d.]+ KiB"):
        budget.require_possible(TargetSection(**{key: 1.0}), SPACE, costs, seed=0)
    looked_at = budget.looked_at(SPACE, seed=0)
    least = sizes.exact(SPACE.decode(looked_at[sizes.smallest(metric, looked_at)]))[metric]
    budget.require_possible(TargetSection(**{key: least / 1024}), SPACE, costs, seed=0)
    with pytest.raises(BudgetError, match=f"allowed: {least / 1024:.3f}"):
        budget.require_possible(TargetSection(**{key: (least - 1) / 1024}), SPACE, costs, seed=0)


def test_an_impossible_number_of_parameters_is_refused() -> None:
    costs = CountModel(counts=population_costs(SPACE), sizes=None)
    with pytest.raises(BudgetError, match=r"meets target.max_params; got 10; allowed: [\d,]+ or more"):
        budget.require_possible(TargetSection(max_params=10), SPACE, costs, seed=0)


def test_limits_are_told_in_their_units_and_the_first_that_breaks_is_named() -> None:
    target = TargetSection(max_params=1000, max_file_kib=2.0)
    assert limits_of(target) == {"params": 1000, "file_bytes": 2048}
    assert beyond({"params": 1000, "file_bytes": 2048}, target) is None
    assert beyond({"params": 1000, "file_bytes": 2049}, target) == "2.001 KiB over target.max_file_kib of 2.000 KiB"
    assert beyond({"params": float("nan")}, target) is not None
    assert limit_rows({"params": 7, "file_bytes": 1024}, target)[1] == {
        "key": "max_file_kib", "value": "1.000 KiB", "limit": "2.000 KiB"
    }  # fmt: skip


def test_a_target_without_the_new_keys_has_the_fingerprint_of_before() -> None:
    assert set(target_document(TargetSection())) == {
        "runtime", "precision", "threads", "budget_ms", "budget_share", "max_macs"
    }  # fmt: skip
    assert target_document(TargetSection(max_ram_kib=5.0))["max_ram_kib"] == 5.0


def settings(target: dict, **search: object) -> RunSettings:
    return RunSettings(name="n", target=target, search=search)


def test_the_file_of_a_limit_is_that_of_the_target_and_its_plan_that_of_the_runtime() -> None:
    assert wanted_sizes(settings({})) == ()
    assert wanted_sizes(settings({"max_ram_kib": 9.0}, objectives=["accuracy", "file_bytes"])) == METRICS
    assert target_file(settings({"precision": "int8"})).name == "model.int8.onnx"
    file, runtime = planned_file(settings({"runtime": "litert", "max_ram_kib": 9.0}))
    assert (file.name, runtime) == ("model.tflite", "litert")
    file, runtime = planned_file(settings({"precision": "int8", "ram_of": "tflite_micro", "max_ram_kib": 9.0}))
    assert (file.name, runtime) == ("model.int8.tflite", "tflite_micro")
    with pytest.raises(ConfigError, match="nothing here knows how the runtime ort plans"):
        planned_file(settings({"max_ram_kib": 9.0}))


def test_a_network_near_the_budget_that_breaks_a_limit_is_not_measured() -> None:
    def entry(accuracy: float, latency_ms: float, file_bytes: float) -> dict:
        values = {"accuracy": accuracy, "latency_ms": latency_ms, "file_bytes": file_bytes}
        return {"digest": str(values), "metrics": {name: {"value": value} for name, value in values.items()}}

    evaluations = [entry(0.5, 0.2, 10), entry(0.9, 0.95, 99), entry(0.8, 0.95, 50)]
    chosen = choose(evaluations, [0], 2, budget_ms=1.0, near=1, limits={"file_bytes": 60})
    assert chosen == [2, 0]


def test_a_judge_gives_the_sizes_of_the_very_file(some) -> None:
    from edgenas.pipeline.search.candidate_judge import Judge

    genes, truth = some
    costs = SimpleNamespace(sizes=model())
    judge = Judge(SPACE, costs, None)  # type: ignore[arg-type]
    for row in range(3):
        found = judge._sizes(SPACE.decode(genes[row]))
        assert {name: value for name, (value, *_) in found.items()} == {name: truth[name][row] for name in METRICS}


def test_the_exported_file_is_held_against_the_limits_and_the_card_says_both() -> None:
    network = SPACE.decode(SPACE.smallest())
    files = [SimpleNamespace(name="model.tflite", bytes=2048, float_ops=())]
    limited = settings({"runtime": "litert", "max_file_kib": 2.0, "max_ram_kib": 999.0, "max_params": 10**6})
    values = file_values(limited, network, files)
    assert values["file_bytes"] == 2048 and 0 < values["ram_bytes"] < 999 * 1024
    facts = size_facts(limited, network, files)
    assert facts["file"] == "2.000 KiB, at most 2.000 KiB"
    assert facts["ram"].endswith("(litert's plan for activations), at most 999.000 KiB")
    found = SimpleNamespace(architecture=network, card=SimpleNamespace(files=files, macs=1, params=1))
    context = SimpleNamespace(settings=limited)
    assert over_limits(context, found) is None
    files[0].bytes = 2049
    assert over_limits(context, found) == "2.001 KiB over target.max_file_kib of 2.000 KiB"
    files[0].bytes, found.card.params = 1, 10**6 + 1
    assert over_limits(context, found) == "1,000,001 over target.max_params of 1,000,000"
    assert file_values(settings({}), network, files) == {} and size_facts(settings({}), network, files) == {}


def test_operations_that_the_guard_left_in_floating_point_take_memory_too() -> None:
    network = SPACE.decode(SPACE.largest())
    limited = settings({"runtime": "litert", "precision": "int8", "max_ram_kib": 999.0})
    plain = [SimpleNamespace(name="model.int8.tflite", bytes=1, float_ops=())]
    layers = tuple(op.name for op in lower(network).ops if op.kind == "conv")
    kept = [SimpleNamespace(name="model.int8.tflite", bytes=1, float_ops=layers)]
    memory = [file_values(limited, network, files)["ram_bytes"] for files in (plain, kept)]
    assert memory[1] > memory[0]
