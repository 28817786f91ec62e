"""The package of docs/extending.md, installed beside edgenas and named in a configuration."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edgenas.config import RunSettings, load
from tests.test_registry import install, site  # noqa: F401  # a fixture

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")


def test_a_package_adds_one_of_each_and_a_configuration_names_them(site, tmp_path):  # noqa: F811
    (toml,), (code,) = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S) for kind in ("toml", "python"))
    points = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", toml).replace('"', "")
    install(site, "toyparts", points, code)
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
