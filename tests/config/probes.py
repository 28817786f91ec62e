"""What each key of a configuration does: probes that walk the code that acts and return what they saw.

A probe takes settings and a folder of its own and returns plain values. Two settings that differ in one key must give
different values, or the second must be refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from edgenas.arch.notation import format_notation, parse_notation
from edgenas.config.settings import RunSettings
from edgenas.data import ArraySplit, DataSettings, ImageData, fit_preprocessing
from edgenas.data import load as load_data
from edgenas.data.batches import Batches
from edgenas.latency import LatencyTable, write_table
from edgenas.measure import build_table
from edgenas.nn import build
from edgenas.pipeline.commands import run as runs
from edgenas.pipeline.commands.train import train_alone
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.images import load_images
from edgenas.pipeline.core.worker_count import workers_of
from edgenas.pipeline.export.bundle import export_network
from edgenas.pipeline.search.clock import Clock
from edgenas.pipeline.search.one_shot import learn_distribution, target_of
from edgenas.pipeline.search.session import Searching
from edgenas.pipeline.stages import data as data_stage
from edgenas.pipeline.stages import family, front, latency_table, search, supernet
from edgenas.pipeline.training.network import train_member
from edgenas.pipeline.training.settings import augment_settings
from edgenas.search import AskTell
from edgenas.space import SearchSpace
from edgenas.study import History, open_store
from edgenas.supernet import Supernet, save_supernet
from tests.measure.fakes import use
from tests.supernet.samples import tiny_space

NETWORK = parse_notation("r8_i1 | stem_k3_s1_c8_re | mb_k3_e2_c8_re | mb_k3_e2_c8_re | head_c16_re | n10")


class Stopped(Exception):
    """Raised where a probe has seen enough."""


@contextmanager
def quiet(title: str) -> Iterator[Any]:
    yield lambda *_: None


def silent(text: str) -> None:
    return None


def _array_digest(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


@cache
def _space() -> SearchSpace:
    from edgenas.space import with_task

    return with_task(tiny_space(), classes=10, in_channels=1, resolutions=[8])


@cache
def _images() -> ImageData:
    return load_data(DataSettings(train_limit=160, validation_limit=40, test_limit=40))


@cache
def _table() -> LatencyTable:
    with pytest.MonkeyPatch.context() as patch:
        use(patch, noise=0.002)
        return build_table(_space(), networks=4)


def _context(settings: RunSettings, folder: Path) -> RunContext:
    """Return a run whose data, table and supernet stages are done."""
    context = RunContext(settings, RunDirectory(path=folder), progress=quiet, say=silent)
    preprocessing = fit_preprocessing(_images().train)
    context.once("space", _space)
    context.once("images", _images)
    context.once("preprocessing", lambda: preprocessing)
    context.once("table", _table)
    write_table(_table(), context.directory.file(artifacts.TABLE_FILE))
    save_supernet(context.directory.file(artifacts.SUPERNET_FILE), Supernet(_space()), preprocessing)
    context.directory.write_json(artifacts.DATA_FILE, {"classes": list("0123456789"), "channels": 1, "resolution": 8,
                                 "source": "digits", "digest": "", "counts": {}, "notes": []})  # fmt: skip
    return context


def trained(settings: RunSettings, folder: Path) -> Any:
    """Weights, accuracies and history of `edgenas train`, and how the network lies in memory."""
    found = train_alone(NETWORK, settings, folder, progress=quiet, say=silent)
    result = json.loads((folder / "training.json").read_text())
    history = [{key: value for key, value in record.items() if key != "seconds"} for record in result["history"]]
    from edgenas.nn import load_checkpoint

    weights = _array_digest(dict(load_checkpoint(found.checkpoint).weights))
    return weights, history, result["validation_accuracy"], result["accumulation"], torch.get_num_threads()


def works_in_other_processes(settings: RunSettings, folder: Path) -> Any:
    """Whether trainings are done in other processes than this one."""
    found = workers_of(_context(settings, folder)).each(lambda task: os.getpid(), range(3))
    return [pid == os.getpid() for pid in found]


def coloured(section: str, settings: RunSettings, folder: Path) -> Any:
    """A batch of coloured images, changed as a section says."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3), dtype=np.uint8)
    split = ArraySplit(images=pixels, labels=np.zeros(8, np.int64))
    batches = Batches(split, fit_preprocessing(split), batch_size=8)
    augment = augment_settings(getattr(settings, section).augment)
    return next(batches.shuffled(seed=0, epoch=0, classes=1, augment=augment)).images.tolist()


def checkpoints(settings: RunSettings, folder: Path) -> Any:
    """Epochs and steps at which `edgenas train` keeps its state."""
    with pytest.MonkeyPatch.context() as patch:
        kept: list[tuple[int, int]] = []
        patch.setattr("edgenas.train.loop.loop.Loop.save", lambda loop, _: kept.append((loop.epoch, loop.budget.step)))
        train_alone(NETWORK, settings, folder, progress=quiet, say=silent)
        return kept


def memory_layout(settings: RunSettings, folder: Path) -> Any:
    """Layout of a weight while `edgenas train` trains."""
    with pytest.MonkeyPatch.context() as patch:
        seen: list[bool] = []

        def look(work: Any, *_: Any) -> None:
            kernels = [value for value in work.stepper.model.parameters() if value.ndim == 4]
            seen.extend(value.stride() for value in kernels)
            raise Stopped

        patch.setattr("edgenas.train.network.NetworkWork.take_step", look)
        with pytest.raises(Stopped):
            train_alone(NETWORK, settings, folder, progress=quiet, say=silent)
        return seen


def member(settings: RunSettings, folder: Path) -> Any:
    """First weights of the winner's training."""
    with pytest.MonkeyPatch.context() as patch:
        seen: list[str] = []

        def look(module: Any, *_: Any, **__: Any) -> None:
            seen.append(_array_digest(dict(module.weights())))
            raise Stopped

        patch.setattr("edgenas.train.architecture.fit", look)
        with pytest.raises(Stopped):
            train_member(_context(settings, folder), _space().smallest(), "0" * 12)
        return seen


def shared_weights(settings: RunSettings, folder: Path) -> Any:
    """What the supernet stage writes, a calibrated member, and how many images judge."""
    context = _context(settings, folder)
    supernet.STAGE.run(context)
    training = context.directory.read_json(artifacts.SUPERNET_TRAINING_FILE)
    evaluator = artifacts.load_evaluator(context)
    weights = evaluator.member(_space().smallest()).weights()
    return _array_digest(dict(weights)), training["history"], training["epochs"], evaluator.images


def images(settings: RunSettings, folder: Path) -> Any:
    """Images as a run loads them, and what is kept of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGENAS_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        data = load_images(RunContext(settings, RunDirectory(path=folder), progress=quiet, say=silent))
    kinds = [type(split).__name__ for split in (data.train, data.validation, data.test)]
    counts = [len(split) for split in (data.train, data.validation, data.test)]
    kept = sorted(str(path.relative_to(folder)) for path in folder.glob("*/images"))
    return data.digest, kinds, counts, data.train.read(np.arange(2)).tolist(), kept


def prepared(settings: RunSettings, folder: Path) -> Any:
    """What the data stage says is done to an image."""
    context = RunContext(settings, RunDirectory(path=folder), progress=quiet, say=silent)
    data_stage.STAGE.run(context)
    return context.directory.read_json(artifacts.DATA_FILE)["preprocessing"]


def space(settings: RunSettings, folder: Path) -> Any:
    """The space of a run."""
    context = RunContext(settings, RunDirectory(path=folder), progress=quiet, say=silent)
    context.directory.write_json(artifacts.DATA_FILE, {"classes": ["a", "b"], "channels": 1, "resolution": 8})
    return artifacts.space(context).digest


def run_directory(settings: RunSettings, folder: Path) -> Any:
    """Where a run puts its files, and with which seeds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        seen: list[Any] = []

        def look(stages: Any, context: RunContext, directory: RunDirectory, **_: Any) -> None:
            seen.extend([str(directory.path), context.seed("search")])
            raise Stopped

        patch.setattr(runs, "run_stages", look)
        with pytest.raises(Stopped):
            runs.run_pipeline(settings, progress=quiet, say=silent)
        return seen


def table(settings: RunSettings, folder: Path) -> Any:
    """How the table stage comes to its table."""
    with pytest.MonkeyPatch.context() as patch:
        seen: list[Any] = []

        def record(name: str) -> Any:
            def call(*_: Any, progress: Any = None, samples: Any = None, **values: Any) -> LatencyTable:
                seen.append((name, sorted(values.items())))
                return _table()

            return call

        patch.setattr("edgenas.measure.build_table", record("build"))
        patch.setattr("edgenas.measure.validate_table", record("validate"))
        patch.setattr("edgenas.latency.list_tables", lambda: seen.append("shipped") or [])
        latency_table.STAGE.run(_context(settings, folder))
        return seen


def searched(settings: RunSettings, folder: Path) -> Any:
    """What a search is told: study, strategy with its budget, store, judge, and which searches run."""
    context, seen = _context(settings, folder), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgenas.pipeline.core.device_latency.measured_networks", _record_latency(seen))
        patch.setattr("edgenas.study.open_store", lambda url, **_: seen.append(str(url)) or _Store())
        searching = Searching(context)
        study = searching.study
        seen += [[o.metric for o in study.objectives], [(o.metric, o.at_most) for o in study.all_limits]]
        sizes, space = searching._costs.sizes, artifacts.space(context)
        seen.append(None if sizes is None else sizes.exact(space.decode(space.smallest())))

        def run(study: Any, searcher: Any, judge: Any, budget: Any, *, store: Any, **_: Any) -> None:
            _told(seen, searcher, budget)
            seen.append(type(store).__name__)

        patch.setattr(type(study), "run", run)
        if settings.search.latency == "measured":
            searching._judge._measure(NETWORK)
        searching.walk(settings.search.strategy, seed=1)
        walked: list[str] = []
        patch.setattr(Searching, "walk", lambda self, name, **_: walked.append(name) or _Feasible())
        patch.setattr(search, "_summary", lambda *_: {"budget_table_ms": None})
        patch.setattr(search, "clock_of", lambda *_: Clock())
        search.STAGE.run(context)
    return [str(entry).replace(str(folder), "") for entry in seen], walked


def warm_started(settings: RunSettings, folder: Path) -> Any:
    """What a search is told before its first proposal, where the store knows five networks."""
    context, seen = _context(settings, folder), []
    searching, genes = Searching(context), _space().sample(5, np.random.default_rng(0))
    store = open_store(folder / "store.sqlite")
    searching.study._outcomes(genes, searching._judge, store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AskTell, "warm_start", lambda _, results: seen.append(len(results)))
        patch.setattr(type(searching.study), "run", lambda *_, **__: History.of((), (), [], [], from_store=0))
        patch.setattr(History, "after", lambda self, earlier: earlier)
        searching.walk(settings.search.strategy, seed=1, warm=True)
    return seen


class _Store:
    def close(self) -> None:
        return None


class _Feasible:
    outcomes: tuple[Any, ...] = ()

    def require_feasible(self) -> None:
        return None


def _told(seen: list[Any], searcher: Any, budget: Any) -> None:
    seen.append((type(searcher).__name__, searcher.budget, budget))
    seen.append([getattr(searcher, name, None) for name in ("_networks", "_candidates")])
    rewards = getattr(searcher, "_reward", None)
    seen.append(None if rewards is None else getattr(rewards, "__qualname__", repr(type(rewards))))


def _record_latency(seen: list[Any]) -> Any:
    def measured(networks: Any, *, progress: Any = None, **values: Any) -> Any:
        seen.append(sorted(values.items()))
        found = SimpleNamespace(latency_ms=1.0, standard_error_ms=0.1)
        return [found for _ in networks]

    return measured


def one_shot(settings: RunSettings, folder: Path) -> Any:
    """Settings, first weights and costs with which a one-shot strategy learns."""
    context, seen = _context(settings, folder), []

    def look(net: Supernet, data: Any, given: Any, cost: Any, **_: Any) -> None:
        values = cost(_space().largest()[None]).tolist()
        seen.extend([given.to_dict(), values, _array_digest(dict(net.member_weights(_space().smallest())))])
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgenas.oneshot.search_one_shot", look)
        searching = Searching(context)
        target = target_of(context, searching._costs, searching.budget_ms)
        with pytest.raises(Stopped):
            learn_distribution(context, settings.search.strategy, costs=searching._costs, target=target, seed=3)
    return seen


def measured_front(settings: RunSettings, folder: Path) -> Any:
    """How many networks of a front are measured, and how."""
    context, seen = _context(settings, folder), []
    sampled = _space().sample(3, np.random.default_rng(0))
    rows = [_entry(genes, 0.5 + k / 100, 1.0 + k) for k, genes in enumerate(sampled)]
    context.directory.write_json(artifacts.SEARCH_FILE, {"evaluations": rows, "front": [0, 1, 2], "budget_ms": None})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(front, "measured_networks", _record_latency(seen))
        front.STAGE.run(context)
    return seen, len(context.directory.read_json(artifacts.FRONT_FILE)["networks"])


def _entry(genes: Any, accuracy: float, latency_ms: float) -> dict[str, Any]:
    values = {"accuracy": accuracy, "latency_ms": latency_ms, "macs": 1, "params": 1}
    about = {"standard_error": 0.0, "unit": "1", "source": "inherited"}
    metrics = {name: {"value": value, **about} for name, value in values.items()}
    return {"digest": str(latency_ms), "genes": genes.tolist(), "metrics": metrics}


def exported(settings: RunSettings, folder: Path) -> Any:
    """Recipe and random changes that an export is given, and threads that its files are timed with."""
    context, seen = _context(settings, folder), []

    def look(architecture: Any, weights: Any, recipe: Any, **values: Any) -> None:
        values["measure"]([])
        seen.extend([recipe, values["augment"]])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgenas.measure.measure_files", lambda files, threads, seed: seen.append(threads))
        patch.setattr("edgenas.deploy.export_bundle", look)
        network = SimpleNamespace(
            module=build(NETWORK), data=_images(), preprocessing=None, fit=SimpleNamespace(history=()), history=None
        )
        export_network(context, network, folder / "export")  # type: ignore[arg-type]
    return seen


def scaled(settings: RunSettings, folder: Path) -> Any:
    """Members of a family."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "measured_latency", lambda network, **_: network.resolution / 100)
        chosen = family.scaled_members(_context(settings, folder), NETWORK)
        for name, (network, _) in chosen.items():
            family.require_training_memory(name, network, _context(settings, folder))
    weights = family.inherits(settings)
    return [(name, format_notation(network), weights) for name, (network, _) in chosen.items()]


def finalists(settings: RunSettings, folder: Path) -> Any:
    """How many networks of a front are fine-tuned before one is chosen."""
    from edgenas.pipeline.training.finalists import entrants

    networks = [{"measured_ms": 1.0, "accuracy": 0.5}] * 5
    return len(entrants(networks, settings.train.finalists, budget_ms=1.0))
