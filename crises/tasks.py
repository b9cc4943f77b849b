"""What the clock does for crises: answer runs that came by another door, and call again where nobody acknowledged."""

import datetime as dt
import logging
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
    answered = [reply for pk in response.unanswered() if (reply := _answer(pk, now)) is not None]
    called = [pk for pk in escalation.overdue(now=now) if escalation.escalate_overdue(crisis_id=pk, now=now)]
    if called or any(reply["alerts_queued"] for reply in answered):
        nudge()
    return len(answered) + len(called)


def _answer(run_id: int, now: dt.datetime) -> dict[str, Any] | None:
    """One run that cannot be judged must not keep the others from being judged; it is tried again at the next pass."""
    try:
        return response.respond_later(run_id=run_id, now=now)
    except Exception:
        logger.exception("run %s could not be judged", run_id)
        return None
