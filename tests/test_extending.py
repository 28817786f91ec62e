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
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    points = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", toml).replace('"', "")
    install(folder, "toyparts", points, "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.S)))
    for name, code in re.findall(r'```python title="(.*?)"\n(.*?)```', PAGE, re.S):
        (folder / name).write_text(code)


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


SPACE = """
name: squares
resolution: 16
classes: 5
stem: {channels: 8, activation: relu6}
head: {conv: 16, hidden: 8, activation: relu}
stages:
  - {out: 8, depth: 2, expansion: [2, 3], activation: [relu, toy_squared, hard_swish]}
"""


def test_an_activation_of_a_package_goes_through_every_back_end(site, tmp_path):  # noqa: F811
    install_toys(site)
    (tmp_path / "squares.yaml").write_text(SPACE)
    import torch

    from edgenas.arch import lower
    from edgenas.arch.notation import format_notation, parse_notation
    from edgenas.deploy.quantise.simulate import Simulator
    from edgenas.formats import encode, random_weights, synthetic_ranges
    from edgenas.latency.keys import parse_key
    from edgenas.latency.model.work import work
    from edgenas.latency.units import graph_units
    from edgenas.nn.module import build
    from edgenas.space import load as load_space
    from tests.formats.networks import run_onnx, run_tflite

    space = load_space(str(tmp_path / "squares.yaml"))
    nets = [space.decode(genes) for genes in space.sample(40, np.random.default_rng(0))]
    wanted_kinds = ("toy_squared", "hard_swish")
    net = next(net for net in nets if tuple(block.activation for block in net.blocks()) == wanted_kinds)
    assert "_sq" in format_notation(net) and parse_notation(format_notation(net)).digest == net.digest
    unit = next(unit for unit, _ in graph_units(lower(net)) if unit.activation == "toy_squared")
    assert parse_key(unit.key) == unit and work(unit)[5] == unit.result.elements

    weights = random_weights(lower(net), np.random.default_rng(1))
    images = np.random.default_rng(2).normal(size=(6, 3, 16, 16)).astype(np.float32)
    module = build(net)
    module.load_weights(weights)
    module.eval()
    with torch.no_grad():
        wanted = module(torch.from_numpy(images)).numpy()
        known = {
            op.name: (float(value.min()), float(value.max()))
            for op, value in module.activations(torch.from_numpy(images))
        }
    size = np.abs(wanted).max()
    for precision, most in (("fp32", 1e-4), ("int8", 0.1)):
        given = {"precision": precision, "ranges": known if precision == "int8" else None}
        onnx = run_onnx(encode(lower(net), weights, batch=None, **given), images)
        tflite = run_tflite(encode(lower(net), weights, file_format="tflite", **given), images)
        assert np.abs(onnx - wanted).max() < most * size and np.abs(tflite - wanted).max() < most * size
    with torch.no_grad():
        rounded = Simulator(lower(net), weights, known)(torch.from_numpy(images)).numpy()
    assert 0 < np.abs(rounded - wanted).max() < 0.1 * size
    assert encode(lower(net), weights, precision="int8", ranges=synthetic_ranges(lower(net)))


def test_a_space_with_an_activation_that_is_gone_is_refused_with_all_that_there_are(tmp_path):
    (tmp_path / "squares.yaml").write_text(SPACE)
    from edgenas.errors import SpaceError
    from edgenas.space import load as load_space

    with pytest.raises(
        SpaceError, match=r"line 8: stages\[0\].activation\[1\]: unknown value; got 'toy_squared'; allowed: relu, "
    ):
        load_space(str(tmp_path / "squares.yaml"))


def test_a_one_shot_strategy_of_a_package_learns_a_distribution(site):  # noqa: F811
    install_toys(site)
    from edgenas.oneshot import OneShotSettings, search_one_shot
    from edgenas.oneshot.policy import PolicyLearner
    from edgenas.search import STRATEGIES
    from edgenas.supernet import Supernet
    from edgenas.train import TrainSettings
    from tests.supernet.samples import blobs, tiny_space

    assert STRATEGIES["toy_one_shot"].one_shot
    space, calls = tiny_space(), []

    def cost(genes):
        return genes.sum(axis=1) + 1.0

    with pytest.MonkeyPatch.context() as patch:
        learn = PolicyLearner.learn_by_reward
        patch.setattr(PolicyLearner, "learn_by_reward", lambda *given: (calls.append(1), learn(*given)))
        train = TrainSettings(epochs=None, steps=8, batch_size=16)
        settings = OneShotSettings(method="toy_one_shot", target=2.0, warm_up_share=0.5, train=train)
        found = search_one_shot(Supernet(space), blobs(), settings, cost)
    assert settings.weight_of_cost == 0.1 and len(calls) == 2 * 4
    assert found.history[-1].entropy < 1


TWINS = """
name: twins
resolution: 16
classes: 5
stem: {channels: 8}
head: {conv: 16}
stages:
  - {out: [8, 16], depth: [1, 2], kind: [mbconv, toy_twin], kernel: [3, 5], expansion: [2, 3]}
"""


def test_a_kind_of_block_of_a_package_is_counted_shared_and_written(site, tmp_path):  # noqa: F811
    install_toys(site)
    (tmp_path / "twins.yaml").write_text(TWINS)
    import torch

    from edgenas.arch import lower
    from edgenas.arch.document import from_document, to_document
    from edgenas.arch.notation import format_notation, parse_notation
    from edgenas.cost.counts import macs
    from edgenas.formats import encode
    from edgenas.scale.compound import scaled
    from edgenas.space import load as load_space
    from edgenas.space import population_costs
    from edgenas.supernet import Supernet
    from tests.formats.networks import run_onnx

    space = load_space(str(tmp_path / "twins.yaml"))
    genes = space.sample(30, np.random.default_rng(0))
    nets = [space.decode(row) for row in genes]
    assert all(np.array_equal(space.encode(net), row) for net, row in zip(nets, space.canonical(genes), strict=True))
    assert population_costs(space).macs(genes).tolist() == [macs(lower(net)) for net in nets]
    twins = [sum(block.kind == "toy_twin" for block in net.blocks()) for net in nets]
    counted = space.feature_names.index("stages.0.toy_twin")
    assert space.features(genes)[:, counted].tolist() == twins and max(twins) == 2

    place = twins.index(2)
    net, supernet = nets[place], Supernet(space, generator=torch.Generator().manual_seed(0))
    assert "tw_" in format_notation(net) and parse_notation(format_notation(net)).digest == net.digest
    assert from_document(to_document(net)) == net
    assert scaled(net, depth=2.0, width=1.5).digest != net.digest
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    member = supernet.extract(genes[place])
    with torch.no_grad():
        # A supernet normalises by the batch, as a network in training does.
        assert torch.allclose(supernet(images, genes[place]), member.train()(images), atol=1e-5)
        wanted = member.eval()(images)
    logits = run_onnx(encode(lower(net), member.weights(), batch=None), images.numpy())
    assert np.abs(logits - wanted.numpy()).max() < 1e-4


def test_a_file_format_of_a_package_is_written_judged_checked_and_run_by_its_script(site, tmp_path):  # noqa: F811
    install_toys(site)
    import subprocess

    from PIL import Image

    from edgenas.arch import Architecture, Block, Head, Stage, Stem, lower
    from edgenas.data import DataSettings, fit_preprocessing
    from edgenas.data import load as load_data
    from edgenas.deploy import FileSpec, Recipe, check_bundle, export_bundle
    from edgenas.formats import random_weights

    block = Block(kernel=3, expanded=8, out_channels=8, stride=2, activation="relu")
    network = Architecture(
        resolution=8, in_channels=1, stem=Stem(out_channels=8, stride=1, activation="relu"),
        stages=(Stage(blocks=(block,)),), head=Head(conv_channels=16, activation="relu"), classes=10,
    )  # fmt: skip
    data = load_data(DataSettings(source="digits"))
    card = export_bundle(
        network, random_weights(lower(network), np.random.default_rng(0)),
        Recipe(name="boxed", files=(FileSpec(name="model.box", format="toy_box"),)),
        data=data, preprocessing=fit_preprocessing(data.train), labels=data.classes, out=tmp_path / "out",
    )  # fmt: skip
    (entry,) = card.files
    assert entry.format == "toy_box" and entry.test is not None and entry.test.top1_agreement == 1
    assert list(json.loads((tmp_path / "out" / "model.box").read_text())) == ["onnx"]
    assert check_bundle(tmp_path / "out", test=data.test) == ()
    Image.fromarray(data.test.read(np.array([0]))[0, ..., 0]).save(tmp_path / "one.png")
    command = [sys.executable, str(tmp_path / "out" / "predict_toy_box.py"), str(tmp_path / "one.png")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.split("\t")[1].split()[0] in data.classes
    with pytest.raises(ConfigError, match=r"\*\.box"):
        FileSpec(name="model.onnx", format="toy_box")
    with pytest.raises(ConfigError, match="precision of toy_box files"):
        FileSpec(name="model.box", format="toy_box", precision="int8")
