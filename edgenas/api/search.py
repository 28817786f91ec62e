"""Searching a space, and comparing strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.api.candidates import Candidate, best_of, candidates_html
from edgenas.api.config import Config, given, load_config, with_sections
from edgenas.api.folder import Folder, folder_of
from edgenas.api.images import data_section
from edgenas.api.runs import Run, context_of
from edgenas.api.spaces import load_space, require_fit
from edgenas.api.tables import load_table
from edgenas.display import or_default
from edgenas.errors import InputError, TableError, explain
from edgenas.pipeline.search.comparison import COMPARISON_FILE, PLOT_FILE
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    from edgenas.config.settings import RunSettings
    from edgenas.data import ImageData
    from edgenas.latency import LatencyTable
    from edgenas.pipeline.core.context import RunContext
    from edgenas.pipeline.core.given import Given
    from edgenas.pipeline.core.stage import Stage
    from edgenas.space import SearchSpace

__all__ = ["COMPARISON_FILE", "PLOT_FILE", "SearchResult", "compare_strategies", "result_of", "search"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchResult:
    """What a search found.

    Attributes:
        front: The networks that no other beats in all objectives together, best in the first objective first.
        evaluations: Every network that was judged, in order.
        budget_ms: The latency budget, ms; None where there was none.
        strategy: Name of the strategy.
        run: The folder of the search, which keeps the shared weights; temporary unless one was named.
    """

    front: tuple[Candidate, ...]
    evaluations: tuple[Candidate, ...]
    budget_ms: float | None
    strategy: str
    run: Run

    @property
    def best(self) -> Candidate:
        """The most accurate network of the front within the budget; among measured ones where there are some.

        Where every network is above the budget (a front reaches a little beyond it, as far as predictions may be
        wrong), it is the fastest.
        """
        measured = [network for network in self.front if network.measured_ms is not None]
        return best_of(measured or self.front, self.budget_ms)

    def __repr__(self) -> str:
        budget = "no budget" if self.budget_ms is None else f"budget {self.budget_ms:.4g} ms"
        return f"SearchResult({self.strategy}, {len(self.evaluations)} judged, front of {len(self.front)}, {budget})"

    def _repr_html_(self) -> str:
        budget = "" if self.budget_ms is None else f", budget {self.budget_ms:.4f} ms"
        title = f"front of {len(self.evaluations)} networks judged by {self.strategy}{budget}"
        return candidates_html(self.front, title=title, best=self.best)


def search(
    space: str | Path | SearchSpace | None = None,
    data: ImageData | None = None,
    table: str | Path | LatencyTable | None = None,
    *,
    budget_ms: float | None = None,
    budget_share: float | None = None,
    max_macs: int | None = None,
    max_params: int | None = None,
    max_file_kib: float | None = None,
    max_ram_kib: float | None = None,
    objectives: Sequence[str] | None = None,
    strategy: str | None = None,
    estimator: str | None = None,
    evaluations: int | None = None,
    measure: int | None = None,
    seed: int | None = None,
    folder: str | Path | None = None,
    config: Config = None,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> SearchResult:
    """Search a space for the most accurate networks within a latency budget.

    Shared weights are trained first where the estimator needs them. The search is the one of `edgenas run`: the same
    seed finds the same networks.

    Args:
        space: See `load_space`; that of the configuration, for the images, if None.
        data: Images of `load_images`; those of the configuration if None.
        table: See `load_table`; the configuration's, or a shipped one that holds here, or one measured now, if None.
        budget_ms: Largest latency, ms.
        budget_share: Instead: share of the latency of the space's largest network, above 0 and up to 1.
        max_macs: Largest number of multiply-accumulates.
        max_params: Largest number of parameters.
        max_file_kib: Largest size of the file that ships for the target, KiB.
        max_ram_kib: Largest memory that the runtime plans for activations, KiB; see `target.ram_of`.
        objectives: Among `accuracy`, `latency_ms`, `macs`, `params`, `file_bytes`, `ram_bytes`; the first three if
            None.
        strategy: How networks are proposed, such as `nsga2` (used if None), `ageing`, `surrogate` or `random`.
        estimator: What judges accuracy, such as `supernet` (used if None), `predictor`, `trained` or `naswot`.
        evaluations: Distinct networks to judge; 300 if None.
        measure: Networks of the front to measure on this machine, so that `best` goes by what was measured; none if
            None.
        seed: Of everything that is drawn; 0 if None.
        folder: Keeps everything. The same call on the same folder resumes where it was stopped. Another search there
            uses the shared weights again. Temporary if None.
        config: Everything else: settings, a file, a name, or keys such as {"supernet.epochs": 20}; the defaults if
            None. Arguments above come before it.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        The front, and everything that was judged.

    Raises:
        InputError: The folder holds a finished run.
        ConfigError: An unknown strategy, estimator or objective, or an impossible value.
        SpaceError: There is no such space, or it is for other images.
        TableError: The table is broken or does not cover the space.
        BudgetError: No network meets the budget; the message says how fast the fastest is.
        DataError: The images cannot be used.
        TrainingError: The training of the shared weights cannot go on.
    """
    from edgenas.pipeline.stages import DATA, FRONT, LATENCY_TABLE, SEARCH, SUPERNET

    keys = given(
        target__budget_ms=budget_ms, target__budget_share=budget_share, target__max_macs=max_macs,
        target__max_params=max_params, target__max_file_kib=max_file_kib, target__max_ram_kib=max_ram_kib,
        search__objectives=None if objectives is None else list(objectives), search__strategy=strategy,
        search__estimator=estimator, search__evaluations=evaluations, front__measure=measure, seed=seed,
    )  # fmt: skip
    if (budget_ms is None) != (budget_share is None):
        # A budget of one kind replaces the configuration's budget of the other kind.
        keys["target.budget_share" if budget_share is None else "target.budget_ms"] = None
    job = _Job.of(load_config(load_config(config), keys), space, data, table, folder, progress, say)
    if measure is not None:
        job.require_here()
    job.require_possible()
    stages = (DATA, LATENCY_TABLE, SUPERNET, SEARCH)
    return result_of(job.run(stages if measure is None else (*stages, FRONT)), measured=measure is not None)


def compare_strategies(
    strategies: Sequence[str],
    space: str | Path | SearchSpace | None = None,
    data: ImageData | None = None,
    table: str | Path | LatencyTable | None = None,
    *,
    seeds: int = 5,
    evaluations: int | None = None,
    folder: str | Path | None = None,
    config: Config = None,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> dict[str, Any]:
    """Run strategies on the same space at equal cost, several times each, and compare their hypervolume.

    Args:
        strategies: Names.
        space, data, table, evaluations, folder, config, progress, say: See `search`.
        seeds: Searches of each strategy.

    Returns:
        For each strategy the median and quartiles of the hypervolume after each evaluation, under `strategies`. The
        folder keeps it as `comparison.json` with a plot, `comparison.png`.

    Raises:
        SearchError: There is no such strategy.
        EdgenasError: See `search`.
    """
    from edgenas.pipeline.core.artifacts import needs_supernet
    from edgenas.pipeline.core.lock import writing
    from edgenas.pipeline.search.comparison import compare
    from edgenas.pipeline.stages import DATA, LATENCY_TABLE, SUPERNET
    from edgenas.search import STRATEGIES

    settings = load_config(load_config(config), given(search__evaluations=evaluations))
    job = _Job.of(settings, space, data, table, folder, progress, say)
    shared = needs_supernet(job.settings) or any(STRATEGIES[name].one_shot for name in strategies)
    run = job.run((DATA, LATENCY_TABLE, SUPERNET) if shared else (DATA, LATENCY_TABLE))
    with writing(run.path):
        return compare(context_of(run, progress=job.progress, say=job.say), list(strategies), seeds=seeds)


def result_of(run: Run, *, measured: bool = False) -> SearchResult:
    """Read what the search of a run found.

    Args:
        run: Of which the search is done.
        measured: Whether networks of its front were measured too.

    Raises:
        StoreError: It has no search yet.
    """
    from edgenas.api.candidates import candidate_of
    from edgenas.pipeline.core import artifacts

    context = context_of(run, progress=None, say=None)
    document, space = context.directory.read_json(artifacts.SEARCH_FILE), artifacts.space(context)
    found = {
        place: candidate_of(entry, space, run.folder)
        for place, entry in enumerate(document["evaluations"])
        if "genes" in entry
    }
    if measured:
        latencies = {entry["digest"]: entry["measured_ms"]
                     for entry in context.directory.read_json(artifacts.FRONT_FILE)["networks"]}  # fmt: skip
        found = {
            place: replace(network, measured_ms=latencies.get(network.architecture.digest))
            for place, network in found.items()
        }
    return SearchResult(
        front=tuple(found[place] for place in document["front"]),
        evaluations=tuple(found.values()),
        budget_ms=document["budget_ms"],
        strategy=document["strategy"],
        run=run,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    """Settings, loaded values and folder of a search."""

    settings: RunSettings
    given: Given
    folder: Folder
    progress: ProgressFactory
    say: Say

    @classmethod
    def of(
        cls,
        settings: RunSettings,
        space: str | Path | SearchSpace | None,
        data: ImageData | None,
        table: str | Path | LatencyTable | None,
        folder: str | Path | None,
        progress: ProgressFactory | None,
        say: Say | None,
    ) -> _Job:
        """Replace what the settings name by the values that were given.

        Raises:
            InputError: The folder holds a finished run.
            SpaceError, DataError, TableError: What was given cannot be used, or does not fit together.
        """
        from edgenas.pipeline.core.artifacts import SUMMARY_FILE
        from edgenas.pipeline.core.given import SPACE_FILE, Given

        values: dict[str, Any] = {}
        if data is not None:
            values["data"] = data_section(data).model_dump()
        if space is not None:
            # A space by name is fitted to the images. A space that was passed as a value must already fit.
            space = load_space(space, data=data if isinstance(space, str | Path) else None)
            if data is not None:
                require_fit(space, data)
            values["space"] = {"name": SPACE_FILE, "resolutions": list(space.definition.resolution)}
        if table is not None:
            table = load_table(table)
            values["target"] = settings.target.model_dump() | _target_of(table, settings)
        where = folder_of("search", folder)
        if (space, data, table) != (None, None, None) and (where.path / SUMMARY_FILE).is_file():
            raise InputError(
                explain(f"{where.path} holds a finished run", allowed="another folder, or one of an earlier search",
                        remedy="A search with images, space or table of its own would replace the run's.")
            )  # fmt: skip
        if where.path != Path(settings.output) / settings.name:
            values |= {"output": str(where.path.parent), "name": where.path.name}
        shown, told = or_default(progress, say)
        return cls(
            settings=with_sections(settings, **values),
            given=Given(images=data, space=space, table=table),
            folder=where,
            progress=shown,
            say=told,
        )

    def require_here(self) -> None:
        """Make sure that networks can be measured on the device that the table is of.

        Raises:
            TableError: The table is of another device.
        """
        from edgenas.pipeline.commands.specialise.device_table import is_here

        table = self.given.table
        if table is not None and not is_here(table):
            raise TableError(
                explain("the latency table is of another device, and networks are measured on this one",
                        got=table.device.cpu, remedy="Leave `measure` out, or give a table of this machine.")
            )  # fmt: skip

    def require_possible(self) -> None:
        """Make sure, before anything is trained, that the table covers the space and some network meets the budget.

        Raises:
            TableError: The table does not cover the space.
            BudgetError: Nothing meets the budget, at the clock of now where the table is of this machine.
        """
        from edgenas.pipeline.commands.specialise.command import at_present
        from edgenas.pipeline.commands.specialise.device_table import is_here
        from edgenas.pipeline.search.budget import require_possible
        from edgenas.pipeline.search.cost_model import CostModel

        space, table = self.given.space, self.given.table
        if space is None or table is None:
            return
        try:
            costs = CostModel(space, table)
        except TableError as error:
            raise TableError(
                explain(f"the table does not cover the space {space.name}: {error}",
                        got=f"a table of {table.build.space}",
                        remedy="Measure one of this space: measure_table(space).")
            ) from error  # fmt: skip
        if self.settings.target.budget_ms is not None and is_here(table):
            # The table's milliseconds are those of its own moment, the budget's are those of now.
            costs = CostModel(space, at_present(table, self.say))
        require_possible(self.settings.target, space, costs, seed=self.settings.seed)

    def run(self, stages: Sequence[Stage[RunContext]]) -> Run:
        """Run stages in the folder."""
        from edgenas.pipeline.commands.run import run_some

        run_some(stages, self.settings, given=self.given, progress=self.progress, say=self.say)
        return Run(folder=self.folder)


def _target_of(table: LatencyTable, settings: RunSettings) -> dict[str, Any]:
    """Return the target that a table was measured for.

    Raises:
        TableError: The settings name another one.
    """
    info, named = table.runtime, settings.target.model_fields_set if "target" in settings.model_fields_set else set()
    target: dict[str, Any] = {"runtime": info.runtime, "precision": info.precision, "threads": info.threads}
    for key in sorted(named & set(target)):
        wanted = getattr(settings.target, key)
        if wanted != target[key]:
            raise TableError(
                explain(f"the latency table is of another target: {key}", got=target[key], allowed=wanted,
                        remedy=f"Give a table for it, or leave target.{key} out.")
            )  # fmt: skip
    return target
