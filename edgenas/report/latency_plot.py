"""Pictures of a table's validation: predicted against measured, and error against latency."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenas import atomic
from edgenas.errors import TableError, explain
from edgenas.latency.table import LatencyTable, Validation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAND = 0.05


def plot_validation(table: LatencyTable, path: str | os.PathLike[str]) -> Path:
    """Draw a validated table's predictions against the measurements, as PNG.

    Left: predicted against measured with the 5 % band. Right: relative error against latency with that band and the
    table's prediction interval.

    Args:
        table: A validated table.
        path: Where to write.

    Raises:
        TableError: The table was not validated, or the picture cannot be written.
    """
    if table.validation is None:
        raise TableError(
            explain("the table was not validated, there is nothing to draw", remedy="Run `edgenas latency validate`.")
        )
    # The object interface needs no display and leaves the caller's matplotlib settings alone.
    from matplotlib.figure import Figure

    target = Path(path)
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _predicted_against_measured(left, table.validation)
    _error_against_latency(right, table.validation, table.interval.relative)
    figure.suptitle(
        f"{table.build.space}, {table.runtime.runtime} {table.runtime.version} {table.runtime.precision}, "
        f"{table.runtime.threads} thread(s), {table.runtime.mode}, {table.device.cpu}"
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_by(target, lambda draft: figure.savefig(draft, format="png", dpi=120))
    except OSError as error:
        what = f"cannot write the plot {target}: {error.strerror or error}"
        raise TableError(explain(what, remedy=atomic.remedy_for(error))) from error
    return target


def _predicted_against_measured(axes: Axes, found: Validation) -> None:
    measured, predicted = np.array(found.measured_ms), np.array(found.predicted_ms)
    low, high = 0.95 * min(measured.min(), predicted.min()), 1.05 * max(measured.max(), predicted.max())
    line = np.array([low, high])
    axes.fill_between(line, line * (1 - _BAND), line * (1 + _BAND), color="tab:blue", alpha=0.15, lw=0, label="5 %")
    axes.plot(line, line, color="tab:blue", lw=1)
    axes.plot(measured, predicted, "o", color="tab:orange", ms=4)
    axes.set(xlabel="measured, ms", ylabel="predicted, ms", xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_title(f"{found.networks} held-out networks, mean error {found.mape_percent:.2f} %")
    axes.legend(loc="upper left", frameon=False)


def _error_against_latency(axes: Axes, found: Validation, interval: float) -> None:
    measured, predicted = np.array(found.measured_ms), np.array(found.predicted_ms)
    axes.axhspan(-100 * _BAND, 100 * _BAND, color="tab:blue", alpha=0.15, lw=0, label="5 %")
    for sign in (-1, 1):
        label = "prediction interval" if sign > 0 else None
        axes.axhline(sign * 100 * interval, color="tab:green", lw=1, ls="--", label=label)
    axes.axhline(0, color="tab:blue", lw=1)
    axes.plot(measured, 100 * (predicted / measured - 1), "o", color="tab:orange", ms=4)
    axes.set(xlabel="measured, ms", ylabel="predicted over measured - 1, %")
    axes.set_title(
        f"{found.within_5_percent:.0f} % within 5 %, {found.interval_coverage_percent:.0f} % inside the interval"
    )
    axes.legend(loc="upper right", frameon=False)
