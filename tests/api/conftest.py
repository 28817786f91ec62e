"""Images, a space, a table, a search and a run that many tests look at, made once, on a device without a clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import edgenas as en
from tests.measure.fakes import use
from tests.pipeline.conftest import steady_files

QUICK = {"supernet.epochs": 3, "threads": 1}
SMALL = {
    "threads": 1, "latency.networks": 8, "latency.validation_networks": 4, "latency.force": True,
    "latency.use_shipped": False, "supernet.epochs": 3, "search.evaluations": 16, "front.measure": 3,
    "train.epochs": 2, "export.recipe": "onnx-fp32", "target.budget_share": 0.8, "data.train_limit": 300,
    "data.test_limit": 100,
}  # fmt: skip
SILENT = {"progress": en.no_progress, "say": lambda line: None}


@contextmanager
def steady() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use(patch, noise=0.002)
        patch.setattr("edgenas.measure.measure_files", steady_files)
        yield


@pytest.fixture(autouse=True)
def steady_device() -> Iterator[None]:
    with steady():
        yield


@pytest.fixture(scope="session")
def data() -> en.ImageData:
    return en.load_images(
        "digits", noise_std=0.1, train_limit=300, test_limit=100, seed=3, progress=en.no_progress
    )


@pytest.fixture(scope="session")
def space(data: en.ImageData) -> en.SearchSpace:
    return en.load_space("tiny", data=data)


@pytest.fixture(scope="session")
def table(space: en.SearchSpace) -> en.LatencyTable:
    with steady():
        return en.measure_table(space, networks=8, force=True, progress=en.no_progress)


@pytest.fixture(scope="session")
def found(data: en.ImageData, space: en.SearchSpace, table: en.LatencyTable) -> en.SearchResult:
    with steady():
        return en.search(space, data, table, budget_share=0.8, evaluations=16, config=QUICK, **SILENT)


@pytest.fixture(scope="session")
def model(data: en.ImageData, found: en.SearchResult) -> en.TrainedNetwork:
    with steady():
        return en.train(found.best, data, epochs=2, config=QUICK, **SILENT)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> en.Run:
    with steady():
        return en.run("quickstart", SMALL | {"output": str(tmp_path_factory.mktemp("runs"))}, **SILENT)
