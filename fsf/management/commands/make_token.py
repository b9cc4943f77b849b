"""Make an API token for a service account; it is printed once and stored only as a keyed hash."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts import tokens
from accounts.roles import SYSTEM, Reach, Refused
from audit.access import make_account, make_token, revoke_token
from evals.catalogue import unknown_evaluations, unknown_models

USUAL = [scope for scope in tokens.SCOPES if scope != "tokens:write"]


def _check_names(kind: str, unknown: list[str]) -> None:
    """Raise Refused for a slug that names nothing: a misspelt one would make a token that reaches nothing."""
    if unknown:
        raise Refused(f"No {kind} '{unknown[0]}' is registered; give its slug without a version.")


class Command(BaseCommand):
    help = "Make a token for a service account, or revoke one by its key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="name of the service account, made where it is new")
        parser.add_argument("--scope", action="append", choices=tokens.SCOPES, help="repeat for several; default: all but tokens:write")
        parser.add_argument("--days", type=int, default=tokens.DEFAULT_DAYS, help=f"days to live, at most {tokens.MOST_DAYS}")
        parser.add_argument("--purpose", default=tokens.GENERAL, help="what it is for; at most two alike live at once")
        parser.add_argument("--model", action="append", default=[], metavar="SLUG", help="restrict it to this model; repeat for several")
        parser.add_argument("--evaluation", action="append", default=[], metavar="SLUG", help="restrict it to this evaluation; repeat")
        parser.add_argument("--network", action="append", default=[], metavar="CIDR", help="only from this network; repeat for several")
        parser.add_argument("--revoke", metavar="KEY", help="end the account's token with this key instead of making one")
        parser.add_argument("--leaked", action="store_true", help="with --revoke: end every token that was made with it too")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                self._revoke(options) if options["revoke"] else self._make(options)
        except Refused as wrong:
            raise CommandError(str(wrong)) from wrong

    def _make(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        _check_names("model", unknown_models(options["model"]))
        _check_names("evaluation", unknown_evaluations(options["evaluation"]))
        account = make_account(name=options["account"], actor=SYSTEM, now=now)
        reach = Reach(frozenset(options["model"]), frozenset(options["evaluation"]))
        scopes = frozenset(options["scope"] or USUAL)
        grant = tokens.Grant(scopes, options["purpose"], reach, tuple(options["network"]), options["days"])
        row, text = make_token(owner=account, grant=grant, actor=SYSTEM, now=now)
        self.stdout.write(f"Token of {account.name}, scopes {', '.join(row.scopes)}, until {row.expires:%d %b %Y}. It is shown only now:")
        self.stdout.write(text)

    def _revoke(self, options: dict[str, Any]) -> None:
        token = tokens.find(account=options["account"], key=options["revoke"])
        reason = "leaked" if options["leaked"] else "unneeded"
        also = revoke_token(token=token, reason=reason, actor=SYSTEM, now=timezone.now())
        more = f", and with it {', '.join(also)}" if also else ""
        self.stdout.write(f"Token {token.key} of {options['account']} is revoked{more}.")
