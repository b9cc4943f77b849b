"""Writing to and verifying the audit log; `record` runs inside the transaction of the change it tells of."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import transaction

from accounts.roles import Actor
from audit.chain import entry_hash, first_broken
from audit.models import Entry, Head


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": entry.at.astimezone(dt.UTC).isoformat(),
        "actor_kind": entry.actor_kind,
        "actor": entry.actor,
        "actor_id": entry.actor_id,
        "action": entry.action,
        "about": entry.about,
        "data": entry.data,
        "previous_hash": entry.previous_hash,
    }


def record(*, action: str, about: str, actor: Actor, now: dt.datetime, data: Mapping[str, Any] | None = None) -> Entry:
    """Append one entry to the chain; the head row stays locked until the surrounding transaction ends."""
    with transaction.atomic():
        head = Head.objects.select_for_update().get(pk=1)
        entry = Entry(
            seq=head.seq + 1,
            at=now,
            actor_kind=actor.kind,
            actor=actor.name,
            actor_id=actor.id,
            action=action,
            about=about,
            data=dict(data or {}),
            previous_hash=head.hash,
        )
        entry.hash = entry_hash(_fields(entry))
        entry.save(force_insert=True)
        Head.objects.filter(pk=1).update(seq=entry.seq, hash=entry.hash)
    return entry


def _pairs() -> Iterator[tuple[dict[str, Any], str]]:
    for entry in Entry.objects.order_by("seq").iterator(chunk_size=2000):
        yield _fields(entry), entry.hash


def verify() -> int | None:
    """The number of the first entry that is broken or missing, or None where the whole log holds up to its head."""
    broken = first_broken(_pairs())
    if broken is not None:
        return broken
    head = Head.objects.get(pk=1)
    last = Entry.objects.order_by("-seq").first()
    if head.seq != (last.seq if last else 0) or (last and head.hash != last.hash):
        return head.seq
    return None
