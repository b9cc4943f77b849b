import pytest

from crises.states import BY_PEOPLE, CLOSED, LIVE, STATES, TABLE, NotPossible, after, allowed_actions


def test_the_table_names_only_known_states():
    assert set(TABLE) == set(STATES)
    assert {state for row in TABLE.values() for state in row.values()} <= set(STATES)


def test_the_way_through_a_crisis_is_opened_acknowledged_mitigating_ready_closed():
    state = "opened"
    for action in ("acknowledge", "start", "ready", "close"):
        state = after(state, action)
    assert state == CLOSED


@pytest.mark.parametrize("state", LIVE)
def test_a_further_crossing_joins_every_live_crisis_and_takes_a_ready_plan_back_to_work(state):
    assert after(state, "join") == ("mitigating" if state == "ready" else state)


def test_escalating_moves_nothing():
    assert [after(state, "escalate") for state in LIVE] == list(LIVE)


def test_a_crisis_cannot_be_closed_before_it_is_ready():
    for state in ("opened", "acknowledged", "mitigating", "closed"):
        with pytest.raises(NotPossible, match="cannot be closed"):
            after(state, "close")


def test_what_is_not_in_the_table_is_refused_by_name_with_what_is_possible():
    with pytest.raises(NotPossible, match=r"opened cannot be declared ready; possible now: acknowledge, escalate\."):
        after("opened", "ready")


@pytest.mark.parametrize("state", STATES)
def test_what_is_offered_is_what_the_table_allows(state):
    assert allowed_actions(state) == tuple(action for action in BY_PEOPLE if action in TABLE[state])


def test_only_reopening_leads_out_of_a_closed_crisis():
    assert allowed_actions(CLOSED) == ("reopen",)
