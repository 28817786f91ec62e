"""The report of a run: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from edgenas import atomic
from edgenas.errors import StoreError, explain
from edgenas.report import plots
from edgenas.report.claims import baseline_claim, budget_claim, estimate_of, estimators_are_current
from edgenas.report.files import RunFiles, read_run


def write_report(run: Path, target: Path | None = None) -> Path:
    """Write the report of a finished run.

    Args:
        run: The run directory.
        target: Where to write; `report.html` in the run directory if left out.

    Returns:
        The path of the report.

    Raises:
        StoreError: A file of the run is missing, or the report cannot be written.
    """
    page = _rendered(read_run(run), run)
    target = target or run / "report.html"
    try:
        atomic.write_text(target, page)
    except OSError as error:
        remedy = atomic.remedy_for(error)
        raise StoreError(explain(f"cannot write {target}", got=error.strerror, remedy=remedy)) from error
    return target


def _rendered(found: RunFiles, folder: Path) -> str:
    """Render a run. A file that was changed by hand may lack a figure, which is a StoreError."""
    from jinja2 import UndefinedError

    try:
        return render(found)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, UndefinedError) as error:
        what = f"{folder}: a file of the run does not hold what the run wrote"
        remedy = "Remove the file that was changed and run `edgenas run` again."
        raise StoreError(explain(what, got=f"{type(error).__name__}: {error}", remedy=remedy)) from error


def render(run: RunFiles) -> str:
    """Return the HTML of a report.

    Args:
        run: The documents of the run.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = _percent
    environment.filters["ms"] = _milliseconds
    environment.filters["kib"] = lambda size: f"{size / 1024:,.1f}"
    environment.filters["seconds"] = _seconds
    environment.filters["interval"] = _interval
    environment.filters["two"] = lambda value: "" if value is None else f"{value:.2f}"
    source = files("edgenas.report").joinpath("template.html").read_text(encoding="utf-8")
    validation = run.latency["validation"]
    examined = run.estimators if run.supernet is not None else None
    estimators = examined if examined is not None and estimators_are_current(examined, run.stages) else None
    return environment.from_string(source).render(
        run=run,
        budget=budget_claim(run.front, run.winner),
        baseline=baseline_claim(run.search),
        estimate=estimate_of(run.search),
        estimated=_estimated(run.winner),
        estimators=estimators,
        stage_rows=[row for row in _stage_rows(run.stages) if row[0] != "supernet" or run.supernet is not None],
        front_svg=plots.front_plot(run.search, run.front, run.winner),
        one_shot_svg=plots.one_shot_plot(run.search["one_shot"]) if run.search.get("one_shot") else "",
        progress_svg=plots.progress_plot(run.search),
        prediction_svg=plots.prediction_plot(validation["networks"]) if validation else "",
        estimators_svg=plots.estimators_plot(estimators["estimators"]) if estimators else "",
        layers_svg=plots.layers_plot(run.winner["layers"]),
        training_svg=plots.curve_plot(run.winner["training"]["history"]),
    )


def _estimated(winner: Mapping[str, Any]) -> float:
    """Return what the winner was chosen by; older runs know inherited accuracies only."""
    value: float = winner["estimated"]["value"] if "estimated" in winner else winner["inherited_accuracy"]
    return value


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _milliseconds(value: float) -> str:
    """Milliseconds with three significant digits or more."""
    return f"{value:.4f}" if value < 1 else f"{value:.3f}" if value < 10 else f"{value:.2f}"


def _interval(value: Mapping[str, float | None] | None) -> str:
    """Write an interval; nothing where there is none."""
    if value is None or any(number is None for number in value.values()):
        return ""
    return f"{value['low']:+.2f} to {value['high']:+.2f}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _stage_rows(stages: Mapping[str, Any]) -> Sequence[tuple[str, float, float]]:
    """Name, seconds and share of every stage, in the order in which they finished."""
    total = sum(entry["seconds"] for entry in stages.values()) or 1.0
    return [(name, entry["seconds"], entry["seconds"] / total) for name, entry in stages.items() if name != "summary"]
