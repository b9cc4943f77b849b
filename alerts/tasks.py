"""The doorbell of the outbox: what is due lies in rows, so a lost or doubled ring changes nothing but latency."""

import logging
from typing import Any

from celery import current_app, shared_task
from django.conf import settings
from django.utils import timezone

from alerts.delivery import deliver_waiting

# A ring that is not heard within a second is not worth waiting for: the tick hears what it missed.
QUICK: dict[str, Any] = {"socket_timeout": 1, "socket_connect_timeout": 1, "connect_retries_timeout": 1, "max_retries": 0}
logger = logging.getLogger(__name__)


@shared_task(name="alerts.deliver_due")
def deliver_due() -> None:
    """Send whatever is due."""
    deliver_waiting(clock=timezone.now)


def nudge() -> None:
    """Ring for `deliver_due` after a commit; a broker that is down costs about a second and a logged line, never an error."""
    options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, **QUICK}
    try:
        with current_app.connection_for_write(connect_timeout=1, transport_options=options) as connection:
            deliver_due.apply_async(producer=current_app.amqp.Producer(connection, auto_declare=False), retry=False)
    except Exception as error:  # noqa: BLE001 - whatever the broker does, what was committed is committed and will be delivered
        logger.warning("The broker did not take the nudge, the next tick will deliver: %s", error)
