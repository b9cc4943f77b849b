"""Group commit: posts that arrive while another is being stored wait for it and are then stored together, in one transaction.

A thread that finds nobody at work goes at once. Whoever comes meanwhile waits; when the work is done, the first of those who wait
leads all of them, at most `MOST` at a time, and hands each its own answer or refusal. What cannot be done together each does alone.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Lock

from django.db import connection
from django.utils import timezone

from crises.receiving import Outcome, receive_runs
from crises.response import Answer, receive_run
from database.asking import is_quick
from evals.storing import Posted

MOST = 32
LINGER = 0.002  # seconds; whoever was answered with others a moment ago is likely to be back by then
PATIENCE = 60.0  # seconds; nobody's work takes so long, so whoever was to lead is gone
logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A post whose thread sleeps until it has an outcome, is to lead, or is to go alone (neither of the two)."""

    post: Posted
    asleep: Lock = field(default_factory=Lock)  # held until its thread is woken, once
    outcome: Outcome | None = None
    leads: bool = False


Together = Callable[[Sequence[Posted]], Sequence[Outcome]]
Alone = Callable[[Posted], Answer]


class Gathering:
    """One queue of posts before one pair of ways: `together` for several, `alone` for one."""

    def __init__(self, together: Together, alone: Alone) -> None:
        self._together, self._alone = together, alone
        self._lock = Lock()
        self._came = Condition(self._lock)
        self._queue: deque[_Waiting] = deque()
        self._busy = False
        self._company = 1  # how many were stored together lately: one fewer is waited for each time that fewer came

    def receive(self, post: Posted) -> Answer:
        """The answer to a post, whoever stored it; raises what it is refused for."""
        mine = _Waiting(post)
        with self._lock:
            mine.leads, self._busy = not self._busy, True
            if not mine.leads:
                mine.asleep.acquire()  # by nobody else yet
                self._queue.append(mine)
                if len(self._queue) + 1 >= self._company:
                    self._came.notify()
        if not mine.leads and not mine.asleep.acquire(timeout=PATIENCE):
            self._give_up(mine)
        if mine.leads:
            self._lead(mine)
        if isinstance(mine.outcome, Exception):
            raise mine.outcome
        return mine.outcome or self._alone(post)

    def _lead(self, mine: _Waiting) -> None:
        """Do the work of all who wait, then wake the next leader; also where this thread is being ended."""
        group = [mine]
        try:
            with self._lock:
                there = -1
                while there < len(self._queue) < self._company - 1:  # as long as they keep coming
                    there = len(self._queue)
                    self._came.wait(LINGER)
                while self._queue and len(group) < MOST:
                    group.append(self._queue.popleft())
                self._company = max(len(group), self._company - 1)
            self._settle(group)
        finally:
            self._hand_on()
            for each in group[1:]:
                each.asleep.release()

    def _settle(self, group: Sequence[_Waiting]) -> None:
        """Give each its outcome; none where they cannot be done together, for then the fault may be one's alone."""
        try:
            outcomes = [self._alone(group[0].post)] if len(group) == 1 else self._together([each.post for each in group])
        except Exception as wrong:
            if len(group) == 1:
                group[0].outcome = wrong
                return
            logger.warning("%s posts could not be stored together; each is tried alone", len(group), exc_info=True)
            return
        for each, outcome in zip(group, outcomes, strict=True):
            each.outcome = outcome

    def _hand_on(self) -> None:
        with self._lock:
            if self._queue:
                following = self._queue.popleft()
                following.leads = True
                following.asleep.release()
            else:
                self._busy = False

    def _give_up(self, mine: _Waiting) -> None:
        """Go alone after too long a wait; what was stored for us meanwhile is found there by its identity."""
        with self._lock:
            if mine in self._queue:
                self._queue.remove(mine)


def _store_together(posts: Sequence[Posted]) -> list[Outcome]:
    return receive_runs(posts=posts, now=timezone.now(), as_one=False)


def _store_alone(post: Posted) -> Answer:
    """Where statements are written out, even one post is stored sooner by those for many."""
    if post.proof is None and (not is_quick() or connection.in_atomic_block):
        return receive_run(submission=post.submission, actor=post.actor, now=timezone.now())
    (outcome,) = _store_together([post])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


_gathering = Gathering(_store_together, _store_alone)


def receive_gathered(post: Posted) -> Answer:
    """The answer to a post of this process, stored with those of other threads that came at the same time; raises its refusal.

    Inside a transaction of the caller's own it is stored alone, in that transaction.
    """
    return _store_alone(post) if connection.in_atomic_block else _gathering.receive(post)
