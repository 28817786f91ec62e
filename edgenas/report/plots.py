"""The plots of a report, as SVG texts."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas import atomic
from edgenas.report.claims import estimate_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, GREEN, RED = "#2f6db5", "#d9822b", "#b9bec6", "#2d8a57", "#c0392b"


def _figure(width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    buffer = io.StringIO()
    # Text stays text, and identifiers are not random, so that the same run gives the same report.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "edgenas", "font.family": "sans-serif", "font.size": 10}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def front_plot(search: Mapping[str, Any], front: Mapping[str, Any], winner: Mapping[str, Any]) -> str:
    """Accuracy against latency, ms: everything judged, the front, what was measured, the winner, the budget.

    Args:
        search: `search.json`.
        front: `front.json`; its clock brings the search's latencies to the moment of the measurements.
        winner: `winner.json`.
    """
    figure, axes = _figure(7.2, 4.6)
    judged = [entry for entry in search["evaluations"] if "metrics" in entry]
    # Predictions are of the table's moment; budget and measurements are of the moment in which the front was measured.
    clock = front.get("clock", 1.0)
    latency = clock * np.array([entry["metrics"]["latency_ms"]["value"] for entry in judged])
    estimate = estimate_of(search)
    scale = 100 if estimate.unit == "1" else 1
    accuracy = scale * np.array([entry["metrics"]["accuracy"]["value"] for entry in judged])
    axes.scatter(latency, accuracy, s=10, color=GREY, label=f"judged ({len(judged)})", linewidths=0)
    # Indices of the front count candidates that failed, which have no place in the plot.
    place = {index: k for k, index in enumerate(i for i, e in enumerate(search["evaluations"]) if "metrics" in e)}
    chosen = sorted((place[index] for index in search["front"]), key=lambda index: latency[index])
    axes.plot(latency[chosen], accuracy[chosen], "o", color=BLUE, markersize=4, label="front (all objectives)")
    measured = front["networks"]
    axes.errorbar(
        [entry["measured_ms"] for entry in measured],
        [scale * entry["accuracy"] for entry in measured],
        xerr=[entry["standard_error_ms"] for entry in measured],
        fmt="D", color=ORANGE, markersize=5, label="measured on the device", linewidth=1,
    )  # fmt: skip
    found = next((entry for entry in measured if entry["digest"] == winner["digest"]), None)
    if found is not None:
        axes.plot(found["measured_ms"], scale * found["accuracy"], "*", color=GREEN, markersize=16, label="winner")
    if front["budget_ms"] is not None:
        axes.axvline(front["budget_ms"], color=RED, linestyle="--", linewidth=1, label="budget")
    axes.set_xlabel("latency, ms")
    title = "inherited validation accuracy" if estimate.source == "inherited" else estimate.title
    axes.set_ylabel(f"{title}, %" if estimate.unit == "1" else title)
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    return _svg(figure)


def _styles(colours: Sequence[str]) -> Iterator[dict[str, Any]]:
    """An endless sequence of styles of curves. Dashes distinguish curves once the colours have run out."""
    for dash in itertools.cycle(("-", "--", ":", "-.")):
        for colour in colours:
            yield {"color": colour, "linestyle": dash}


def progress_plot(search: Mapping[str, Any]) -> str:
    """Hypervolume against the number of judged networks, beside random search at equal cost.

    Args:
        search: `search.json`; its `progress` holds one curve for each of the names in it.
    """
    figure, axes = _figure()
    for (name, curve), style in zip(search["progress"].items(), _styles((BLUE, GREY, ORANGE, GREEN)), strict=False):
        axes.step(curve["evaluations"], curve["hypervolume"], where="post", label=name, linewidth=1.8, **style)
    axes.set_xlabel("distinct networks judged")
    axes.set_ylabel("hypervolume (share of the box)")
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure)


def prediction_plot(networks: Sequence[Mapping[str, Any]]) -> str:
    """Predicted against measured latency with the 5 % band.

    Args:
        networks: Entries with `predicted_ms` and `measured_ms`.
    """
    figure, axes = _figure(4.8, 4.4)
    predicted = np.array([entry["predicted_ms"] for entry in networks])
    measured = np.array([entry["measured_ms"] for entry in networks])
    low, high = 0.92 * min(predicted.min(), measured.min()), 1.08 * max(predicted.max(), measured.max())
    line = np.array([low, high])
    axes.fill_between(line, 0.95 * line, 1.05 * line, color=BLUE, alpha=0.12, label="within 5 %", linewidth=0)
    axes.plot(line, line, color=BLUE, linewidth=1)
    axes.plot(measured, predicted, "o", color=ORANGE, markersize=5)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="measured, ms", ylabel="predicted by the table, ms")
    axes.legend(frameon=False, loc="upper left")
    return _svg(figure)


def estimators_plot(entries: Sequence[Mapping[str, Any]]) -> str:
    """Rank correlation of every estimator with stand-alone trainings, over all costs and within bands of cost.

    Args:
        entries: Of `estimators.json`, MACs the first.
    """
    figure, axes = _figure(7.2, 0.36 * len(entries) + 1.3)
    place = np.arange(len(entries))
    for key, label, colour, shift in (
        ("spearman", "over all costs", BLUE, -0.14),
        ("spearman_within_bands", "within bands of cost", ORANGE, 0.14),
    ):
        baseline = entries[0][key]
        if baseline is not None:
            axes.axvline(baseline, color=colour, linestyle=":", linewidth=1, label=f"MACs, {label}")
        known = [index for index, entry in enumerate(entries) if entry[key] is not None]
        rho = np.array([entries[index][key] for index in known])
        for index, value in zip(known, rho, strict=True):
            low, high = entries[index].get(f"{key}_low"), entries[index].get(f"{key}_high")
            if low is not None and high is not None:
                axes.plot([low, high], [index + shift] * 2, color=colour, linewidth=1, alpha=0.5)
            axes.plot(value, index + shift, "o", color=colour, markersize=5)
        axes.plot([], [], "o-", color=colour, markersize=5, linewidth=1, label=label)
    axes.set_yticks(place, [entry["name"] for entry in entries])
    axes.invert_yaxis()
    axes.set_xlim(max(-1.0, axes.get_xlim()[0]), 1.02)
    axes.set_xlabel("Spearman's rho with the accuracy of stand-alone trainings, 95 % interval")
    axes.legend(frameon=False, fontsize=8.5, ncols=4, loc="lower left", bbox_to_anchor=(-0.15, 1.0))
    return _svg(figure)


def layers_plot(layers: Sequence[Mapping[str, Any]]) -> str:
    """Share of latency and of MACs by block of the winner.

    Args:
        layers: Entries with `block`, `latency_ms` and `macs`.
    """
    figure, axes = _figure(7.2, 0.34 * len(layers) + 1.1)
    names = [entry["block"] for entry in layers]
    place = np.arange(len(names))
    latency = np.array([entry["latency_ms"] for entry in layers])
    counts = np.array([entry["macs"] for entry in layers], dtype=float)
    axes.barh(place - 0.2, 100 * latency / latency.sum(), height=0.38, color=BLUE, label="latency (predicted)")
    axes.barh(place + 0.2, 100 * counts / counts.sum(), height=0.38, color=GREY, label="MACs")
    axes.set_yticks(place, names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of the network, %")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return _svg(figure)


def curve_plot(history: Sequence[Mapping[str, Any]]) -> str:
    """Validation accuracy by epoch.

    Args:
        history: Entries with `epoch` and `validation_accuracy`.
    """
    figure, axes = _figure(4.8, 3.4)
    axes.plot(
        [entry["epoch"] for entry in history],
        [100 * entry["validation_accuracy"] for entry in history],
        color=BLUE,
        linewidth=1.8,
    )
    axes.set_xlabel("epoch of the chosen network's training")
    axes.set_ylabel("validation accuracy, %")
    return _svg(figure)


def one_shot_plot(learned: Mapping[str, Any]) -> str:
    """Entropy and expected cost of a learned distribution over time, and its final probability of each choice.

    Args:
        learned: `one_shot` of `search.json`.
    """
    from matplotlib.figure import Figure

    history, genes = learned["history"], learned["genes"]
    figure = Figure(figsize=(7.2, max(3.6, 0.2 * len(genes) + 0.8)), layout="constrained")
    over_time, choices = figure.subplots(1, 2, width_ratios=(1.1, 1))
    steps = [record["step"] for record in history]
    over_time.plot(steps, [record["entropy"] for record in history], color=BLUE, label="entropy (1: undecided)")
    costs = [record["expected_cost"] / learned["target"] for record in history]
    over_time.plot(steps, costs, color=ORANGE, label="expected cost over target")
    over_time.axhline(1, color=GREY, linewidth=0.8)
    over_time.set_xlabel("step")
    over_time.set_ylim(bottom=0)
    over_time.spines[["top", "right"]].set_visible(False)
    over_time.legend(frameon=False, fontsize=8.5)
    final = history[-1]["probabilities"]
    table = np.full((len(genes), max(len(row) for row in final)), np.nan)
    for row, probabilities in zip(table, final, strict=True):
        row[: len(probabilities)] = probabilities
    choices.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (gene, choice), value in np.ndenumerate(table):
        if np.isfinite(value):
            ink = "white" if value > 0.6 else "black"
            choices.text(choice, gene, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=ink)
    choices.set_yticks(np.arange(len(genes)), genes, fontsize=7)
    choices.set_xticks(np.arange(table.shape[1]))
    choices.set_xlabel("choice (probability in %)")
    return _svg(figure)


def write_comparison_plot(document: Mapping[str, Any], path: Path) -> None:
    """Write hypervolume against evaluations, median and quartiles of each strategy, as a PNG.

    Args:
        document: `comparison.json`.
        path: The picture.
    """
    figure, axes = _figure(7.2, 4.6)
    colours = (BLUE, ORANGE, GREEN, RED, "#7d5ba6", "#4a9aa5", "#8c6d46", GREY)
    for (name, curve), style in zip(document["strategies"].items(), _styles(colours), strict=False):
        count = np.arange(1, len(curve["median"]) + 1)
        axes.fill_between(count, curve["low"], curve["high"], color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(count, curve["median"], label=name, linewidth=1.8, **style)
    axes.set_xlabel("distinct networks judged")
    axes.set_ylabel("hypervolume (share of the box)")
    axes.set_title(f"median and quartiles of {document['seeds']} seeds", fontsize=10, loc="left")
    axes.legend(frameon=False, loc="lower right")
    atomic.write_by(path, lambda draft: figure.savefig(draft, format="png", dpi=130))
