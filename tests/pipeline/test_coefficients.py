import dataclasses
import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgenas.arch.notation import parse_notation
from edgenas.config import load
from edgenas.errors import InputError
from edgenas.measure import ModelFile
from edgenas.pipeline.commands import scale as coefficients
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from tests.pipeline.conftest import steady_files

CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
NETWORK = parse_notation("r32 | stem_k3_s1_c8_hs | mb_k3_e4_c8_hs | head_c16_hs | n7")


@contextmanager
def quiet(title: str):
    yield lambda done, total, what: None


@pytest.fixture
def context(tmp_path) -> RunContext:
    settings = load(CONFIGURATION, ["train.epochs=1", "data.train_limit=100", "data.test_limit=50"])
    return RunContext(settings, RunDirectory(path=tmp_path), progress=quiet, say=lambda text: None)


def test_points_of_the_grid_double_the_macs_and_come_best_first(context) -> None:
    found = coefficients.fit_coefficients(context, NETWORK, by="macs", step=0.4)
    assert len(found) >= 2
    assert all(abs(entry.candidate.coefficients.macs_factor - 2) <= 0.4 + 1e-9 for entry in found)
    assert [entry.quality for entry in found] == sorted((entry.quality for entry in found), reverse=True)
    assert {entry.candidate.architecture.classes for entry in found} == {10}
    rows = json.loads((context.directory.path / coefficients.RESULT_FILE).read_text())["points"]
    assert [row["accuracy"] for row in rows] == [entry.quality for entry in found]
    # What was trained is not trained again, and gives the same.
    assert coefficients.fit_coefficients(context, NETWORK, by="macs", step=0.4) == found


def test_by_latency_the_grid_is_that_of_a_measured_ratio(context, monkeypatch) -> None:
    def pixels_and_blocks(networks, **target):
        files = steady_files([ModelFile(name="x", data=b"", file_format="onnx")] * len(networks))
        work = [network.resolution**2 * sum(1 for _ in network.blocks()) for network in networks]
        return [dataclasses.replace(file, latency_ms=float(each)) for file, each in zip(files, work, strict=True)]

    monkeypatch.setattr(coefficients, "measured_networks", pixels_and_blocks)
    monkeypatch.setattr(coefficients, "trained_accuracy", lambda context, network: network.resolution / 100)
    found = coefficients.fit_coefficients(context, NETWORK, by="latency", step=0.4)
    assert all(abs(entry.candidate.ratio - 2) <= 0.4 for entry in found)
    assert found[0].candidate.architecture.resolution == max(e.candidate.architecture.resolution for e in found)


def test_an_impossible_grid_is_refused(context) -> None:
    with pytest.raises(InputError, match="impossible grid"):
        coefficients.fit_coefficients(context, NETWORK, by="macs", step=0.0)
