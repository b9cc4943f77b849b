import logging

import pytest
from django.db import Error, IntegrityError, connection, transaction

from accounts.models import User
from accounts.roles import SYSTEM
from alerts.models import Alert
from alerts.outbox import NotQueued, people_to_alert, queue, requeue_dead
from audit.models import Entry
from tests.alerts.conftest import said


def test_everyone_to_tell_gets_one_row_that_is_due_at_once(ada, ben, tell, now):
    created = tell(ada, ben)
    rows = list(Alert.objects.order_by("pk").values_list("recipient", "channel", "state", "severity", "next_try", "dedup_key"))
    assert [alert.pk for alert in created] == list(Alert.objects.order_by("pk").values_list("pk", flat=True))
    assert rows == [
        (ada.pk, "email", "queued", "alert", now, f"crossing.9:{ada.pk}:email"),
        (ben.pk, "email", "queued", "alert", now, f"crossing.9:{ben.pk}:email"),
    ]


def test_a_second_queueing_changes_nothing(ada, ben, tell):
    tell(ada)
    before = Alert.objects.values().get()
    assert tell(ada, message=said(headline="other")) == []
    assert Alert.objects.values().get() == before


def test_only_the_newcomer_is_queued(ada, ben, tell):
    tell(ada)
    assert [alert.recipient for alert in tell(ada, ben)] == [ben]


def test_what_is_said_to_be_the_first_and_is_not_is_refused(ada, ben, tell):
    assert [alert.recipient for alert in tell(ada, first=True)] == [ada]
    with pytest.raises(IntegrityError), transaction.atomic():
        tell(ada, ben, first=True)
    assert Alert.objects.count() == 1


def test_a_person_named_twice_is_told_once(ada, tell):
    assert len(tell(ada, ada)) == 1


def test_a_long_key_is_shortened_and_still_tells_two_events_apart(ada, tell):
    assert len(tell(ada, dedup="x" * 300)) == len(tell(ada, dedup="x" * 299 + "y")) == 1
    assert tell(ada, dedup="x" * 300) == []
    assert all(len(alert.dedup_key) <= 200 for alert in Alert.objects.all())


def test_queueing_takes_the_same_queries_for_one_and_for_many(ada, ben, tell, django_assert_num_queries):
    cleo = User.objects.create_user("cleo", "cleo@example.org")
    with django_assert_num_queries(5):
        tell(ada, dedup="one")
    with django_assert_num_queries(5):
        tell(ada, ben, cleo, dedup="three")


def test_a_row_that_the_database_refuses_is_never_passed_over(ada, now):
    with pytest.raises((NotQueued, Error)), transaction.atomic():
        queue(event=None, thread="crisis.4", message=said(), recipients=[ada], now=now, dedup="d")
    assert not Alert.objects.exists()


def test_the_alert_goes_where_the_event_goes(ada, tell):
    with transaction.atomic():
        tell(ada)
        transaction.set_rollback(True)
    assert not Alert.objects.exists()


def test_what_a_database_cannot_store_is_queued_without_it(ada, tell):
    tell(ada, message=said(headline="model\x00\ud800 name", facts=[["a\x00", "b\ud83d"]]))
    assert Alert.objects.get().message["facts"] == [["a", "b"]]


def test_nobody_to_tell_is_logged_and_audited_once(db, tell, caplog):
    with caplog.at_level(logging.ERROR, "alerts.outbox"):
        assert tell() == tell() == []
    entry = Entry.objects.get(action="alerts.alert.nobody")
    assert entry.about == "crisis.4"
    assert entry.data["event"] == "threshold.alert_reached"
    assert "no active person is set to be alerted" in caplog.text


def test_people_to_alert_are_those_who_are_active_and_want_it(ada, ben):
    User.objects.create_user("dan", "dan@example.org")
    User.objects.create_user("gone", "gone@example.org", alerted=True, is_active=False)
    assert list(people_to_alert()) == [ada, ben]


def test_a_dead_alert_is_queued_again_for_another_72_hours(ada, ben, tell, now):
    dead, other = tell(ada, ben)
    Alert.objects.update(state=Alert.DEAD, next_try=None, attempts=500)
    later = now.replace(day=25)
    assert requeue_dead(actor=SYSTEM, now=later, only=[dead.pk]) == [dead.pk]
    assert list(Alert.objects.order_by("pk").values_list("state", "queued", "next_try", "attempts")) == [
        ("queued", later, later, 0),
        ("dead", now, None, 500),
    ]
    assert Entry.objects.get().action == "alerts.alert.requeue"
    assert requeue_dead(actor=SYSTEM, now=later) == [other.pk]


def test_an_unknown_state_is_refused_by_the_database(ada, tell):
    tell(ada)
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.update(state="lost")
    assert connection.is_usable()
