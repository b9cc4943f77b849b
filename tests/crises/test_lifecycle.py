import datetime as dt

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from accounts.models import User
from accounts.roles import SYSTEM, Actor, Kind, NotAllowed, Refused, Role
from alerts.models import Alert
from audit import log
from audit.models import Entry
from crises.lifecycle import NotReady
from crises.models import Crisis
from crises.states import STATES, TABLE, NotPossible
from evals.catalogue import register_checkpoint, register_model
from mitigations.models import Mitigation
from tests.conftest import NIGHTLY
from thresholds.models import CapabilityLevel, Crossing, LevelStatus
from thresholds.signdown import sign_down

pytestmark = pytest.mark.django_db
OPERATIONS = {
    "acknowledge": "acknowledge",
    "start": "start",
    "declare_ready": "ready",
    "close": "close",
    "reopen": "reopen",
    "escalate": "escalate",
}


def actions():
    return list(Entry.objects.filter(action__startswith="crises.").order_by("seq").values_list("action", flat=True))


def test_a_crossing_opens_a_crisis_with_the_agreed_plan(crisis, aurora, small, now):
    assert (crisis.state, crisis.severity, crisis.checkpoint, crisis.model) == ("opened", "alert", aurora, aurora.model)
    assert [item.slug for item in crisis.checklist.items.all()] == ["classifier"]
    assert crisis.checklist.framework_digest == small.digest
    assert crisis.acknowledge_by == crisis.next_step == now + dt.timedelta(minutes=60)
    assert list(crisis.crossings.all()) == list(Crossing.objects.all())
    assert [update.kind for update in crisis.updates.all()] == ["crossing"]
    assert actions() == ["crises.crisis.open"]


def test_a_critical_crossing_opens_with_the_whole_plan(small, aurora, ada, post):
    post(60, 100)
    assert [item.slug for item in Crisis.objects.get().checklist.items.all()] == ["classifier", "weights"]


def test_two_checkpoints_of_one_model_share_one_crisis(crisis, sister, post):
    reply = post(30, 100, checkpoint="aurora-2")
    assert (reply["crises"][0]["ref"], reply["crises"][0]["opened"]) == (crisis.ref, False)
    assert (Crisis.objects.count(), crisis.crossings.count(), crisis.updates.count()) == (1, 2, 2)
    assert actions() == ["crises.crisis.open", "crises.crisis.join"]


def test_another_level_is_another_crisis(enact, aurora, ada, post):
    enact(levels=[{}, {"slug": "second"}])
    post(30, 100)
    assert sorted(Crisis.objects.values_list("level__slug", flat=True)) == ["second", "uplift"]


def test_another_model_is_another_crisis(crisis, post, now):
    other = register_model(slug="borealis", name="Borealis", developer="Northwind", actor=NIGHTLY, now=now)
    register_checkpoint(model=other, fields={"slug": "borealis-1", "name": "Borealis 1"}, actor=NIGHTLY, now=now)
    post(30, 100, checkpoint="borealis-1")
    assert Crisis.objects.count() == 2


@pytest.mark.parametrize("state", ["opened", "acknowledged", "mitigating", "ready"])
def test_a_critical_crossing_joins_a_live_alert_crisis_extends_its_plan_and_takes_a_ready_one_back(room, post, state):
    room.reach(state)
    post(60, 100)
    crisis = Crisis.objects.get()
    assert (crisis.state, crisis.severity, crisis.ready) == ("mitigating" if state == "ready" else state, "critical", None)
    assert [item.slug for item in crisis.checklist.items.all()] == ["classifier", "weights"]


def test_after_the_plan_grew_it_is_ready_only_with_the_new_measures(room, post):
    room.reach("ready")
    post(60, 100)
    room.crisis.refresh_from_db()
    with pytest.raises(NotReady, match=r"1 of 2 mitigations are ready.*'Weights secured' needs evidence"):
        room.do("declare_ready")
    room.prove()
    room.do("declare_ready")
    assert room.crisis.state == "ready"


def test_a_lower_crossing_never_lowers_the_severity(small, aurora, sister, ada, post):
    post(60, 100)
    post(30, 100, checkpoint="aurora-2")
    assert Crisis.objects.get().severity == "critical"


@pytest.mark.parametrize(("first", "second", "stays"), [(True, True, True), (True, False, False), (False, True, False)])
@pytest.mark.usefixtures("aurora", "sister", "ada")
def test_a_crisis_is_illustrative_only_while_every_line_that_opened_it_is(enact, post, first, second, stays):
    line = {"kind": "alert", "value": 0.2, "policy": "point", "source": "the tests", "reason": "not published"}
    lines = [{**line, "evaluation": "ctf@1", "illustrative": first}, {**line, "evaluation": "uplift@1", "illustrative": second}]
    enact(levels=[{"thresholds": lines}], evaluations=[{}, {"slug": "uplift"}])
    post(30, 100)
    post(30, 100, evaluation="uplift@1", checkpoint="aurora-2")
    assert Crisis.objects.get().illustrative is stays


def test_after_a_closed_crisis_a_crossing_opens_a_new_one_with_a_new_plan(room, post, sister):
    room.reach("closed")
    reply = post(30, 100, checkpoint="aurora-2")
    assert (reply["crises"][0]["opened"], Crisis.objects.count()) == (True, 2)
    assert Crisis.objects.latest("pk").checklist.items.get().sign_offs.count() == 0


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_does_what_the_table_allows_and_nothing_else(room, operation, state):
    room.reach(state)
    if state == "mitigating":
        room.prove()
    entries = Entry.objects.count()
    leads_to = TABLE[state].get(OPERATIONS[operation])
    if leads_to is None:
        with pytest.raises(NotPossible, match=f"A crisis that is {state} cannot be"):
            room.do(operation)
        assert (room.crisis.state, Entry.objects.count()) == (state, entries)
    else:
        room.do(operation)
        assert (room.crisis.state, actions()[-1]) == (leads_to, f"crises.crisis.{OPERATIONS[operation]}")


MAY = {
    "acknowledge": {"ada", "ben"},
    "start": {"ada", "ben"},
    "declare_ready": {"ada"},
    "close": {"ada"},
    "reopen": {"ada"},
    "escalate": {"ada"},
}
FROM = {"acknowledge": "opened", "start": "acknowledged", "declare_ready": "mitigating", "close": "ready", "reopen": "closed"}


@pytest.mark.parametrize("who", ["ada", "ben", "cleo", "dan"])
@pytest.mark.parametrize("operation", MAY)
def test_only_those_with_the_right_move_a_crisis(room, operation, who):
    state = FROM.get(operation, "opened")
    room.reach(state)
    if operation == "declare_ready":
        room.prove()
    if who in MAY[operation]:
        room.do(operation, who)
    else:
        with pytest.raises(NotAllowed):
            room.do(operation, who)
        room.crisis.refresh_from_db()
        assert room.crisis.state == state


@pytest.mark.parametrize("actor", [SYSTEM, NIGHTLY])
@pytest.mark.parametrize("operation", MAY)
def test_no_machine_moves_a_crisis(room, operation, actor):
    room.reach(FROM.get(operation, "opened"))
    with pytest.raises(NotAllowed, match="must be done by a named person"):
        room.do(operation, actor)


def test_a_deactivated_lead_moves_nothing(room, ada):
    User.objects.filter(pk=ada.pk).update(is_active=False)
    room.people["ada"].refresh_from_db()
    with pytest.raises(NotAllowed, match="not active"):
        room.do("acknowledge")


def test_who_acknowledges_first_becomes_the_lead_and_the_clock_stops(room, ben, now):
    room.do("acknowledge", "ben")
    crisis = room.crisis
    assert (crisis.lead, crisis.acknowledged_by, crisis.acknowledged, crisis.next_step) == (ben, ben, now, None)
    with pytest.raises(NotPossible):
        room.do("acknowledge", "ada")
    assert Crisis.objects.get().lead == ben


def test_a_lead_that_is_there_stays(room, ada, ben):
    Crisis.objects.update(lead=ada)
    room.do("acknowledge", "ben")
    assert (room.crisis.lead, room.crisis.acknowledged_by) == (ada, ben)


def test_a_plan_is_declared_ready_only_when_every_measure_is_signed_off(room):
    room.reach("mitigating")
    item = room.crisis.checklist.items.get()
    with pytest.raises(NotReady, match="'Misuse classifier' needs evidence"):
        room.do("declare_ready")
    room.attach(item)
    with pytest.raises(NotReady, match="'Misuse classifier' needs a second person's sign-off"):
        room.do("declare_ready")
    room.sign(item)
    assert room.do("declare_ready").ready == room.now


@pytest.mark.parametrize("operation", ["close", "reopen", "escalate"])
@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_a_decision_needs_its_reason(room, operation, reason):
    room.reach({"close": "ready", "reopen": "ready", "escalate": "opened"}[operation])
    with pytest.raises(Refused, match="Give the reason"):
        room.do(operation, reason=reason)


def test_closing_and_reopening_are_kept_with_time_and_reason(room, now):
    room.reach("closed")
    assert room.crisis.closed == now
    room.do("reopen", reason="New findings.")
    assert (room.crisis.state, room.crisis.closed, room.crisis.ready) == ("mitigating", None, None)
    assert room.crisis.updates.latest("pk").text == "Reopened: New findings."


def test_a_closed_crisis_is_not_reopened_while_another_one_lives(room, post, sister):
    room.reach("closed")
    post(30, 100, checkpoint="aurora-2")
    with pytest.raises(NotPossible, match="Another crisis for this model and level is live"):
        room.do("reopen")
    room.crisis.refresh_from_db()
    assert (room.crisis.state, Crisis.objects.exclude(state="closed").count()) == ("closed", 1)


def test_an_update_is_written_down_and_moves_nothing(room):
    room.do("post_update", "dan", text=" Retraining begins tomorrow. ")
    update = room.crisis.updates.latest("pk")
    assert (update.kind, update.text, update.author, room.crisis.state) == ("note", "Retraining begins tomorrow.", "Dan Member", "opened")
    with pytest.raises(Refused, match="needs text"):
        room.do("post_update", "dan", text=" ")
    with pytest.raises(NotAllowed):
        room.do("post_update", "cleo", text="Hello.")


def test_escalating_calls_everyone_again_each_time(room):
    for _ in range(2):
        room.do("escalate")
    assert room.crisis.escalations == 2
    assert list(Alert.objects.order_by("pk").values_list("event", flat=True)) == [
        "threshold.alert_reached",
        "crisis.escalated",
        "crisis.escalated",
    ]


def test_every_step_is_in_the_timeline_and_the_chain(room):
    room.reach("closed")
    kinds = list(room.crisis.updates.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["crossing", "state", "state", "evidence", "sign_off", "state", "state"]
    assert [action.split(".")[-1] for action in actions()] == ["open", "acknowledge", "start", "ready", "close"]
    assert log.verify() is None


def test_the_database_keeps_one_live_crisis_for_a_model_and_level(room):
    second = Crisis.objects.get()
    second.pk, second.checklist_id = None, None
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save(force_insert=True)


@pytest.mark.parametrize("change", [{"state": "forgotten"}, {"state": "closed", "acknowledged": None}, {"state": "ready"}])
def test_the_database_refuses_a_state_that_cannot_be(crisis, change):
    with pytest.raises(DatabaseError), transaction.atomic():
        Crisis.objects.update(**change)


def test_signing_the_state_down_leaves_the_crisis_to_its_people(room, post, ada, now):
    post(0, 500)
    sign_down(status_id=LevelStatus.objects.get().pk, reason="Ruled out.", actor=ada.as_actor(), now=now)
    room.crisis.refresh_from_db()
    assert room.crisis.state == "opened"


def test_a_level_without_measures_cannot_become_ready(room):
    room.reach("mitigating")
    level = CapabilityLevel.objects.get()
    assert level.mitigations.count() == 2
    room.crisis.checklist.items.all().delete()
    with pytest.raises(NotReady, match="nothing can be ready"):
        room.do("declare_ready")


@pytest.mark.parametrize("state", ["opened", "closed"])
def test_a_refused_step_leaves_no_line_and_no_entry(room, state):
    room.reach(state)
    before = (room.crisis.updates.count(), Entry.objects.count(), Alert.objects.count())
    posing = Actor(Kind.SERVICE, "nightly", 1, Role.SAFETY_LEAD)
    nameless = Actor(Kind.PERSON, "Ada Safety", None, Role.SAFETY_LEAD)
    for operation in OPERATIONS:
        for who in ("cleo", "dan", SYSTEM, NIGHTLY, posing, nameless):
            with pytest.raises(NotAllowed):
                room.do(operation, who)
    assert (room.crisis.updates.count(), Entry.objects.count(), Alert.objects.count()) == before


def test_joining_an_unanswered_crisis_gives_nobody_more_time(crisis, sister, post):
    post(60, 100, checkpoint="aurora-2")
    joined = Crisis.objects.get()
    assert (joined.acknowledge_by, joined.next_step, joined.state) == (crisis.acknowledge_by, crisis.next_step, "opened")


def test_a_frozen_plan_follows_no_later_edit_of_what_was_agreed(crisis):
    before = list(crisis.checklist.items.values())
    Mitigation.objects.update(what="Nothing much", days=900, applies_to="critical")
    Mitigation.objects.filter(slug="classifier").delete()
    assert list(crisis.checklist.items.values()) == before


def test_a_second_result_in_the_same_state_opens_and_tells_nothing_new(crisis, post):
    reply = post(35, 100)
    assert (reply["crossings"], reply["crises"], reply["alerts_queued"]) == ([], [], 0)
    assert (Crisis.objects.count(), Alert.objects.count(), crisis.updates.count()) == (1, 1, 1)


@pytest.mark.parametrize(("state", "opened"), [("ready", False), ("closed", True)])
def test_a_line_reached_again_after_a_sign_down_tells_everyone_again(room, post, state, opened):
    room.reach(state)
    post(0, 500)
    sign_down(status_id=LevelStatus.objects.get().pk, reason="Ruled out.", actor=room.people["ada"].as_actor(), now=room.now)
    reply = post(30, 100)
    assert (reply["crossings"][0]["episode"], reply["crises"][0]["opened"], reply["alerts_queued"]) == (2, opened, 1)
    assert [crisis.state for crisis in Crisis.objects.exclude(state="closed")] == ["opened" if opened else "mitigating"]
