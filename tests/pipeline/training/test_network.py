"""Whoever trains a network by a configuration gets every key of its train section."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from edgenas.arch.notation import parse_notation
from edgenas.config.settings import RunSettings
from edgenas.data import Preprocessing
from edgenas.nn import Checkpoint, GraphModule, build, load_checkpoint, save_checkpoint
from edgenas.pipeline.commands.refine.result import Plan
from edgenas.pipeline.commands.refine.trials import Refiner
from edgenas.pipeline.commands.train import train_alone
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.training.network import train_afresh, train_member
from edgenas.space import load, with_task
from edgenas.train import Teacher, TrainSettings

NETWORK = parse_notation("r8_i1 | stem_k3_s1_c8_re | mb_k3_e2_c8_re | mb_k3_e2_c8_re | head_c16_re | n10")
KEYS = {"epochs": 3, "dropout": 0.25, "stochastic_depth": 0.5, "distillation_weight": 0.75, "label_smoothing": 0.125}


@contextmanager
def quiet(title: str) -> Iterator[Callable[..., None]]:
    yield lambda *_: None


class Stopped(Exception):
    """Raised in the place of a training."""


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    module = build(NETWORK, generator=torch.Generator().manual_seed(0))
    own = Preprocessing(resolution=8, mean=(0.5,), std=(0.2,), channel_order="grey")
    metadata = {"preprocessing": json.dumps(own.to_dict())}
    path = tmp_path / "teacher.safetensors"
    save_checkpoint(path, Checkpoint(architecture=NETWORK, weights=module.weights(), metadata=metadata))
    return path


@pytest.fixture
def context(teacher: Path, tmp_path: Path) -> RunContext:
    settings = RunSettings(
        name="x", threads=1, data={"train_limit": 60, "validation_limit": 40}, train={**KEYS, "teacher": str(teacher)}
    )
    return RunContext(settings, RunDirectory(path=tmp_path / "run"), progress=quiet, say=lambda text: None)


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What reaches the training: model, settings, teacher."""
    seen: dict[str, Any] = {}

    def stop(model: GraphModule, data: object, settings: TrainSettings, **options: Any) -> None:
        seen.update(model=model, settings=settings, **options)
        raise Stopped

    monkeypatch.setattr("edgenas.train.architecture.fit", stop)
    return seen


def command(context: RunContext, teacher: Path) -> None:
    train_alone(NETWORK, context.settings, context.directory.path, progress=quiet, say=lambda text: None)


def afresh(context: RunContext, teacher: Path) -> None:
    train_afresh(context, NETWORK, folder="state", seed=0)


def _run_space(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    space = with_task(load("mobilenet_v3"), classes=10, in_channels=1, resolutions=[8])
    member = SimpleNamespace(weights=lambda: build(space.decode(space.smallest())).weights())
    monkeypatch.setattr(artifacts, "space", lambda context: space)
    monkeypatch.setattr(artifacts, "evaluator", lambda context: SimpleNamespace(member=lambda genes: member))
    (context.directory.path / "supernet").mkdir(parents=True)
    (context.directory.path / artifacts.SUPERNET_FILE).write_bytes(b"")
    return space.smallest()


def winner(context: RunContext, teacher: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        train_member(context, _run_space(context, patch), "0" * 12)


def refinement(context: RunContext, teacher: Path) -> None:
    start = load_checkpoint(teacher)
    plan = Plan(share=0.5, short_steps=1)
    Refiner(context, start, plan=plan, table=None).trained(NETWORK, start.weights)


@pytest.mark.parametrize("train", [command, afresh, winner, refinement])
def test_every_training_gets_the_whole_section(
    train: Callable[[RunContext, Path], None], context: RunContext, teacher: Path, handed: dict[str, Any]
) -> None:
    with pytest.raises(Stopped):
        train(context, teacher)
    assert {name: getattr(handed["settings"], name) for name in KEYS} == KEYS
    assert isinstance(handed["teacher"], Teacher)
    assert (handed["model"].dropout, handed["model"].stochastic_depth) == (0.25, 0.5)


def test_a_short_trial_of_a_refinement_keeps_all_but_its_length(
    context: RunContext, teacher: Path, handed: dict[str, Any]
) -> None:
    start = load_checkpoint(teacher)
    refiner = Refiner(context, start, plan=Plan(share=0.5, short_steps=7), table=None)
    with pytest.raises(Stopped):
        refiner.trained(NETWORK, start.weights, short=True)
    settings = handed["settings"]
    assert (settings.epochs, settings.steps, settings.averaging_decay) == (None, 7, None)
    assert (settings.dropout, settings.stochastic_depth) == (0.25, 0.5) and isinstance(handed["teacher"], Teacher)
