"""The forecast, beyond the golden cases."""

import math

import pytest

from thresholds.forecast import TooFewPoints, Walk, frontier, random_walk, trend

RISING = [(2024.0, 1.0), (2024.3, 0.5), (2024.5, 2.0), (2025.0, 3.0), (2025.2, 3.5), (2025.5, 4.0)]


def test_the_frontier_keeps_only_what_was_best_on_its_day():
    assert frontier(RISING) == [point for point in RISING if point != (2024.3, 0.5)]


def test_of_two_results_on_one_day_the_better_counts():
    assert (2025.5, 4.5) in frontier([*RISING, (2025.5, 4.5)])


def test_a_forecast_is_refused_on_too_few_points():
    with pytest.raises(TooFewPoints, match="there are 3"):
        frontier(RISING, since=2025.0)


@pytest.mark.parametrize(("months", "doublings"), [(3, 1.9), (6, 3.2), (9, 4.4), (12, 5.6)])
def test_the_published_buffers_leave_a_tenth_of_crossing(months, doublings):
    walk = Walk(drift=3.8, sigma2=1.26**2, level=0.0)
    assert walk.crossing_probability(doublings, months / 12) == pytest.approx(0.1, abs=0.02)


def test_crossing_grows_likelier_with_time_and_less_likely_with_distance():
    walk = random_walk(*zip(*frontier(RISING), strict=True))
    assert walk.crossing_probability(6, 0.5) < walk.crossing_probability(6, 1.0) < walk.crossing_probability(5, 1.0)


def test_a_falling_walk_may_still_cross_but_may_never():
    walk = Walk(drift=-1.0, sigma2=1.0, level=0.0)
    assert walk.crossing_probability(1.0, 1e6) == pytest.approx(math.exp(-2))


def test_a_frontier_without_scatter_is_a_straight_line():
    walk = random_walk([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
    assert walk.crossing_probability(5.5, 1.0) == 0
    assert walk.crossing_probability(5.0, 1.0) == 1


def test_a_steep_drift_does_not_overflow():
    assert Walk(drift=1e6, sigma2=1e-3, level=0.0).crossing_probability(10, 1) == 1


def test_a_straight_line_that_does_not_rise_never_crosses():
    assert trend([0, 1], [2, 1], 3).crossing is None
