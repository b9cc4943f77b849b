import pytest
from django.db import transaction

from accounts.roles import NotAllowed, Refused
from audit import log
from crises import plan
from crises.models import Update
from mitigations.checklists import SameHand
from mitigations.models import Evidence, SignOff
from tests.conftest import NIGHTLY, on_postgres

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(room):
    return room.crisis.checklist.items.get()


def timeline(room):
    return list(room.crisis.updates.order_by("pk").values_list("kind", "text", "author"))[1:]


def test_every_step_on_the_plan_is_written_into_the_timeline(room, item, ada, ben, now):
    plan.assign_owner(item_id=item.pk, owner_id=ben.pk, actor=ada.as_actor(), now=now)
    room.attach(item)
    room.sign(item)
    assert timeline(room) == [
        ("note", "Ben Eval owns 'Misuse classifier'.", "Ada Safety"),
        ("evidence", "Evidence for 'Misuse classifier': Recall 0.95.", "Ben Eval"),
        ("sign_off", "'Misuse classifier' signed off; done by Ben Eval.", "Ada Safety"),
    ]
    assert log.verify() is None


@pytest.mark.parametrize("state", ["opened", "acknowledged", "mitigating"])
def test_evidence_may_come_at_any_time_before_the_plan_is_ready_and_moves_nothing(room, item, state):
    room.reach(state)
    room.attach(item)
    room.crisis.refresh_from_db()
    assert room.crisis.state == state


def test_evidence_after_the_plan_was_ready_takes_it_back_to_work(room, item):
    room.reach("ready")
    room.attach(item, "dan")
    room.crisis.refresh_from_db()
    assert (room.crisis.state, room.crisis.ready) == ("mitigating", None)
    assert item.sign_offs.filter(withdrawn__isnull=True).count() == 0
    assert timeline(room)[-1][1].startswith("Back to mitigating")


def test_a_closed_crisis_keeps_its_plan_as_it_was(room, item, ada, ben, now):
    room.reach("closed")
    acts = [
        lambda: room.attach(item),
        lambda: room.sign(item),
        lambda: plan.assign_owner(item_id=item.pk, owner_id=ben.pk, actor=ada.as_actor(), now=now),
    ]
    before = (Evidence.objects.count(), SignOff.objects.count(), Update.objects.count())
    for act in acts:
        with pytest.raises(Refused, match="is closed; reopen it"):
            act()
    assert (Evidence.objects.count(), SignOff.objects.count(), Update.objects.count()) == before
    item.refresh_from_db()
    assert item.owner is None


def test_a_refused_step_leaves_no_trace_in_the_timeline(room, item):
    room.attach(item)
    lines = Update.objects.count()
    for who, refusal in (("ben", SameHand), ("cleo", NotAllowed), ("dan", NotAllowed)):
        with pytest.raises(refusal), transaction.atomic():
            room.sign(item, who)
    assert Update.objects.count() == lines


def test_no_machine_works_on_a_plan(item, now, ben):
    with pytest.raises(NotAllowed):
        plan.attach_evidence(item_id=item.pk, summary="x", link="", sha256="", actor=NIGHTLY, now=now)
    with pytest.raises(NotAllowed):
        plan.assign_owner(item_id=item.pk, owner_id=ben.pk, actor=NIGHTLY, now=now)


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_evidence_and_the_declaration_at_once_never_leave_a_ready_plan_unsigned(room, item, at_once):
    room.reach("mitigating")
    room.prove()
    at_once(lambda number: room.attach(item, "dan") if number % 2 else room.do("declare_ready"), range(8))
    room.crisis.refresh_from_db()
    assert (room.crisis.state, item.sign_offs.filter(withdrawn__isnull=True).exists()) == ("mitigating", False)
