"""Fresh, due, overdue or never run: the rule, without a database."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresholds.coverage import STATES, cover, rules_for
from thresholds.triggers import TRIGGERS, Event, Evidence, Facts, Rule, Weights

TODAY = dt.date(2026, 11, 22)
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
OLD = Weights("Aurora 1", trained=TODAY - dt.timedelta(200), effective_compute=1e25)
LAST = Event(OLD, TODAY - dt.timedelta(150))
READ = Evidence(taken=TODAY, first=TODAY)
COMPUTE = Rule("effective_compute", "RSP 2.2", multiple=4)
MONTHS = Rule("post_training", "RSP 2.2", months=6)
EXTERNAL, INTERNAL, JUMP = Rule("before_external"), Rule("before_high_risk_internal"), Rule("capability_jump")


def ago(days):
    return TODAY - dt.timedelta(days)


def facts(*rules, evidence=READ, **checkpoint):
    weights = Weights("Aurora 2", **checkpoint)
    return Facts(weights, evidence, framework="Lab 1.0", in_force=dt.date(2020, 1, 1), retest_days=180, rules=rules)


def by(trigger, asked):
    """What one rule says, with its state and days."""
    (reason,) = [reason for reason in cover(asked, NOW).reasons if reason.trigger == trigger]
    return reason


def inherited(**more):
    return replace(READ, inherited=True, **more)


@pytest.mark.parametrize(
    ("days", "state"), [(0, "fresh"), (165, "fresh"), (166, "due"), (180, "due"), (181, "overdue"), (2000, "overdue"), (-3, "fresh")]
)
def test_evidence_is_due_in_the_last_fourteen_days_that_it_counts_and_overdue_after_them(days, state):
    answer = cover(facts(evidence=Evidence(ago(days), ago(days))), NOW)
    assert (answer.state, answer.due, answer.overdue) == (state, ago(days - 166), ago(days - 181))


def test_the_days_are_those_of_utc_wherever_one_asks_from():
    asked = facts(evidence=Evidence(ago(165), ago(165)))
    east = dt.timezone(dt.timedelta(hours=13))
    assert cover(asked, NOW.astimezone(east)).state == "fresh"
    assert cover(asked, dt.datetime(2026, 11, 23, 0, 30, tzinfo=dt.UTC)).state == "due"


def test_a_short_interval_is_due_only_in_its_second_half():
    weekly = replace(facts(), retest_days=7)
    assert (cover(weekly, NOW).state, cover(weekly, NOW).due) == ("fresh", TODAY + dt.timedelta(4))


def test_a_calendar_rule_stands_beside_the_retest_days_and_the_earlier_of_them_decides():
    answer = cover(facts(Rule("calendar", "section 3", days=90), evidence=Evidence(ago(100), ago(100))), NOW)
    assert [(reason.trigger, reason.state, reason.source) for reason in answer.reasons] == [
        ("calendar", "overdue", "section 3"),
        ("retest_days", "fresh", "Lab 1.0, retest_days"),
    ]
    assert answer.overdue == ago(100 - 91)


@pytest.mark.parametrize("rule", [COMPUTE, MONTHS, EXTERNAL, INTERNAL, JUMP, Rule("calendar", days=30)])
def test_what_was_never_read_is_never_run_whatever_the_rules_say(rule):
    answer = cover(facts(rule, evidence=Evidence(missing=("ctf@1",)), trained=ago(400)), NOW)
    assert (answer.state, answer.reasons[0].detail) == ("never_run", "Nothing that counts was read here.")


def test_never_run_says_since_when_it_was_asked_for():
    answer = cover(facts(EXTERNAL, INTERNAL, evidence=Evidence(), trained=ago(20), released=ago(3)), NOW)
    assert (answer.state, answer.due, answer.overdue) == ("never_run", ago(33), ago(6))


def test_what_was_read_under_another_version_says_so():
    answer = cover(facts(evidence=Evidence(before="2.0")), NOW)
    assert answer.reasons[0].detail.endswith("It was read under version 2.0, which is not in force.")


def test_a_required_line_that_was_never_read_makes_a_level_due():
    answer = cover(facts(evidence=Evidence(TODAY, None, ("bio@1 or bio@2", "ctf@1"))), NOW)
    assert (answer.state, answer.due) == ("due", None)
    assert answer.reasons[0].detail == "Not yet read by a complete run: bio@1 or bio@2, ctf@1."


def test_a_level_without_lines_rests_on_what_the_lab_reported_and_that_ages_too():
    reported = Evidence(ago(200), lines=False, reported=True)
    assert cover(facts(evidence=reported), NOW).state == "overdue"
    assert "The lab's determination is of 6 May 2026" in by("retest_days", facts(evidence=reported)).detail
    assert "No line is drawn here" in cover(facts(evidence=Evidence(lines=False)), NOW).reasons[0].detail


@pytest.mark.parametrize(("left", "state"), [(15, "fresh"), (14, "due"), (1, "due"), (0, "overdue"), (-30, "overdue")])
def test_inherited_evidence_ends_with_its_equivalence(left, state):
    assert cover(facts(evidence=inherited(valid_until=ago(-left))), NOW).state == state


# Effective compute: what is evaluated itself needs no comparison; what is not is compared with the last that was.


@pytest.mark.parametrize(("compute", "state"), [(3.9e25, "fresh"), (4e25, "due"), (1e27, "due"), (1e24, "fresh")])
def test_what_inherits_is_due_once_its_compute_has_grown_by_the_multiple(compute, state):
    asked = replace(facts(COMPUTE, evidence=inherited(), effective_compute=compute, trained=ago(5)), reference=LAST)
    assert by("effective_compute", asked).state == state
    assert "of Aurora 1, evaluated last (25 Jun 2026)" in by("effective_compute", asked).detail


@pytest.mark.parametrize(("trained", "state"), [(ago(13), "due"), (ago(14), "overdue"), (None, "due")])
def test_an_event_is_overdue_after_fourteen_days_and_one_of_an_unknown_day_stays_due(trained, state):
    asked = replace(facts(COMPUTE, evidence=inherited(), effective_compute=1e26, trained=trained), reference=LAST)
    assert (by("effective_compute", asked).state, by("effective_compute", asked).due) == (state, trained)


@pytest.mark.parametrize(
    ("here", "there", "says"),
    [
        (None, 1e25, "of Aurora 2 is not known"),
        (1e25, None, "of Aurora 1 is not known"),
        (None, None, "of Aurora 2 and of Aurora 1 is not known"),
    ],
)
def test_unknown_compute_is_never_fresh_and_says_whose_it_is(here, there, says):
    asked = facts(COMPUTE, evidence=inherited(), effective_compute=here)
    reason = by("effective_compute", replace(asked, reference=Event(replace(OLD, effective_compute=there), TODAY)))
    assert reason.state == "due"
    assert says in reason.detail


@pytest.mark.parametrize("rule", [COMPUTE, MONTHS])
def test_with_nothing_to_compare_with_it_is_due(rule):
    reason = by(rule.trigger, facts(rule, evidence=inherited(), effective_compute=1e25, trained=TODAY))
    assert (reason.state, reason.source) == ("due", "RSP 2.2")
    assert "nothing to compare it with" in reason.detail


@pytest.mark.parametrize("rule", [COMPUTE, MONTHS])
def test_a_checkpoint_that_was_evaluated_itself_needs_no_comparison(rule):
    assert cover(facts(rule), NOW).state == "fresh"


# Post-training: months between the ends of training.


@pytest.mark.parametrize(
    ("trained", "state", "due"),
    [
        (ago(19), "fresh", None),
        (ago(18), "overdue", ago(18)),
        (ago(0), "overdue", ago(18)),
        (ago(500), "fresh", None),
        (None, "due", None),
    ],
)
def test_what_inherits_is_due_after_so_many_months_of_post_training(trained, state, due):
    reason = by("post_training", replace(facts(MONTHS, evidence=inherited(), trained=trained), reference=LAST))
    assert (reason.state, reason.due) == (state, due)


def test_the_months_run_from_the_end_of_training_of_the_last_evaluated():
    recent = Event(replace(OLD, trained=ago(190)), ago(150))
    reason = by("post_training", replace(facts(MONTHS, evidence=inherited(), trained=TODAY), reference=recent))
    assert (reason.state, reason.due, reason.overdue) == ("due", ago(8), ago(-6))


# Before a release, and before high-risk internal use.


@pytest.mark.parametrize(("released", "state"), [(-31, "fresh"), (-30, "due"), (-1, "due"), (0, "overdue"), (100, "overdue")])
def test_what_is_not_wholly_read_is_due_thirty_days_before_its_release_and_overdue_from_it_on(released, state):
    partly = Evidence(TODAY, None, ("ctf@1",))
    reason = by("before_external", facts(EXTERNAL, evidence=partly, released=ago(released)))
    assert (reason.state, reason.overdue) == (state, ago(released))


@pytest.mark.parametrize(("first", "late"), [(20, False), (10, False), (9, True)])
def test_what_was_read_only_after_its_release_is_marked_as_late(first, late):
    answer = cover(facts(EXTERNAL, evidence=Evidence(TODAY, ago(first)), released=ago(10)), NOW)
    assert (answer.state, answer.late) == ("fresh", late)


def test_what_was_released_before_the_version_is_asked_for_from_the_version_on_and_never_late():
    partly = replace(facts(EXTERNAL, evidence=Evidence(TODAY, None, ("ctf@1",)), released=ago(300)), in_force=ago(10))
    assert (by("before_external", partly).due, cover(partly, NOW).state) == (ago(10), "due")
    assert cover(replace(partly, evidence=READ), NOW).late is False


def test_without_a_release_nothing_is_asked_before_it():
    assert cover(facts(EXTERNAL), NOW).state == "fresh"


@pytest.mark.parametrize(("trained", "state"), [(-5, "fresh"), (0, "due"), (13, "due"), (14, "overdue"), (None, "due")])
def test_before_internal_use_a_level_must_be_wholly_read_once_training_has_ended(trained, state):
    partly = Evidence(TODAY, None, ("ctf@1",))
    days = None if trained is None else ago(trained)
    assert by("before_high_risk_internal", facts(INTERNAL, evidence=partly, trained=days)).state == state
    assert by("before_high_risk_internal", facts(INTERNAL, trained=days)).state == "fresh"


# A jump, and rules as they come from a file.


def test_a_jump_of_a_newer_checkpoint_makes_a_level_due():
    jump = Event(Weights("Aurora 3"), ago(2), "ctf@1")
    answer = cover(replace(facts(JUMP), jump=jump), NOW)
    assert (answer.state, answer.due, answer.overdue) == ("due", ago(2), ago(-12))
    assert answer.reasons[0].detail.startswith("Aurora 3 scored above all before it on ctf@1 on 20 Nov 2026;")
    assert cover(facts(JUMP), NOW).state == "fresh"


def test_a_rule_applies_to_the_levels_it_names_or_to_all():
    cadence = [
        {"trigger": "calendar", "days": 30, "levels": ["cyber"], "source": "a", "illustrative": True, "reason": "none"},
        {"trigger": "capability_jump", "multiple": None, "levels": [], "source": "b"},
    ]
    assert rules_for(cadence, "cyber") == (Rule("calendar", "a", days=30, illustrative=True), Rule("capability_jump", "b"))
    assert rules_for(cadence, "bio") == (Rule("capability_jump", "b"),)


@pytest.mark.parametrize("rule", [Rule("full_moon"), Rule("calendar"), Rule("effective_compute"), Rule("post_training")])
def test_a_rule_that_cannot_be_read_is_never_fresh(rule):
    reason = by(rule.trigger, facts(rule))
    assert (reason.state, reason.detail) == (
        "due",
        f"The rule '{rule.trigger}' of Lab 1.0 cannot be read; correct it in a new version.",
    )


def test_an_illustrative_rule_says_so():
    answer = cover(facts(Rule("calendar", days=30, illustrative=True)), NOW)
    assert [reason.illustrative for reason in answer.reasons] == [True, False]


DAYS = st.none() | st.integers(-400, 400).map(ago)
COMPUTED = st.none() | st.floats(1e20, 1e30)
WEIGHTS = st.builds(Weights, st.just("Aurora"), DAYS, DAYS, COMPUTED)
EVENTS = st.none() | st.builds(Event, WEIGHTS, st.integers(-400, 400).map(ago))
RULES = st.builds(Rule, st.sampled_from([*TRIGGERS]), multiple=st.just(4.0), months=st.just(6.0), days=st.integers(1, 400))
EVIDENCE = st.builds(Evidence, taken=DAYS, first=DAYS, missing=st.sampled_from([(), ("ctf@1",)]), inherited=st.booleans(), valid_until=DAYS)
FACTS = st.builds(
    Facts,
    WEIGHTS,
    EVIDENCE,
    st.just("Lab 1.0"),
    st.integers(-400, 400).map(ago),
    st.integers(1, 400),
    st.lists(RULES, max_size=3).map(tuple),
    EVENTS,
    EVENTS,
)


@given(FACTS)
def test_every_answer_is_the_worst_of_its_reasons_and_time_alone_never_freshens_it(asked):
    answer = cover(asked, NOW)
    ranks = [STATES.index(reason.state) for reason in answer.reasons]
    assert (ranks, answer.state) == (sorted(ranks, reverse=True), answer.reasons[0].state)
    assert (answer.state == "never_run") == (asked.evidence.taken is None)
    assert all(reason.detail for reason in answer.reasons)
    assert STATES.index(cover(asked, NOW + dt.timedelta(30)).state) >= STATES.index(answer.state)


@given(FACTS, RULES)
def test_one_more_rule_never_freshens_an_answer(asked, rule):
    more = replace(asked, rules=(*asked.rules, rule))
    assert STATES.index(cover(more, NOW).state) >= STATES.index(cover(asked, NOW).state)


@given(FACTS)
def test_forgetting_what_is_known_of_a_checkpoints_compute_or_training_never_freshens_a_comparison(asked):
    unknown = replace(asked, checkpoint=replace(asked.checkpoint, trained=None, effective_compute=None))
    compared = {"effective_compute", "post_training"}

    def worst(each):
        return [reason.state for reason in cover(each, NOW).reasons if reason.trigger in compared]

    if "fresh" in worst(unknown):
        assert not asked.evidence.inherited
