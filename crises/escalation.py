"""A crisis that nobody acknowledges in time calls again by itself, again and again, until somebody does."""

import datetime as dt

from django.conf import settings
from django.db import transaction

from accounts.roles import SYSTEM
from crises.lifecycle import call_again
from crises.models import Crisis


def overdue(*, now: dt.datetime, limit: int = 50) -> list[int]:
    """Ids of opened crises whose acknowledgement is late."""
    return list(Crisis.objects.filter(state="opened", next_step__lte=now).order_by("next_step").values_list("pk", flat=True)[:limit])


@transaction.atomic
def escalate_overdue(*, crisis_id: int, now: dt.datetime) -> bool:
    """Escalate one late crisis and set the next step; false where another worker was first or a person acknowledged."""
    step = now + dt.timedelta(minutes=settings.ACKNOWLEDGE_MINUTES)
    if not Crisis.objects.filter(pk=crisis_id, state="opened", next_step__lte=now).update(next_step=step):
        return False
    crisis = Crisis.objects.select_related("level__framework", "model", "checkpoint", "checklist", "lead").get(pk=crisis_id)
    late = int((now - crisis.opened).total_seconds() // 60)
    call_again(crisis=crisis, why=f"nobody has acknowledged it for {late} minutes.", actor=SYSTEM, now=now)
    return True
