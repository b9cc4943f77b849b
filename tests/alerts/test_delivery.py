import datetime as dt
import logging

import pytest

from alerts.delivery import CHANNELS, LEASE, claim_due, deliver_one, deliver_waiting
from alerts.models import Alert, Delivery
from audit.models import Entry


@pytest.fixture
def claimed(ada, tell, now):
    tell(ada)
    return claim_due(now=now, limit=1, lease=LEASE)[0]


def test_a_claimed_alert_is_nobody_elses_until_the_lease_ends(claimed, now):
    assert claim_due(now=now + LEASE - dt.timedelta(seconds=1), limit=9, lease=LEASE) == []
    assert claim_due(now=now + LEASE, limit=9, lease=LEASE) == [claimed]


def test_what_is_due_longest_is_claimed_first(ada, ben, tell, now):
    late, early = tell(ada, now=now)[0], tell(ben, now=now - dt.timedelta(hours=1))[0]
    tell(ada, dedup="tomorrow", now=now + dt.timedelta(days=1))
    assert claim_due(now=now, limit=1, lease=LEASE) == [early.pk]
    assert claim_due(now=now, limit=9, lease=LEASE) == [late.pk]


def test_an_idle_look_is_one_query(db, now, django_assert_num_queries):
    with django_assert_num_queries(1):
        claim_due(now=now, limit=9, lease=LEASE)


def test_a_sent_alert_is_marked_and_its_attempt_recorded(claimed, mailoutbox, now):
    assert deliver_one(alert_id=claimed, now=now)
    assert [mail.to for mail in mailoutbox] == [["ada@example.org"]]
    assert Alert.objects.values_list("state", "sent", "next_try", "lease_until", "attempts").get() == ("sent", now, None, None, 1)
    assert Delivery.objects.values_list("alert", "at", "delivered", "error").get() == (claimed, now, True, "")


def test_a_sent_alert_is_not_sent_again(claimed, mailoutbox, now):
    deliver_one(alert_id=claimed, now=now)
    assert not deliver_one(alert_id=claimed, now=now)
    assert len(mailoutbox) == 1


def test_without_a_held_claim_nothing_is_sent(claimed, mailoutbox, now):
    assert not deliver_one(alert_id=claimed, now=now + LEASE)
    Alert.objects.update(lease_until=None)
    assert not deliver_one(alert_id=claimed, now=now)
    assert mailoutbox == []


def test_a_refusal_is_recorded_in_the_servers_words_and_tried_again(claimed, smtp, now):
    smtp.refused["ada@example.org"] = "450 4.2.1 mailbox busy"
    assert not deliver_one(alert_id=claimed, now=now)
    alert = Alert.objects.get()
    assert (alert.state, alert.attempts, alert.lease_until) == ("queued", 1, None)
    assert dt.timedelta(seconds=4) < alert.next_try - now <= dt.timedelta(seconds=5)
    assert Delivery.objects.values_list("delivered", "error").get() == (False, "NotAccepted: ada@example.org: 450 4.2.1 mailbox busy")


def test_one_bad_recipient_does_not_hold_up_the_others(ada, ben, tell, smtp, now):
    smtp.refused["ada@example.org"] = "550 5.1.1 no such user"
    tell(ada, ben)
    assert deliver_waiting(clock=lambda: now) == (1, 2)
    assert [envelope.rcpt_tos for envelope in smtp.taken] == [["ben@example.org"]]
    assert dict(Alert.objects.values_list("recipient__username", "state")) == {"ada": "queued", "ben": "sent"}


def test_an_alert_that_cannot_be_built_does_not_hold_up_the_others(ada, ben, tell, mailoutbox, now):
    broken, _ = tell(ada, ben)
    Alert.objects.filter(pk=broken.pk).update(message={"nonsense": 1})
    assert deliver_waiting(clock=lambda: now) == (1, 2)
    assert Delivery.objects.get(alert=broken).error.startswith("TypeError")


def test_an_address_that_is_none_is_a_failure_not_a_success(ada, tell, smtp, now):
    ada.email = ""
    ada.save()
    tell(ada)
    assert deliver_waiting(clock=lambda: now) == (0, 1)
    assert "is no address to send to" in Delivery.objects.get().error


def test_a_channel_that_is_not_there_is_a_failure(claimed, now):
    Alert.objects.update(channel="pigeon")
    assert not deliver_one(alert_id=claimed, now=now)
    assert Delivery.objects.get().error == "KeyError: 'pigeon'"


def test_after_72_hours_the_alert_is_dead_audited_and_logged(ada, tell, settings, now, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens there
    alert = tell(ada)[0]
    Alert.objects.update(attempts=440, next_try=now + dt.timedelta(hours=71, minutes=59))
    last_but_one = now + dt.timedelta(hours=71, minutes=59)
    assert deliver_waiting(clock=lambda: last_but_one) == (0, 1)
    end = now + dt.timedelta(hours=72)
    assert Alert.objects.values_list("state", "next_try").get() == ("queued", end)
    with caplog.at_level(logging.ERROR, "alerts.delivery"):
        assert deliver_waiting(clock=lambda: end) == (0, 1)
    assert Alert.objects.values_list("state", "next_try", "attempts").get() == ("dead", None, 442)
    entry = Entry.objects.get()
    assert (entry.action, entry.about) == ("alerts.alert.dead", f"alert:{alert.pk}")
    assert "Connection refused" in entry.data["error"]
    assert "is given up" in caplog.text
    assert deliver_waiting(clock=lambda: end + dt.timedelta(days=9)) == (0, 0)


def test_a_late_failure_takes_nothing_from_the_worker_that_took_over(claimed, monkeypatch, now):
    taken_over = now + LEASE * 2

    def too_slow(alert):
        Alert.objects.update(lease_until=taken_over)
        raise TimeoutError("too slow")

    monkeypatch.setitem(CHANNELS, "email", too_slow)
    assert not deliver_one(alert_id=claimed, now=now)
    assert Alert.objects.values_list("state", "lease_until", "attempts").get() == ("queued", taken_over, 0)
    assert Delivery.objects.get().error == "TimeoutError: too slow"


def test_a_pass_ends_when_its_time_is_up(ada, ben, tell, mailoutbox, now):
    tell(ada, ben)
    ticks = iter(now + dt.timedelta(seconds=9 * count) for count in range(99))
    sent, tried = deliver_waiting(clock=lambda: next(ticks), budget=dt.timedelta(seconds=20))
    assert (sent, tried, len(mailoutbox)) == (1, 1, 1)
