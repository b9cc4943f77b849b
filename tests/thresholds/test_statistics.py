"""Intervals, effective n and evidence, beyond the golden cases."""

import math

import pytest

from thresholds import verdicts
from thresholds.statistics import (
    METHODS,
    Estimate,
    Interval,
    InvalidMeasurement,
    Tasks,
    check_attempts,
    check_counts,
    check_estimate,
    check_number,
    check_order,
    check_score,
    check_whole,
    effective_n,
    interval,
    posterior_reached,
    tail,
)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_mirrors_itself(method):
    few, many = interval(3, 17, method=method), interval(14, 17, method=method)
    assert few.lower == pytest.approx(1 - many.upper)
    assert few.upper == pytest.approx(1 - many.lower)


@pytest.mark.parametrize("method", METHODS)
def test_a_two_sided_interval_is_a_one_sided_one_at_half_the_risk(method):
    assert interval(3, 17, method=method, sides="two") == pytest.approx(interval(3, 17, method=method, confidence=0.975))


@pytest.mark.parametrize("method", ["clopper_pearson", "wilson"])
def test_no_samples_say_nothing(method):
    assert interval(0, 0, method=method) == (0, 1)


def test_an_exact_bound_is_the_rate_at_which_the_result_has_the_probability_alpha():
    upper = interval(2, 20).upper
    at_most_two = sum(math.comb(20, k) * upper**k * (1 - upper) ** (20 - k) for k in range(3))
    assert at_most_two == pytest.approx(0.05)


def test_a_fraction_of_a_success_lies_between_its_neighbours():
    assert interval(2, 20).upper < interval(2.5, 20).upper < interval(3, 20).upper
    assert interval(2, 20).lower < interval(2.5, 20).lower < interval(3, 20).lower


def test_the_tail_is_split_only_between_two_sides():
    assert tail(0.9) == pytest.approx(0.1)
    assert tail(0.9, "two") == pytest.approx(0.05)


def test_the_posterior_and_the_exact_bound_agree_about_a_line_far_away():
    assert posterior_reached(0, 100, 0.2) < 1e-9
    assert posterior_reached(100, 100, 0.2) > 1 - 1e-9


@pytest.mark.parametrize(
    ("icc_task", "worth"),
    [
        pytest.param(1.0, 12, id="attempts that repeat each other are worth their tasks"),
        pytest.param(0.0, 48, id="independent attempts count in full"),
        pytest.param(0.5, 48 / 2.5, id="in between by the design effect"),
    ],
)
def test_attempts_are_worth_what_was_declared(icc_task, worth):
    assert effective_n(48, per_task=4, icc_task=icc_task) == pytest.approx(worth)


def test_a_family_of_alike_tasks_is_worth_one():
    assert effective_n(10, icc_family=1.0, family_sizes=[5, 5]) == pytest.approx(2)


def test_large_families_weigh_more_than_small_ones():
    assert effective_n(10, icc_family=0.5, family_sizes=[9, 1]) < effective_n(10, icc_family=0.5, family_sizes=[5, 5])


def test_the_missing_count_against_both_claims_and_leave_the_point_alone():
    tasks = Tasks(2, 4, 40)
    assert tasks.point == pytest.approx(2 / 36)
    assert tasks.interval(0.05) == pytest.approx((interval(2, 40).lower, interval(6, 40).upper))


def test_the_best_result_still_carries_what_is_missing():
    assert Tasks(10, 4, 40).best(0.05) == pytest.approx((interval(36, 40).lower, interval(4, 40).upper))


def test_tasks_can_be_scored_on_any_range():
    found = Tasks(3, 0, 12, low=-10, high=30).interval(0.05)
    assert found.upper == pytest.approx(-10 + 40 * interval(3, 12).upper)
    assert Tasks(3, 0, 12, low=-10, high=30).point == pytest.approx(0)


def test_a_standard_error_may_widen_but_never_narrow():
    assert Tasks.of_summary(0.3, 76, 0.01).n == 76
    assert Tasks.of_summary(0.3, 76, 0.08).n == pytest.approx(0.21 / 0.0064)


def test_a_standard_error_of_nought_says_nothing():
    assert Tasks.of_summary(0.0, 40, 0.0) == Tasks.of_summary(0.0, 40)


def test_the_probability_of_a_monitor_missing_mirrors_that_of_catching():
    caught, missed = Tasks(17, 1, 20), Tasks(2, 1, 20)
    assert caught.probability(0.9, higher=False) == pytest.approx(missed.probability(0.1, higher=True))


def test_a_published_interval_is_never_made_symmetric():
    found = Estimate.of_interval(100, 80, 200).interval(0.025)
    assert found == pytest.approx((80, 200))


def test_a_published_interval_is_converted_from_its_own_level():
    wide, narrow = Estimate.of_interval(10, 5, 15, level=0.99), Estimate.of_interval(10, 5, 15, level=0.9)
    assert narrow.interval(0.05) == pytest.approx((5, 15))
    assert wide.interval(0.005) == pytest.approx((5, 15))
    assert wide.interval(0.05).upper < 15


def test_a_ratio_is_bounded_by_factors():
    assert Estimate.of_interval(8, 2, 64, log=True).interval(0.025) == pytest.approx((2, 64))
    assert Estimate.of_interval(8, 4, 16, log=True).probability(8, higher=True) == pytest.approx(0.5)


def test_a_half_of_no_width_is_no_information():
    found = Estimate.of_interval(5, 5, 9)
    assert found.interval(0.05).lower is None
    assert found.probability(4, higher=True) is None
    assert found.best(0.05) == (None, -math.inf)


def test_a_half_no_wider_than_rounding_is_no_information():
    check_estimate(0.115, 0.11500000000000002, 0.2)
    assert Estimate.of_interval(0.115, 0.11500000000000002, 0.2).below is None
    assert Estimate.of_interval(0.0, 0.0, 1e-17).above is None
    assert Estimate.of_stderr(30.0, 1e-15).above is None


def test_probability_and_bound_of_an_estimate_say_the_same():
    estimate = Estimate.of_interval(100, 80, 200)
    upper = estimate.interval(0.05).upper
    assert estimate.probability(upper, higher=True) == pytest.approx(0.05)
    assert estimate.probability(upper, higher=False) == pytest.approx(0.95)


def test_few_tasks_widen_a_standard_error():
    few, many = Estimate.of_stderr(30, 4, 5), Estimate.of_stderr(30, 4)
    assert few.interval(0.05).upper > many.interval(0.05).upper
    assert few.probability(few.interval(0.05).upper, higher=True) == pytest.approx(0.05)


def test_one_task_has_no_spread():
    assert Estimate.of_stderr(30, 4, 1).interval(0.05) == Interval(None, None)


@pytest.mark.parametrize("value", [True, "3", None, [3]])
def test_only_numbers_are_numbers(value):
    assert refused(check_number, "solved", value) == "not_a_number"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_is_finite(value):
    assert refused(check_number, "value", value) == "not_finite"


def test_an_average_over_runs_may_be_solved_but_half_a_sample_may_not_be_missing():
    check_counts(16.6, 42)
    assert refused(check_counts, 16, 42, 0.5) == "not_integer"


def test_a_task_solved_too_often_is_named():
    with pytest.raises(InvalidMeasurement, match="task 2"):
        check_attempts([4, 5], 4)


def test_a_published_interval_may_touch_its_estimate_or_have_one_end():
    check_estimate(5, 5, None)
    check_estimate(5, None, 5)


@pytest.mark.parametrize("ends", [(6, 9), (1, 4), (6, None), (None, 4)])
def test_an_estimate_lies_inside_its_interval(ends):
    assert refused(check_estimate, 5, *ends) == "estimate_outside_interval"


@pytest.mark.parametrize("end", [True, "3", math.nan])
def test_the_ends_of_an_interval_are_numbers(end):
    assert refused(check_estimate, 5, end, 9) in {"not_a_number", "not_finite"}


def test_the_critical_line_lies_beyond_the_alert_line_in_either_direction():
    check_order(0.5, 0.5)
    check_order(0.9, 0.5, "lower")
    assert refused(check_order, 0.5, 0.9, "lower") == "critical_below_alert"


def test_a_score_without_declared_range_is_free():
    check_score(1e6, -math.inf, math.inf)
    assert refused(check_score, -1, 0, math.inf) == "score_outside_bounds"


def test_whole_numbers_may_be_written_with_a_point():
    check_whole(total=12.0)


def refused(check, *given):
    with pytest.raises(InvalidMeasurement) as error:
        check(*given)
    assert str(error.value).endswith(".")
    return error.value.code


def test_an_interval_end_as_small_as_a_float_can_be_is_judged_and_not_an_overflow():
    found = verdicts.read(
        verdicts.Measurement(unit="minutes", scale="log", value=100, ci_low=5e-324, ci_high=200),
        verdicts.Line(kind="alert", value=150, policy=verdicts.Policy.POSTERIOR, posterior=0.5),
    )
    assert found.bounds.lower < 100 < found.bounds.upper
