"""One trained supernet, another device: search on its table, take the weights as they are, export, measure.

Nothing is trained (Cai 2020: train once, specialise for many). What the supernet knows of accuracy does not depend on
the device, so the networks that the run judged are costed anew for nothing, and a short search adds those that the
other device likes better.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture
from edgenas.arch.document import to_document
from edgenas.arch.notation import format_notation
from edgenas.config.settings import TargetSection
from edgenas.errors import BudgetError, ExportError, TableError, explain
from edgenas.pareto import nondominated
from edgenas.pipeline.budget import budget_in_ms, require_possible
from edgenas.pipeline.context import RunContext
from edgenas.pipeline.costs import CostModel
from edgenas.pipeline.directory import RunDirectory
from edgenas.pipeline.images import load_images
from edgenas.pipeline.judge import Judge, identify, objectives_of
from edgenas.pipeline.latencies import encoded_network
from edgenas.pipeline.searching import SEARCH_FILE
from edgenas.pipeline.sharing import load_evaluator
from edgenas.study import Budget, Context, Evaluation, Limit, Study

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.deploy import Card, Recipe
    from edgenas.latency import LatencyTable
    from edgenas.supernet import SupernetEvaluator

Genes = NDArray[np.int64]

SEARCH_SECONDS = 20.0
"""The search stops here even where its evaluations are not spent: the whole shall take less than a minute."""

RESULT_FILE = "specialised.json"
_NORMAL_90 = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A network that may be the answer.

    Attributes:
        genes: Its code, (D,).
        accuracy: Inherited, on validation images, in [0, 1].
        predicted_ms: By the table.
        measured_ms: On the device, before anything was exported; None where the device is not here.
    """

    genes: tuple[int, ...]
    accuracy: float
    predicted_ms: float
    measured_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Specialised:
    """The answer.

    Attributes:
        found: The network.
        architecture: The same.
        budget_ms: What it had to meet.
        file: Name of the file that the budget is about.
        file_latency_ms: Measured latency of that file; None where the device is not here.
        file_accuracy: Of that file on the test images, in [0, 1].
        torch_accuracy: Of the float network on the test images.
        card: Of the bundle.
        from_run, judged: Networks whose accuracy the run knew, and that were judged now.
        seconds: Wall-clock time of everything but measuring a table.
        notes: What a user may not expect.
    """

    found: Found
    architecture: Architecture
    budget_ms: float
    file: str
    file_latency_ms: float | None
    file_accuracy: float
    torch_accuracy: float
    card: Card
    from_run: int
    judged: int
    seconds: float
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("card", "found")}
        return {
            **plain,
            **asdict(self.found),
            "architecture": to_document(self.architecture),
            "notation": format_notation(self.architecture),
            "digest": self.architecture.digest,
        }


def device_table(
    source: RunContext, out: Path, *, table: str | None, runtime: str, precision: str, force: bool = False
) -> LatencyTable:
    """Open a table, or measure one of the run's space on this machine; it is kept in the folder and not measured twice.

    Args:
        source: The run.
        out: Folder for the table and its samples.
        table: A file or a shipped table; None measures one.
        runtime, precision: Of the table that is measured: ort or litert, fp32 or int8.
        force: Measure on a busy machine too.

    Raises:
        TableError: The table is broken.
        InputError: There is no such table.
        DeviceError: The runtime is missing or the machine is busy.
    """
    from edgenas.latency import open_table, read_table, write_table
    from edgenas.measure import build_table

    if table is not None:
        return open_table(table)
    directory, name = RunDirectory(path=out), f"latency/{runtime}-{precision}"
    kept = directory.file(f"{name}.json")
    if kept.is_file():
        found = read_table(kept)
        if found.build.space_digest == source.space.digest and _is_here(found):
            return found
    with source.progress(f"measure a table of {runtime} {precision}") as report:
        found = build_table(
            source.space,
            runtime="ort" if runtime == "ort" else "litert",
            precision="fp32" if precision == "fp32" else "int8",
            threads=source.settings.target.threads,
            networks=source.settings.latency.networks,
            samples=directory.file(f"{name}.samples.jsonl"),
            force=force,
            progress=report,
        )
    write_table(found, kept)
    return found


def specialise(
    source: RunContext,
    table: LatencyTable,
    target: TargetSection,
    out: Path,
    *,
    evaluations: int = 200,
    measure: int = 8,
    force: bool = False,
) -> Specialised:
    """Find, export and measure the most accurate member of a trained supernet within a budget on a device.

    Args:
        source: A finished run; nothing in it is changed.
        table: Of the device and its runtime.
        target: Only its budget counts, in milliseconds or as a share of the largest network by the table.
        out: Folder for the bundle (`export/`) and `specialised.json`.
        evaluations: Networks that the search may judge.
        measure: Networks that are measured before one is exported.
        force: Replace the bundle where there is one.

    Raises:
        TableError: The table does not cover the run's space.
        BudgetError: Nothing meets the budget; says how fast the fastest is.
        ExportError: There is a bundle, or the file does not compute what torch computes.
        DataError: The run's images are not what they were.
    """
    started = time.monotonic()
    if (out / "export").exists() and not force:
        remedy = "Choose another --out, or replace it with --force."
        raise ExportError(explain(f"{out / 'export'} exists", remedy=remedy))
    costs = _costs(source, table)
    budget_ms = budget_in_ms(target, source.space, costs)
    if budget_ms is None:
        raise BudgetError(explain("there is no budget", remedy="Give --budget 3ms, or --budget 50%."))
    require_possible(budget_ms, source.space, costs, seed=source.seed("specialise"))
    data = run_images(source)
    evaluator = load_evaluator(source, data=data)
    known = _known(source, costs)
    judged = _search(source, table, costs, evaluator, budget_ms, data.digest, evaluations)
    candidates = _candidates([*known, *judged], budget_ms, table)
    notes: list[str] = []
    here = _is_here(table)
    if here:
        candidates = _measured(source, table, candidates[:measure], budget_ms)
    else:
        notes.append("The table is of a device that is not here: the latency is predicted, nothing was measured.")
    for candidate in candidates:
        card = _export(source, evaluator, data, candidate, table, out, force=force)
        entry = card.files[-1]
        latency = entry.latency.latency_ms if entry.latency else None
        if latency is not None and latency > budget_ms:
            notes.append(f"A network with {100 * candidate.accuracy:.1f} % came first, but its {entry.name} took "
                         f"{latency:.4f} ms.")  # fmt: skip
            force = True
            continue
        assert entry.test is not None
        answer = Specialised(
            found=candidate,
            architecture=source.space.decode(np.asarray(candidate.genes)),
            budget_ms=budget_ms,
            file=entry.name,
            file_latency_ms=latency,
            file_accuracy=entry.test.accuracy.value,
            torch_accuracy=card.torch_test.value,
            card=card,
            from_run=len(known),
            judged=len(judged),
            seconds=time.monotonic() - started,
            notes=(*notes, *card.warnings),
        )
        RunDirectory(path=out).write_json(RESULT_FILE, {"source": str(source.directory.path), **answer.to_dict()})
        return answer
    raise BudgetError(
        explain("no network was within the budget once it was exported", got=f"{budget_ms:.4g} ms",
                remedy="Raise --budget, or measure more networks with --measure.")
    )  # fmt: skip


def run_images(source: RunContext) -> ImageData:
    """Load a run's images without writing into the run, and make sure that they are still the same.

    Raises:
        DataError: They are not.
    """
    from edgenas.errors import DataError

    data = load_images(source, cache=(source.directory.path / "cache").is_dir())
    stored = source.directory.read_json("data.json")["digest"]
    if data.digest != stored:
        raise DataError(
            explain("the images of the run have changed since", got=data.digest[:12], allowed=stored[:12],
                    remedy="Run `edgenas run` again on what is there now.")
        )  # fmt: skip
    return data


def _costs(source: RunContext, table: LatencyTable) -> CostModel:
    try:
        return CostModel(source.space, table)
    except TableError as error:
        if table.build.space_digest == source.space.digest:
            raise
        raise TableError(
            explain(f"the table is of another space: {error}", got=table.build.space,
                    allowed=f"one that covers {source.space.name} as it was in the run",
                    remedy="Measure one with `edgenas latency build`, or leave --table out.")
        ) from error  # fmt: skip


def _known(source: RunContext, costs: CostModel) -> list[Found]:
    """Networks that the run judged, at what they cost on the other device."""
    if not source.directory.has(SEARCH_FILE):
        return []
    entries = [entry for entry in source.directory.read_json(SEARCH_FILE)["evaluations"] if "genes" in entry]
    if not entries:
        return []
    latency = costs(np.asarray([entry["genes"] for entry in entries], np.int64)).latency_ms
    return [
        Found(genes=tuple(entry["genes"]), accuracy=entry["metrics"]["accuracy"]["value"], predicted_ms=float(ms))
        for entry, ms in zip(entries, latency, strict=True)
    ]


def _search(
    source: RunContext,
    table: LatencyTable,
    costs: CostModel,
    evaluator: SupernetEvaluator,
    budget_ms: float,
    data_digest: str,
    evaluations: int,
) -> list[Found]:
    from edgenas.search import STRATEGIES

    study = Study(
        objectives=objectives_of(["accuracy", "latency_ms"]),
        limits=(Limit(metric="latency_ms", at_most=budget_ms * (1 + table.interval.relative)),),
        context=Context(evaluator="inherited", settings="", data=data_digest, device=""),
        identify=identify(source.space),
    )
    searcher = STRATEGIES["nsga2"](
        source.space,
        objectives=len(study.objectives),
        limits=len(study.all_limits),
        seed=source.seed("specialise"),
        budget=evaluations,
    )
    with source.progress("search for the other device") as report:
        history = study.run(
            searcher,
            Judge(source.space, costs, evaluator),
            Budget(evaluations=evaluations, seconds=SEARCH_SECONDS),
            progress=lambda state: report(state.evaluated, state.planned, "networks"),
        )
    found = []
    for outcome in history.outcomes:
        if isinstance(outcome, Evaluation):
            metrics = dict(outcome.metrics)
            found.append(
                Found(
                    genes=outcome.genes,
                    accuracy=metrics["accuracy"].value,
                    predicted_ms=metrics["latency_ms"].value,
                )
            )
    return found


def _candidates(found: Sequence[Found], budget_ms: float, table: LatencyTable) -> list[Found]:
    """Networks that may meet the budget and that no other beats, most accurate first.

    Where the device is here, a network may be over the budget by half the interval: it is measured. Where it is not,
    the whole interval must lie within it.
    """
    relative = table.interval.relative
    limit = budget_ms * (1 + relative / 2) if _is_here(table) else budget_ms / (1 + relative)
    fitting = [entry for entry in dict.fromkeys(found) if entry.predicted_ms <= limit]
    if not fitting:
        fastest = min(entry.predicted_ms for entry in found)
        raise BudgetError(
            explain("no network that was judged meets the budget", got=f"{budget_ms:.4g} ms",
                    allowed=f"{fastest:.4g} ms or more, the fastest of {len(found)}",
                    remedy="Raise --budget, or judge more networks with --evaluations.")
        )  # fmt: skip
    points = np.array([[1 - entry.accuracy, entry.predicted_ms] for entry in fitting])
    useful = [entry for entry, keep in zip(fitting, nondominated(points), strict=True) if keep]
    return sorted(useful, key=lambda entry: (-entry.accuracy, entry.predicted_ms))


def _is_here(table: LatencyTable) -> bool:
    from edgenas.latency import local_device

    return table.device.slug == local_device().slug


def _measured(source: RunContext, table: LatencyTable, candidates: Sequence[Found], budget_ms: float) -> list[Found]:
    from dataclasses import replace

    from edgenas.measure import ModelFile, measure_files

    info = table.runtime
    files = [
        ModelFile(
            name=str(number),
            data=encoded_network(
                source.space.decode(np.asarray(entry.genes)), runtime=info.runtime, precision=info.precision
            ),
            file_format="onnx" if info.runtime == "ort" else "tflite",
        )
        for number, entry in enumerate(candidates)
    ]
    with source.progress("measure") as report:
        measured = measure_files(files, threads=info.threads, seed=source.seed("specialise"), progress=report)
    found = [
        replace(entry, measured_ms=latency.latency_ms) for entry, latency in zip(candidates, measured, strict=True)
    ]
    within = [entry for entry in found if entry.measured_ms is not None and entry.measured_ms <= budget_ms]
    if not within:
        fastest = min(latency.latency_ms for latency in measured)
        raise BudgetError(
            explain(f"none of the {len(found)} networks measured meets the budget", got=f"{budget_ms:.4g} ms",
                    allowed=f"{fastest:.4g} ms or more", remedy="Raise --budget, or measure more with --measure.")
        )  # fmt: skip
    return within


def target_recipe(runtime: str, precision: str) -> Recipe:
    """Return the recipe of the one file that a runtime wants; its remedies train nothing."""
    from edgenas.deploy import FileSpec, GuardSpec, Recipe

    file_format = "onnx" if runtime == "ort" else "tflite"
    name = f"model.{'int8.' if precision == 'int8' else ''}{file_format}"
    return Recipe(
        name=f"{runtime}-{precision}",
        description=f"One file for {runtime} in {precision}",
        files=(FileSpec(name=name, format=file_format, precision=precision),),
        guard=GuardSpec(remedies=("calibration", "bias_correction", "exclude_layers")),
    )


def _export(
    source: RunContext,
    evaluator: SupernetEvaluator,
    data: ImageData,
    candidate: Found,
    table: LatencyTable,
    out: Path,
    *,
    force: bool,
) -> Card:
    from edgenas.data import fit_preprocessing
    from edgenas.deploy import Images, export_bundle
    from edgenas.measure import measure_files

    info = table.runtime
    genes = np.asarray(candidate.genes)
    architecture = source.space.decode(genes)
    images = data
    if architecture.resolution != data.resolution:
        images = load_images(source, resolution=architecture.resolution, cache=False)
    about: Mapping[str, Any] = source.directory.read_json("data.json")
    with source.progress("export") as report:
        return export_bundle(
            architecture,
            evaluator.member(genes).weights(),
            target_recipe(info.runtime, info.precision),
            data=Images(train=images.train, validation=images.validation, test=images.test),
            preprocessing=fit_preprocessing(images.train, resize=source.settings.data.resize),
            labels=about["classes"],
            out=out / "export",
            measure=(lambda files: measure_files(files, threads=info.threads)) if _is_here(table) else None,
            force=force,
            data_facts={name: about[name] for name in ("source", "digest", "counts", "notes")},
            training_facts={"origin": "weights of a supernet, normalisation recalibrated, not fine-tuned",
                            "run": source.settings.name},
            seed=source.seed("export"),
            progress=report,
        )  # fmt: skip
