"""One trained supernet, another device: search on its table, take the weights as they are, export, measure.

Nothing is trained (Cai 2020: train once, specialise for many). Inherited accuracy does not depend on the device. So the
networks that the run judged only get new costs, which takes no evaluation. A short search adds networks that suit the
other device better.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas import atomic
from edgenas.config.sections.target import TargetSection
from edgenas.errors import BudgetError, ExportError, TableError, explain
from edgenas.formats import FORMATS, file_format_of
from edgenas.pipeline.commands.specialise.candidates import (
    candidates,
    known_networks,
    measured_within,
    networks_of,
    searched_networks,
)
from edgenas.pipeline.commands.specialise.device_table import is_here
from edgenas.pipeline.commands.specialise.result import RESULT_FILE, Found, Specialised
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SUPERNET_FILE, load_evaluator, require_supernet
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory, cannot_write, file_digest
from edgenas.pipeline.core.images import load_images, preprocessing_of
from edgenas.pipeline.core.seen import history_of, require_unseen
from edgenas.pipeline.export.bundle import image_facts, measured_again, on_target
from edgenas.pipeline.search.budget import budget_in_ms, require_possible, within
from edgenas.pipeline.search.cost_model import CostModel
from edgenas.pipeline.training.settings import augment_settings
from edgenas.types import Say

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.deploy import Card, FileCard, Recipe
    from edgenas.latency import LatencyTable
    from edgenas.measure import FileLatency, ModelFile
    from edgenas.supernet import SupernetEvaluator

BUNDLE = "export"


def specialise(
    source: RunContext,
    table: LatencyTable,
    target: TargetSection,
    out: Path,
    *,
    evaluations: int = 200,
    measure: int = 8,
    also: Sequence[Path] = (),
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
        also: Folders of specialisations of the same run for other devices. Networks that were judged there count as
            judged here.
        force: Replace the bundle where there is one.

    Raises:
        TableError: The table does not cover the run's space.
        BudgetError: Nothing meets the budget; says how fast the fastest is.
        ExportError: There is a bundle, or the file does not compute what torch computes.
        DataError: The run's images are not what they were.
        InputError: A folder of `also` is of another run, or the run has no shared weights.
    """
    started = time.monotonic()
    if (out / BUNDLE).exists() and not force:
        remedy = "Choose another --out, or replace it with --force."
        raise ExportError(explain(f"{out / BUNDLE} exists", remedy=remedy))
    if is_here(table):
        # The table's milliseconds are those of the day it was built. Budget and measurements are in milliseconds of
        # today.
        table = at_present(table, source.say)
    require_supernet(source)
    costs = _costs(source, table)
    budget_ms = budget_in_ms(target, artifacts.space(source), costs)
    if budget_ms is None:
        raise BudgetError(explain("there is no budget", remedy="Give --budget 3ms, or --budget 50%."))
    require_possible(target, artifacts.space(source), costs, seed=source.seed("specialise"))
    data = run_images(source)
    evaluator = load_evaluator(source, data=data)
    known, others = known_networks(source, costs), networks_of(also, source, costs)
    judged = searched_networks(source, table, costs, evaluator, budget_ms, data.digest, evaluations)
    found = candidates([*known, *others, *judged], budget_ms, table)
    notes: list[str] = []
    here = is_here(table)
    if here:
        found = measured_within(source, table, found[:measure], budget_ms)
    else:
        notes.append("The table is of a device that is not here: the latency is predicted, nothing was measured.")
    for candidate in found:
        # The bundle of an earlier specialisation stays until another one replaces it.
        draft = atomic.draft_of(out / BUNDLE)
        try:
            card = _export(source, evaluator, data, candidate, table, draft)
            entry = card.files[-1]
            over = _over_budget(source, draft, entry, table, budget_ms)
            if over is None:
                atomic.replace_folder(draft, out / BUNDLE)
        except OSError as error:
            raise cannot_write(out / BUNDLE, error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        if over is not None:
            notes.append(f"A network with {100 * candidate.accuracy:.1f} % came first, but its {entry.name} took "
                         f"{over}.")  # fmt: skip
            continue
        latency = entry.latency.latency_ms if entry.latency else None
        assert entry.test is not None
        answer = Specialised(
            found=candidate,
            architecture=artifacts.space(source).decode(np.asarray(candidate.genes)),
            budget_ms=budget_ms,
            file=entry.name,
            file_latency_ms=latency,
            file_accuracy=entry.test.accuracy.value,
            torch_accuracy=card.torch_test.value,
            card=card,
            from_run=len(known),
            from_others=len(others),
            judged=tuple(judged),
            seconds=time.monotonic() - started,
            notes=(*notes, *card.warnings),
        )
        origin = {
            "source": str(source.directory.path),
            "supernet": file_digest(source.directory.path / SUPERNET_FILE),
        }
        RunDirectory(path=out).write_json(RESULT_FILE, {**origin, **answer.to_dict()})
        return answer
    raise BudgetError(
        explain("no network was within the budget once it was exported", got=f"{budget_ms:.4g} ms",
                remedy="Raise --budget, or measure more networks with --measure.")
    )  # fmt: skip


def at_present(table: LatencyTable, say: Say) -> LatencyTable:
    """Return a table of this machine with the reference's latency of now, and say what speaks against the table."""
    from edgenas.measure import check_table, present

    found = check_table(table, visits=1)
    if found.differences:
        say(f"  WARNING: the latency table is not of this machine as it is ({'; '.join(found.differences)}): its "
            "milliseconds are taken as they are.")  # fmt: skip
        return table
    for line in found.doubts:
        say(f"  WARNING: the latency table may not hold any more: {line}")
    return present(table, found)


def _over_budget(
    source: RunContext, folder: Path, entry: FileCard, table: LatencyTable, budget_ms: float
) -> str | None:
    """Say which of two measurements of a file is over the budget; None where neither is, or nothing can be measured."""
    if entry.latency is None:
        return None
    info = table.runtime
    again = measured_again(
        folder, entry, runtime=info.runtime, threads=info.threads, seed=source.seed("specialise again")
    )
    for latency in (entry.latency, again):
        if not within(latency.latency_ms, latency.standard_error_ms, budget_ms):
            return f"{latency.latency_ms:.4f} +- {latency.standard_error_ms:.4f} ms"
    return None


def run_images(source: RunContext) -> ImageData:
    """Load a run's images without writing into the run, and make sure that they are still the same.

    Raises:
        DataError: They are not.
    """
    from edgenas.errors import DataError

    data = load_images(source)
    stored = source.directory.read_json("data.json")["digest"]
    if data.digest != stored:
        raise DataError(
            explain("the images of the run have changed since", got=data.digest[:12], allowed=stored[:12],
                    remedy="Run `edgenas run` again on what is there now.")
        )  # fmt: skip
    return data


def _costs(source: RunContext, table: LatencyTable) -> CostModel:
    try:
        return CostModel(artifacts.space(source), table)
    except TableError as error:
        if table.build.space_digest == artifacts.space(source).digest:
            raise
        raise TableError(
            explain(f"the table is of another space: {error}", got=table.build.space,
                    allowed=f"one that covers {artifacts.space(source).name} as it was in the run",
                    remedy="Measure one with `edgenas latency build`, or leave --table out.")
        ) from error  # fmt: skip


def target_recipe(runtime: str, precision: str) -> Recipe:
    """Return the recipe of the one file that a runtime wants; its remedies train nothing."""
    from edgenas.deploy import FileSpec, GuardSpec, Recipe

    kind = file_format_of(runtime)
    name = f"model{'.int8' if precision == 'int8' else ''}{FORMATS[kind].ending}"
    return Recipe(
        name=f"{runtime}-{precision}",
        description=f"One file for {runtime} in {precision}",
        files=(FileSpec(name=name, format=kind, precision=precision),),
        guard=GuardSpec(remedies=("calibration", "bias_correction", "exclude_layers")),
    )


def _export(
    source: RunContext,
    evaluator: SupernetEvaluator,
    data: ImageData,
    candidate: Found,
    table: LatencyTable,
    folder: Path,
) -> Card:
    from edgenas.deploy import Images, export_bundle
    from edgenas.measure import measure_files

    info = table.runtime
    genes = np.asarray(candidate.genes)
    architecture = artifacts.space(source).decode(genes)
    images = data
    if architecture.resolution != data.resolution:
        images = load_images(source, resolution=architecture.resolution, cache=False)
    about: Mapping[str, Any] = source.directory.read_json("data.json")
    finding = require_unseen(
        history_of(source.directory.path / SUPERNET_FILE), images, of="the run's supernet", say=source.say
    )

    def measure(files: Sequence[ModelFile]) -> Sequence[FileLatency]:
        return measure_files([on_target(file, info.runtime) for file in files], threads=info.threads)

    with source.progress("export") as report:
        return export_bundle(
            architecture,
            evaluator.member(genes).weights(),
            target_recipe(info.runtime, info.precision),
            data=Images(train=images.train, validation=images.validation, test=images.test),
            preprocessing=preprocessing_of(source, images),
            labels=about["classes"],
            out=folder,
            measure=measure if is_here(table) else None,
            force=False,
            data_facts={**{name: about[name] for name in ("source", "digest", "counts", "notes")},
                        **image_facts(images, finding)},
            training_facts={"origin": "weights of a supernet, normalisation recalibrated, not fine-tuned",
                            "run": source.settings.name},
            seed=source.seed("export"),
            augment=augment_settings(source.settings.supernet.augment),
            progress=report,
        )  # fmt: skip
