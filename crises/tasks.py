"""What the clock does for crises: answer runs that came by another door, and call again where nobody acknowledged."""

import logging
from collections.abc import Callable
from typing import Any

from celery import shared_task
from django.utils import timezone

from alerts.tasks import nudge
from crises import escalation, response

logger = logging.getLogger(__name__)


@shared_task(name="crises.sweep")
def sweep() -> int:
    """One pass; returns how many rows it acted on. Running it twice, or in two places, changes nothing but latency."""
    now = timezone.now()
    answered = [reply for pk in response.unanswered() if (reply := _tried("run", response.respond_later, run_id=pk, now=now)) is not None]
    heard = [pk for pk in response.unheard() if _tried("crossing", response.respond_to_crossing, crossing_id=pk, now=now)]
    called = [pk for pk in escalation.overdue(now=now) if _tried("crisis", escalation.escalate_overdue, crisis_id=pk, now=now)]
    if heard or called or any(reply["alerts_queued"] for reply in answered):
        nudge()
    return len(answered) + len(heard) + len(called)


def _tried(what: str, act: Callable[..., Any], **facts: Any) -> Any:
    """One row that cannot be acted on must not keep the others from it; it is tried again at the next pass."""
    try:
        return act(**facts)
    except Exception:
        logger.exception("%s %s could not be acted on", what, facts)
        return None
