import datetime as dt

import pytest

from mitigations.readiness import ItemFacts, judge

TODAY = dt.date(2026, 11, 22)


def item(**changes):
    facts = {"slug": "classifier", "what": "Classifier", "due": TODAY, "owned": False, "evidenced": False, "signed": False}
    return ItemFacts(**{**facts, **changes})


@pytest.mark.parametrize(
    ("changes", "state", "missing"),
    [
        ({}, "not_started", "evidence"),
        ({"owned": True}, "in_progress", "evidence"),
        ({"evidenced": True}, "in_progress", "a second person's sign-off"),
        ({"evidenced": True, "signed": True}, "ready", ""),
        ({"due": TODAY - dt.timedelta(days=1)}, "overdue", "evidence"),
        ({"due": TODAY - dt.timedelta(days=1), "evidenced": True, "signed": True}, "ready", ""),
    ],
)
def test_an_item_stands_where_its_facts_put_it(changes, state, missing):
    (found,) = judge([item(**changes)], TODAY).items
    assert (found.state, found.missing) == (state, missing)


def test_a_plan_is_ready_only_when_every_item_is_signed():
    signed, open_ = item(evidenced=True, signed=True), item(slug="weights", evidenced=True)
    assert judge([signed], TODAY).ready
    assert not judge([signed, open_], TODAY).ready
    assert judge([signed, open_], TODAY).sentence == "1 of 2 mitigations are ready."


def test_an_empty_plan_is_never_ready():
    found = judge([], TODAY)
    assert (found.ready, found.ends) == (False, None)
    assert "nothing can be ready" in found.sentence


def test_the_plan_ends_with_its_last_item_and_counts_what_is_late():
    late = item(due=TODAY - dt.timedelta(days=2))
    found = judge([late, item(slug="weights", due=TODAY + dt.timedelta(days=9))], TODAY)
    assert (found.overdue, found.ends) == (1, TODAY + dt.timedelta(days=9))
    assert "1 overdue" in found.sentence
