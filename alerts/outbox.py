"""The outbox: an alert is queued in the transaction of the event it tells of, so that no event is ever without its alerts."""

import datetime as dt
import hashlib
import logging
from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import SYSTEM, Actor
from alerts.message import Message
from alerts.models import Alert
from audit.log import record
from audit.models import Entry

CHANNELS = ("email",)
NOBODY = "alerts.alert.nobody"
LONGEST_KEY = 200
logger = logging.getLogger(__name__)


class NotQueued(Exception):
    """The database took fewer alerts than it was given; the surrounding transaction must not commit."""


def people_to_alert() -> QuerySet[User]:
    """Everyone active who gets an e-mail for every crossing and escalation, in the order they joined."""
    return User.objects.filter(alerted=True, is_active=True).order_by("pk")


def queue(
    *, event: str, thread: str, message: Message, recipients: Iterable[User], now: dt.datetime, dedup: str, first: bool = False
) -> list[Alert]:
    """Queue one alert per recipient and channel and return those that are new; the same `dedup` is never queued twice to anyone.

    With nobody to tell, nothing is queued and that itself is logged as an error and audited. NotQueued where a row was refused.
    `first` says that the caller's transaction made what `dedup` names, so that nobody can have been told: a row that is there all the
    same is an IntegrityError.
    """
    people = {person.pk: person for person in recipients}
    if not people:
        _nobody_to_tell(event=event, thread=thread, message=message, now=now, dedup=dedup)
        return []
    frozen = message.to_dict()
    wanted = {
        key: Alert(
            dedup_key=key,
            recipient=person,
            channel=channel,
            event=event,
            severity=message.severity,
            thread=thread,
            message=frozen,
            queued=now,
            next_try=now,
        )
        for person in people.values()
        for channel in CHANNELS
        if (key := _key(dedup, f"{person.pk}:{channel}"))
    }
    if first:
        return Alert.objects.bulk_create(wanted.values())
    with transaction.atomic():
        return _insert_new(wanted)


def _insert_new(wanted: dict[str, Alert]) -> list[Alert]:
    known = set(Alert.objects.filter(dedup_key__in=wanted).values_list("dedup_key", flat=True))
    Alert.objects.bulk_create([alert for key, alert in wanted.items() if key not in known], ignore_conflicts=True)
    stored = list(Alert.objects.filter(dedup_key__in=wanted).select_related("recipient").order_by("pk"))
    # SQLite's INSERT OR IGNORE passes over every kind of refused row, not only over a doubled key.
    if len(stored) != len(wanted):
        raise NotQueued(f"{len(wanted) - len(stored)} of {len(wanted)} alerts were refused by the database.")
    queued = next(iter(wanted.values())).queued  # a row of the same key that another transaction slipped in has another moment
    return [alert for alert in stored if alert.dedup_key not in known and alert.queued == queued]


def _key(dedup: str, whom: str) -> str:
    if len(dedup) + len(whom) < LONGEST_KEY:
        return f"{dedup}:{whom}"
    return f"{dedup[:80]}~{hashlib.sha256(dedup.encode()).hexdigest()}:{whom}"


def _nobody_to_tell(*, event: str, thread: str, message: Message, now: dt.datetime, dedup: str) -> None:
    """Silence is an alarm: log it, and put it on the record once for each event."""
    logger.error("Nobody to tell of %s (%s): no active person is set to be alerted.", event, message.subject)
    if not Entry.objects.filter(action=NOBODY, about=thread, data__dedup=dedup).exists():
        record(action=NOBODY, about=thread, actor=SYSTEM, now=now, data={"event": event, "subject": message.subject, "dedup": dedup})


def requeue_dead(*, actor: Actor, now: dt.datetime, only: Iterable[int] | None = None) -> list[int]:
    """Queue dead alerts again (all, or only those with these primary keys) for another 72 h, and return their keys."""
    with transaction.atomic():
        dead = Alert.objects.select_for_update().filter(state=Alert.DEAD).order_by("pk")
        chosen = list(dead if only is None else dead.filter(pk__in=list(only)))
        for alert in chosen:
            data = {"event": alert.event, "recipient": alert.recipient_id, "attempts": alert.attempts, "queued": alert.queued.isoformat()}
            record(action="alerts.alert.requeue", about=f"alert:{alert.pk}", actor=actor, now=now, data=data)
        keys = [alert.pk for alert in chosen]
        Alert.objects.filter(pk__in=keys).update(state=Alert.QUEUED, queued=now, next_try=now, lease_until=None, attempts=0)
    return keys


def thread_subject(thread: str) -> str:
    """The subject of a thread's first mail, which its later mails keep; empty where there is none yet."""
    first = Alert.objects.filter(thread=thread).order_by("pk").first()
    return str(first.message["subject"]) if first else ""
