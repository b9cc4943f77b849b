"""How many requests a token, or an address with wrong tokens, may make in a minute.

Requests are counted in Redis where there is one and in the database otherwise. A process takes a thousandth of the limit at a
time and spends it from memory, so that most requests ask nobody; what it took is counted for all, so never more than the limit
get through. Where the counter does not answer, requests are let through: a result that is lost is worse than one too many.
"""

import datetime as dt
import logging
import time
from dataclasses import dataclass
from functools import cache
from math import ceil
from threading import Lock
from typing import Any, NamedTuple

import redis
from django.conf import settings
from django.db import DatabaseError

from accounts.counting import Counter, InDatabase, InRedis
from accounts.roles import Refused

WINDOW = 60_000  # milliseconds
SHARES = 1000
MOST_KEPT = 10_000  # names that one process remembers
PAUSE = 5.0  # seconds for which a counter that failed is not asked again
logger = logging.getLogger(__name__)


class Allowance(NamedTuple):
    """What is left of a limit, and for how many seconds; `name` as the headers have it."""

    name: str
    limit: int
    left: int
    seconds: int

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy as the IETF's draft has them."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.limit};w={WINDOW // 1000}',
            "RateLimit": f'"{self.name}";r={self.left};t={self.seconds}',
        }


class RateLimited(Refused):
    """The limit is used up; carries what the answer's headers say."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__(
            f"The limit of {allowance.limit:,} requests a minute is used up; try again in {allowance.seconds} seconds. "
            "A batch of many runs counts as one request."
        )
        self.headers = {"Retry-After": str(allowance.seconds), **allowance.headers()}


@dataclass(slots=True)
class Purse:
    """What this process took of a name's window and has not spent; `over` where nothing more can be taken until it ends."""

    ends: int = 0
    own: int = 0
    others: int = 0
    over: bool = False


class Limiter:
    """Lets at most `limit` requests of a name through in a window, over all processes that share the counter."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self._purses: dict[str, Purse] = {}
        self._lock = Lock()

    def spend(self, *, kind: str, name: str, limit: int, now: dt.datetime) -> Allowance:
        """Count one request; raises RateLimited where the limit is used up, and the counter's own errors."""
        at = int(now.timestamp() * 1000)
        full = f"{kind}:{name}"
        allowance = self._from_purse(full, kind, limit, at)
        if allowance is None:
            share = max(1, limit // SHARES)
            counted = self.counter.add(name=full, number=share, window=WINDOW, now=now)
            granted = max(0, min(share, limit - counted.count + share))
            allowance = self._put(full, kind, limit, at, Purse(counted.ends, granted, max(0, limit - counted.count), over=granted < share))
        if allowance is None:
            raise RateLimited(Allowance(kind, limit, 0, self._seconds(full, at)))
        return allowance

    def _from_purse(self, full: str, kind: str, limit: int, at: int) -> Allowance | None:
        """One of those that were taken before; None where the counter must be asked. Raises RateLimited where that is known."""
        with self._lock:
            purse = self._purses.get(full)
            if purse is None or purse.ends <= at:
                return None
            if purse.own > 0:
                return self._one_of(purse, kind, limit, at)
            if not purse.over:
                return None
        raise RateLimited(Allowance(kind, limit, 0, ceil((purse.ends - at) / 1000)))

    def _put(self, full: str, kind: str, limit: int, at: int, taken: Purse) -> Allowance | None:
        """Add what was just taken to the purse, and one of it to the request that asked; None where nothing was granted."""
        with self._lock:
            before = self._purses.get(full)
            if before is not None and abs(before.ends - taken.ends) < WINDOW // 2:  # Redis tells the end anew each time, to the millisecond
                taken.own += before.own
                taken.over = taken.over or before.over
            if len(self._purses) >= MOST_KEPT and full not in self._purses:
                self._purses.clear()
            self._purses[full] = taken
            return self._one_of(taken, kind, limit, at) if taken.own > 0 else None

    def _one_of(self, purse: Purse, kind: str, limit: int, at: int) -> Allowance:
        purse.own -= 1
        return Allowance(kind, limit, purse.own + purse.others, ceil((purse.ends - at) / 1000))

    def _seconds(self, full: str, at: int) -> int:
        purse = self._purses.get(full)
        return max(1, ceil((purse.ends - at) / 1000)) if purse else 1


class Patient:
    """Asks a limiter, and lets requests through while its counter does not answer; one line in the log each time it is given up."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self._until = 0.0

    def spend(self, *, kind: str, name: str, limit: int, now: dt.datetime) -> Allowance | None:
        """What is left, or None where nobody knows; raises RateLimited."""
        if limit <= 0 or time.monotonic() < self._until:
            return None
        try:
            return self.limiter.spend(kind=kind, name=name, limit=limit, now=now)
        except (redis.RedisError, DatabaseError) as wrong:
            self._until = time.monotonic() + PAUSE
            logger.warning("requests are not counted for %s seconds, because the counter does not answer: %s", PAUSE, wrong)
            return None


@cache
def patient(url: str) -> Patient:
    """The one limiter of this process for a Redis address, or for the database where it is empty."""
    return Patient(Limiter(InRedis(url) if url else InDatabase()))


def count_token(about: dict[str, Any], key: str, now: dt.datetime) -> None:
    """Count a request with a live token, and note in its environment what the answer's headers say of it; raises RateLimited."""
    left = patient(settings.REDIS_URL).spend(kind="token", name=key, limit=settings.RATE_TOKEN, now=now)
    if left is not None:
        about["fsf.rate"] = left.headers()


def count_failure(address: str, now: dt.datetime) -> None:
    """Count a wrong token from an address; raises RateLimited. A live token from there is still let in."""
    patient(settings.REDIS_URL).spend(kind="address", name=address, limit=settings.RATE_FAILED, now=now)
