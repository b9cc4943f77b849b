"""From the outbox to the reader: claim a row, commit, send, mark it.

The claim is a conditional update with a lease and commits before anything is sent; the mark comes after. A worker killed before
the send loses nothing, because the lease runs out and another sends; killed after it, the mail goes out again with the same Message-ID.
"""

import datetime as dt
import logging
from collections.abc import Callable

from django.db import connection, transaction
from django.db.models import F, Q

from accounts.roles import SYSTEM
from alerts.channels import email
from alerts.message import one_line
from alerts.models import Alert, Delivery
from alerts.retries import next_try
from audit.log import record

LEASE = dt.timedelta(minutes=2)  # longer than the slowest send that the mail server's timeouts allow
CHANNELS: dict[str, Callable[[Alert], None]] = {"email": email.send}
logger = logging.getLogger(__name__)


def _due(now: dt.datetime) -> Q:
    return Q(state=Alert.QUEUED, next_try__lte=now) & (Q(lease_until=None) | Q(lease_until__lte=now))


def claim_due(*, now: dt.datetime, limit: int, lease: dt.timedelta) -> list[int]:
    """Claim up to `limit` due alerts, longest due first, for `lease`; the claim has committed when their keys are returned."""
    if not Alert.objects.filter(_due(now)).exists():
        return []  # an idle look takes no write lock
    with transaction.atomic(durable=True):
        waiting = Alert.objects.filter(_due(now)).order_by("next_try", "pk")
        if connection.features.has_select_for_update_skip_locked:
            waiting = waiting.select_for_update(skip_locked=True)
        found = list(waiting.values_list("pk", flat=True)[:limit])
        return [key for key in found if Alert.objects.filter(_due(now), pk=key).update(lease_until=now + lease)]


def deliver_one(*, alert_id: int, now: dt.datetime) -> bool:
    """Send one claimed alert and record the attempt; False where it failed, or where the claim is not held any more."""
    alert = Alert.objects.select_related("recipient").get(pk=alert_id)
    if alert.state != Alert.QUEUED or alert.lease_until is None or alert.lease_until <= now:
        return False
    try:
        CHANNELS[alert.channel](alert)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one alert is a row and a retry, never the end of the pass
        _mark_failed(alert, error=error, now=now)
        return False
    _mark_sent(alert, now=now)
    return True


def deliver_waiting(
    *, clock: Callable[[], dt.datetime], limit: int = 500, budget: dt.timedelta = dt.timedelta(seconds=20)
) -> tuple[int, int]:
    """Claim and send one alert after another until none is due or `limit` or `budget` is used up; returns (sent, tried).

    One at a time, so that a killed worker holds back a single alert; the budget keeps a hanging mail server from holding the worker.
    """
    sent = tried = 0
    began = clock()
    while tried < limit and clock() - began <= budget:
        claimed = claim_due(now=clock(), limit=1, lease=LEASE)
        if not claimed:
            break
        sent += deliver_one(alert_id=claimed[0], now=clock())
        tried += 1
    return sent, tried


def _mark_sent(alert: Alert, *, now: dt.datetime) -> None:
    """The mail is out, whoever holds the lease by now."""
    with transaction.atomic():
        Delivery.objects.create(alert=alert, at=now, delivered=True)
        Alert.objects.filter(pk=alert.pk).update(state=Alert.SENT, sent=now, next_try=None, lease_until=None, attempts=F("attempts") + 1)


def _mark_failed(alert: Alert, *, error: Exception, now: dt.datetime) -> None:
    """Record the failure and when to try again; where another worker has taken over meanwhile, only the record."""
    attempts = alert.attempts + 1
    said = one_line(f"{type(error).__name__}: {error}")[:500]
    again = next_try(queued=alert.queued, now=now, attempts=attempts, seed=str(alert.pk))
    outcome = {"state": Alert.DEAD if again is None else Alert.QUEUED, "next_try": again, "lease_until": None, "attempts": attempts}
    with transaction.atomic():
        Delivery.objects.create(alert=alert, at=now, delivered=False, error=said)
        held = Alert.objects.filter(pk=alert.pk, state=Alert.QUEUED, lease_until=alert.lease_until).update(**outcome)
        if held and again is None:
            data = {"event": alert.event, "thread": alert.thread, "recipient": alert.recipient_id, "attempts": attempts, "error": said}
            record(action="alerts.alert.dead", about=f"alert:{alert.pk}", actor=SYSTEM, now=now, data=data)
    if again is None:
        logger.error("Alert %s (%s) could not be sent in 72 h and is given up: %s", alert.pk, alert.event, said)
    else:
        logger.warning("Alert %s (%s) failed at attempt %s, next at %s: %s", alert.pk, alert.event, attempts, again.isoformat(), said)
