"""List the live API tokens, all of them or those that one pepper hashed."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.models import ApiToken, ServiceAccount
from accounts.tokens import live


class Command(BaseCommand):
    help = "List the live tokens: key, owner, purpose, number of the pepper, last use, end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--pepper", type=int, help="only those that the pepper of this number hashed")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = live(ApiToken.objects.select_related("account", "person").order_by("expires", "pk"), timezone.now())
        for row in rows if options["pepper"] is None else rows.filter(pepper=options["pepper"]):
            owner = f"service:{row.owner.name}" if isinstance(row.owner, ServiceAccount) else f"person:{row.owner.username}"
            used = f"{row.last_used:%Y-%m-%d %H:%M}" if row.last_used else "never"
            self.stdout.write(f"{row.key}  {owner}  {row.purpose}  pepper {row.pepper}  last used {used}  ends {row.expires:%Y-%m-%d}")
