"""The whole job measured on this very machine, with a budget that any machine meets; no time is asserted."""

import json
from contextlib import contextmanager
from pathlib import Path

from edgenas.config import load
from edgenas.pipeline.commands.run import run_pipeline

REAL_DEVICE = True
CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
SMALL = [
    "latency.networks=8", "latency.validation_networks=4", "latency.force=true", "latency.use_shipped=false",
    "supernet.epochs=3", "search.evaluations=16", "front.measure=3", "train.epochs=2", "export.recipe=onnx-fp32",
    "target.budget_share=null", "target.budget_ms=1000", "data.train_limit=300", "data.test_limit=100",
]  # fmt: skip


@contextmanager
def quiet(title: str):
    yield lambda done, total, what: None


def test_a_run_measures_this_machine(tmp_path) -> None:
    settings = load(CONFIGURATION, [*SMALL, f"output={tmp_path}"])
    summary = run_pipeline(settings, progress=quiet, say=lambda text: None).summary
    assert 0 < summary["files"]["model.onnx"]["latency_ms"] <= 1000
    table = json.loads((tmp_path / "quickstart" / "latency" / "summary.json").read_text())
    assert table["origin"] == "measured for this run"
    front = json.loads((tmp_path / "quickstart" / "front.json").read_text())
    assert all(network["measured_ms"] > 0 for network in front["networks"])
