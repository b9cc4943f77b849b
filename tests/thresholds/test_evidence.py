import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresholds.evidence import LATCHING, STATES, LineFact, add, contested, current, higher, rank, settle, summarise

DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CTF = (LineFact("ctf@1", "alert", required=True), LineFact("ctf@1", "critical", required=True))


def reading(run, state, *, complete=True, day=None, ruled_out=None):
    """A reading of a run completed on a day of January, by default that of its number."""
    return {
        "run": run,
        "completed": (DAY + dt.timedelta(days=run if day is None else day)).isoformat(),
        "complete": complete,
        "state": state,
        "critical_ruled_out": (ruled_out := state == "clear" if ruled_out is None else ruled_out),
        "lines": [line("alert", *EARLY[state]), line("critical", *(EARLY[state] if state == "critical" else LATE[ruled_out]))],
        "message": f"Run {run} says {state}.",
    }


EARLY = {"clear": ("ruled_out", True), "watch": ("not_ruled_out", True), "inconclusive": ("not_ruled_out", False)}
EARLY |= dict.fromkeys(("alert", "critical"), ("likely", True))
LATE = {True: ("ruled_out", True), False: ("not_ruled_out", False)}


def line(kind, grade, able):
    return {"threshold": kind, "grade": grade, "able": able, "reached": grade == "likely"}


def ledger(*readings, evaluation="ctf@1"):
    found = {}
    for each in readings:
        found = add(found, evaluation, each)
    return found


def state_of(*readings, lines=CTF):
    return summarise(ledger(*readings), lines).state


def incomplete(run, state, **more):
    return reading(run, state, complete=False, **more)


def test_states_rise_from_no_result_to_critical():
    assert [rank(state) for state in STATES] == list(range(6))
    assert higher("clear", "alert") == higher("alert", "clear") == "alert"


def test_nothing_read_is_no_result_and_rules_nothing_out():
    found = summarise({}, CTF)
    assert (found.state, found.leading, found.missing, found.critical_ruled_out, found.taken) == ("no_result", None, ("ctf@1",), False, "")


def test_the_newest_complete_reading_stands():
    assert state_of(reading(1, "inconclusive"), reading(2, "clear")) == "clear"
    assert state_of(reading(1, "clear"), reading(2, "watch")) == "watch"
    assert state_of(reading(1, "critical"), reading(2, "alert")) == "alert"


def test_a_reading_that_comes_late_but_was_taken_early_does_not_raise():
    assert state_of(reading(2, "watch", day=5), reading(3, "alert", day=4)) == "watch"


def test_of_two_readings_of_one_moment_the_later_run_counts():
    assert state_of(reading(1, "clear", day=5), reading(2, "watch", day=5)) == "watch"


@pytest.mark.parametrize("before", ["watch", "alert", "critical"])
def test_one_more_look_does_not_clear_what_an_earlier_one_could_have_ruled_out(before):
    for first, second in ((1, 2), (5, 2)):
        found = summarise(ledger(reading(first, before), reading(second, "clear")), CTF)
        assert found.state != "clear"


def test_a_run_that_could_not_have_ruled_the_line_out_was_no_look():
    assert state_of(reading(1, "inconclusive"), reading(2, "clear"), reading(3, "inconclusive"), reading(4, "clear")) == "clear"


@pytest.mark.parametrize(("clears", "state"), [(True, "clear"), (False, "watch")])
def test_what_all_runs_say_together_decides_whether_the_newest_clears(clears, state):
    both = ledger(reading(1, "alert"), reading(2, "clear"))
    assert contested(both["ctf@1"]) == {2: ["alert"]}
    found = summarise(settle(both, "ctf@1", 2, {"alert": {"clears": clears, "says": "Two looks together."}}), CTF)
    assert (found.state, found.critical_ruled_out) == (state, True)
    assert found.leading["message"] == ("Run 2 says clear." if clears else "Run 2 says clear. Two looks together.")


def test_a_run_cut_short_that_reached_the_line_speaks_against_clearing_for_good():
    assert state_of(incomplete(1, "alert"), reading(2, "clear")) == "watch"
    assert state_of(incomplete(1, "inconclusive"), reading(2, "clear")) == "clear"


def inherited(run, state, **more):
    return {**reading(run, state, **more), "inherited": 7, "until": "2026-06-01T00:00:00+00:00"}


def test_what_is_inherited_counts_where_nothing_of_ones_own_was_read():
    found = summarise(ledger(inherited(1, "clear")), CTF)
    assert (found.state, found.missing, found.until) == ("clear", (), "2026-06-01T00:00:00+00:00")


def test_what_is_inherited_raises_and_never_lowers_ones_own():
    assert state_of(reading(1, "clear"), inherited(2, "alert")) == "alert"
    assert state_of(reading(1, "alert"), inherited(2, "clear")) == "alert"
    assert state_of(inherited(2, "clear"), incomplete(1, "alert")) == "alert"


@pytest.mark.parametrize("state", STATES[3:])
def test_an_incomplete_run_raises(state):
    assert state_of(reading(1, "clear"), incomplete(2, state)) == state


@pytest.mark.parametrize("before", STATES[1:])
@pytest.mark.parametrize("state", STATES[1:])
def test_an_incomplete_run_never_lowers(before, state):
    assert rank(state_of(reading(1, before), incomplete(2, state))) >= rank(before)


@pytest.mark.parametrize("state", ["clear", "watch"])
def test_an_incomplete_run_alone_never_clears(state):
    found = summarise(ledger(incomplete(1, state, ruled_out=True)), CTF)
    assert (found.state, found.missing, found.critical_ruled_out) == ("inconclusive", ("ctf@1",), False)


def test_no_number_of_incomplete_runs_clears():
    assert state_of(*(incomplete(number, "clear") for number in range(1, 9))) == "inconclusive"


def test_an_incomplete_run_is_forgotten_once_a_complete_one_was_taken_after_it():
    assert state_of(reading(1, "clear"), incomplete(2, "inconclusive"), reading(3, "clear")) == "clear"
    assert state_of(reading(3, "clear"), incomplete(2, "inconclusive")) == "clear"


def test_of_incomplete_runs_the_highest_stands():
    assert state_of(reading(1, "clear"), incomplete(2, "alert"), incomplete(3, "watch")) == "alert"


def test_an_evaluation_that_no_line_names_counts_for_nothing():
    other = add(ledger(reading(1, "clear")), "other@1", reading(2, "critical"))
    assert summarise(other, CTF).state == "clear"


TWO = (*CTF, LineFact("uplift@1", "alert", required=True))


def test_any_evaluation_that_reaches_a_line_raises_the_level():
    both = add(ledger(reading(1, "clear")), "uplift@1", reading(2, "alert"))
    found = summarise(both, TWO)
    assert (found.state, found.leading["run"], found.missing) == ("alert", 2, ())


@pytest.mark.parametrize(("state", "says"), [("clear", "inconclusive"), ("watch", "inconclusive"), ("alert", "alert")])
def test_while_a_required_evaluation_is_missing_nothing_is_clear(state, says):
    found = summarise(ledger(reading(1, state)), TWO)
    assert (found.state, found.missing) == (says, ("uplift@1",))


def test_a_required_evaluation_read_by_an_incomplete_run_is_missing_still():
    both = add(ledger(reading(1, "clear")), "uplift@1", incomplete(2, "clear"))
    assert (summarise(both, TWO).state, summarise(both, TWO).missing) == ("inconclusive", ("uplift@1",))


def test_an_evaluation_that_is_not_required_may_be_missing_and_raises_where_it_is_read():
    optional = (*CTF, LineFact("uplift@1", "alert", required=False))
    assert summarise(ledger(reading(1, "clear")), optional).state == "clear"
    assert summarise(add(ledger(reading(1, "clear")), "uplift@1", reading(2, "alert")), optional).state == "alert"


def test_where_nothing_is_required_an_incomplete_run_still_clears_nothing():
    optional = (LineFact("ctf@1", "alert", required=False),)
    assert state_of(incomplete(1, "clear"), lines=optional) == "inconclusive"


ALTERNATIVES = (LineFact("a@1", "rule_out", required=True, alternative="x"), LineFact("b@1", "rule_out", required=True, alternative="x"))


def test_of_alternatives_one_is_enough():
    found = summarise(ledger(reading(1, "clear"), evaluation="b@1"), ALTERNATIVES)
    assert (found.state, found.missing, found.critical_ruled_out) == ("clear", (), True)
    assert summarise({}, ALTERNATIVES).missing == ("a@1 or b@1",)


def test_an_alternative_that_reaches_its_line_raises_all_the_same():
    both = add(ledger(reading(1, "clear"), evaluation="b@1"), "a@1", reading(2, "alert"))
    assert (summarise(both, ALTERNATIVES).state, summarise(both, ALTERNATIVES).critical_ruled_out) == ("alert", False)


def test_alternatives_with_incomplete_runs_only_are_missing():
    both = add(ledger(incomplete(1, "clear"), evaluation="b@1"), "a@1", incomplete(2, "clear"))
    assert summarise(both, ALTERNATIVES).missing == ("a@1 or b@1",)


@pytest.mark.parametrize(
    ("readings", "lines", "ruled_out"),
    [
        ([reading(1, "clear")], CTF, True),
        ([reading(1, "alert", ruled_out=True)], CTF, True),
        ([reading(1, "clear", ruled_out=False)], CTF, False),
        ([reading(1, "watch", ruled_out=False), incomplete(2, "alert", ruled_out=True)], CTF, False),
        ([reading(1, "clear"), incomplete(2, "watch", ruled_out=False)], CTF, False),
        ([reading(1, "clear")], CTF[:1], False),
        ([reading(1, "clear")], (*CTF[:1], LineFact("uplift@1", "critical", required=False)), False),
        ([reading(1, "clear")], (*CTF, LineFact("uplift@1", "critical", required=True)), False),
        ([reading(1, "clear")], (*CTF, LineFact("uplift@1", "critical", required=False)), True),
        ([reading(1, "clear")], (LineFact("ctf@1", "rule_out", required=True),), True),
    ],
)
def test_critical_is_ruled_out_only_by_complete_readings_of_lines_that_could_reach_it(readings, lines, ruled_out):
    assert summarise(ledger(*readings), lines).critical_ruled_out is ruled_out


def test_the_evidence_is_as_old_as_the_oldest_reading_that_the_state_rests_on():
    both = add(ledger(reading(9, "clear")), "uplift@1", reading(2, "clear"))
    assert summarise(both, TWO).taken == reading(2, "clear")["completed"]
    assert summarise(add(both, "uplift@1", incomplete(20, "clear")), TWO).taken == reading(2, "clear")["completed"]
    assert summarise(add(both, "uplift@1", reading(20, "clear")), TWO).taken == reading(9, "clear")["completed"]


def test_of_alternatives_the_fresher_one_counts_for_age():
    both = add(ledger(reading(1, "clear"), evaluation="a@1"), "b@1", reading(5, "clear"))
    assert summarise(both, ALTERNATIVES).taken == reading(5, "clear")["completed"]


def test_a_superseded_reading_is_dropped():
    before = ledger(reading(1, "watch"))
    assert add(before, "ctf@1", reading(2, "clear", day=0), superseded=1) == ledger(reading(2, "clear", day=0))
    assert before == ledger(reading(1, "watch"))


READINGS = st.lists(
    st.builds(
        dict,
        evaluation=st.sampled_from(["ctf@1", "uplift@1"]),
        state=st.sampled_from(STATES[1:]),
        complete=st.booleans(),
        day=st.integers(0, 4),
        ruled_out=st.booleans(),
    ),
    max_size=7,
)


def told(facts, order):
    """The ledger once every reading was added in this order; a run's number is its place in `facts`."""
    found = {}
    for number in order:
        fields = dict(facts[number])
        found = add(found, fields.pop("evaluation"), reading(number + 1, fields.pop("state"), **fields))
    return found


@given(READINGS, st.data())
def test_the_order_in_which_runs_arrive_never_changes_what_the_ledger_says(facts, data):
    order = data.draw(st.permutations(range(len(facts))))
    assert told(facts, order) == told(facts, range(len(facts)))


@given(READINGS, st.data())
def test_a_reading_that_arrives_twice_counts_once(facts, data):
    again = data.draw(st.lists(st.sampled_from(range(len(facts))))) if facts else []
    assert told(facts, [*range(len(facts)), *again]) == told(facts, range(len(facts)))


@given(READINGS, st.sampled_from(["ctf@1", "uplift@1"]), st.sampled_from(STATES[1:]), st.integers(0, 6))
def test_an_incomplete_run_never_lowers_never_rules_out_and_never_freshens(facts, evaluation, state, day):
    before = told(facts, range(len(facts)))
    after = add(before, evaluation, incomplete(99, state, day=day, ruled_out=True))
    was, became = summarise(before, TWO), summarise(after, TWO)
    assert rank(became.state) >= rank(was.state)
    assert became.critical_ruled_out <= was.critical_ruled_out
    assert became.missing == was.missing
    assert was.missing or became.taken == was.taken


@given(READINGS)
def test_clear_and_watch_rest_on_complete_readings_of_everything_required(facts):
    found = summarise(told(facts, range(len(facts))), TWO)
    whole = {each["evaluation"] for each in facts if each["complete"]}
    assert found.state not in {"clear", "watch"} or whole == {"ctf@1", "uplift@1"}
    assert not found.critical_ruled_out or "ctf@1" in whole


@given(READINGS)
def test_what_is_reached_by_the_newest_complete_run_or_any_after_it_is_never_lost(facts):
    newest = {}
    for number, each in enumerate(facts):
        if each["complete"]:
            newest[each["evaluation"]] = max(newest.get(each["evaluation"], (-1, -1)), (each["day"], number))
    standing = [each["state"] for number, each in enumerate(facts) if (each["day"], number) >= newest.get(each["evaluation"], (-1, -1))]
    highest = max(standing, key=rank, default="no_result")
    if highest in LATCHING:
        assert summarise(told(facts, range(len(facts))), TWO).state == highest


def test_what_was_pooled_stands_beside_the_newest_complete_reading_only():
    slots = {"complete": {"run": 2}, "against critical": {"run": 2}, "against alert": {"run": 1}}
    told = settle({"ctf@1": slots}, "ctf@1", 2, {"alert": {"clears": True, "says": "Two looks together."}})
    assert [slot for slot, found in told["ctf@1"].items() if "pooled" in found] == ["complete"]


def test_the_standing_reading_of_nothing_is_none():
    assert current({}) is None
