"""The winner stage: train and export the most accurate network whose measured file is within the budget.

The measurement of the exported file decides. If the file is over the budget, the next network of the front is taken,
and the report says so.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas import atomic
from edgenas.arch import Architecture
from edgenas.arch.document import to_document
from edgenas.arch.notation import format_notation
from edgenas.errors import BudgetError, explain
from edgenas.formats import file_format_of
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import (
    ARCHITECTURE_FILE,
    CHECKPOINT_FILE,
    EXPORT_FOLDER,
    FRONT_FILE,
    SEARCH_FILE,
    WINNER_FILE,
)
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import model_files
from edgenas.pipeline.core.directory import cannot_write
from edgenas.pipeline.core.seen import history_metadata
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.core.worker_count import workers_of
from edgenas.pipeline.export.bundle import export_network, file_document, measured_beside
from edgenas.pipeline.search.budget import within
from edgenas.pipeline.search.clock import clock_beside, clock_network
from edgenas.pipeline.search.cost_model import CostModel, layer_rows
from edgenas.pipeline.search.file_sizes import file_values
from edgenas.pipeline.search.limits import beyond, limit_rows, target_document
from edgenas.pipeline.search.neighbours import neighbours
from edgenas.pipeline.training import finalists
from edgenas.pipeline.training.network import Trained, train_member
from edgenas.pipeline.training.teacher import teacher_digest
from edgenas.reading.json_text import plain_text
from edgenas.train.registry import without_newer_defaults

if TYPE_CHECKING:
    from edgenas.deploy import Card, FileCard
    from edgenas.deploy.bundle.card import Latency
    from edgenas.measure import FileLatency


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    """A trained and exported network of the front.

    Attributes:
        target: The file that the budget is about.
        again: Its second measurement.
        budget_ms: The budget at the moment of the second measurement; None where there is none.
        budget_error: Its relative standard error; 0 for milliseconds that were given.
        judged: Which measurements a budget is compared with: `first`, `again`. A share of another network's latency
            means that latency at the same moment, so only the measurement beside the reference network counts.
    """

    entry: Mapping[str, Any]
    architecture: Architecture
    trained: Trained
    card: Card
    target: FileCard
    again: FileLatency
    budget_ms: float | None
    budget_error: float
    judged: tuple[str, ...]

    @property
    def measurements(self) -> dict[str, Latency | FileLatency]:
        """Both measurements of the file, by name."""
        assert self.target.latency is not None
        return {"first": self.target.latency, "again": self.again}

    def error_ms(self, name: str) -> float:
        """Standard error of a measurement as it is compared with the budget, that of the budget in it."""
        latency = self.measurements[name]
        return math.hypot(latency.standard_error_ms, self.budget_error * latency.latency_ms)

    @property
    def latency_ms(self) -> float:
        """Measured latency of the file that the budget is about."""
        assert self.target.latency is not None
        return self.target.latency.latency_ms


def _inputs(context: RunContext) -> Mapping[str, Any]:
    from edgenas.pipeline.export.bundle import recipe_digest

    settings = context.settings
    # A key of a newer version, left at its default, must not change the fingerprint of finished runs.
    unused = {"finalists"} if settings.train.finalists == 1 else set()
    return {
        "seed": settings.seed,
        "train": without_newer_defaults(settings.train.model_dump(exclude=unused)),
        "teacher": teacher_digest(settings.train.teacher),
        "target": target_document(settings.target),
        "export": settings.export.model_dump(),
        "recipe": recipe_digest(settings.export.recipe),
    }


def _run(context: RunContext) -> None:
    front = context.directory.read_json(FRONT_FILE)
    over: str | None = None
    notes: list[str] = []
    chosen = _chosen(context, front)
    for entry in chosen.networks:
        draft = atomic.draft_of(context.directory.file(EXPORT_FOLDER))
        try:
            found = _try(context, entry, draft, front)
            over = over_budget(found) or over_limits(context, found)
            if over is None:
                atomic.replace_folder(draft, context.directory.path / EXPORT_FOLDER)
                _write(context, found, front, notes, chosen)
                return
        except OSError as error:
            raise cannot_write(context.directory.path / EXPORT_FOLDER, error) from error
        finally:
            # The bundle of an earlier run stays until another one replaces it.
            shutil.rmtree(draft, ignore_errors=True)
        notes.append(
            f"Network {entry['digest'][:10]} came first, but its exported {found.target.name} took {over}; "
            "the next one was taken."
        )
        context.say(f"  {notes[-1]}")
    raise BudgetError(
        explain(
            "no network of the front is within the budget and the limits once it is exported",
            got=f"the last one took {over}",
            remedy="Raise what it broke, or measure more of the front with --set front.measure=50.",
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """In which order networks are tried, and why.

    Attributes:
        networks: Of the front, within the budget.
        finalists: What `winner.json` says of those that were fine-tuned; empty without finalists.
        told: The same for people.
    """

    networks: list[Mapping[str, Any]]
    finalists: list[dict[str, Any]]
    told: str = ""


def _chosen(context: RunContext, front: Mapping[str, Any]) -> _Chosen:
    section, networks = context.settings.train, ordered(front["networks"])
    entries = finalists.entrants(networks, section.finalists, budget_ms=front["budget_ms"])
    if len(entries) < 2:
        return _Chosen(networks=networks, finalists=[])

    def judge(entry: Mapping[str, Any], epochs: int) -> finalists.Hits:
        from edgenas.train.accuracy import predict_logits

        context.say(f"  finalist {entry['digest'][:10]}, {epochs} epochs")
        trained = train_member(context, np.asarray(entry["genes"]), entry["digest"], epochs=epochs)
        split = trained.data.validation
        logits = predict_logits(trained.module, split, trained.preprocessing)
        return np.asarray(logits.argmax(1) == np.asarray(split.labels))

    workers = workers_of(context)
    if workers.count > 1:
        context.say(f"  {len(entries)} finalists, {workers.count} at once")
    found = finalists.halved(entries, section.epochs, judge, workers=workers)
    late = [entry for entry in found if entry.epochs == section.epochs]
    measured = front["networks"]
    use_budget = front["budget_ms"] is not None and finalists.grows(
        np.array([entry["measured_ms"] for entry in measured]), np.array([entry["accuracy"] for entry in measured])
    )
    order = finalists.ranked(late, use_budget=use_budget)
    first = [entry.entry for entry in order]
    digests = {entry["digest"] for entry in first}
    return _Chosen(
        networks=[*first, *(entry for entry in networks if entry["digest"] not in digests)],
        finalists=finalists.document(order, [entry for entry in found if entry.epochs != section.epochs]),
        told=finalists.told(order, use_budget=use_budget),
    )


def ordered(networks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the measured networks within the budget, most accurate first; among equals the faster first."""
    within = [entry for entry in networks if entry["within_budget"]]
    return sorted(within, key=lambda entry: (-entry["accuracy"], entry["measured_ms"]))


def over_budget(found: _Candidate) -> str | None:
    """Say which of the measurements of a file that count is over the budget; None where none is."""
    for name in found.judged:
        latency, error_ms = found.measurements[name].latency_ms, found.error_ms(name)
        if not within(latency, error_ms, found.budget_ms):
            return f"{latency:.4f} +- {error_ms:.4f} ms, over the budget of {found.budget_ms:.4f} ms"
    return None


def over_limits(context: RunContext, found: _Candidate) -> str | None:
    """Say which limit of the target the exported file breaks; None where it breaks none."""
    values = file_values(context.settings, found.architecture, found.card.files)
    return beyond({"macs": found.card.macs, "params": found.card.params, **values}, context.settings.target)


def _try(context: RunContext, entry: Mapping[str, Any], folder: Path, front: Mapping[str, Any]) -> _Candidate:
    target = context.settings.target
    trained = train_member(context, np.asarray(entry["genes"]), entry["digest"])
    # The only place where a run reads the test images: no decision by accuracy is left.
    card = export_network(context, trained, folder)
    wanted = (file_format_of(target.runtime), target.precision)
    chosen = [file for file in card.files if (file.format, file.precision) == wanted and file.latency is not None]
    if not chosen:
        raise BudgetError(
            explain(
                f"the recipe {context.settings.export.recipe} writes no file for the target",
                got=", ".join(file.name for file in card.files),
                allowed=f"one with format {wanted[0]} and precision {wanted[1]}",
                remedy="Choose another export.recipe, or another target.",
            )
        )
    # A share means the same share at another pace of the machine; milliseconds stay what they are.
    reference = None if target.budget_share is None else clock_network(context)
    beside = model_files([], runtime=target.runtime, precision=target.precision, reference=reference)
    again, *rest = measured_beside(
        folder, chosen[0], beside, runtime=target.runtime, threads=target.threads, seed=context.seed("export again")
    )
    now = clock_beside(context, rest[0]) if rest else None
    moved = 1.0 if now is None else now.factor / front.get("clock", 1.0)
    return _Candidate(
        entry=entry,
        architecture=trained.module.architecture,
        trained=trained,
        card=card,
        target=chosen[0],
        again=again,
        budget_ms=None if front["budget_ms"] is None else front["budget_ms"] * moved,
        budget_error=0.0 if now is None else now.error,
        judged=("again",) if rest else ("first", "again"),
    )


def _first(chosen: _Chosen) -> object:
    return chosen.finalists[0]["digest"] if chosen.finalists else None


def _how(context: RunContext) -> str:
    """Say where the accuracies of the front come from."""
    estimator = context.directory.read_json(SEARCH_FILE).get("estimator")
    return "with the shared weights" if estimator is None else f"by the estimator {estimator}"


def _reason(found: _Candidate, networks: Sequence[Mapping[str, Any]], budget_ms: float | None, how: str) -> str:
    entry, others = found.entry, [other for other in networks if other["digest"] != found.entry["digest"]]
    accuracy, worth = _worth(entry), _word(entry)
    if budget_ms is None:
        first = "most accurate network" if worth == "accuracy" else "network with the highest score"
        return f"No budget was set: it is the {first} of the front ({accuracy} {how})."
    text = (
        f"Of the {len(networks)} networks that were measured on the device, it has the highest {worth} "
        f"{how} ({accuracy}) among those within {budget_ms:.4f} ms: it took "
        f"{entry['measured_ms']:.4f} ms there, predicted were {entry['predicted_ms']:.4f} ms."
    )
    over = [other for other in others if not other["within_budget"] and other["accuracy"] > entry["accuracy"]]
    if over:
        best = max(over, key=lambda other: other["accuracy"])
        text += (
            f" {len(over)} network(s) of higher {worth} were over the budget, the best of them with "
            f"{_worth(best)} at {best['measured_ms']:.4f} ms."
        )
    close = [
        other
        for other in others
        if other["within_budget"] and entry["accuracy"] - other["accuracy"] < (entry["accuracy_standard_error"] or 0.0)
    ]
    if close:
        text += (
            f" {len(close)} other(s) within the budget lie within one standard error of it: "
            f"by {worth} they cannot be told apart."
        )
    return text


def _word(entry: Mapping[str, Any]) -> str:
    return "accuracy" if entry.get("accuracy_unit", "1") == "1" else "score"


def _worth(entry: Mapping[str, Any]) -> str:
    """Write what a network was chosen by: an accuracy as percent, a score as it is."""
    return f"{100 * entry['accuracy']:.1f} %" if _word(entry) == "accuracy" else f"{entry['accuracy']:.4g}"


def _estimated(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the network was chosen by; under the old name too where it was inherited."""
    source = entry.get("accuracy_source", "inherited")
    found = {"value": entry["accuracy"], "standard_error": entry["accuracy_standard_error"],
             "unit": entry.get("accuracy_unit", "1"), "source": source}  # fmt: skip
    return {"estimated": found, **({"inherited_accuracy": entry["accuracy"]} if source == "inherited" else {})}


def _latency_document(found: _Candidate) -> dict[str, Any]:
    """Both measurements of the file, the budget, and what is left of it after the error of those that count."""
    values = found.measurements
    upper = max(values[name].latency_ms + found.error_ms(name) for name in found.judged)
    return {
        **{name: {"latency_ms": latency.latency_ms, "standard_error_ms": found.error_ms(name)}
           for name, latency in values.items()},
        "judged": list(found.judged),
        "budget_ms": found.budget_ms,
        "margin_ms": None if found.budget_ms is None else found.budget_ms - upper,
    }  # fmt: skip


def _write(
    context: RunContext,
    found: _Candidate,
    front: Mapping[str, Any],
    notes: Sequence[str],
    chosen: _Chosen,
) -> None:

    from edgenas.latency import predict
    from edgenas.nn import Checkpoint, save_checkpoint

    entry, trained = found.entry, found.trained
    genes: NDArray[np.int64] = np.asarray(entry["genes"])
    about = context.directory.read_json("data.json")
    save_checkpoint(
        context.directory.file(CHECKPOINT_FILE),
        Checkpoint(
            architecture=found.architecture,
            weights=trained.module.weights(),
            metadata={
                "preprocessing": plain_text(trained.preprocessing.to_dict()),
                "labels": plain_text(about["classes"]),
                "training": plain_text(context.settings.train.model_dump()),
                **history_metadata(trained.history),
            },
        ),
    )
    context.directory.write_json(ARCHITECTURE_FILE, to_document(found.architecture))
    space = artifacts.space(context)
    costs = CostModel(space, artifacts.table(context))
    shared = artifacts.evaluator(context) if artifacts.needs_supernet(context.settings) else None
    changes, error = neighbours(space, genes, costs, shared)
    reason = _reason(found, front["networks"], front["budget_ms"], _how(context))
    context.directory.write_json(
        WINNER_FILE,
        {
            "digest": entry["digest"],
            "genes": entry["genes"],
            "architecture": to_document(found.architecture),
            "notation": format_notation(found.architecture),
            "macs": entry["macs"],
            "params": entry["params"],
            **_estimated(entry),
            "test_accuracy": found.card.torch_test.to_dict(),
            "file": found.target.name,
            "file_latency_ms": found.latency_ms,
            "file_latency": _latency_document(found),
            "files": [file_document(file) for file in found.card.files],
            "limits": limit_rows(
                {
                    "macs": found.card.macs,
                    "params": found.card.params,
                    **file_values(context.settings, found.architecture, found.card.files),
                },
                context.settings.target,
            ),
            "warnings": list(found.card.warnings),
            "notes": list(notes) + list(trained.fit.notes),
            "reason": chosen.told if entry["digest"] == _first(chosen) and chosen.told else reason,
            **({"finalists": chosen.finalists} if chosen.finalists else {}),
            "neighbours": changes,
            "neighbour_error": error,
            "layers": layer_rows(found.architecture, predict(artifacts.table(context), found.architecture).by_block()),
            "training": trained.document(),
        },
    )


STAGE: Stage[RunContext] = Stage(
    name="winner",
    title="train and export the chosen network",
    needs=("data", "table", "supernet", "search", "front"),
    outputs=(WINNER_FILE, ARCHITECTURE_FILE, CHECKPOINT_FILE, EXPORT_FOLDER),
    inputs=_inputs,
    run=_run,
    version=2,
)
