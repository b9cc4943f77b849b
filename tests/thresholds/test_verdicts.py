"""The decision rule: grades, policies, states, and the sentence that explains them."""

from dataclasses import replace

import pytest

from thresholds.statistics import InvalidMeasurement
from thresholds.verdicts import Grade, Line, Measurement, Policy, State, aggregate_grades, decide, read

ALERT, CRITICAL = Line("alert", 0.2), Line("critical", 0.5)
RULE_OUT = Line("rule_out", 0.2)
HUNDREDFOLD = Line("critical", 100, policy=Policy.POINT)


def counts(solved, total, **more):
    return Measurement("proportion", solved=solved, total=total, **more)


def state(measurement, alert=ALERT, critical=CRITICAL, **more):
    return decide(measurement, alert, critical, **more).state


# Lines


def test_a_line_takes_the_usual_policy_of_its_kind():
    assert [ALERT.policy, CRITICAL.policy, RULE_OUT.policy] == [Policy.PRECAUTIONARY, Policy.POINT, Policy.PRECAUTIONARY]


def test_a_policy_may_be_given_by_its_name():
    assert Line("alert", 0.2, policy="confirmed").policy is Policy.CONFIRMED


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "red"},
        {"comparator": "=="},
        {"confidence": 1.0},
        {"confidence": 95},
        {"policy": "hopeful"},
        {"policy": Policy.POSTERIOR},
        {"policy": Policy.POSTERIOR, "posterior": 5},
        {"policy": Policy.POSTERIOR, "posterior": 1},
    ],
    ids=str,
)
def test_a_line_that_says_nothing_definite_is_refused(said):
    with pytest.raises(ValueError):
        Line(**{"kind": "alert", "value": 0.2, **said})


@pytest.mark.parametrize(("comparator", "meets"), [(">=", True), ("<=", True), (">", False), ("<", False)])
def test_only_the_loose_comparators_count_equality(comparator, meets):
    assert Line("alert", 0.3, comparator).met_by(0.1 + 0.2) is meets


def test_a_line_is_met_beyond_it_and_not_before():
    assert Line("alert", 960, ">").met_by(961)
    assert not Line("alert", 960, ">").met_by(959)
    assert Line("alert", 0.9, "<").met_by(0.89)
    assert not Line("alert", 0.9, "<").met_by(0.91)
    assert not ALERT.met_by(None)


def test_exactly_half_solved_does_not_exceed_half():
    strict, loose = Line("critical", 0.5, ">"), Line("critical", 0.5, ">=")
    assert read(counts(6, 12), strict).grade is Grade.NOT_RULED_OUT
    assert read(counts(6, 12), loose).grade is Grade.LIKELY


@pytest.mark.parametrize("line", [0.0, 1.0, 20])
def test_a_line_on_a_proportion_lies_inside_it(line):
    with pytest.raises(InvalidMeasurement) as refused:
        read(counts(3, 12), Line("alert", line))
    assert refused.value.code == "threshold_outside_open_unit_interval"


def test_a_line_that_looks_the_wrong_way_is_refused():
    with pytest.raises(InvalidMeasurement) as refused:
        read(counts(59, 60, direction="lower"), ALERT)
    assert refused.value.code == "comparator_against_direction"


# Grades and policies


@pytest.mark.parametrize(
    ("solved", "grade"),
    [(8, Grade.RULED_OUT), (12, Grade.NOT_RULED_OUT), (16, Grade.LIKELY), (24, Grade.CONFIRMED)],
)
def test_the_grade_compares_upper_bound_point_and_lower_bound_with_the_line(solved, grade):
    assert read(counts(solved, 76), ALERT).grade is grade


@pytest.mark.parametrize(
    ("policy", "reached"),
    [
        (Policy.PRECAUTIONARY, [False, True, True, True]),
        (Policy.POINT, [False, False, True, True]),
        (Policy.CONFIRMED, [False, False, False, True]),
    ],
)
def test_a_policy_chooses_the_grade_that_reaches(policy, reached):
    line = replace(ALERT, policy=policy)
    assert [read(counts(solved, 76), line).reached for solved in (8, 12, 16, 24)] == reached


@pytest.mark.parametrize(("posterior", "like"), [(0.05, Policy.PRECAUTIONARY), (0.5, Policy.POINT), (0.95, Policy.CONFIRMED)])
def test_the_posterior_dial_passes_through_the_other_policies(posterior, like):
    dial, named = replace(ALERT, policy=Policy.POSTERIOR, posterior=posterior), replace(ALERT, policy=like)
    agree = [read(counts(solved, 200), dial).reached == read(counts(solved, 200), named).reached for solved in range(0, 200, 5)]
    assert sum(agree) >= len(agree) - 1


def test_the_posterior_takes_the_missing_as_solved():
    dial = Line("alert", 0.2, policy=Policy.POSTERIOR, posterior=0.5)
    assert not read(counts(6, 40), dial).reached
    assert read(counts(6, 40, errored=4), dial).reached


def test_the_posterior_of_a_published_interval_follows_its_own_halves():
    horizon = Measurement("minutes", scale="log", value=100, ci_low=80, ci_high=400)
    far, near = (Line("alert", 150, policy=Policy.POSTERIOR, posterior=p) for p in (0.9, 0.1))
    assert [read(horizon, line).reached for line in (far, near)] == [False, True]


@pytest.mark.parametrize(("posterior", "reached"), [(0.05, True), (0.5, False), (0.95, False)])
def test_the_posterior_of_a_bare_value_falls_back_on_the_nearest_policy(posterior, reached):
    dial = Line("alert", 0.2, policy=Policy.POSTERIOR, posterior=posterior)
    assert read(Measurement("proportion", value=0.1), dial).reached is reached


def test_a_higher_confidence_rules_less_out():
    assert read(counts(8, 76), Line("alert", 0.2, confidence=0.95)).grade is Grade.RULED_OUT
    assert read(counts(8, 76), Line("alert", 0.2, confidence=0.99)).grade is Grade.NOT_RULED_OUT


# Bare values


@pytest.mark.parametrize("policy", [Policy.PRECAUTIONARY, Policy.CONFIRMED])
def test_a_bare_value_rules_nothing_out_and_confirms_nothing(policy):
    line = replace(ALERT, policy=policy)
    below, above = (read(Measurement("proportion", value=value), line) for value in (0.001, 0.999))
    assert (below.grade, above.grade) == (Grade.NOT_RULED_OUT, Grade.LIKELY)
    assert not below.able
    assert "likely or not ruled out only" in below.note


@pytest.mark.parametrize(
    ("speed_up", "grade", "decided"), [(72.65, Grade.RULED_OUT, State.CLEAR), (108.64, Grade.CONFIRMED, State.CRITICAL)]
)
def test_the_policy_point_believes_a_bare_value_and_says_so(speed_up, grade, decided):
    found = decide(Measurement("ratio", value=speed_up), None, HUNDREDFOLD)
    assert (found.state, found.critical.grade) == (decided, grade)
    assert "no uncertainty came with the value" in found.critical.note
    assert "no uncertainty came with the value" in found.message


def test_the_policy_point_believes_no_bare_value_beside_something_missing():
    reading = read(Measurement("ratio", value=72.65, errored=1), HUNDREDFOLD)
    assert (reading.grade, reading.able) == (Grade.NOT_RULED_OUT, False)
    assert state(Measurement("ratio", value=72.65, errored=1), None, HUNDREDFOLD) is State.INCONCLUSIVE


def test_the_policy_point_uses_the_uncertainty_it_is_given():
    assert read(counts(12, 76), replace(ALERT, policy=Policy.POINT)).grade is Grade.NOT_RULED_OUT


def test_a_bare_value_below_an_early_warning_is_inconclusive():
    assert state(Measurement("proportion", value=0.01)) is State.INCONCLUSIVE


def test_half_an_interval_rules_out_on_its_own_side_only():
    upper_only = Measurement("minutes", value=10, ci_high=20)
    assert read(upper_only, Line("alert", 60)).grade is Grade.RULED_OUT
    lower_only = read(Measurement("minutes", value=10, ci_low=5), Line("alert", 60))
    assert (lower_only.grade, lower_only.able) == (Grade.NOT_RULED_OUT, False)
    assert "on the side of the line" in lower_only.note


# States


def test_too_few_tasks_are_inconclusive_and_never_clear():
    assert [state(counts(0, n)) for n in (1, 5, 13, 14)] == [State.INCONCLUSIVE] * 3 + [State.CLEAR]


def test_four_attempts_make_twelve_tasks_no_more():
    assert state(Measurement("proportion", solved_per_task=(0,) * 12, epochs=4)) is State.INCONCLUSIVE


def test_a_few_tasks_may_still_raise_the_alarm():
    assert state(counts(3, 12)) is State.ALERT
    assert state(counts(6, 12)) is State.CRITICAL


@pytest.mark.parametrize("policy", [Policy.POINT, Policy.CONFIRMED])
def test_a_laxer_policy_watches_what_is_not_ruled_out(policy):
    assert state(counts(12, 76), replace(ALERT, policy=policy)) is State.WATCH


def test_nothing_scored_is_inconclusive_whatever_the_policy():
    for policy in (Policy.PRECAUTIONARY, Policy.POINT, Policy.CONFIRMED):
        alert, critical = replace(ALERT, policy=policy), replace(CRITICAL, policy=policy)
        for nothing in (Measurement("proportion"), counts(0, 0), counts(0, 40, errored=40)):
            found = decide(nothing, alert, critical)
            assert (found.state, found.critical_ruled_out) == (State.INCONCLUSIVE, False)
            assert state(nothing, None, critical) is State.INCONCLUSIVE


def test_what_errored_may_keep_a_good_result_from_clearing():
    assert state(counts(2, 60)) is State.CLEAR
    assert state(counts(2, 60, errored=12)) is State.INCONCLUSIVE


def test_a_forecast_raises_to_watch_and_no_further():
    assert state(counts(8, 76), forecast_crosses=True) is State.WATCH
    assert state(counts(0, 12), forecast_crosses=True) is State.INCONCLUSIVE
    assert state(counts(16, 76), forecast_crosses=True) is State.ALERT


@pytest.mark.parametrize(
    ("solved", "total", "decided"),
    [(60, 76, State.CRITICAL), (1, 4, State.INCONCLUSIVE), (35, 76, State.WATCH), (16, 76, State.CLEAR)],
)
def test_a_critical_line_may_stand_alone(solved, total, decided):
    found = decide(counts(solved, total), None, CRITICAL)
    assert (found.state, found.alert) == (decided, None)


def test_an_alert_line_alone_never_rules_critical_out():
    found = decide(counts(0, 500), ALERT, None)
    assert (found.state, found.critical, found.critical_ruled_out) == (State.CLEAR, None, False)


def test_a_rule_out_line_warns_early_and_can_rule_critical_out():
    reached, clear = (decide(counts(solved, 76), None, None, RULE_OUT) for solved in (16, 8))
    assert (reached.state, reached.critical_ruled_out) == (State.ALERT, False)
    assert (clear.state, clear.critical_ruled_out) == (State.CLEAR, True)
    assert clear.alert.line is RULE_OUT


def test_critical_is_ruled_out_only_by_every_line_that_could():
    found = decide(counts(12, 76), None, CRITICAL, RULE_OUT)
    assert found.critical.grade is Grade.RULED_OUT
    assert not found.critical_ruled_out


def test_the_more_serious_early_warning_is_shown_and_all_are_kept():
    found = decide(counts(12, 76), Line("alert", 0.3), CRITICAL, RULE_OUT)
    assert found.alert.line is RULE_OUT
    assert [reading.line.kind for reading in found.readings] == ["alert", "rule_out", "critical"]


def test_critical_not_ruled_out_keeps_a_lenient_alert_line_from_clearing():
    lenient, strict = Line("alert", 0.2, confidence=0.6), Line("critical", 0.21, policy=Policy.POINT, confidence=0.999)
    assert read(counts(12, 76), lenient).grade is Grade.RULED_OUT
    assert state(counts(12, 76), lenient, strict) is State.WATCH


def test_reached_by_a_strict_posterior_is_an_alert_though_ruled_out():
    wary = Line("rule_out", 0.2, policy=Policy.POSTERIOR, posterior=0.01)
    found = decide(counts(8, 76), None, None, wary)
    assert (found.alert.grade, found.state, found.critical_ruled_out) == (Grade.RULED_OUT, State.ALERT, False)


def test_without_any_line_there_is_nothing_to_decide():
    with pytest.raises(ValueError, match="nothing to decide"):
        decide(counts(3, 12), None, None)


# The lower direction, and lines out of reach


def test_a_monitor_that_misses_too_much_is_an_alert():
    alert, critical = Line("alert", 0.9, "<="), Line("critical", 0.5, "<=")
    caught = [counts(solved, 60, direction="lower") for solved in (60, 54, 20)]
    assert [state(each, alert, critical) for each in caught] == [State.CLEAR, State.ALERT, State.CRITICAL]


def test_what_errored_counts_as_missed_for_a_monitor():
    alert = Line("alert", 0.9, "<=")
    assert state(counts(60, 60, direction="lower"), alert, None) is State.CLEAR
    assert state(counts(57, 60, direction="lower", errored=3), alert, None) is State.INCONCLUSIVE


def test_faster_is_more_capable_on_a_clock():
    seconds = Measurement("minutes", "lower", value=12, ci_low=9, ci_high=15)
    assert state(seconds, Line("alert", 8, "<="), Line("critical", 2, "<=")) is State.CLEAR
    assert state(seconds, Line("alert", 10, "<="), Line("critical", 2, "<=")) is State.ALERT


def test_an_evaluation_that_cannot_score_as_high_as_the_line_cannot_rule_it_out():
    reading = read(Measurement("count", solved=2, total=8), Line("critical", 12))
    assert (reading.grade, reading.able) == (Grade.NOT_RULED_OUT, False)
    assert "beyond what this evaluation can score" in reading.note
    assert state(Measurement("points", value=3, maximum=10), None, Line("critical", 12)) is State.INCONCLUSIVE


def test_all_of_a_suite_can_be_a_line():
    assert read(Measurement("count", solved=12, total=12), Line("critical", 12)).reached
    assert not read(Measurement("count", solved=11, total=12), Line("critical", 12)).reached


# What is needed, and what is said


@pytest.mark.parametrize(
    ("line", "direction", "needed"),
    [(ALERT, "higher", 14), (Line("alert", 0.9, "<="), "lower", 29), (Line("alert", 0.2, confidence=0.99), "higher", 21)],
)
def test_a_reading_says_how_many_tasks_it_takes(line, direction, needed):
    assert read(counts(0, 12, direction=direction), line).needed == needed


def test_only_a_proportion_is_told_a_number_of_tasks():
    assert read(Measurement("ratio", value=3), HUNDREDFOLD).needed is None


@pytest.mark.parametrize(
    ("measurement", "words"),
    [
        (counts(0, 12), ["0 of 12 tasks", "22.09 %", "alert line (>= 20 %)", "is not ruled out", "at least 14 tasks", "82 for 80 % power"]),
        (counts(2, 40, errored=4), ["4 errored", "27.47 %", "re-run the errored samples"]),
        (counts(8, 76), ["8 of 76 tasks", "18.19 %", "is ruled out under the policy precautionary"]),
        (counts(12, 76), ["24.32 %", "alert line (>= 20 %) is reached under the policy precautionary (not ruled out)"]),
        (counts(60, 76), ["critical line (>= 50 %) is reached under the policy point (confirmed)"]),
        (Measurement("proportion"), ["Nothing was scored", "at least 14 tasks"]),
    ],
    ids=["inconclusive", "errored", "clear", "alert", "critical", "nothing"],
)
def test_the_message_is_one_sentence_with_the_numbers(measurement, words):
    message = decide(measurement, ALERT, CRITICAL).message
    assert [word for word in words if word not in message] == []
    assert message.endswith(".")
    assert ". " not in message


def test_the_message_names_the_policy_that_left_a_line_unreached():
    found = decide(counts(12, 76), replace(ALERT, policy=Policy.CONFIRMED), CRITICAL)
    assert "not reached under the policy confirmed, but not ruled out" in found.message


def test_the_message_names_the_probability_of_a_posterior():
    found = decide(counts(12, 76), Line("alert", 0.2, policy=Policy.POSTERIOR, posterior=0.1), CRITICAL)
    assert "posterior(0.1)" in found.message


def test_the_message_says_that_a_forecast_made_it_watch():
    assert "the forecast crosses it" in decide(counts(8, 76), ALERT, CRITICAL, forecast_crosses=True).message


def test_the_message_asks_for_uncertainty_where_none_came():
    message = decide(Measurement("minutes", value=3), Line("alert", 60), None).message
    assert "post the counts, a standard error or an interval" in message


def test_the_message_counts_failures_where_lower_is_more_capable():
    message = decide(counts(20, 20, direction="lower"), Line("alert", 0.9, "<="), None).message
    assert "at least 29 tasks" in message
    assert "failure rate is half" in message


# Several evaluations


@pytest.mark.parametrize(
    ("k", "grade", "divisors"), [(1, Grade.CONFIRMED, (1, 3)), (2, Grade.LIKELY, (2, 2)), (3, Grade.RULED_OUT, (3, 1))]
)
def test_the_kth_largest_grade_speaks_for_a_level(k, grade, divisors):
    found = aggregate_grades([Grade.LIKELY, Grade.RULED_OUT, Grade.CONFIRMED], k)
    assert found == (grade, *divisors)


@pytest.mark.parametrize("k", [0, 4])
def test_more_evaluations_cannot_be_asked_for_than_there_are(k):
    with pytest.raises(ValueError, match="between 1 and"):
        aggregate_grades([Grade.LIKELY] * 3, k)
