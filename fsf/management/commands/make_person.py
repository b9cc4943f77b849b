"""Add a person who may sign in, or change a person's role."""

import getpass
import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.roles import SYSTEM, Role
from audit import log


class Command(BaseCommand):
    help = "Add a person, or change the role, address or alerting of one. The password is asked for, or read from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--email", required=True, help="where alerts go")
        parser.add_argument("--role", required=True, choices=[role.value for role in Role])
        parser.add_argument("--name", default="", help="first and last name")
        parser.add_argument("--alerted", action="store_true", help="gets an e-mail for every crossing and escalation")
        parser.add_argument("--time-zone", default="UTC", help="IANA name, for example Europe/Berlin")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            validate_email(options["email"])
            with transaction.atomic():
                user, created = self._save(options)
        except ValidationError as wrong:
            raise CommandError(" ".join(wrong.messages)) from wrong
        self.stdout.write(
            f"{user.username} is {'added' if created else 'changed'}: {user.role}, alerted: {'yes' if user.alerted else 'no'}."
        )

    def _save(self, options: dict[str, Any]) -> tuple[User, bool]:
        first, _, last = options["name"].partition(" ")
        fields = {"email": options["email"], "role": options["role"], "alerted": options["alerted"], "time_zone": options["time_zone"]}
        user, created = User.objects.update_or_create(
            username=options["username"], defaults={**fields, **({"first_name": first, "last_name": last} if first else {})}
        )
        if created:
            password = _ask_password()
            validate_password(password, user)
            user.set_password(password)
            user.save()
        now = timezone.now()
        log.record(action="accounts.user.save", about=f"user:{user.username}", actor=SYSTEM, now=now, data={**fields, "created": created})
        return user, created


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n") or secrets.token_urlsafe(32)
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Password again: "):
        raise ValidationError("The two passwords differ; nothing was stored.")
    return password
