"""The law: derivatives, what it recovers from made-up losses, what its intervals cover."""

import numpy as np
import pytest

from workflow_scripts.statistics.token_law import Law, Prior, _gradient, fit_law

WORTH = np.array([1.0, 0.3, 0.05, 0.01])


def made_up(n, seed, noise=0.02, tokens=None):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(4, 0.5), n)
    tokens = np.full(n, 1e9) if tokens is None else tokens
    effective = (shares @ WORTH) * tokens / 1e9
    return shares, tokens, 4.0 - 0.3 * np.log(0.002 + effective) + rng.normal(0, noise, n)


def test_worth_slope_and_level_are_recovered_from_many_runs():
    law = fit_law(*made_up(400, 0), worth=np.full(4, 0.05), own=0)
    assert law.worth == pytest.approx(WORTH, rel=0.1, abs=0.01)
    assert law.slope == pytest.approx(0.3, rel=0.05)
    assert law.level == pytest.approx(4.0, abs=0.02)
    assert law.noise == pytest.approx(0.02, rel=0.5)


def test_the_prior_decides_where_runs_say_nothing():
    shares, tokens, losses = made_up(12, 1)
    shares = shares.copy()
    shares[:, 3] = 0
    shares /= shares.sum(axis=1, keepdims=True)
    law = fit_law(shares, tokens, losses, worth=np.array([1, 0.3, 0.05, 0.7]), own=0)
    assert law.worth[3] == pytest.approx(0.7)
    assert law.log_worth_error[3] == pytest.approx(1.0)  # the spread of the prior
    assert law.log_worth_error[0] == 0


def test_derivatives_are_those_of_the_prediction():
    shares, tokens, _ = made_up(5, 2)
    free = np.array([1, 2, 3])
    point = np.array([4.0, np.log(0.3), np.log(0.01), *np.log(WORTH[1:])])

    def predicted(p):
        worth = np.r_[1.0, np.exp(p[3:])]
        law = Law(p[0], np.exp(p[1]), np.exp(p[2]), worth, 1e9, 0.1, np.zeros((6, 6)), free)
        return law.predict(shares, tokens)[0], law

    base, law = predicted(point)
    found = _gradient(shares, tokens / 1e9, law)
    for i in range(6):
        step = np.eye(6)[i] * 1e-6
        assert (predicted(point + step)[0] - base) / 1e-6 == pytest.approx(found[:, i], abs=1e-4)


def test_tokens_and_worth_are_one_currency():
    """Half the worth at twice the tokens is the same loss: a run that is twice as long teaches the same k."""
    rng = np.random.default_rng(3)
    tokens = rng.choice([1e9, 4e9], 300)
    shares, tokens, losses = made_up(300, 3, tokens=tokens)
    law = fit_law(shares, tokens, losses, worth=np.full(4, 0.05), own=0)
    assert law.worth == pytest.approx(WORTH, rel=0.2, abs=0.01)
    twice, _ = law.predict(shares[:1], tokens[:1] * 2)
    once, _ = law.predict(shares[:1], tokens[:1])
    assert once - twice == pytest.approx(law.slope * np.log(2), rel=0.1)


def test_intervals_cover_new_runs():
    covered = []
    for seed in range(20):
        law = fit_law(*made_up(24, 100 + seed, noise=0.1), worth=np.full(4, 0.05), own=0)
        shares, tokens, losses = made_up(200, 500 + seed, noise=0.1)
        predicted, error = law.predict(shares, tokens)
        covered.append(np.mean(np.abs(losses - predicted) <= 1.96 * error))
    assert 0.92 <= np.mean(covered) <= 0.99


def test_a_target_without_a_part_of_its_own_fits_every_worth():
    law = fit_law(*made_up(50, 4), worth=np.full(4, 0.05), own=None)
    assert len(law.free) == 4
    assert np.argmax(law.worth) == 0
    strict = fit_law(*made_up(50, 4), worth=np.full(4, 0.05), own=None, prior=Prior(worth_spread=1e-3))
    assert strict.worth == pytest.approx(np.full(4, 0.05), rel=0.02)
