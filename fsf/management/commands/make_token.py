"""Make an API token for a service account; it is printed once and stored only as a keyed hash."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts import tokens
from accounts.models import ServiceAccount
from accounts.roles import SYSTEM, Refused
from audit import log


class Command(BaseCommand):
    help = "Make a token for a service account, or revoke one by its key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="name of the service account, made where it is new")
        parser.add_argument("--scope", action="append", choices=tokens.SCOPES, help="repeat for several; default: all")
        parser.add_argument("--days", type=int, default=tokens.DEFAULT_DAYS, help=f"days to live, at most {tokens.MOST_DAYS}")
        parser.add_argument("--revoke", metavar="KEY", help="end the account's token with this key instead of making one")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                self._revoke(options) if options["revoke"] else self._make(options)
        except Refused as wrong:
            raise CommandError(str(wrong)) from wrong

    def _make(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        account, _ = ServiceAccount.objects.get_or_create(name=options["account"], defaults={"created": now})
        row, text = tokens.issue(account=account, scopes=options["scope"] or tokens.SCOPES, now=now, days=options["days"])
        data = {"account": account.name, "scopes": row.scopes, "expires": row.expires.isoformat()}
        log.record(action="accounts.token.make", about=f"token:{row.key}", actor=SYSTEM, now=now, data=data)
        self.stdout.write(f"Token of {account.name}, scopes {', '.join(row.scopes)}, until {row.expires:%d %b %Y}. It is shown only now:")
        self.stdout.write(text)

    def _revoke(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        token = tokens.find(account=options["account"], key=options["revoke"])
        tokens.revoke(token=token, now=now)
        log.record(action="accounts.token.revoke", about=f"token:{token.key}", actor=SYSTEM, now=now, data={"account": options["account"]})
        self.stdout.write(f"Token {token.key} of {options['account']} is revoked.")
