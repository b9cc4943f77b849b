"""Fills a migrated database for imports: the lines, the checkpoints that the logs name, a token. Prints the token."""

import os
from pathlib import Path

import django
from django.utils import timezone

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")
django.setup()

from accounts.models import ServiceAccount, User  # noqa: E402 - models are there only after django.setup
from accounts.roles import SYSTEM, Role  # noqa: E402
from accounts.tokens import issue  # noqa: E402
from bench.importing.logs import MODELS  # noqa: E402
from evals.catalogue import register_checkpoint, register_model  # noqa: E402
from fsf.management.commands.load_framework import load_with_plans  # noqa: E402
from thresholds import library  # noqa: E402


def main() -> None:
    """One framework, one person who is alerted, a checkpoint for each model that is named in a log."""
    now = timezone.now()
    load_with_plans(library.read_file(Path(__file__).with_name("lines.yaml")))
    User.objects.create(username="first", email="first@example.org", role=Role.SAFETY_LEAD, alerted=True)
    model = register_model(slug="bench", name="Bench", developer="Bench Works", actor=SYSTEM, now=now)
    for name in MODELS:
        register_checkpoint(model=model, fields={"slug": name, "name": name}, actor=SYSTEM, now=now)
    account = ServiceAccount.objects.create(name="bench", created=now)
    _, text = issue(account=account, scopes=["runs:write", "read"], now=now, days=1)
    print(text)


if __name__ == "__main__":
    main()
