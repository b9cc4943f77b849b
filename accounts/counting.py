"""Counting requests in windows, each count one atomic step: in Redis by a script, in the database by an upsert."""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import redis
from django.db import connection

# A window begins with its first request, so its end is what the key's life says.
SCRIPT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) left = tonumber(ARGV[2]) end
return {count, left}
"""
UPSERT = """
INSERT INTO accounts_tally AS tally (name, count, ends) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET
    count = CASE WHEN tally.ends <= %s THEN excluded.count ELSE tally.count + excluded.count END,
    ends = CASE WHEN tally.ends <= %s THEN excluded.ends ELSE tally.ends END
RETURNING count, ends
"""
SWEEP = "DELETE FROM accounts_tally WHERE ends < %s"
KEPT = 60  # windows for which a name that asks no more is kept
PREFIX = "fsf:rate:"
QUICK = 0.25  # seconds: a slower Redis counts as none


@dataclass(frozen=True, slots=True)
class Counted:
    """The count of a window with what was added just now, and when the window ends (milliseconds since 1970)."""

    count: int
    ends: int


class Counter(Protocol):
    """Adds to a name's count in a window of so many milliseconds that begins with its first request."""

    def add(self, *, name: str, number: int, window: int, now: dt.datetime) -> Counted: ...


def _milliseconds(now: dt.datetime) -> int:
    return int(now.timestamp() * 1000)


class InDatabase:
    """Counts in one row of a name; a new window of a name sweeps away what ended long ago."""

    def add(self, *, name: str, number: int, window: int, now: dt.datetime) -> Counted:
        """One statement, which commits by itself where no transaction is open."""
        at = _milliseconds(now)
        with connection.cursor() as cursor:
            cursor.execute(UPSERT, [name, number, at + window, at, at])
            count, ends = cursor.fetchone()
            if count == number:
                cursor.execute(SWEEP, [at - KEPT * window])
        return Counted(count, ends)


class InRedis:
    """Counts in Redis, which forgets a window by itself when it ends; raises redis.RedisError where it does not answer at once."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def _script(self) -> "redis.commands.core.Script":
        client = redis.Redis.from_url(self.url, socket_timeout=QUICK, socket_connect_timeout=QUICK, retry=None)
        return client.register_script(SCRIPT)

    def add(self, *, name: str, number: int, window: int, now: dt.datetime) -> Counted:
        """One round trip."""
        count, left = self._script(keys=[PREFIX + name], args=[number, window])
        return Counted(int(count), _milliseconds(now) + int(left))
