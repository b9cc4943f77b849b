"""Each request with an Idempotency-Key is done once: one at a time by its key, and what it was answered is kept for good.

A key is held while its request is worked on: inside this process by a set, between processes by an advisory lock of PostgreSQL. (SQLite
has one web process, and one writer.) The row that keeps the reply is the truth; a lock that is lost with its connection loses nothing.
"""

import datetime as dt
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from django.db import connection, transaction

from accounts.roles import Refused
from crises.models import KeptReply

_held: set["Key"] = set()
_guard = Lock()


class InFlight(Refused):
    """The first request with this key is still worked on."""

    def __init__(self) -> None:
        super().__init__("The first request with this Idempotency-Key is still worked on. Send it again after Retry-After seconds.")


class KeyReused(Refused):
    """The key was answered for another request."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was answered for another address or body. A new request needs a new key; only a repeat has the old one."
        )


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key of an owner: the same for every token of this owner."""

    owner: str
    text: str

    @property
    def number(self) -> int:
        """A signed 64-bit number for the lock."""
        return int.from_bytes(hashlib.sha256(f"{self.owner}\n{self.text}".encode()).digest()[:8], signed=True)


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers that matter and body of an answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def held(key: Key) -> Iterator[None]:
    """Hold the key to the end of the block, outside of any transaction; raises InFlight where it is held already.

    For what has an identity of its own, such as a run: were the reply lost, a repeat would find what is stored.
    """
    with _held_here(key):
        locked = _asked("SELECT pg_try_advisory_lock(%s)", key)
        try:
            if not locked:
                raise InFlight
            yield
        finally:
            if locked:
                _asked("SELECT pg_advisory_unlock(%s)", key)


@contextmanager
def held_in_one_transaction(key: Key) -> Iterator[None]:
    """The same, with everything in the block in one transaction: it and the reply are kept together, or neither is."""
    with _held_here(key), transaction.atomic():
        if not _asked("SELECT pg_try_advisory_xact_lock(%s)", key):
            raise InFlight
        yield


def find_reply(*, key: Key, fingerprint: str) -> Reply | None:
    """What the request with this key was answered; raises KeyReused where that was another request."""
    row = next(iter(KeptReply.objects.filter(owner=key.owner, key=key.text)), None)
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise KeyReused
    return Reply(row.status, zlib.decompress(bytes(row.body)), row.headers)


def keep_reply(*, key: Key, fingerprint: str, reply: Reply, now: dt.datetime) -> None:
    """Keep the answer; the first one that was kept stays."""
    body = zlib.compress(reply.body, level=1)
    row = KeptReply(
        owner=key.owner, key=key.text, fingerprint=fingerprint, status=reply.status, headers=dict(reply.headers), body=body, at=now
    )
    KeptReply.objects.bulk_create([row], ignore_conflicts=True)


@contextmanager
def _held_here(key: Key) -> Iterator[None]:
    with _guard:
        if key in _held:
            raise InFlight
        _held.add(key)
    try:
        yield
    finally:
        with _guard:
            _held.discard(key)


def _asked(question: str, key: Key) -> bool:
    """What PostgreSQL says; another database has no such locks."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(question, [key.number])
        return bool(cursor.fetchone()[0])
