"""Switch a service account off, which ends all its tokens at once, or on again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import ServiceAccount
from accounts.roles import SYSTEM, Refused
from audit import access


class Command(BaseCommand):
    help = "Switch a service account off: every token of it ends, and it gets no other until it is switched on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="name of the service account")
        parser.add_argument("--back-on", action="store_true", help="switch it on again; its tokens stay ended, so make new ones")

    def handle(self, *args: Any, **options: Any) -> None:
        account = ServiceAccount.objects.filter(name=options["account"]).first()
        if account is None:
            raise CommandError(f"There is no service account '{options['account']}'.")
        try:
            self._on(account) if options["back_on"] else self._off(account)
        except Refused as wrong:
            raise CommandError(str(wrong)) from wrong

    def _off(self, account: ServiceAccount) -> None:
        ended = access.switch_off(account=account, actor=SYSTEM, now=timezone.now())
        self.stdout.write(f"{account.name} is switched off; tokens ended: {', '.join(ended) or 'none lived'}.")

    def _on(self, account: ServiceAccount) -> None:
        access.switch_on(account=account, actor=SYSTEM, now=timezone.now())
        self.stdout.write(f"{account.name} is switched on again; make it a new token.")
