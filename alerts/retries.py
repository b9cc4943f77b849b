"""How long to wait before an alert is tried again, and when to give up: plain arithmetic on the clock."""

import datetime as dt
import zlib

FIRST = dt.timedelta(seconds=5)
LONGEST = dt.timedelta(minutes=10)
PATIENCE = dt.timedelta(hours=72)


def wait_after(attempts: int, *, seed: str) -> dt.timedelta:
    """The wait after so many failed attempts: 5 s, doubled each time up to 10 min, shortened by up to a fifth so that retries spread out.

    The shortening depends on the seed and the count alone, so that the same history always gives the same moment.
    """
    full = min(LONGEST, FIRST * (1 << min(attempts - 1, 20)))
    spread = zlib.crc32(f"{seed}:{attempts}".encode()) / 2**32
    return full * (1 - spread / 5)


def next_try(*, queued: dt.datetime, now: dt.datetime, attempts: int, seed: str) -> dt.datetime | None:
    """When to try again after a failure at `now`, the last time exactly 72 h after queueing; None where those 72 h are over."""
    end = queued + PATIENCE
    return None if now >= end else min(end, now + wait_after(attempts, seed=seed))
