"""Fills the measurement's database through the product's own operations, and prints the token and the checkpoints as JSON."""

import json
import os
from pathlib import Path

import django
from django.db import connection
from django.utils import timezone

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")
django.setup()

from accounts.models import ServiceAccount, User  # noqa: E402 - models are there only after django.setup
from accounts.roles import SYSTEM, Role  # noqa: E402
from accounts.tokens import issue  # noqa: E402
from evals.catalogue import register_checkpoint, register_model  # noqa: E402
from fsf.management.commands.load_framework import load_with_plans  # noqa: E402
from thresholds import library  # noqa: E402

BARE = {
    "postgresql": "CREATE TABLE bare (id bigserial PRIMARY KEY, body jsonb NOT NULL)",
    "sqlite": "CREATE TABLE bare (id INTEGER PRIMARY KEY, body TEXT NOT NULL CHECK (json_valid(body)))",
}
MODELS, CHECKPOINTS_EACH = 10, 4


def main() -> None:
    """The shipped frameworks and our own lines, two people who are alerted, forty checkpoints, one token; the bare table."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(BARE[connection.vendor])
    for path in (*sorted(library.LIBRARY.glob("*.yaml")), Path(__file__).with_name("lines.yaml")):
        load_with_plans(library.read_file(path))
    for name in ("first", "second"):
        User.objects.create(username=name, email=f"{name}@example.org", role=Role.SAFETY_LEAD, alerted=True)
    slugs = []
    for number in range(MODELS):
        model = register_model(slug=f"bench-{number}", name=f"Bench {number}", developer="Bench Works", actor=SYSTEM, now=now)
        for step in range(CHECKPOINTS_EACH):
            fields = {"slug": f"bench-{number}-{step}", "name": f"Bench {number}, step {step}"}
            slugs.append(register_checkpoint(model=model, fields=fields, actor=SYSTEM, now=now).slug)
    account = ServiceAccount.objects.create(name="bench", created=now)
    _, text = issue(account=account, scopes=["runs:write", "read"], now=now, days=1)
    print(json.dumps({"token": text, "checkpoints": slugs}))


if __name__ == "__main__":
    main()
