"""The Gaussian process: gradients against differences, the posterior against the textbook."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from benchmarks.tables import IdentityGroups, TabularSpace
from edgenas.search.gp.encoding import Encoder
from edgenas.search.gp.fitting import Likelihood
from edgenas.search.gp.kernel import ChoiceKernel, KernelLayout, cross, noise, prior_variance, scale
from edgenas.search.gp.model import Model, Posterior
from edgenas.search.gp.warp import IDENTITY, LOG

CODES = np.indices((3,) * 5).reshape(5, -1).T


def setup(n=25):
    rng = np.random.default_rng(0)
    space = TabularSpace((3,) * 5, CODES, IdentityGroups(cardinality=3, groups=((0, 1), (2, 3, 4))))
    members = np.unique(space.canonical(CODES), axis=0)
    members = members[rng.permutation(len(members))]
    encoder = Encoder(space, members)
    layout = KernelLayout(genes=5, features=encoder.feature_count, starts=encoder.starts)
    values = np.exp(members @ np.arange(1, 6) / 10 + rng.normal(0, 0.05, len(members)))
    return layout, encoder(members), encoder(members[:n]), values, rng


def test_the_gradient_of_the_likelihood_is_that_of_differences():
    layout, _, data, values, rng = setup()
    likelihood = Likelihood(ChoiceKernel(layout, data), (values[:25] - values[:25].mean()) / values[:25].std())
    for _ in range(3):
        theta = layout.prior_mean + rng.normal(0, 0.3, len(layout.prior_mean))
        gap = check_grad(lambda t: likelihood(t)[0], lambda t: likelihood(t)[1], theta)
        assert gap < 1e-4 * max(1.0, np.linalg.norm(likelihood(theta)[1]))


def test_the_kernel_is_what_its_formula_says():
    layout, _, data, _, rng = setup(6)
    theta = layout.prior_mean + rng.normal(0, 0.3, len(layout.prior_mean))
    scaled = scale(layout, theta, data)
    matrix = cross(layout, theta, scaled, scaled)
    s1, s2, s3 = np.exp(theta[:3])
    lengths, relevance = np.exp(theta[4:9]), np.exp(theta[9:])
    codes = data.onehot.reshape(6, 5, 3).argmax(axis=2)
    for i in range(6):
        for j in range(6):
            differ = codes[i] != codes[j]
            smooth = np.exp(-(relevance * (data.features[i] - data.features[j]) ** 2).sum())
            expected = s1 * (~differ).mean() + s2 * np.exp(-(lengths * differ).sum()) + s3 * smooth
            assert matrix[i, j] == pytest.approx(expected)


@pytest.mark.parametrize("fails", [(), (1,), (0, 2)])
def test_a_posterior_that_grew_point_by_point_equals_one_from_all_the_data(fails):
    layout, pool, data, values, _ = setup()
    model = Model(layout, (IDENTITY, LOG))
    model.fit(data, values[:25], iterations=20, choose_warp=True)
    grown = Posterior(model, data, values[:25], pool)
    told = values[25:28].copy()
    for index in (25, 26, 27):
        grown.propose(index)
    told[list(fails)] = np.nan
    grown.resolve(told)
    kept = np.r_[0:25, [25 + i for i in range(3) if i not in fails]]
    whole = Posterior(model, pool.pick(kept), values[kept], pool)
    assert np.allclose(grown.mean, whole.mean)
    assert np.allclose(grown.variance, whole.variance)


def test_the_posterior_is_that_of_the_textbook():
    layout, pool, data, values, _ = setup()
    model = Model(layout, (IDENTITY,))
    model.fit(data, values[:25], iterations=20, choose_warp=False)
    posterior, theta = Posterior(model, data, values[:25], pool), model.theta
    left, right = scale(layout, theta, data), scale(layout, theta, pool)
    covariance = cross(layout, theta, left, left) + noise(theta) * np.eye(25)
    between = cross(layout, theta, left, right)
    mean = between.T @ np.linalg.solve(covariance, model.standardised(values[:25]))
    variance = prior_variance(theta) - (between * np.linalg.solve(covariance, between)).sum(axis=0)
    assert np.allclose(posterior.mean, mean)
    assert np.allclose(posterior.variance, variance)


def test_the_logarithm_is_chosen_for_what_grows_exponentially_and_not_for_what_may_be_negative():
    layout, _, data, values, _ = setup(60)
    model = Model(layout, (IDENTITY, LOG))
    model.fit(data, np.exp(4 * np.log(values[:60])), iterations=30, choose_warp=True)
    assert model.warp is LOG
    model.fit(data, values[:60] - values[:60].mean(), iterations=30, choose_warp=True)
    assert model.warp is IDENTITY
