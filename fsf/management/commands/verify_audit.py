"""Verify the audit log: every entry follows from the one before it, up to the head."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from audit import log
from audit.models import Entry


class Command(BaseCommand):
    help = "Check the hash chain of the audit log; exit 0 where it holds, 1 where it is broken, naming the first bad entry."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = log.verify()
        if broken is not None:
            self.stderr.write(f"The audit log is broken at entry {broken}: it was changed, removed or added outside the product.")
            sys.exit(1)
        last = Entry.objects.order_by("-seq").first()
        self.stdout.write(f"The audit log holds: {last.seq if last else 0} entries, head {last.hash if last else 'none'}.")
