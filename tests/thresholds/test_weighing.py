"""From what came with a value to bounds, and the contradictions that are refused."""

import math

import pytest

from thresholds.statistics import InvalidMeasurement, interval
from thresholds.weighing import Measurement, bounds, described, shown, validate


def share(**came):
    return Measurement("proportion", **came)


def spans(measurement, confidence=0.95, **how):
    found = bounds(measurement, confidence, **how)
    return found.lower, found.upper


def test_counts_are_bounded_exactly():
    assert spans(share(solved=3, total=12)) == pytest.approx(interval(3, 12))


def test_attempts_at_one_task_are_worth_the_task():
    found = bounds(share(solved_per_task=(4, 4, 0, 0), epochs=4))
    assert (found.point, found.n_eff) == (0.5, 4)
    assert (found.lower, found.upper) == pytest.approx(interval(2, 4))


def test_counts_of_attempts_over_fewer_tasks_are_worth_the_tasks():
    assert bounds(share(solved=20, total=48, n_tasks=12)).n_eff == 12
    assert bounds(share(solved=20, total=48, epochs=4)).n_eff == 12


def test_a_part_of_the_tasks_is_worth_no_more_than_itself():
    assert bounds(share(solved=2, total=6, n_tasks=12)).n_eff == 6


def test_a_suite_that_is_its_own_population_counts_attempts():
    assert bounds(share(solved_per_task=(0,) * 12, epochs=4, icc_task=0.0)).upper == pytest.approx(interval(0, 48).upper)


def test_declared_families_widen():
    alone, together = share(solved=3, total=10), share(solved=3, total=10, icc_family=0.5, family_sizes=(4, 3, 2, 1))
    assert bounds(together).n_eff == pytest.approx(5)
    assert bounds(together).upper > bounds(alone).upper


def test_tasks_of_unknown_families_may_all_be_of_one():
    assert bounds(share(solved=3, total=10, icc_family=0.5)).n_eff == pytest.approx(10 / 5.5)
    assert bounds(share(solved=3, total=10, icc_family=0.0)).n_eff == 10


def test_dividing_the_risk_widens_like_raising_the_confidence():
    counted = share(solved=3, total=12)
    assert spans(counted, alpha_divisor=5) == pytest.approx(spans(counted, 0.99))


def test_a_count_is_bounded_in_its_own_unit():
    found = bounds(Measurement("count", solved=3, total=12))
    assert found.point == pytest.approx(3)
    assert found.upper == pytest.approx(12 * interval(3, 12).upper)


def test_a_count_without_its_successes_is_its_value():
    assert spans(Measurement("count", value=3, total=12)) == pytest.approx(spans(Measurement("count", solved=3, total=12)))


def test_a_count_of_tasks_attempted_often_runs_to_the_number_of_tasks():
    found = bounds(Measurement("count", solved_per_task=(4, 2, 0), epochs=4))
    assert (found.point, found.n_eff) == (1.5, 3)
    assert found.upper == pytest.approx(3 * interval(1.5, 3).upper)


def test_points_on_a_declared_range_are_bounded_by_their_tasks():
    found = bounds(Measurement("points", value=25, n_tasks=12, minimum=0, maximum=100))
    assert found.upper == pytest.approx(100 * interval(3, 12).upper)


def test_points_without_a_range_are_bare():
    assert not bounds(Measurement("points", value=25, n_tasks=12)).uncertainty


def test_a_proportion_with_its_number_of_tasks_is_as_good_as_counts():
    assert spans(share(value=0.25, n_tasks=12)) == pytest.approx(interval(3, 12))


def test_a_standard_error_alone_says_how_many_tasks_it_is_worth():
    assert bounds(share(value=0.3, stderr=0.05)).n_eff == pytest.approx(84)


@pytest.mark.parametrize(
    "came",
    [
        {},
        {"stderr": 0.0},
        {"ci_low": 0.0, "ci_high": 0.0},
        {"errored": 1, "ci_low": 0.0, "ci_high": 0.1},
    ],
    ids=[
        "nothing",
        "no error at all",
        "an interval of no width",
        "an interval beside something missing",
    ],
)
def test_what_says_nothing_leaves_the_value_bare(came):
    found = bounds(share(value=0.0, **came))
    assert (found.point, found.lower, found.upper, found.n_eff, found.uncertainty) == (0.0, None, None, None, False)


def test_the_wider_of_interval_and_tasks_wins():
    narrow = share(value=0.0, ci_low=0.0, ci_high=0.01, n_tasks=12)
    wide = share(value=0.1, ci_low=0.0, ci_high=0.6, n_tasks=1000)
    assert bounds(narrow).upper == pytest.approx(interval(0, 12).upper)
    assert bounds(wide).upper == pytest.approx(0.1 + 0.5 * 1.644854 / 1.959964)


def test_bounds_stay_inside_the_range():
    assert spans(share(value=0.5, ci_low=0.0, ci_high=1.0, ci_level=0.5)) == (0, 1)


def test_minutes_are_bounded_on_the_scale_they_declare():
    published = {"value": 718.80683, "ci_low": 316.685725, "ci_high": 3633.786163}
    linear, log = (Measurement("minutes", scale=scale, **published) for scale in ("linear", "log"))
    assert spans(log) == pytest.approx((361.2944, 2800.370), rel=1e-6)
    assert spans(linear, 0.975) == pytest.approx(spans(log, 0.975))
    assert spans(linear) != pytest.approx(spans(log))


def test_a_ratio_with_a_standard_error_stays_positive():
    lower, upper = spans(Measurement("ratio", scale="log", value=2.0, stderr=2.0))
    assert 0 < lower < 2 < upper


def test_something_missing_leaves_minutes_bare():
    assert not bounds(Measurement("minutes", value=30, stderr=4, n_tasks=20, errored=1)).uncertainty


def test_the_missing_widen_a_summary():
    whole, part = share(value=0.1, n_tasks=40), share(value=0.1, n_tasks=40, errored=4)
    assert bounds(part).lower < bounds(whole).lower
    assert bounds(part).upper == pytest.approx(interval(0.1 * 36 + 4, 40).upper)
    assert bounds(part).point == 0.1


def test_something_missing_of_nobody_knows_how_many_could_be_anything():
    assert spans(share(value=0.1, stderr=0.01, errored=1)) == (0, 1)


def test_nothing_scored_has_no_point():
    assert bounds(share()).point is None
    assert bounds(share(solved=0, total=40, errored=40)).point is None


@pytest.mark.parametrize(
    ("code", "came"),
    [
        ("unknown_unit", {"unit": "bananas", "value": 1}),
        ("unknown_direction", {"direction": "up", "value": 0.1}),
        ("unknown_scale", {"scale": "cubic", "value": 0.1}),
        ("icc_outside_unit_interval", {"icc_task": 1.1, "value": 0.1}),
        ("epochs_not_positive", {"epochs": 0, "solved": 1, "total": 2}),
        ("level_outside_open_unit_interval", {"ci_level": 95, "value": 0.1}),
        ("range_out_of_order", {"unit": "points", "minimum": 5, "maximum": 1, "value": 3}),
        ("total_missing", {"solved": 3}),
        ("solved_exceeds_total", {"solved": 13, "total": 12}),
        ("solved_plus_errored_exceeds_total", {"solved_per_task": (1, 1, 0), "errored": 2}),
        ("solved_plus_errored_exceeds_total", {"value": 0.0, "total": 3, "errored": 4}),
        ("solved_exceeds_epochs", {"solved_per_task": (5, 0), "epochs": 4}),
        ("negative", {"value": 0.1, "stderr": -0.1}),
        ("not_a_number", {"solved": True, "total": 10}),
        ("not_finite", {"value": math.nan}),
        ("score_outside_bounds", {"value": 1.2}),
        ("score_outside_bounds", {"unit": "points", "value": 101, "maximum": 100}),
        ("interval_out_of_order", {"value": 0.5, "ci_low": 0.8, "ci_high": 0.3}),
        ("log_scale_needs_positive", {"unit": "ratio", "scale": "log", "value": 0.0}),
        ("value_disagrees_with_counts", {"value": 0.9, "solved": 3, "total": 12}),
    ],
)
def test_a_contradiction_is_refused_by_name(code, came):
    with pytest.raises(InvalidMeasurement) as refused:
        bounds(Measurement(**{"unit": "proportion", **came}))
    assert refused.value.code == code


def test_a_value_may_not_stray_from_its_counts_in_any_unit():
    validate(Measurement("count", value=3, solved=3, total=12))
    with pytest.raises(InvalidMeasurement, match="3 of 12"):
        validate(Measurement("count", value=4, solved=3, total=12))


@pytest.mark.parametrize("value", [0.06, 0.05, 2 / 36])
def test_a_printed_value_may_be_rounded_and_may_leave_the_errored_out(value):
    validate(share(value=value, solved=2, total=40, errored=4))


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.05347, "proportion", "5.347 %"),
        (108.64, "ratio", "108.6x"),
        (960.0, "minutes", "960 min"),
        (1e6, "points", "1000000"),
        (6, "count", "6"),
    ],
)
def test_a_number_is_shown_with_its_unit(value, unit, words):
    assert shown(value, unit) == words


@pytest.mark.parametrize(
    ("measurement", "words"),
    [
        (share(solved=2, total=40, errored=4), "2 of 40 tasks solved, 4 errored (5.556 %, one-sided 95 % bounds 0.8957 % to 27.47 %)"),
        (share(solved_per_task=(4, 1), epochs=4), "5 of 8 attempts at 2 tasks solved (62.5 %, one-sided 95 % bounds 5.502 % to 99.22 %)"),
        (share(value=0.3, n_tasks=76), "30 % on 76 tasks (one-sided 95 % bounds 21.41 % to 39.8 %)"),
        (Measurement("ratio", value=72.65), "72.65x (no usable uncertainty given)"),
        (share(), "Nothing was scored"),
    ],
)
def test_a_measurement_is_said_with_its_denominator(measurement, words):
    assert described(measurement, bounds(measurement), 0.95) == words
