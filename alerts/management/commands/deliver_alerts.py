"""One pass over the outbox without Celery, for operators and for machines whose broker is down."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from alerts.delivery import deliver_waiting
from alerts.models import Alert


class Command(BaseCommand):
    """Send every alert that is due, then say what is left."""

    help = "Send every alert that is due, then say what is left."

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit quietly with the counts; a failed alert stays queued and is tried again later."""
        sent, tried = deliver_waiting(clock=timezone.now)
        waiting = Alert.objects.filter(state=Alert.QUEUED).count()
        dead = Alert.objects.filter(state=Alert.DEAD).count()
        self.stdout.write(f"{sent} of {tried} due alerts sent; {waiting} waiting, {dead} given up.")
