"""Accuracy predictors on networks that were evaluated on ImageNet with the weights of a supernet.

    python benchmarks/accuracy_predictor.py --table ofa_mobilenetv3_imagenet.npz --json OUT

Five random splits with 400 rows held out; RMSE in points, Kendall tau, coverage of the 90 % interval. Beside ours:
ridge on the one-hot code, ridge with structural features, gradient boosting, and scikit-learn's Gaussian process.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from edgenas.search.predictor import AccuracyPredictor, Inputs

HELD_OUT = 400
SIZES = (100, 300, 1000)
STAGES, LAYERS = 5, 4


def inputs_of(table: dict[str, np.ndarray]) -> Inputs:
    """Structure: sums of kernel, expansion and their product by stage, depth, log MACs and parameters."""
    kernel, expand, depth = table["kernel"], table["expand"], table["depth"]
    structure = []
    for stage in range(STAGES):
        part = slice(LAYERS * stage, LAYERS * (stage + 1))
        k, e = kernel[:, part], expand[:, part]
        structure += [k.sum(1), e.sum(1), (k * e).sum(1), depth[:, stage]]
    structure += [np.log(table["macs"]), np.log(table["params"])]
    columns = [column for block in (kernel, expand, depth) for column in block.T]
    choices = [column == value for column in columns for value in np.unique(column)]
    return Inputs(
        structure=np.column_stack(structure).astype(np.float64), choices=np.column_stack(choices).astype(np.float64)
    )


def peers(train: Inputs, accuracy: np.ndarray, test: Inputs) -> dict[str, np.ndarray]:
    """Predictions of what a user would reach for."""
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    warnings.filterwarnings("ignore")
    both, both_test = (np.hstack([part.structure, part.choices]) for part in (train, test))
    alphas = np.logspace(-3, 4, 15)
    kernel = ConstantKernel() * RBF(10.0) + WhiteKernel(0.1)
    models = {
        "ridge_one_hot": (RidgeCV(alphas), train.choices, test.choices),
        "ridge_with_structure": (RidgeCV(alphas), both, both_test),
        "gradient_boosting": (GradientBoostingRegressor(random_state=0), both, both_test),
        "gaussian_process": (GaussianProcessRegressor(kernel, normalize_y=True), both, both_test),
    }
    return {
        name: make_pipeline(StandardScaler(), model).fit(x, accuracy).predict(x_test)
        for name, (model, x, x_test) in models.items()
    }


def main() -> None:
    """Run, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with np.load(options.table, allow_pickle=False) as archive:
        table = {name: archive[name] for name in archive.files}
    inputs, accuracy = inputs_of(table), table["top1"].astype(np.float64)
    result: dict[str, Any] = {}
    for size in SIZES:
        scores: dict[str, list[tuple[float, float, float, float]]] = {}
        for split in range(options.splits):
            order = np.random.default_rng(split).permutation(len(accuracy))
            test, train = order[:HELD_OUT], order[HELD_OUT : HELD_OUT + size]
            started = time.process_time()
            found = AccuracyPredictor.fit(inputs.pick(train), accuracy[train]).predict(inputs.pick(test))
            seconds = time.process_time() - started
            inside = float(((found.low <= accuracy[test]) & (accuracy[test] <= found.high)).mean())
            predicted = {"edgenas": found.mean, **peers(inputs.pick(train), accuracy[train], inputs.pick(test))}
            for name, values in predicted.items():
                rmse = float(np.sqrt(np.mean((values - accuracy[test]) ** 2)))
                tau = float(kendalltau(values, accuracy[test]).statistic)
                own = name == "edgenas"
                scores.setdefault(name, []).append((rmse, tau, inside if own else np.nan, seconds if own else np.nan))
        result[str(size)] = {}
        for name, rows in scores.items():
            rmse, tau, inside, seconds = np.mean(rows, axis=0)
            entry = {"rmse_points": round(float(rmse), 4), "kendall_tau": round(float(tau), 4)}
            if name == "edgenas":
                entry["interval_coverage_percent"] = round(float(100 * inside), 1)
                entry["cpu_seconds"] = round(float(seconds), 2)
            result[str(size)][name] = entry
            print(f"{size:5d} {name:22s} {entry}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
