"""The package of docs/extending.md, installed beside edgenas and named in a configuration."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from edgenas.cli.main import main
from edgenas.config import RunSettings, load
from edgenas.errors import ConfigError
from tests.measure.fakes import use
from tests.pipeline.conftest import steady_files
from tests.test_registry import install, site  # noqa: F401  # a fixture

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")


def install_toys(folder: Path) -> None:
    (toml,), (code,) = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S) for kind in ("toml", "python"))
    points = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", toml).replace('"', "")
    install(folder, "toyparts", points, code)


def test_a_package_adds_one_of_each_and_a_configuration_names_them(site, tmp_path):  # noqa: F811
    install_toys(site)
    (tmp_path / "run.yaml").write_text(
        "name: x\nsearch: {strategy: toy, estimator: toy_half}\nsupernet: {scheme: toy_smallest}\n"
        "train: {optimizer: toy_adam}\n"
    )
    settings = load(tmp_path / "run.yaml")
    assert "toy" in RunSettings.model_json_schema()["$defs"]["SearchSection"]["properties"]["strategy"]["enum"]

    import torch

    from edgenas.evaluate.registry import ESTIMATORS
    from edgenas.search import STRATEGIES
    from edgenas.space import load as load_space
    from edgenas.supernet import SupernetSettings
    from edgenas.supernet.training.schemes import members_of_step
    from edgenas.train import TrainSettings
    from edgenas.train.optimizer import make_optimizer

    space = load_space("tiny")
    searcher = STRATEGIES[settings.search.strategy](space, objectives=1, limits=0, seed=0, budget=4)
    assert len(searcher.ask(2)) == 2
    members = members_of_step(space, SupernetSettings(scheme=settings.supernet.scheme), step=0, share=0.5)
    assert np.array_equal(members.genes[0], space.smallest()) and not members.teacher
    optimizer = make_optimizer(torch.nn.Linear(2, 2), TrainSettings(optimizer=settings.train.optimizer))
    assert type(optimizer) is torch.optim.Adam
    judge = ESTIMATORS[settings.search.estimator].make
    assert judge is not None and judge(None)(space.smallest()) == (0.5, None)


RUN = """
name: toys
threads: 1
data: {source: toy_stripes}
space: {name: tiny}
target: {runtime: toy_ort, budget_share: 0.9}
latency: {networks: 8, validation_networks: 0, force: true, use_shipped: false}
search: {strategy: toy, estimator: toy_half, evaluations: 6, baseline: false}
train: {loss: toy_margin, optimizer: toy_adam, epochs: 30, batch_size: 32, learning_rate: 0.01}
export: {recipe: onnx-fp32}
"""


def run_with(monkeypatch, configuration: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["edgenas", "run", str(configuration)])
    main()


def test_a_whole_run_by_command_with_parts_of_a_package(site, tmp_path, monkeypatch):  # noqa: F811
    install_toys(site)
    use(monkeypatch, noise=0.002)
    seen = []

    def measured(files, **values):
        seen.extend(file.runtime for file in files)
        return steady_files(files, **values)

    monkeypatch.setattr("edgenas.measure.measure_files", measured)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toys.yaml").write_text(RUN)
    with pytest.raises(SystemExit) as ended:
        run_with(monkeypatch, tmp_path / "toys.yaml")
    assert ended.value.code == 0
    folder = tmp_path / "runs" / "toys"
    found = {name: json.loads((folder / f"{name}.json").read_text()) for name in ("data", "search", "winner")}
    assert found["data"]["classes"] == ["left", "middle", "right"]
    assert (found["search"]["strategy"], found["search"]["estimator"]) == ("toy", "toy_half")
    assert {entry["metrics"]["accuracy"]["source"] for entry in found["search"]["evaluations"]} == {"proxy"}
    assert found["winner"]["estimated"] == {"value": 0.5, "standard_error": None, "unit": "1", "source": "proxy"}
    assert found["winner"]["test_accuracy"]["value"] > 0.8
    assert set(seen) == {"toy_ort"}
    assert json.loads((folder / "latency" / "table.json").read_text())["runtime"]["runtime"] == "toy_ort"
    assert not (folder / "supernet").exists()


def test_a_runtime_of_a_package_measures_files_and_refuses_those_of_another_format(site):  # noqa: F811
    install_toys(site)
    from edgenas.errors import InputError
    from edgenas.measure import ModelFile
    from edgenas.measure.engines.registry import runtime_of

    file = ModelFile(name="m", data=b"", file_format="onnx", runtime="toy_ort")
    assert runtime_of(file).name == "toy_ort"
    with pytest.raises(InputError, match="toy_ort does not read m; got tflite; allowed: onnx"):
        runtime_of(ModelFile(name="m", data=b"", file_format="tflite", runtime="toy_ort"))


def test_names_of_a_package_that_is_gone_are_refused(tmp_path):
    (tmp_path / "toys.yaml").write_text(RUN)
    with pytest.raises(ConfigError, match="toy_stripes"):
        load(tmp_path / "toys.yaml")
