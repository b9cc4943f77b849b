"""Sample sizes, repeated looks and second opinions, beyond the golden cases."""

import math
import random

import pytest

from thresholds.sequential import (
    betting_e_value,
    clustered_stderr,
    e_value_below,
    fpr_upper,
    holm,
    korn_graubard,
    min_n_to_rule_out,
    n_to_rule_out,
    np_threshold_rank,
    pass_at_k,
    posterior_betabinomial,
    rule_of_three,
    t_interval,
    tpr_lower,
)
from thresholds.statistics import InvalidMeasurement, interval


@pytest.mark.parametrize(
    ("line", "least"), [(0.5, 5), (0.3, 9), (0.2, 14), (0.1, 29), (0.05, 59), (0.01, 299), (0.001, 2995), (0.0001, 29956)]
)
def test_the_least_number_of_tasks_that_can_rule_a_line_out(line, least):
    assert min_n_to_rule_out(line) == least
    assert interval(0, least).upper < line <= interval(0, least - 1).upper


@pytest.mark.parametrize(("line", "tasks"), [(0.2, 22), (0.1, 46), (0.05, 93), (0.01, 473), (0.001, 4742)])
def test_one_success_needs_more_tasks(line, tasks):
    assert min_n_to_rule_out(line, solved=1) == tasks


@pytest.mark.parametrize(
    ("line", "truth", "power", "tasks"),
    [
        (0.2, 0.05, 0.9, 44),
        (0.2, 0.1, 0.8, 82),
        (0.2, 0.15, 0.8, 365),
        (0.2, 0.15, 0.9, 501),
        (0.5, 0.25, 0.9, 33),
        (0.05, 0.025, 0.9, 506),
    ],
)
def test_the_number_of_tasks_for_a_given_power(line, truth, power, tasks):
    n, solved = n_to_rule_out(line, truth, power=power)
    assert n == tasks
    assert interval(solved, n).upper < line <= interval(solved + 1, n).upper


def test_no_number_of_tasks_shows_a_rate_below_itself():
    with pytest.raises(ValueError, match="cannot be shown"):
        n_to_rule_out(0.2, 0.2)


def test_the_order_of_tasks_does_not_matter_to_a_bet():
    tasks = [0, 1, 0.5, 0, 0, 0.25]
    assert betting_e_value(tasks, 0.3).log_e == pytest.approx(betting_e_value(sorted(tasks), 0.3).log_e)


def test_enough_failures_clear_at_any_look():
    assert betting_e_value([0] * 60, 0.2).clears
    assert e_value_below(0, 60, 0.2).clears


def test_a_rate_far_above_the_line_is_no_evidence_below_it():
    assert e_value_below(900, 1000, 0.001) == (-math.inf, False)


def test_looking_after_every_task_seldom_clears_a_model_on_the_line():
    draw = random.Random(7)
    cleared = 0
    for _ in range(100):
        tasks = [draw.random() < 0.2 for _ in range(100)]
        cleared += any(betting_e_value(tasks[:seen], 0.2).clears for seen in range(10, 101, 10))
    assert cleared <= 5


def test_holm_keeps_the_order_of_its_tests_and_stays_a_probability():
    assert holm([0.9, 0.01]) == pytest.approx([0.9, 0.02])
    assert max(holm([0.6, 0.7, 0.8])) == 1


def test_pass_at_k_needs_k_attempts():
    with pytest.raises(InvalidMeasurement, match="at least 5"):
        pass_at_k(4, 1, 5)


def test_pass_at_k_is_one_where_too_few_fail():
    assert pass_at_k(10, 6, 5) == 1


def test_one_value_has_no_spread():
    assert t_interval([30.0]) == (None, None)


def test_values_that_share_everything_have_no_standard_error():
    assert clustered_stderr([1, 0], ["a", "a"]).reason == "one_cluster"


def test_an_estimated_design_effect_is_not_monotone_and_so_decides_nothing():
    none, one = [0] * 12, [0] * 11 + [1]
    assert korn_graubard(one, 4).upper < korn_graubard(none, 4).upper


def test_the_posterior_counts_a_cell_cut_by_the_line_in_part():
    steps = [posterior_betabinomial([0, 1, 0, 2], 4, line, grid=(51, 7)) for line in (0.19, 0.2, 0.21, 0.22)]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) == 4


def test_a_monitor_is_bounded_on_its_dangerous_side():
    assert fpr_upper(0, 299) < 0.01 <= fpr_upper(0, 298)
    assert tpr_lower(59, 59) > 0.95 > tpr_lower(58, 58)


def test_the_rule_of_three_is_for_no_events():
    assert rule_of_three(0, 300) == 0.01
    assert rule_of_three(1, 300) is None


@pytest.mark.parametrize(("scores", "rank"), [(500, 499), (2000, 1988)])
def test_the_rank_that_holds_the_false_positive_rate(scores, rank):
    assert np_threshold_rank(scores, 0.01) == rank
