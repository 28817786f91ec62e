"""Run directories as values: doing the whole job, and opening a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.api.candidates import Candidate, best_of, candidate_of, candidates_html
from edgenas.api.config import Config, Overrides, given, load_config
from edgenas.api.folder import Folder
from edgenas.display import no_progress, or_default
from edgenas.errors import StoreError, explain
from edgenas.markup import html_table
from edgenas.pipeline.core import artifacts
from edgenas.types import ProgressFactory, Say

if TYPE_CHECKING:
    from edgenas.config.settings import RunSettings
    from edgenas.data import ImageData
    from edgenas.deploy import Card
    from edgenas.latency import LatencyTable
    from edgenas.pipeline.core.context import RunContext
    from edgenas.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """A run directory. Every property reads its file when it is asked for.

    Attributes:
        folder: The directory; a temporary one exists as long as this value does.
        seconds: Wall time of the call that returned this; None for a run that was only opened.
        unchanged: Whether that call found nothing to do.
    """

    folder: Folder
    seconds: float | None = None
    unchanged: bool = False

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.folder.path

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.path.resolve().name

    @property
    def finished(self) -> bool:
        """Whether the run has its summary."""
        return (self.path / artifacts.SUMMARY_FILE).is_file()

    @property
    def settings(self) -> RunSettings:
        """The settings it was made with."""
        return context_of(self, progress=None, say=None).settings

    @property
    def summary(self) -> dict[str, Any]:
        """`summary.json`: accuracy, latency, files, seconds.

        Raises:
            StoreError: The run is not finished.
        """
        return self._json(artifacts.SUMMARY_FILE)

    @property
    def budget_ms(self) -> float | None:
        """Latency budget, ms, at the moment when the front was measured, or else searched; None if there is none."""
        measured = (self.path / artifacts.FRONT_FILE).is_file()
        budget: float | None = self._json(artifacts.FRONT_FILE if measured else artifacts.SEARCH_FILE)["budget_ms"]
        return budget

    @property
    def winner(self) -> Candidate:
        """The network that was trained and exported; its accuracy is the one that it was chosen by.

        Raises:
            StoreError: The run is not finished.
        """
        digest = self._json(artifacts.WINNER_FILE)["digest"]
        return next(entry for entry in self.front if entry.architecture.digest == digest)

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The networks of the front that were measured on the device; of a search alone, the whole front.

        Raises:
            StoreError: The run has no search yet.
        """
        space = self.space
        if (self.path / artifacts.FRONT_FILE).is_file():
            entries = self._json(artifacts.FRONT_FILE)["networks"]
        else:
            search = self._json(artifacts.SEARCH_FILE)
            entries = [search["evaluations"][index] for index in search["front"]]
        return tuple(candidate_of(entry, space, self.folder) for entry in entries)

    @property
    def evaluations(self) -> tuple[Candidate, ...]:
        """Every network that the search judged, in order; those that failed are left out.

        Raises:
            StoreError: The run has no search yet.
        """
        entries, space = self._json(artifacts.SEARCH_FILE)["evaluations"], self.space
        return tuple(candidate_of(entry, space, self.folder) for entry in entries if "genes" in entry)

    @property
    def best(self) -> Candidate:
        """The most accurate network of the front within the budget, by measured latency where there is one."""
        return best_of(self.front, self.budget_ms)

    @property
    def files(self) -> dict[str, Path]:
        """The exported model files by name, such as `model.onnx`.

        Raises:
            StoreError: The run is not finished.
        """
        folder = self.path / artifacts.EXPORT_FOLDER
        return {entry["name"]: folder / entry["name"] for entry in self._json(artifacts.WINNER_FILE)["files"]}

    @property
    def card(self) -> Card:
        """The card of the exported bundle.

        Raises:
            ExportError: There is none, or it is damaged.
        """
        from edgenas.deploy import load_card

        return load_card(self.path / artifacts.EXPORT_FOLDER)

    @property
    def checkpoint(self) -> Path:
        """The trained network: weights, architecture, preprocessing, names of the classes."""
        return self.path / artifacts.CHECKPOINT_FILE

    @property
    def supernet(self) -> Path:
        """The shared weights."""
        return self.path / artifacts.SUPERNET_FILE

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / artifacts.REPORT_FILE

    @property
    def space(self) -> SearchSpace:
        """The space that was searched, for the run's images."""
        return artifacts.space(context_of(self, progress=None, say=None))

    @property
    def table(self) -> LatencyTable:
        """The latency table of the run.

        Raises:
            InputError: The run has none yet.
        """
        return artifacts.table(context_of(self, progress=None, say=None))

    @property
    def data(self) -> ImageData:
        """The images of the run, loaded again.

        Raises:
            DataError: They cannot be used, or have changed since.
        """
        from edgenas.pipeline.commands.specialise.command import run_images

        return run_images(context_of(self, progress=None, say=None))

    def _json(self, name: str) -> dict[str, Any]:
        from edgenas.pipeline.core.directory import RunDirectory

        if not (self.path / name).is_file():
            raise StoreError(
                explain(f"the run {self.path} is not so far", got=f"no {name} in it",
                        remedy="Finish it with edgenas.run, or `edgenas run`.")
            )  # fmt: skip
        return RunDirectory(path=self.path).read_json(name)

    def __repr__(self) -> str:
        if not self.finished:
            return f"Run({str(self.path)!r}, not finished)"
        found = self.summary
        file, latency_ms = found["target_file"], found["latency_ms"]
        return f"Run({str(self.path)!r}, {100 * found['accuracy']:.2f} % test, {file} {latency_ms:.4g} ms)"

    def _repr_html_(self) -> str:
        if not self.finished:
            return html_table((), [("run", self.path), ("state", "not finished")])
        found = self.summary
        rows = [(name, _percent(entry["accuracy"]), _percent(entry["top1_agreement"]), _ms(entry["latency_ms"]),
                 f"{entry['bytes'] / 1024:,.1f}") for name, entry in found["files"].items()]  # fmt: skip
        columns = ("file", "test accuracy", "agrees with torch", "latency, ms", "KiB")
        budget = "no budget" if found["budget_ms"] is None else f"budget {found['budget_ms']:.4f} ms"
        files = html_table(
            columns, [("torch", _percent(found["accuracy"]), "", "", ""), *rows], title=f"{self.path}: {budget}"
        )
        return files + candidates_html(self.front, title="front, measured on the device", best=self.winner)


def run(
    config: Config = "quickstart",
    overrides: Overrides = (),
    *,
    seed: int | None = None,
    strategy: str | None = None,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> Run:
    """Do the whole job: load images, take or measure a latency table, search, measure, train and export.

    The same call resumes a stopped one and skips what has not changed.

    Args:
        config: A YAML file, the name of a shipped configuration, settings, or keys over the defaults; see
            `load_config`. `output` and `name` in it say where the run directory is.
        overrides: Keys that replace the configuration's: {"train.epochs": 10} or ["train.epochs=10"].
        seed: Another seed.
        strategy: Another search strategy.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        The finished run.

    Raises:
        EdgenasError: Something that was given cannot be used, or the machine cannot do it; what was finished is kept.
    """
    from edgenas.pipeline.commands.run import run_pipeline

    settings = load_config(load_config(config, overrides), given(seed=seed, search__strategy=strategy))
    shown, told = or_default(progress, say)
    result = run_pipeline(settings, progress=shown, say=told)
    return Run(folder=Folder(path=result.directory), seconds=result.seconds, unchanged=result.skipped_everything)


def open_run(path: str | Path | Run) -> Run:
    """Open the directory of an earlier run.

    Args:
        path: The run directory, such as `runs/quickstart`.

    Raises:
        StoreError: It is no run directory.
    """
    directory = context_of(path, progress=None, say=None).directory
    return path if isinstance(path, Run) else Run(folder=Folder(path=directory.path))


def context_of(run: str | Path | Run, *, progress: ProgressFactory | None, say: Say | None) -> RunContext:
    """Return the pipeline's context of a run: its settings, directory, progress and output.

    Args:
        run: A run or its directory.
        progress, say: None is quiet.

    Raises:
        StoreError: It is no run directory.
        ConfigError: Its settings are of another version of edgenas.
    """
    from edgenas.pipeline.core import open_run as core

    if not isinstance(run, str | Path | Run):
        raise StoreError(explain("this is no run", got=type(run).__name__, allowed="a run or its directory"))
    path = run.path if isinstance(run, Run) else Path(run).expanduser()
    return core.open_run(path, progress=progress or no_progress, say=say or (lambda text: None))


def _percent(share: float | None) -> str:
    return "not judged here" if share is None else f"{100 * share:.2f} %"


def _ms(latency_ms: float | None) -> str:
    return "" if latency_ms is None else f"{latency_ms:.4f}"
