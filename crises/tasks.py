"""What the clock does for crises: answer runs that came by another door, and call again where nobody acknowledged."""

from celery import shared_task
from django.utils import timezone

from alerts.tasks import nudge
from crises import escalation, response


@shared_task(name="crises.sweep")
def sweep() -> int:
    """One pass; returns how many rows it acted on. Running it twice, or in two places, changes nothing but latency."""
    now = timezone.now()
    answered = [response.respond_later(run_id=pk, now=now) for pk in response.unanswered()]
    called = [escalation.escalate_overdue(crisis_id=pk, now=now) for pk in escalation.overdue(now=now)]
    if any(called) or any(reply and reply["alerts_queued"] for reply in answered):
        nudge()
    return sum(reply is not None for reply in answered) + sum(called)
