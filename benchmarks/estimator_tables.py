"""The judge's findings as a table of text and as JSON."""

from __future__ import annotations

import argparse
import platform
from dataclasses import asdict
from typing import Any

import torch
from estimator_plan import Plan
from estimator_tasks import JUDGED_IMAGES

from edgenas.evaluate import Judged, Validation


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
        "verdict": judged.verdict,
    }


def table(validation: Validation) -> str:
    """Lay the judge's table out as text."""
    width = max(len(judged.name) for judged in validation.estimators)
    head = f"{'estimator':{width}} {'rho':>6} {'95 % interval':>15} {'in bands':>9} {'95 % interval':>15} {'tau':>6}"
    lines = [f"{head} {'gap':>7} {'s / net':>9} {'before':>7}"]
    for judged in validation.estimators:
        ranks = judged.agreement
        interval = f"{ranks.spearman_low:.2f} to {ranks.spearman_high:.2f}"
        within = f"{ranks.spearman_within_bands_low:.2f} to {ranks.spearman_within_bands_high:.2f}"
        gap = "" if judged.gap_points is None else f"{judged.gap_points:+.1f}"
        lines.append(
            f"{judged.name:{width}} {ranks.spearman:6.2f} {interval:>15} {ranks.spearman_within_bands:9.2f}"
            f" {within:>15} {ranks.kendall:6.2f} {gap:>7} {judged.seconds_per_network:9.4f}"
            f" {judged.preparation_seconds:7.0f}"
        )
    if validation.ceiling is not None:
        lines.append(
            f"{'seed against seed':{width}} {validation.ceiling:6.2f} {'':>15} {validation.ceiling_within_bands:9.2f}"
            f" {'':>15} {'':>6} {'':>7} {validation.training_seconds:9.4f}"
        )
    lines += [judged.verdict for judged in validation.estimators if judged.over_macs is not None]
    return "\n".join([*lines, *validation.notes])
