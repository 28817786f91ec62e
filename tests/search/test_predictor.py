import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

from edgenas.errors import SearchError
from edgenas.search.gp.fitting import JITTER, Likelihood
from edgenas.search.gp.two_sets import PRIOR, TwoSetsKernel
from edgenas.search.predictor import AccuracyPredictor, Inputs, encode
from edgenas.space import load


def _problem(count: int, seed: int) -> tuple[Inputs, np.ndarray]:
    rng = np.random.default_rng(seed)
    structure = rng.normal(size=(count, 3))
    choices = np.eye(4)[rng.integers(0, 4, count)]
    truth = structure[:, 0] + np.sin(2 * structure[:, 1]) + choices @ np.array([0.0, 0.5, -0.5, 1.0])
    return Inputs(structure=structure, choices=choices), truth + 0.1 * rng.normal(size=count)


def test_predictions_are_far_better_than_the_mean_and_intervals_hold() -> None:
    inside, errors = [], []
    for seed in range(5):
        train, values = _problem(120, seed)
        test, truth = _problem(200, 100 + seed)
        found = AccuracyPredictor.fit(train, values).predict(test)
        inside.append(((found.low <= truth) & (truth <= found.high)).mean())
        errors.append(np.std(found.mean - truth) / np.std(truth))
    assert 0.84 <= np.mean(inside) <= 0.96
    assert np.mean(errors) < 0.25


def test_the_posterior_equals_one_composed_of_scikit_learns_kernels() -> None:
    train, values = _problem(40, 0)
    test, _ = _problem(10, 1)
    ours = AccuracyPredictor(train, values, PRIOR, 1.0)
    weight = np.exp(PRIOR)
    data, asked = ours._standardised(train), ours._standardised(test)
    scale = [np.sqrt(part.shape[1]) for part in (data.structure, data.choices)]

    def stacked(part: Inputs) -> np.ndarray:
        return np.hstack([part.structure / scale[0], part.choices / scale[1]])

    def covariance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        total = np.zeros((len(first), len(second)))
        for columns, linear, smooth, inverse in ((slice(0, 3), 0, 2, 4), (slice(3, 7), 1, 3, 5)):
            a, b = first[:, columns], second[:, columns]
            total += weight[linear] * DotProduct(sigma_0=0.0)(a, b)
            total += (ConstantKernel(weight[smooth]) * RBF(np.sqrt(0.5 / weight[inverse])))(a, b)
        return total

    x, z = stacked(data), stacked(asked)
    target = (values - values.mean()) / values.std()
    solved = np.linalg.solve(covariance(x, x) + (weight[6] + JITTER) * np.eye(len(x)), target)
    expected = covariance(z, x) @ solved * values.std() + values.mean()
    assert np.allclose(ours.predict(test).mean, expected)
    assert np.allclose(ours.mean(test), expected)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    from scipy.optimize import check_grad

    train, values = _problem(30, 2)
    start = AccuracyPredictor(train, values, PRIOR, 1.0)
    likelihood = Likelihood(TwoSetsKernel(start._data), (values - values.mean()) / values.std())
    for seed in range(3):
        theta = PRIOR + np.random.default_rng(seed).normal(size=7)
        error = check_grad(lambda t: likelihood(t)[0], lambda t: likelihood(t)[1], theta)
        assert error < 1e-3


def test_a_saved_predictor_predicts_the_same(tmp_path) -> None:
    train, values = _problem(30, 3)
    fitted = AccuracyPredictor.fit(train, values)
    fitted.save(tmp_path / "predictor.npz")
    again = AccuracyPredictor.load(tmp_path / "predictor.npz")
    test, _ = _problem(5, 4)
    assert np.array_equal(fitted.predict(test).low, again.predict(test).low)


def test_networks_of_a_space_are_encoded_by_canonical_choices() -> None:
    space = load("tiny")
    genes = space.sample(50, np.random.default_rng(0))
    first, second = encode(space, genes), encode(space, space.canonical(genes))
    assert np.array_equal(first.choices, second.choices)
    assert first.choices.shape[1] == sum(space.cardinalities)
    assert (first.choices.sum(1) == len(space.cardinalities)).all()


def test_a_constant_accuracy_is_predicted_as_it_is() -> None:
    train, _ = _problem(20, 5)
    found = AccuracyPredictor.fit(train, np.full(20, 0.7)).predict(train)
    assert np.allclose(found.mean, 0.7, atol=1e-6)


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros(9), np.array([0.1, np.nan, 0.2, 0.3, 0.4] * 2)])
def test_what_cannot_be_fitted_is_refused(values: np.ndarray) -> None:
    train, _ = _problem(10, 6)
    with pytest.raises(SearchError, match="fit"):
        AccuracyPredictor.fit(train.pick(slice(0, 3)) if len(values) == 3 else train, values)


def test_a_file_that_is_no_predictor_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    for name in ("other.npz", "none.npz"):
        with pytest.raises(SearchError, match="is no saved predictor"):
            AccuracyPredictor.load(tmp_path / name)
