"""NetAdapt (Yang 2018; Howard 2019, section 5.2) with training: step by step to a latency budget.

Each step has three parts. The table predicts the latency of proposals. The device measures them alternately with the
first network, and those that save too little there are dropped. Short trainings choose among the rest. The walk ends
when repeated visits show that the share of the first network's latency is low enough.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas.arch.document import to_document
from edgenas.errors import BudgetError, explain
from edgenas.pipeline.commands.refine.result import Plan, Refined, Step
from edgenas.pipeline.commands.refine.trials import Refiner, reached
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import Share
from edgenas.pipeline.core.directory import RunDirectory, file_digest
from edgenas.pipeline.core.seen import history_metadata, trained_on
from edgenas.pipeline.search.limits import target_document
from edgenas.pipeline.training.teacher import require_teacher, teacher_digest
from edgenas.scale import Proposal, choose, layers, narrowed, propose, require_reachable
from edgenas.train.registry import without_newer_defaults

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable
    from edgenas.nn import Checkpoint

RESULT_FILE = "refined.json"
STATE_FILE = "state.json"
_FACTORS = (1.0, 2.0, 4.0, 0.5, 0.25, 0.125)
"""Factors of a step's size that are tried in turn.

Larger ones come first, for devices that save less than the table says.
"""
_LEAST_SAVED = 0.5
"""A proposal must save this share of its step on the device."""
_SEED_VISITS = 3
_LAST_STEP = 0.25
"""The last step is no smaller than this share of a whole one. The measurement's error would hide a smaller one."""


def refine(context: RunContext, source: Path, plan: Plan, *, table: LatencyTable | None) -> Refined:
    """Walk from a checkpoint to the budget, finish, and write `model.safetensors` and `refined.json`.

    A walk that was stopped is resumed: every trained proposal and every finished step is kept.

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

    require_teacher(context.settings.train.teacher)
    first = load_checkpoint(source)
    refiner = Refiner(context, first, plan=plan, table=table)
    folder = _state_folder(refiner, source)
    state = folder.read_json(STATE_FILE) if folder.has(STATE_FILE) else _fresh_state(refiner)
    steps, current = _walk(refiner, folder, state)
    weights, accuracy = current.weights, steps[-1].accuracy
    finish_steps = 0
    if plan.finish:
        with context.progress("train the refined network") as report:
            finish = folder.file("finish/state").parent
            trained = refiner.trained(current.architecture, weights, folder=finish, progress=report)
        weights, accuracy = trained.module.weights(), trained.fit.validation_accuracy
        finish_steps = trained.fit.steps
    checkpoint = context.directory.file("model.safetensors")
    history = trained_on(refiner.data, ("the weights that were refined", refiner.history))
    metadata = {key: value for key, value in first.metadata.items() if key != "training"}
    metadata.update(history_metadata(history))
    save_checkpoint(checkpoint, Checkpoint(architecture=current.architecture, weights=weights, metadata=metadata))
    context.directory.write_json("architecture.json", to_document(current.architecture))
    share = refiner.settled_share(current.architecture, state["goal"])
    answer = Refined(
        checkpoint=checkpoint, architecture=current.architecture, steps=steps, seed_ms=state["seed_ms"],
        latency_ms=share.value * state["seed_ms"], measured_share=share.value, share_error=share.error,
        goal_share=state["goal"], seed_accuracy=state["seed_accuracy"], accuracy=accuracy,
        test_accuracy=refiner.accuracy(current.architecture, weights, "test"),
        own_steps=finish_steps + plan.short_steps * len(steps),
        all_steps=finish_steps + plan.short_steps * sum(step.proposals for step in steps),
    )  # fmt: skip
    context.directory.write_json(RESULT_FILE, answer.to_dict())
    return answer


def _state_folder(refiner: Refiner, source: Path) -> RunDirectory:
    settings = refiner.context.settings
    depends_on = {
        "source": file_digest(source),
        "plan": asdict(refiner.plan),
        "train": without_newer_defaults(settings.train.model_dump()),
        "teacher": teacher_digest(settings.train.teacher),
        "data": refiner.data.digest,
        "target": target_document(settings.target),
        "seed": settings.seed,
    }
    return RunDirectory(path=refiner.context.state_folder("refine", depends_on))


def _fresh_state(refiner: Refiner) -> dict[str, Any]:
    """State of a new walk. A budget in milliseconds becomes a share of the first network's present latency.

    Raises:
        BudgetError: The goal is met already, or narrowing cannot reach it by the table.
    """
    first, plan = refiner.first, refiner.plan
    # Other programs may load the machine during the whole of a visit.
    seed_ms = float(np.median([refiner.visit([first.architecture])[0].latency_ms for _ in range(_SEED_VISITS)]))
    goal = plan.share if plan.share is not None else (plan.budget_ms or 0) / seed_ms
    if goal >= 1:
        raise BudgetError(
            explain("the network is within the budget already", got=f"{goal * seed_ms:.4g} ms",
                    allowed=f"less than the {seed_ms:.4g} ms that it takes")
        )  # fmt: skip
    predicted = refiner.predicted_ms
    require_reachable(first.architecture, predicted, goal * predicted(first.architecture))
    accuracy = refiner.accuracy(first.architecture, first.weights, "validation")
    return {"steps": [], "goal": goal, "seed_ms": seed_ms, "seed_accuracy": accuracy}


def _walk(refiner: Refiner, folder: RunDirectory, state: dict[str, Any]) -> tuple[tuple[Step, ...], Checkpoint]:
    """Take the steps that are left; the state is written after each."""
    from edgenas.nn import load_checkpoint

    steps = [Step(**entry) for entry in state["steps"]]
    current = load_checkpoint(folder.path / f"step-{len(steps):03d}.safetensors") if steps else refiner.first
    while not steps or not reached(Share(value=steps[-1].measured_share, error=steps[-1].share_error), state["goal"]):
        step, current = _step(refiner, folder, current, steps, state)
        steps.append(step)
        state["steps"] = [asdict(entry) for entry in steps]
        folder.write_json(STATE_FILE, state)
        refiner.context.say(
            f"  step {len(steps)}: {step.layer} from {step.before} to {step.after} channels, "
            f"{100 * step.accuracy:.1f} %, {100 * step.measured_share:.1f} +- {100 * step.share_error:.1f} % of the "
            "latency"
        )
    return tuple(steps), current


def _step(
    refiner: Refiner, folder: RunDirectory, current: Checkpoint, done: list[Step], state: dict[str, Any]
) -> tuple[Step, Checkpoint]:
    """Propose, confirm on the device, train each proposal briefly, keep the best, measure it again."""
    from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint

    number, goal = len(done) + 1, state["goal"]
    trials = RunDirectory(path=folder.path / f"trials-{number:03d}")
    before, proposals = _confirmed(refiner, trials, current, done, state)
    accuracies = []
    with refiner.context.progress(f"step {number}") as report:
        for place, proposal in enumerate(proposals, start=1):
            accuracies.append(_trial(refiner, trials, current, proposal))
            report(place, len(proposals), "proposals")
    accuracy = done[-1].accuracy if done else state["seed_accuracy"]
    best = choose(proposals, accuracies, accuracy=accuracy, latency_ms=before)
    proposal = proposals[best]
    chosen = load_checkpoint(_trial_file(trials, proposal))
    kept = Checkpoint(architecture=chosen.architecture, weights=chosen.weights, metadata=dict(refiner.first.metadata))
    save_checkpoint(folder.file(f"step-{number:03d}.safetensors"), kept)
    # The proposal was chosen by this visit, so chance favours it there. Its share is measured anew.
    share = refiner.settled_share(proposal.architecture, goal)
    step = Step(
        layer=proposal.layer.name, before=proposal.layer.channels, after=proposal.channels, accuracy=accuracies[best],
        measured_share=share.value, share_error=share.error, proposals=len(proposals),
        digest=proposal.architecture.digest,
    )  # fmt: skip
    shutil.rmtree(trials.path)
    return step, kept


def _confirmed(
    refiner: Refiner, trials: RunDirectory, current: Checkpoint, done: list[Step], state: dict[str, Any]
) -> tuple[float, tuple[Proposal, ...]]:
    """Proposals of a step with their measured latencies, and the latency of the network before.

    Raises:
        BudgetError: No layer saves anything on the device.
    """
    if trials.has("proposals.json"):
        return _known_proposals(trials, current)
    network, first = current.architecture, refiner.first.architecture
    wanted = refiner.plan.step_share
    if done:
        wanted = min(wanted, max(done[-1].measured_share - state["goal"], _LAST_STEP * wanted))
    for factor in _FACTORS:
        delta = wanted * factor * refiner.predicted_ms(first)
        proposed = propose(network, refiner.predicted_ms, delta)
        if not proposed:
            continue
        own, *found = refiner.shares([network, *(proposal.architecture for proposal in proposed)])
        least = _LEAST_SAVED * wanted * min(1.0, factor)
        confirmed = tuple(
            replace(proposal, latency_ms=share.value * state["seed_ms"])
            for proposal, share in zip(proposed, found, strict=True)
            if own.value - share.value >= least
        )
        if confirmed:
            _keep_proposals(trials, own.value * state["seed_ms"], confirmed)
            return own.value * state["seed_ms"], confirmed
    raise BudgetError(
        explain("no layer can be narrowed any further that saves time on this device",
                got=f"steps of {100 * wanted * min(_FACTORS):.2f} to {100 * wanted * max(_FACTORS):.2f} % of the "
                f"latency, after {len(done)} steps",
                remedy="Take a larger budget, or start from a shallower network.")
    )  # fmt: skip


def _keep_proposals(trials: RunDirectory, before_ms: float, proposals: tuple[Proposal, ...]) -> None:
    # A resumed step must not measure again, since it would then train and choose among other proposals.
    rows = [
        {"layer": proposal.layer.name, "channels": proposal.channels, "latency_ms": proposal.latency_ms}
        for proposal in proposals
    ]
    trials.write_json("proposals.json", {"before_ms": before_ms, "proposals": rows})


def _known_proposals(trials: RunDirectory, current: Checkpoint) -> tuple[float, tuple[Proposal, ...]]:
    document, network = trials.read_json("proposals.json"), current.architecture
    by_name = {layer.name: layer for layer in layers(network)}
    proposals = tuple(
        Proposal(
            layer=by_name[row["layer"]],
            channels=row["channels"],
            architecture=narrowed(network, by_name[row["layer"]], row["channels"]),
            latency_ms=row["latency_ms"],
        )
        for row in document["proposals"]
    )
    return document["before_ms"], proposals


def _trial_file(trials: RunDirectory, proposal: Proposal) -> Path:
    return trials.file(f"{proposal.architecture.digest[:16]}.safetensors")


def _trial(refiner: Refiner, trials: RunDirectory, current: Checkpoint, proposal: Proposal) -> float:
    """Train a proposal briefly, or return the result of an earlier training."""
    from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint

    path = _trial_file(trials, proposal)
    if path.is_file():
        return float(load_checkpoint(path).metadata["accuracy"])
    start = proposal.weights(current.architecture, current.weights)
    trained = refiner.trained(proposal.architecture, start, short=True)
    metadata = {"accuracy": repr(trained.fit.validation_accuracy)}
    weights = {name: np.asarray(value) for name, value in trained.module.weights().items()}
    save_checkpoint(path, Checkpoint(architecture=proposal.architecture, weights=weights, metadata=metadata))
    return trained.fit.validation_accuracy
