"""What a finished run is good for afterwards: other devices, other images, a tighter budget; on a handful of digits."""

import dataclasses
import hashlib
import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgenas.config import load
from edgenas.config.sections.target import TargetSection
from edgenas.errors import BudgetError, DataError, DeviceError, ExportError, InputError, TableError, WeightsError
from edgenas.latency import read_table, write_table
from edgenas.measure import ModelFile
from edgenas.pipeline.commands.refine.result import Plan
from edgenas.pipeline.commands.refine.trials import Refiner
from edgenas.pipeline.commands.refine.walk import refine
from edgenas.pipeline.commands.run import run_pipeline
from edgenas.pipeline.commands.specialise.command import specialise
from edgenas.pipeline.commands.specialise.device_table import device_table
from edgenas.pipeline.commands.transfer.adaptation import carry_over
from edgenas.pipeline.commands.transfer.command import transfer
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.open_run import open_run
from edgenas.pipeline.core.tables import Wanted
from tests.measure.fakes import law
from tests.pipeline.conftest import steady_files

CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
SMALL = [
    "latency.networks=8", "latency.validation_networks=0", "latency.force=true", "latency.use_shipped=false",
    "supernet.epochs=3", "search.evaluations=16", "front.measure=3", "train.epochs=2", "export.recipe=onnx-fp32",
    "target.budget_share=0.9", "data.train_limit=300", "data.test_limit=100", "search.baseline=false",
]  # fmt: skip
HALF = TargetSection(budget_share=0.9)


@contextmanager
def quiet(title: str):
    yield lambda done, total, what: None


def _digests(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run_pipeline(load(CONFIGURATION, [*SMALL, f"output={folder}"]), progress=quiet, say=lambda text: None)
    return folder / "quickstart"


@pytest.fixture
def source(finished):
    """The finished run; it must be the same afterwards."""
    before = _digests(finished)
    yield open_run(finished, progress=quiet, say=lambda text: None)
    assert _digests(finished) == before


def _own_table(source):
    return read_table(source.directory.path / "latency" / "table.json")


def test_a_run_with_a_scale_section_makes_a_family_of_its_winner(finished, tmp_path) -> None:
    shutil.copytree(finished, tmp_path / "quickstart")
    settings = load(CONFIGURATION, [*SMALL, f"output={tmp_path}", "scale.phi=[1]"])
    said: list[str] = []
    found = run_pipeline(settings, progress=quiet, say=said.append)
    assert [line for line in said if line.endswith("unchanged")] and any("family: done" in line for line in said)
    assert not any("winner: done" in line for line in said)
    (member,) = found.summary["family"]
    assert member["name"] == "phi1"
    assert member["macs"] > found.summary["macs"]


def test_a_family_that_cannot_be_finished_leaves_the_former_one_and_a_finished_one_nothing_of_it(
    finished, tmp_path, monkeypatch
) -> None:
    shutil.copytree(finished, tmp_path / "quickstart")
    run, family = tmp_path / "quickstart", tmp_path / "quickstart" / "family"

    def scaled(phi: str) -> None:
        settings = load(CONFIGURATION, [*SMALL, f"output={tmp_path}", f"scale.phi={phi}"])
        run_pipeline(settings, progress=quiet, say=lambda text: None)

    scaled("[0.5]")
    before = _digests(family)
    with monkeypatch.context() as patch:
        patch.setattr("edgenas.pipeline.stages.family.export_network", _raises)
        with pytest.raises(ExportError, match="on purpose"):
            scaled("[0.5, 1]")
    assert _digests(family) == before
    scaled("[1]")
    assert [entry.name for entry in family.iterdir()] == ["phi1"]
    assert [entry["name"] for entry in json.loads((run / "family.json").read_text())["members"]] == ["phi1"]


def _raises(*_: object, **__: object) -> None:
    raise ExportError("on purpose")


def test_a_specialised_file_that_is_over_the_budget_when_measured_again_is_not_delivered(
    source, tmp_path, monkeypatch
) -> None:
    seen: list[str] = []

    def slow(folder: Path, entry, **_: object):
        assert (folder / entry.name).is_file()
        seen.append(entry.name)
        return dataclasses.replace(entry.latency, latency_ms=1e6)

    specialise(source, _own_table(source), HALF, tmp_path, evaluations=4, measure=2)
    before = _digests(tmp_path / "export")
    with monkeypatch.context() as patch:
        patch.setattr("edgenas.pipeline.commands.specialise.command.measured_again", slow)
        with pytest.raises(BudgetError, match="no network was within the budget once it was exported"):
            specialise(source, _own_table(source), HALF, tmp_path, evaluations=4, measure=2, force=True)
    assert seen
    assert _digests(tmp_path / "export") == before
    assert [entry.name for entry in tmp_path.iterdir() if "export" in entry.name] == ["export"]


def test_specialise_refuses_shared_weights_that_saw_the_test_images_of_the_run(finished, tmp_path) -> None:
    from edgenas.pipeline.commands.run import run_some
    from edgenas.pipeline.stages import DATA, SUPERNET

    shutil.copytree(finished, tmp_path / "quickstart")
    other = load(CONFIGURATION, [*SMALL, f"output={tmp_path / 'other'}", "data.seed=5", "supernet.epochs=1"])
    run_some((DATA, SUPERNET), other, progress=quiet, say=lambda text: None)
    foreign = tmp_path / "other" / "quickstart" / "supernet" / "supernet.safetensors"
    shutil.copy(foreign, tmp_path / "quickstart" / "supernet" / "supernet.safetensors")
    source = open_run(tmp_path / "quickstart", progress=quiet, say=lambda text: None)
    with pytest.raises(DataError, match="the run's supernet was trained on images that would judge it"):
        specialise(source, _own_table(source), HALF, tmp_path / "out", evaluations=4, measure=2)
    assert not (tmp_path / "out" / "export").exists()


def test_specialise_exports_a_network_of_the_space_within_the_budget(source, tmp_path) -> None:
    found = specialise(source, _own_table(source), HALF, tmp_path, evaluations=12, measure=3)
    assert found.file_latency_ms is not None
    assert found.file_latency_ms <= found.budget_ms
    assert artifacts.space(source).contains(found.architecture)
    assert (tmp_path / "export" / found.file).is_file()
    document = json.loads((tmp_path / "specialised.json").read_text())
    assert document["digest"] == found.architecture.digest
    assert found.from_run == 16
    again = specialise(source, _own_table(source), HALF, tmp_path / "b", evaluations=4, measure=3, also=[tmp_path])
    assert again.from_others == len(found.judged) > 0
    assert again.found.accuracy >= found.found.accuracy
    document["supernet"] = "of another run"
    (tmp_path / "b" / "specialised.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="of another run"):
        specialise(source, _own_table(source), HALF, tmp_path / "c", also=[tmp_path / "b"])
    with pytest.raises(ExportError, match="exists"):
        specialise(source, _own_table(source), HALF, tmp_path)


def test_a_table_of_a_foreign_device_predicts_and_measures_nothing(source, tmp_path) -> None:
    table = _own_table(source)
    foreign = dataclasses.replace(table, device=dataclasses.replace(table.device, cpu="some phone"))
    found = specialise(source, foreign, HALF, tmp_path, evaluations=12)
    assert found.file_latency_ms is None
    assert found.found.predicted_ms * (1 + table.interval.relative) <= found.budget_ms
    assert "not here" in found.notes[0]


def test_a_table_of_another_space_is_refused(source, tmp_path) -> None:
    table = _own_table(source)
    entries = dict(list(table.entries.items())[:3])
    other = dataclasses.replace(table, entries=entries, build=dataclasses.replace(table.build, space_digest="0" * 64))
    with pytest.raises(TableError, match="of another space"):
        specialise(source, other, HALF, tmp_path)


def test_a_budget_below_the_fastest_network_says_how_fast_it_is(source, tmp_path) -> None:
    with pytest.raises(BudgetError, match="that is the fastest of"):
        specialise(source, _own_table(source), TargetSection(budget_ms=1e-6), tmp_path)


def test_a_measured_table_is_kept_and_a_named_one_is_read(source, tmp_path) -> None:
    table = _own_table(source)
    (tmp_path / "latency").mkdir()
    write_table(table, tmp_path / "latency" / "ort-fp32.json")
    kept = device_table(source, tmp_path, table=None, wanted=Wanted("ort", "fp32"))
    named = device_table(source, tmp_path, table=str(tmp_path / "latency" / "ort-fp32.json"), wanted=Wanted())
    assert kept == named == table


def _colours(folder: Path, classes: int) -> Path:
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(classes):
        (folder / f"class{number}").mkdir(parents=True)
        for index in range(40):
            pixels = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8) // 2
            pixels[..., number % 3] += 100
            Image.fromarray(pixels).save(folder / f"class{number}" / f"{index}.png")
    return folder


def test_transfer_replaces_head_and_stem_says_so_and_can_be_specialised(finished, source, tmp_path) -> None:
    said: list[str] = []
    context = open_run(finished, progress=quiet, say=said.append)
    photos = _colours(tmp_path / "photos", 3)
    other = load(CONFIGURATION, ["data.source=folder", f"data.path={photos}", "data.noise_std=0.0"])
    found = transfer(context, other, tmp_path / "out", epochs=40, networks=8, scratch=True)
    assert set(found.replaced) == {"stem.conv.weight", "head.classifier.weight", "head.classifier.bias"}
    assert sum("made anew for 3 classes and 3 channel(s)" in line for line in said) == 3
    assert len(found.networks) == 8
    assert found.mean_accuracy > 0.5
    assert len(found.proposed) == 2
    assert {entry.genes for entry in found.proposed}.isdisjoint(entry.genes for entry in found.networks)
    assert [entry.epochs for entry in found.scratch] == [40]
    assert (found.saved is None) == (max(entry.mean_accuracy for entry in found.scratch) < found.mean_accuracy)
    adapted = open_run(tmp_path / "out", progress=quiet, say=said.append)
    best = found.networks[0]
    assert artifacts.evaluator(adapted).evaluate(np.asarray([best.genes])).accuracy[0] == best.accuracy


def test_transfer_onto_the_same_images_keeps_every_weight_and_the_accuracies(source) -> None:
    from edgenas.supernet import Supernet, load_supernet

    old, _ = load_supernet(source.directory.path / "supernet/supernet.safetensors")
    new = Supernet(artifacts.space(source))
    assert carry_over(old, new, same_classes=True) == ()
    after = new.shared_weights()
    assert all(np.array_equal(value.detach(), after[name].detach()) for name, value in old.shared_weights().items())


def test_supernets_of_other_blocks_are_not_carried_over(source) -> None:
    from edgenas.space import load as load_space
    from edgenas.supernet import Supernet, load_supernet

    old, _ = load_supernet(source.directory.path / "supernet/supernet.safetensors")
    with pytest.raises(WeightsError):
        carry_over(old, Supernet(load_space("edge_lite")), same_classes=False)


class Device:
    """A device that obeys the law of the fake bench, with noise; it can slow down single visits, or break off."""

    def __init__(self) -> None:
        self.rng, self.visits, self.gone_after = np.random.default_rng(0), 0, 10**9
        self.disturbed_every, self.law = 10**9, law

    def visit(self, refiner, networks):
        self.visits += 1
        if self.visits > self.gone_after:
            raise DeviceError("the device does not answer.")
        # A neighbour's load that falls on all networks of a visit but the first.
        slowed = [1.0] + [1.08 if self.visits % self.disturbed_every == 0 else 1.0] * (len(networks) - 1)
        noise = np.exp(0.003 * self.rng.standard_normal(len(networks)))
        found = steady_files([ModelFile(name="x", data=b"", file_format="onnx")] * len(networks))
        return tuple(
            dataclasses.replace(each, latency_ms=ms, standard_error_ms=0.004 * ms)
            for each, ms in zip(found, [self.law(net) for net in networks] * noise * slowed, strict=True)
        )


@pytest.fixture
def device(monkeypatch) -> Device:
    found = Device()
    monkeypatch.setattr(Refiner, "visit", lambda self, networks: found.visit(self, networks))
    return found


def _refined(finished, source, folder, plan, said=None):
    settings = source.settings.model_copy(update={"train": source.settings.train.model_copy(update={"epochs": 1})})
    say = said.append if said is not None else lambda text: None
    context = RunContext(settings, RunDirectory(path=folder), progress=quiet, say=say)
    return refine(context, finished / "model.safetensors", plan, table=_own_table(source))


def test_refine_meets_its_goal_and_a_finished_walk_is_not_walked_again(finished, source, device, tmp_path) -> None:
    plan, said = Plan(share=0.9, step_share=0.04, short_steps=2), []
    found = _refined(finished, source, tmp_path, plan, said)
    shares = [step.measured_share for step in found.steps]
    assert found.measured_share <= 0.9 + 0.01 < min([1.0, *shares[:-1]])
    assert law(found.architecture) / law(_seed(finished)) == pytest.approx(0.9, abs=0.03)
    assert found.steps[-1].digest == found.architecture.digest
    assert found.own_steps == found.all_steps - 2 * sum(step.proposals - 1 for step in found.steps)
    said.clear()
    again = _refined(finished, source, tmp_path, plan, said)
    assert (again.steps, again.accuracy) == (found.steps, found.accuracy)
    assert not said


def test_a_walk_is_taken_up_where_the_device_went_away(finished, source, device, tmp_path) -> None:
    plan = Plan(share=0.9, step_share=0.04, short_steps=2)
    whole = _refined(finished, source, tmp_path / "whole", plan)
    for visits in (4, 2):
        device.rng, device.visits, device.gone_after = np.random.default_rng(0), 0, visits
        with pytest.raises(DeviceError):
            _refined(finished, source, tmp_path / "broken", plan)
    device.gone_after = 10**9
    found = _refined(finished, source, tmp_path / "broken", plan)
    # What was proposed and trained before is kept: the walk begins as the whole one did.
    assert found.steps[0].digest == whole.steps[0].digest
    assert found.steps[0].proposals == whole.steps[0].proposals


def test_a_disturbed_visit_does_not_end_the_walk_too_late(finished, source, device, tmp_path) -> None:
    device.disturbed_every = 3
    found = _refined(finished, source, tmp_path, Plan(share=0.9, step_share=0.04, short_steps=1, finish=False))
    assert law(found.architecture) / law(_seed(finished)) == pytest.approx(0.9, abs=0.04)


def test_a_device_on_which_channels_save_nothing_is_named(finished, source, device, tmp_path) -> None:
    device.law = lambda network: 1.0
    with pytest.raises(BudgetError, match="saves time on this device"):
        _refined(finished, source, tmp_path, Plan(share=0.9, short_steps=1))


def _seed(finished):
    from edgenas.nn import load_checkpoint

    return load_checkpoint(finished / "model.safetensors").architecture


@pytest.mark.usefixtures("device")
def test_impossible_refinements_are_refused(finished, source, tmp_path) -> None:
    context = RunContext(source.settings, RunDirectory(path=tmp_path), progress=quiet, say=lambda text: None)
    with pytest.raises(InputError, match="one goal"):
        Plan()
    with pytest.raises(InputError, match="between 0 and 1"):
        Plan(share=1.2)
    with pytest.raises(BudgetError, match="cannot narrow"):
        refine(context, finished / "model.safetensors", Plan(share=0.01), table=_own_table(source))
    with pytest.raises(BudgetError, match="within the budget already"):
        refine(context, finished / "model.safetensors", Plan(budget_ms=100.0), table=_own_table(source))
    photos = _colours(tmp_path / "photos", 3)
    update = {"source": "folder", "path": str(photos), "noise_std": 0.0}
    other = source.settings.model_copy(update={"data": source.settings.data.model_copy(update=update)})
    with pytest.raises(DataError, match="not those of the network"):
        refine(
            RunContext(other, RunDirectory(path=tmp_path), progress=quiet, say=print), finished / "model.safetensors",
            Plan(share=0.9), table=_own_table(source),
        )  # fmt: skip


def test_a_uniform_narrowing_carries_weights_that_fit(finished) -> None:
    from benchmarks.uniform_width import uniform
    from edgenas.arch import lower
    from edgenas.arch.weights import check_weights
    from edgenas.nn import load_checkpoint

    seed = load_checkpoint(finished / "model.safetensors")
    network, weights = uniform(seed.architecture, seed.weights, 0.5)
    check_weights(lower(network), weights)
    assert network.digest != seed.architecture.digest
    same, kept = uniform(seed.architecture, seed.weights, 1.0)
    assert same == seed.architecture
    assert all(np.array_equal(kept[name], seed.weights[name]) for name in kept)
