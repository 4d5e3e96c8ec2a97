"""The statistics of sim-to-real: worked by hand, held against scipy, and true as often as they say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from robot_agent.evaluation.transfer import (
    FEWEST_POLICIES,
    halving_value,
    mean_difference,
    mean_maximum_rank_violation,
    pearson,
    predictivity,
    rate_difference,
)

SCORES = arrays(float, st.shared(st.integers(2, 8), key="policies"), elements=st.integers(0, 10).map(lambda n: n / 10))


def trials(both: int, only_first: int, only_second: int, neither: int) -> tuple[list[bool], list[bool]]:
    pairs = [(True, True)] * both + [(True, False)] * only_first + [(False, True)] * only_second
    pairs += [(False, False)] * neither
    first, second = zip(*pairs, strict=True)
    return list(first), list(second)


# ---- the gap ----


def test_a_difference_of_rates_as_worked_by_hand():
    # 20 episodes: 10 succeed on both sides, 6 in reality only, 2 in simulation only, 2 on neither.
    reality, simulation = trials(10, 6, 2, 2)
    found = rate_difference(simulation, reality)
    # Wilson of 16/20 and of 12/20, by the formula; 10 * 2 - 6 * 2 = 8 is less than 20 / 2, so phi counts as 0.
    z = 1.959964
    bounds = []
    for share in (0.8, 0.6):
        middle, half = share + z * z / 40, z * (share * (1 - share) / 20 + z * z / 1600) ** 0.5
        bounds.append(((middle - half) / (1 + z * z / 20), (middle + half) / (1 + z * z / 20)))
    (low_one, high_one), (low_other, high_other) = bounds
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - np.hypot(0.8 - low_one, high_other - 0.6), abs=1e-6)
    assert found.high == pytest.approx(0.2 + np.hypot(high_one - 0.8, 0.6 - low_other), abs=1e-6)


def test_episodes_that_agree_make_the_interval_narrower():
    agree = rate_difference(*trials(25, 0, 0, 25))
    differ = rate_difference(*trials(12, 13, 13, 12))
    assert agree.value == differ.value == 0
    assert agree.high - agree.low < 0.3 * (differ.high - differ.low)
    assert agree.low < 0 < agree.high, "50 episodes alike are no proof of no gap"


@pytest.mark.parametrize("rates", [(0.9, 0.8), (0.5, 0.5), (1.0, 0.95), (0.3, 0.1)])
@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says(rates: tuple[float, float], shared: float):
    rng, held, repeats = np.random.default_rng(0), 0, 400
    for _ in range(repeats):
        common, own = rng.random(40), rng.random((2, 40))
        draws = np.where(rng.random((2, 40)) < shared, common, own)
        simulation, reality = draws[0] < rates[0], draws[1] < rates[1]
        found = rate_difference(simulation.tolist(), reality.tolist())
        held += found.low <= rates[1] - rates[0] <= found.high
    assert held / repeats > 0.93


@given(SCORES.map(lambda scores: scores > 0.5))
def test_a_difference_turns_its_sign_with_its_sides_and_stays_within_bounds(first: np.ndarray):
    second = np.roll(first, 1)
    one, other = rate_difference(first, second), rate_difference(second, first)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert -1 <= one.low <= one.value <= one.high <= 1


def test_a_difference_of_means_is_scipys_paired_t_test():
    rng = np.random.default_rng(0)
    simulation = rng.normal(10, 3, 25)
    reality = simulation - 2 + rng.normal(0, 1, 25)
    found = mean_difference(simulation, reality)
    wanted = stats.ttest_rel(reality, simulation).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.value == pytest.approx(np.mean(reality - simulation))


def test_sides_of_different_length_are_refused():
    for function in (rate_difference, mean_difference, pearson, mean_maximum_rank_violation):
        with pytest.raises(ValueError, match="there are 2 and 3 scores, expected as many of each"):
            function([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match="at least one"):
        rate_difference([], [])


# ---- scores across policies ----


@given(SCORES, SCORES)
def test_r_is_scipys_where_both_sides_vary(simulation: np.ndarray, reality: np.ndarray):
    found = pearson(simulation, reality)
    if np.ptp(simulation) > 0 and np.ptp(reality) > 0:
        assert found == pytest.approx(stats.pearsonr(simulation, reality).statistic, abs=1e-9)
    assert -1 - 1e-9 <= found <= 1 + 1e-9


def test_r_without_variance_is_as_simpler_has_it():
    assert pearson([0.5, 0.5], [0.7, 0.7]) == 1.0
    assert pearson([0.5, 0.5], [0.2, 0.7]) == 0.0


def test_mmrv_as_worked_by_hand():
    # Simulation has the second and the third policy the wrong way round: each loses 0.3, the first nothing.
    assert mean_maximum_rank_violation([0.1, 0.6, 0.5], [0.2, 0.4, 0.7]) == pytest.approx((0 + 0.3 + 0.3) / 3)
    # All the wrong way round: the ends lose 0.8, the middle the larger of 0.3 and 0.5.
    assert mean_maximum_rank_violation([3, 2, 1], [0.1, 0.4, 0.9]) == pytest.approx((0.8 + 0.5 + 0.8) / 3)
    # A tie in simulation: for the better one of reality alone it is another order.
    assert mean_maximum_rank_violation([0.5, 0.5], [0.2, 0.6]) == pytest.approx((0 + 0.4) / 2)


@given(SCORES, SCORES)
def test_mmrv_is_its_definition_and_bounded(simulation: np.ndarray, reality: np.ndarray):
    worst = np.zeros(len(simulation))
    for one, other in itertools.permutations(range(len(simulation)), 2):
        if (simulation[one] > simulation[other]) != (reality[one] > reality[other]):
            worst[one] = max(worst[one], abs(reality[one] - reality[other]))
    found = mean_maximum_rank_violation(simulation, reality)
    assert found == pytest.approx(worst.mean())
    assert 0 <= found <= np.ptp(reality) + 1e-12


@given(SCORES)
def test_mmrv_asks_for_the_order_alone(reality: np.ndarray):
    assert mean_maximum_rank_violation(reality**3 + 1, reality) == 0


def test_fewer_than_four_policies_give_no_predictivity():
    assert FEWEST_POLICIES == 4
    assert predictivity(np.ones((3, 10)), np.ones((3, 10))) is None
    with pytest.raises(ValueError, match="shapes"):
        predictivity(np.ones((4, 10)), np.ones((4, 9)))


def test_predictivity_of_a_good_and_of_a_useless_simulation():
    rng = np.random.default_rng(0)
    rates = np.linspace(0.1, 0.9, 8)
    seeds = rng.random((1, 100))
    simulation = seeds < rates[:, None]
    good = predictivity(simulation, np.roll(seeds, 1) < rates[:, None] - 0.05)
    assert good is not None
    assert good.pearson.value > 0.95
    assert good.pearson.low > 0.8
    assert good.mmrv.value <= good.mmrv.high < 0.1
    useless = predictivity(simulation, rng.random((8, 100)) < rng.permutation(rates)[:, None])
    assert useless is not None
    assert useless.pearson.low < 0.5
    assert useless.mmrv.high > 0.3
    again = predictivity(simulation, np.roll(seeds, 1) < rates[:, None] - 0.05)
    assert again == good


def test_the_interval_of_r_holds_the_truth_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch):
    """Policies whose true rates on both sides correlate by 0.8, drawn again and again."""
    monkeypatch.setattr("robot_agent.evaluation.transfer.RESAMPLES", 150)
    rng, held, repeats = np.random.default_rng(1), 0, 60
    for _ in range(repeats):
        rates = stats.norm.cdf(rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 12))
        scores = rng.random((12, 2, 60)) < rates[:, :, None]
        found = predictivity(scores[:, 0], scores[:, 1])
        assert found is not None
        held += found.pearson.low <= 0.786 <= found.pearson.high  # r of the rates, which the normal's tails pull
    assert held / repeats > 0.88


# ---- how far a policy bears change ----


def rates_as_trials(rates: list[float], episodes: int = 20) -> np.ndarray:
    return np.arange(episodes) < np.round(np.array(rates)[:, None] * episodes)


def test_half_is_interpolated_between_two_values():
    found = halving_value([0.0, 0.1, 0.2], rates_as_trials([0.8, 0.6, 0.2]))
    assert found.value == pytest.approx(0.15)
    assert found.beyond is None
    assert found.low is not None
    assert 0.1 < found.low <= 0.15
    falling = halving_value([1.0, 0.5, 0.25], rates_as_trials([1.0, 0.5, 0.0]))
    assert falling.value == pytest.approx(0.5)


def test_a_curve_that_does_not_fall_to_half_is_censored():
    found = halving_value([1.0, 2.0, 4.0], rates_as_trials([1.0, 0.9, 0.8]))
    assert (found.value, found.high, found.beyond) == (None, None, 4.0)
    nearly = halving_value([1.0, 2.0, 4.0], rates_as_trials([1.0, 0.9, 0.55]))
    assert nearly.value is None
    assert nearly.low is not None, "by other episodes it might have fallen to half"
    assert 2 < nearly.low <= 4


def test_noise_in_the_curve_makes_no_crossing():
    # 0.4 and then 0.9 again: together 0.65, which is more than half of 1.
    assert halving_value([0, 1, 2, 3], rates_as_trials([1.0, 0.4, 0.9, 0.3])).value == pytest.approx(2.43, abs=0.02)


def test_nothing_can_be_halved_where_nothing_succeeds():
    found = halving_value([0.0, 1.0], np.zeros((2, 10)))
    assert (found.value, found.low, found.high, found.beyond) == (None, None, None, None)


def test_values_must_lead_away():
    with pytest.raises(ValueError, match="each farther from the first"):
        halving_value([0.0, 2.0, 1.0], np.zeros((3, 10)))
    with pytest.raises(ValueError, match="two values at least"):
        halving_value([0.0], np.zeros((1, 10)))


def test_the_interval_of_the_halving_value_holds_the_truth_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("robot_agent.evaluation.transfer.RESAMPLES", 300)
    rng, held, repeats = np.random.default_rng(0), 0, 100
    values, rates = [0.0, 1.0, 2.0, 3.0, 4.0], np.array([0.9, 0.8, 0.6, 0.3, 0.1])
    truth = 2.5
    for _ in range(repeats):
        found = halving_value(values, rng.random((5, 60)) < rates[:, None])
        held += (found.low or 9) <= truth <= (found.high or 9)
    assert held / repeats > 0.88
