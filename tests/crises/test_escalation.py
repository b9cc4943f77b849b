import datetime as dt

import pytest

from accounts.models import User
from alerts.models import Alert
from audit.models import Entry
from crises.escalation import escalate_overdue, overdue
from crises.models import Crisis
from tests.conftest import on_postgres

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


def escalations():
    return Alert.objects.filter(event="crisis.escalated").count()


@pytest.mark.parametrize(("minutes", "late"), [(0, False), (59, False), (60, True), (61, True), (10_000, True)])
def test_a_crisis_is_late_once_its_hour_is_over(crisis, now, minutes, late):
    assert overdue(now=now + minutes * MINUTE) == ([crisis.pk] if late else [])


def test_a_late_crisis_calls_again_and_sets_its_next_step(crisis, now):
    late = now + 61 * MINUTE
    assert escalate_overdue(crisis_id=crisis.pk, now=late)
    crisis.refresh_from_db()
    assert (crisis.escalations, crisis.state, crisis.next_step) == (1, "opened", late + 60 * MINUTE)
    (update,) = crisis.updates.filter(kind="escalation")
    assert (update.author, update.text) == ("system", "Escalated: nobody has acknowledged it for 61 minutes.")
    assert Entry.objects.latest("seq").action == "crises.crisis.escalate"
    assert escalations() == 1


def test_it_calls_again_and_again_until_somebody_acknowledges(room, now):
    for hour in range(1, 6):
        assert escalate_overdue(crisis_id=room.crisis.pk, now=now + hour * 60 * MINUTE)
    room.do("acknowledge")
    assert overdue(now=now + dt.timedelta(days=9)) == []
    assert not escalate_overdue(crisis_id=room.crisis.pk, now=now + dt.timedelta(days=9))
    assert escalations() == 5


def test_twice_at_one_time_is_once(crisis, now):
    late = now + 61 * MINUTE
    assert [escalate_overdue(crisis_id=crisis.pk, now=late) for _ in range(3)] == [True, False, False]
    assert escalations() == 1


def test_before_its_time_nothing_happens(crisis, now):
    assert not escalate_overdue(crisis_id=crisis.pk, now=now + 59 * MINUTE)
    assert escalations() == 0


def test_an_escalation_reaches_whoever_is_to_be_alerted_by_then(crisis, dan, now):
    User.objects.filter(pk=dan.pk).update(alerted=True)
    User.objects.filter(username="ada").update(is_active=False)
    escalate_overdue(crisis_id=crisis.pk, now=now + 61 * MINUTE)
    assert list(Alert.objects.filter(event="crisis.escalated").values_list("recipient__username", flat=True)) == ["dan"]


def test_an_escalation_that_nobody_hears_is_on_the_record_and_tried_again(crisis, now):
    User.objects.update(alerted=False)
    assert escalate_overdue(crisis_id=crisis.pk, now=now + 61 * MINUTE)
    assert Entry.objects.filter(action="alerts.alert.nobody").exists()
    assert overdue(now=now + 122 * MINUTE) == [crisis.pk]


def test_the_longest_waiting_comes_first(enact, aurora, ada, post, now):
    enact(levels=[{"slug": f"level-{number}"} for number in range(3)])
    post(30, 100)
    ids = list(Crisis.objects.order_by("pk").values_list("pk", flat=True))
    for number, pk in enumerate(ids):
        Crisis.objects.filter(pk=pk).update(next_step=now - number * MINUTE)
    assert overdue(now=now) == list(reversed(ids))
    assert overdue(now=now, limit=2) == list(reversed(ids))[:2]


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_workers_escalate_once(crisis, now, at_once):
    said = at_once(lambda _: escalate_overdue(crisis_id=crisis.pk, now=now + 61 * MINUTE), range(12))
    assert sorted(map(str, said)) == ["False"] * 11 + ["True"]
    assert (escalations(), Crisis.objects.get().escalations) == (1, 1)
