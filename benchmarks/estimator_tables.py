"""The judge's findings as a table of text and as JSON."""

from __future__ import annotations

import argparse
import platform
from dataclasses import asdict
from typing import Any

import torch
from estimator_plan import Plan
from estimator_tasks import JUDGED_IMAGES

from edgenas.evaluate import Judged, Margin, Partial, Validation


def as_json(validation: Validation, plan: Plan, options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Arrange what was found in the form that the documentation promises."""
    found = {judged.name: entry(judged) for judged in validation.estimators}
    found["seed_against_seed"] = {
        "spearman": validation.ceiling,
        "spearman_within_bands": validation.ceiling_within_bands,
        "spearman_of_mean": validation.ceiling_of_mean,
        "seconds_per_network": validation.training_seconds,
    }
    return {
        "data": options.data.partition(":")[0],
        "space": plan.space.name,
        "networks": len(validation.genes),
        "seeds": options.seeds,
        "train_images": len(plan.seen.train),
        "judged_images": min(JUDGED_IMAGES, len(plan.seen.validation)),
        "truth_images": len(plan.truth.validation),
        "training_steps": plan.steps,
        "supernet": options.supernets[0].name if options.supernets else None,
        "supernet_steps": {each.name: plan.supernet_steps[each.name] for each in options.supernets},
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "seconds": seconds,
        "estimators": found,
        "validation": validation.to_dict(),
    }


def entry(judged: Judged) -> dict[str, Any]:
    """Arrange what was found about one estimator."""
    ranks = judged.agreement
    return {
        "spearman": ranks.spearman,
        "spearman_low": ranks.spearman_low,
        "spearman_high": ranks.spearman_high,
        "spearman_within_bands": ranks.spearman_within_bands,
        "spearman_within_bands_low": ranks.spearman_within_bands_low,
        "spearman_within_bands_high": ranks.spearman_within_bands_high,
        "kendall": ranks.kendall,
        "gap_points": judged.gap_points,
        "seconds_per_network": judged.seconds_per_network,
        "preparation_seconds": judged.preparation_seconds,
        "over_macs": judged.over_macs and asdict(judged.over_macs),
        "over_macs_within_bands": judged.over_macs_within_bands and asdict(judged.over_macs_within_bands),
        "beyond_macs": judged.beyond_macs and asdict(judged.beyond_macs),
        "verdict": judged.verdict,
    }


def table(validation: Validation) -> str:
    """Lay the judge's table out as text."""
    width = max(len(judged.name) for judged in validation.estimators)
    head = f"{'estimator':{width}} {'rho':>5} {'95 %':>13} {'in bands':>9} {'95 %':>13} {'tau':>5} {'gap':>6}"
    lines = [f"{head} {'s / net':>8} {'before':>7} {'over MACs':>22} {'in bands':>22} {'beyond MACs':>22}  verdict"]
    for judged in validation.estimators:
        ranks = judged.agreement
        gap = "" if judged.gap_points is None else f"{judged.gap_points:+.1f}"
        interval = f"{ranks.spearman_low:.2f} to {ranks.spearman_high:.2f}"
        within = f"{ranks.spearman_within_bands_low:.2f} to {ranks.spearman_within_bands_high:.2f}"
        lines.append(
            f"{judged.name:{width}} {ranks.spearman:5.2f} {interval:>13} {ranks.spearman_within_bands:9.2f}"
            f" {within:>13} {ranks.kendall:5.2f} {gap:>6} {judged.seconds_per_network:8.4f}"
            f" {judged.preparation_seconds:7.0f} {margin_text(judged.over_macs):>22}"
            f" {margin_text(judged.over_macs_within_bands):>22} {partial_text(judged.beyond_macs):>22}"
            f"  {judged.verdict}"
        )
    if validation.ceiling is not None:
        lines.append(
            f"{'seed against seed':{width}} {validation.ceiling:5.2f} {'':>13} {validation.ceiling_within_bands:9.2f}"
            f" {'':>13} {'':>5} {'':>6} {validation.training_seconds:8.4f}"
        )
    return "\n".join([*lines, *validation.notes])


def margin_text(margin: Margin | None) -> str:
    """Write a margin with its interval; nothing for the baseline itself."""
    return "" if margin is None else f"{margin.difference:+.2f} ({margin.low:+.2f} to {margin.high:+.2f})"


def partial_text(partial: Partial | None) -> str:
    """Write a partial correlation with its interval; nothing for the baseline itself."""
    return "" if partial is None else f"{partial.spearman:+.2f} ({partial.low:+.2f} to {partial.high:+.2f})"
