"""What the clock does: answer runs that came by another door, call again where nobody acknowledged, and give up silent runs."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import Any

from celery import shared_task
from django.utils import timezone

from alerts.tasks import nudge
from crises import escalation, response, watching
from evals import heartbeats

LONGEST = 20  # seconds after which a pass leaves the next page to the pass after it
logger = logging.getLogger(__name__)


@shared_task(name="crises.sweep")
def sweep() -> int:
    """One pass; returns how many rows it acted on. Running it twice, or in two places, changes nothing but latency."""
    now = timezone.now()
    waiting = _each(response.unanswered)
    answered = [reply for pk in waiting if (reply := _tried("run", response.respond_later, run_id=pk, now=now)) is not None]
    heard = [pk for pk in _each(response.unheard) if _tried("crossing", response.respond_to_crossing, crossing_id=pk, now=now)]
    called = [pk for pk in escalation.overdue(now=now) if _tried("crisis", escalation.escalate_overdue, crisis_id=pk, now=now)]
    if heard or called or any(reply["alerts_queued"] for reply in answered):
        nudge()
    return len(answered) + len(heard) + len(called)


@shared_task(name="crises.watch_runs")
def watch_runs() -> int:
    """One pass over the runs of which nothing was heard in time; returns how many were given up. Two at once give up each once."""
    now = timezone.now()
    silent = _each(partial(heartbeats.overdue, now=now))
    lost = [pk for pk in silent if _tried("run", watching.lose_run, run_id=pk, now=now)]
    if lost:
        nudge()
    return len(lost)


def _each(look: Callable[..., list[int]]) -> Iterator[int]:
    """Row after row, page after page, so that rows that cannot be acted on never hide those behind them."""
    until, after = monotonic() + LONGEST, 0
    while monotonic() < until and (page := look(after=after)):
        yield from page
        after = page[-1]


def _tried(what: str, act: Callable[..., Any], **facts: Any) -> Any:
    """One row that cannot be acted on must not keep the others from it; it is tried again at the next pass."""
    try:
        return act(**facts)
    except Exception:
        logger.exception("%s %s could not be acted on", what, facts)
        return None
