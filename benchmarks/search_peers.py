"""Other tools on the same problems: pymoo and Optuna, categorical variables, their defaults but for the population."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

POPULATION = 20
# What an unusable reading is told as: peers know no failed evaluations of several objectives.
FAILED = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a peer is given.

    Attributes:
        cardinalities: Choices of each of D variables.
        evaluate: Codes (N, D) to objectives (N, M), to minimise; NaN for an unusable reading.
        limit: Upper limit of the second objective, which then is no objective; None for several objectives.
        done: Whether enough distinct networks were evaluated.
    """

    cardinalities: tuple[int, ...]
    evaluate: Callable[[np.ndarray], np.ndarray]
    limit: float | None
    done: Callable[[], bool]

    def values(self, code: list[int]) -> np.ndarray:
        """Objectives of one code, (M,), a failure replaced."""
        found = self.evaluate(np.asarray([code], dtype=np.int64))[0]
        return np.where(np.isnan(found), FAILED, found)


def pymoo_nsga2(problem: Problem, seed: int) -> None:
    """NSGA-II of pymoo with its operators for categorical variables."""
    from pymoo.algorithms.moo.nsga2 import RankAndCrowdingSurvival
    from pymoo.core.mixed import MixedVariableGA
    from pymoo.core.problem import ElementwiseProblem
    from pymoo.core.variable import Choice
    from pymoo.optimize import minimize

    names = [f"g{index:02d}" for index in range(len(problem.cardinalities))]

    class Wrapped(ElementwiseProblem):
        def __init__(self) -> None:
            options = zip(names, problem.cardinalities, strict=True)
            super().__init__(vars={name: Choice(options=list(range(count))) for name, count in options}, n_obj=2)

        def _evaluate(self, x: dict[str, int], out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            out["F"] = problem.values([x[name] for name in names])

    class Stop(Exception):
        pass

    def callback(algorithm: Any) -> None:
        if problem.done():
            raise Stop

    algorithm = MixedVariableGA(pop_size=POPULATION, survival=RankAndCrowdingSurvival())
    try:
        minimize(Wrapped(), algorithm, ("n_gen", 100_000), seed=seed, callback=callback, verbose=False)
    except Stop:
        return


def _optuna(problem: Problem, sampler: Any) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    several = problem.limit is None
    study = optuna.create_study(directions=["minimize"] * (2 if several else 1), sampler=sampler)
    while not problem.done():
        trial = study.ask()
        code = [trial.suggest_categorical(f"g{i}", list(range(n))) for i, n in enumerate(problem.cardinalities)]
        values = problem.values(code)
        if several:
            study.tell(trial, [float(value) for value in values])
        else:
            assert problem.limit is not None
            trial.set_user_attr("margin", float(values[1] - problem.limit))
            study.tell(trial, float(values[0]))


def optuna_nsga2(problem: Problem, seed: int) -> None:
    """NSGAIISampler of Optuna."""
    import optuna

    _optuna(problem, optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed))


def optuna_tpe(problem: Problem, seed: int) -> None:
    """TPESampler of Optuna, with its constraint where there is a limit."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    constraints = None if problem.limit is None else (lambda trial: (trial.user_attrs["margin"],))
    _optuna(problem, optuna.samplers.TPESampler(seed=seed, constraints_func=constraints))


def botorch_nehvi(problem: Problem, seed: int) -> None:
    """BoTorch: Gaussian processes with its categorical kernel, and the logarithm of noisy expected improvement.

    The improvement is that of hypervolume (Daulton 2021, Ament 2023); for several objectives without limits. The
    acquisition is computed for every code that was not evaluated; 16 random codes come first, as its tutorials begin.
    Its reference point is what `infer_reference_point` says of the data.
    """
    import torch
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import MixedSingleTaskGP, ModelListGP
    from botorch.models.transforms import Standardize
    from botorch.utils.multi_objective.hypervolume import infer_reference_point
    from botorch.utils.multi_objective.pareto import is_non_dominated
    from gpytorch.mlls import SumMarginalLogLikelihood

    warnings.filterwarnings("ignore")
    torch.manual_seed(seed)
    rng, cards = np.random.default_rng(seed), problem.cardinalities
    every = np.stack(np.unravel_index(np.arange(int(np.prod(cards))), cards), axis=1)
    left = rng.permutation(len(every))
    chosen, left = list(left[:16]), left[16:]
    values = [problem.values(list(every[row])) for row in chosen]
    columns = list(range(len(cards)))
    while not problem.done() and len(left):
        usable = [index for index, value in enumerate(values) if (value < FAILED).all()]
        x = torch.as_tensor(every[[chosen[index] for index in usable]], dtype=torch.double)
        y = -torch.as_tensor(np.array([values[index] for index in usable]), dtype=torch.double)
        models = [
            MixedSingleTaskGP(x, y[:, [column]], cat_dims=columns, outcome_transform=Standardize(m=1))
            for column in range(y.shape[1])
        ]
        model = ModelListGP(*models)
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model=model, ref_point=infer_reference_point(y[is_non_dominated(y)]), X_baseline=x, prune_baseline=True
        )
        # Of a large space 2,000 codes at a time, drawn anew.
        pool = left if len(left) <= 2_000 else rng.choice(left, 2_000, replace=False)
        with torch.no_grad():
            points = torch.as_tensor(every[pool], dtype=torch.double)
            gain = torch.cat([acquisition(part[:, None]) for part in points.split(500)])
        row = int(pool[int(gain.argmax())])
        left = left[left != row]
        chosen.append(row)
        values.append(problem.values(list(every[row])))


PEERS: dict[str, Callable[[Problem, int], None]] = {
    "pymoo_nsga2": pymoo_nsga2,
    "optuna_nsga2": optuna_nsga2,
    "optuna_tpe": optuna_tpe,
    "botorch_nehvi": botorch_nehvi,
}
