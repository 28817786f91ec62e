"""NetAdapt (Yang 2018; Howard 2019, section 5.2) with training: step by step to a latency budget.

The table proposes, short trainings judge, the device confirms: after every step the network is measured alternately
with the one it came from, and the walk ends when that share is low enough.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas.arch import Architecture
from edgenas.arch.document import to_document
from edgenas.arch.notation import format_notation
from edgenas.errors import BudgetError, DataError, InputError, WeightsError, explain
from edgenas.pipeline.context import RunContext
from edgenas.pipeline.directory import RunDirectory, file_digest
from edgenas.pipeline.images import load_images
from edgenas.pipeline.latencies import encoded_network
from edgenas.pipeline.training import train_settings
from edgenas.scale import Proposal, choose, propose, require_reachable

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.latency import LatencyTable
    from edgenas.nn import Checkpoint, GraphModule
    from edgenas.train import TrainSettings

RESULT_FILE = "refined.json"
STATE_FILE = "state.json"
_MOST_HALVINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How far and in which steps.

    Attributes:
        share: Wanted latency as a share of the network's own; None where `budget_ms` is given.
        budget_ms: Wanted latency, ms.
        step_share: What each step saves by the table, as a share of the first network's latency; halved up to three
            times where no layer has that much left.
        short_steps: Optimiser steps of each proposal.
        finish: Whether the result is trained by the train section at the end.
    """

    share: float | None = None
    budget_ms: float | None = None
    step_share: float = 0.05
    short_steps: int = 40
    finish: bool = True

    def __post_init__(self) -> None:
        if (self.share is None) == (self.budget_ms is None):
            raise InputError(explain("refine needs one goal", got=f"share {self.share}, budget {self.budget_ms} ms",
                                     allowed="--to-share or --budget-ms"))  # fmt: skip
        for name in ("share", "step_share"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise InputError(explain(f"impossible {name.replace('_', ' ')}", got=value, allowed="between 0 and 1"))
        if (self.budget_ms is not None and not self.budget_ms > 0) or self.short_steps < 1:
            got = f"{self.budget_ms} ms, {self.short_steps} steps"
            raise InputError(explain("impossible budget or steps", got=got))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the walk.

    Attributes:
        layer: What was narrowed.
        before, after: Its channels.
        accuracy: On validation images after the short training, in [0, 1].
        measured_share: Latency on the device over that of the first network, measured alternately.
        proposals: How many were trained.
        digest: Of the network.
    """

    layer: str
    before: int
    after: int
    accuracy: float
    measured_share: float
    proposals: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """The end of the walk.

    Attributes:
        checkpoint: The file of the network, with weights.
        architecture: The network.
        steps: The walk.
        seed_ms, latency_ms: Measured latency of the first network and of this one, in one visit.
        goal_share: What was wanted.
        seed_accuracy, accuracy: Of both on validation images, in [0, 1].
        test_accuracy: Of this one on the test images.
    """

    checkpoint: Path
    architecture: Architecture
    steps: tuple[Step, ...]
    seed_ms: float
    latency_ms: float
    goal_share: float
    seed_accuracy: float
    accuracy: float
    test_accuracy: float


class Refiner:
    """What every step needs: images, settings, latency."""

    def __init__(
        self, context: RunContext, checkpoint: Checkpoint, *, plan: Plan, table: LatencyTable | None
    ) -> None:
        """Load the images.

        Args:
            context: Its settings name images, training and target; its directory is where results go.
            checkpoint: The network to start from, with preprocessing.
            plan: How far.
            table: Predicts latency; None measures every proposal, which is slow.

        Raises:
            WeightsError: The checkpoint does not say what its input is.
            DataError: The images are not those of its classes and channels.
        """
        from edgenas.data import Preprocessing

        if "preprocessing" not in checkpoint.metadata:
            raise WeightsError(explain("the checkpoint does not say what its input is", allowed="preprocessing"))
        self.context, self.seed_network, self.plan, self.table = context, checkpoint, plan, table
        self.preprocessing: Preprocessing = Preprocessing.from_dict(json.loads(checkpoint.metadata["preprocessing"]))
        architecture = checkpoint.architecture
        self.data: ImageData = load_images(context, resolution=architecture.resolution, cache=False)
        got = (len(self.data.classes), self.data.channels)
        if got != (architecture.classes, architecture.in_channels):
            raise DataError(
                explain("the images are not those of the network", got=f"{got[0]} classes, {got[1]} channels",
                        allowed=f"{architecture.classes} classes, {architecture.in_channels} channels",
                        remedy="Fit its head first: edgenas train NETWORK CONFIG --start CHECKPOINT.")
            )  # fmt: skip
        self._known: dict[str, float] = {}

    def predicted_ms(self, architecture: Architecture) -> float:
        """Latency of a network: by the table, units that it lacks interpolated; without a table measured."""
        digest = architecture.digest
        if digest not in self._known:
            if self.table is not None:
                from edgenas.latency import predict

                self._known[digest] = predict(self.table, architecture, interpolate=True).latency_ms
            else:
                self._known[digest] = self.measured([architecture], sessions=3)[0]
        return self._known[digest]

    def measured(self, networks: Sequence[Architecture], *, sessions: int | None = None) -> tuple[float, ...]:
        """Measure networks alternately on this device, ms, as the files that would ship."""
        from edgenas.measure import ModelFile, Protocol, measure_files

        target = self.context.settings.target
        files = [
            ModelFile(name=str(number), data=encoded_network(network, runtime=target.runtime,
                                                             precision=target.precision),
                      file_format="onnx" if target.runtime == "ort" else "tflite")
            for number, network in enumerate(networks)
        ]  # fmt: skip
        how = None
        if sessions is not None:
            how = Protocol(threads=target.threads, min_sessions=sessions, max_sessions=sessions)
        return tuple(found.latency_ms for found in measure_files(files, threads=target.threads, protocol=how))

    def trained(
        self, architecture: Architecture, weights: Any, settings: TrainSettings, *, folder: Path | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> tuple[GraphModule, float]:  # fmt: skip
        """Train a network on from weights; return it with its accuracy on validation images."""
        from edgenas.nn import build
        from edgenas.train import fit

        module = build(architecture)
        module.load_weights(weights)
        found = fit(module, self.data, settings, preprocessing=self.preprocessing, checkpoint_dir=folder,
                    progress=report, device=self.context.compute_device)  # fmt: skip
        module.to("cpu")
        return module, found.validation_accuracy

    def short_settings(self) -> TrainSettings:
        """Settings of a proposal's training; its last learning rates are those of the end of a schedule."""
        section = self.context.settings.train
        settings = train_settings(section, seed=self.context.seed("refine"), workers=self.context.threads)
        return replace(settings, epochs=None, steps=self.plan.short_steps, averaging_decay=None, keep="final",
                       evaluate_every=10**6)  # fmt: skip

    def accuracy(self, architecture: Architecture, weights: Any, split: str) -> float:
        """Accuracy of a network on a split, in [0, 1]."""
        from edgenas.nn import build
        from edgenas.train import evaluate

        module = build(architecture)
        module.load_weights(weights)
        return evaluate(module, getattr(self.data, split), self.preprocessing, device="cpu").value


def refine(context: RunContext, source: Path, plan: Plan, *, table: LatencyTable | None) -> Refined:
    """Walk from a checkpoint to the budget, finish, and write `model.safetensors` and `refined.json`.

    A walk that was stopped is taken up: every trained proposal and every finished step is kept.

    Args:
        context: Settings and the folder for results.
        source: The checkpoint; it is not changed.
        plan: How far.
        table: See `Refiner`.

    Raises:
        BudgetError: The budget lies below what narrowing can reach.
        WeightsError, DataError: See `Refiner`.
        TrainingError: A training cannot go on.
    """
    from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint

    first = load_checkpoint(source)
    refiner = Refiner(context, first, plan=plan, table=table)
    seed_ms = refiner.measured([first.architecture])[0]
    goal = plan.share if plan.share is not None else (plan.budget_ms or 0) / seed_ms
    _require_goal(refiner, goal, seed_ms)
    folder = RunDirectory(
        path=context.state_folder("refine", {"source": file_digest(source), "plan": asdict(plan),
                                             "train": context.settings.train.model_dump(),
                                             "data": refiner.data.digest,
                                             "target": context.settings.target.model_dump(),
                                             "seed": context.settings.seed})
    )  # fmt: skip
    state: dict[str, Any] = folder.read_json(STATE_FILE) if folder.has(STATE_FILE) else {"steps": [], "goal": goal}
    # The goal of a budget in milliseconds is a share of what the first network took when the walk began.
    goal = state["goal"]
    steps = [Step(**entry) for entry in state["steps"]]
    current = load_checkpoint(folder.path / f"step-{len(steps):03d}.safetensors") if steps else first
    reached = refiner.accuracy(current.architecture, current.weights, "validation")
    seed_accuracy = state.setdefault("seed_accuracy", reached if not steps else 0.0)
    while (steps[-1].measured_share if steps else 1.0) > goal:
        step, current = _step(refiner, folder, current, reached, number=len(steps) + 1)
        reached = step.accuracy
        steps.append(step)
        state["steps"] = [asdict(entry) for entry in steps]
        folder.write_json(STATE_FILE, state)
        context.say(f"  step {len(steps)}: {step.layer} from {step.before} to {step.after} channels, "
                    f"{100 * step.accuracy:.1f} %, {100 * step.measured_share:.1f} % of the latency")  # fmt: skip
    weights, accuracy = current.weights, reached
    if plan.finish:
        settings = train_settings(context.settings.train, seed=context.seed("refine"), workers=context.threads)
        with context.progress("train the refined network") as report:
            module, accuracy = refiner.trained(
                current.architecture, weights, settings, folder=folder.file("finish/state").parent,
                report=lambda done, total: report(done, total, "steps"),
            )  # fmt: skip
        weights = module.weights()
    checkpoint = context.directory.file("model.safetensors")
    metadata = {key: value for key, value in first.metadata.items() if key != "training"}
    save_checkpoint(checkpoint, Checkpoint(architecture=current.architecture, weights=weights, metadata=metadata))
    context.directory.write_json("architecture.json", to_document(current.architecture))
    both = refiner.measured([first.architecture, current.architecture])
    answer = Refined(
        checkpoint=checkpoint, architecture=current.architecture, steps=tuple(steps), seed_ms=both[0],
        latency_ms=both[1], goal_share=goal, seed_accuracy=seed_accuracy, accuracy=accuracy,
        test_accuracy=refiner.accuracy(current.architecture, weights, "test"),
    )  # fmt: skip
    context.directory.write_json(RESULT_FILE, _document(answer))
    return answer


def _document(answer: Refined) -> dict[str, Any]:
    plain = {name: getattr(answer, name) for name in answer.__dataclass_fields__}
    return {
        **plain,
        "checkpoint": str(answer.checkpoint),
        "steps": [asdict(step) for step in answer.steps],
        "architecture": to_document(answer.architecture),
        "notation": format_notation(answer.architecture),
    }


def _require_goal(refiner: Refiner, goal: float, seed_ms: float) -> None:
    """Refuse a goal that is met already, or that narrowing cannot reach by the table."""
    if goal >= 1:
        raise BudgetError(
            explain("the network is within the budget already", got=f"{goal * seed_ms:.4g} ms",
                    allowed=f"less than the {seed_ms:.4g} ms that it takes")
        )  # fmt: skip
    architecture = refiner.seed_network.architecture
    require_reachable(architecture, refiner.predicted_ms, goal * refiner.predicted_ms(architecture))


def _step(
    refiner: Refiner, folder: RunDirectory, current: Checkpoint, reached: float, *, number: int
) -> tuple[Step, Checkpoint]:
    """Propose, train each proposal briefly, keep the best, measure it."""
    from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint

    first = refiner.seed_network.architecture
    delta = refiner.plan.step_share * refiner.predicted_ms(first)
    proposals: tuple[Proposal, ...] = ()
    for halving in range(_MOST_HALVINGS + 1):
        # Near the end no single layer may have a whole step left in it.
        proposals = proposals or propose(current.architecture, refiner.predicted_ms, delta / 2**halving)
    if not proposals:
        raise BudgetError(
            explain("no layer can be narrowed any further",
                    got=f"steps of {100 * refiner.plan.step_share / 2**_MOST_HALVINGS:.2f} % of the latency",
                    remedy="Take a larger budget, or start from a shallower network.")
        )  # fmt: skip
    trials = folder.file(f"trials-{number:03d}/x").parent
    accuracies = []
    with refiner.context.progress(f"step {number}") as report:
        for done, proposal in enumerate(proposals, start=1):
            accuracies.append(_trial(refiner, trials, current, proposal))
            report(done, len(proposals), "proposals")
    best = proposals[
        choose(proposals, accuracies, accuracy=reached, latency_ms=refiner.predicted_ms(current.architecture))
    ]
    chosen = load_checkpoint(trials / f"{best.architecture.digest[:16]}.safetensors")
    kept = Checkpoint(architecture=chosen.architecture, weights=chosen.weights,
                      metadata=dict(refiner.seed_network.metadata))  # fmt: skip
    save_checkpoint(folder.file(f"step-{number:03d}.safetensors"), kept)
    shutil.rmtree(trials)
    before, after = refiner.measured([first, best.architecture])
    step = Step(
        layer=best.layer.name, before=best.layer.channels, after=best.channels,
        accuracy=accuracies[proposals.index(best)], measured_share=after / before, proposals=len(proposals),
        digest=best.architecture.digest,
    )  # fmt: skip
    return step, kept


def _trial(refiner: Refiner, folder: Path, current: Checkpoint, proposal: Proposal) -> float:
    """Train a proposal briefly, once: what was trained is kept with its accuracy."""
    from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint

    path = folder / f"{proposal.architecture.digest[:16]}.safetensors"
    if path.is_file():
        return float(load_checkpoint(path).metadata["accuracy"])
    start = proposal.weights(current.architecture, current.weights)
    module, accuracy = refiner.trained(proposal.architecture, start, refiner.short_settings())
    metadata = {"accuracy": repr(accuracy)}
    weights = {name: np.asarray(value) for name, value in module.weights().items()}
    save_checkpoint(path, Checkpoint(architecture=proposal.architecture, weights=weights, metadata=metadata))
    return accuracy


def uniform(architecture: Architecture, weights: Any, factor: float) -> tuple[Architecture, dict[str, Any]]:
    """Narrow every layer by one factor, weights carried over the same way: the width multiplier to compare with.

    Args:
        architecture: The network.
        weights: Its weights.
        factor: In (0, 1]; channels are rounded to the network's own multiple.
    """
    from edgenas.scale import channel_divisor, layers, narrowed

    step, network, carried = channel_divisor(architecture), architecture, dict(weights)
    for number, original in enumerate(layers(architecture)):
        layer = layers(network)[number]
        wanted = min(layer.channels, max(step, round(original.channels * factor / step) * step))
        if wanted >= layer.channels:
            continue
        proposal = Proposal(layer=layer, channels=wanted, architecture=narrowed(network, layer, wanted), latency_ms=0.0)
        network, carried = proposal.architecture, proposal.weights(network, carried)
    return network, carried
