"""Load framework files: what ships with the product is in force at once, any other file becomes a draft."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.roles import Refused
from mitigations.drafting import load_draft
from thresholds import library
from thresholds.library.shape import FrameworkFile, InvalidFramework
from thresholds.models import Framework
from thresholds.publishing import publish_library

SHIPPED = (library.LIBRARY, settings.BASE_DIR / "examples")


class Command(BaseCommand):
    help = "Load framework versions from YAML files (default: all in the library that ships with the product)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, help="YAML files")

    def handle(self, *args: Any, **options: Any) -> None:
        for path in options["files"] or sorted(library.LIBRARY.glob("*.yaml")):
            try:
                self.stdout.write(load_path(path, author=None))
            except (InvalidFramework, Refused) as wrong:
                raise CommandError(str(wrong)) from wrong


def load_path(path: Path, *, author: User | None) -> str:
    """Load one file, in force at once where it ships with the product; returns what was done, as a sentence."""
    content = library.read_file(path)
    if path.resolve().parent in SHIPPED:
        framework, created = load_with_plans(content)
        return f"{_named(framework)}: {'loaded, in force' if created else 'already loaded, unchanged'}, digest {framework.digest[:12]}"
    framework, stored = load_draft(content, now=timezone.now(), author=author)
    word = "loaded as a draft" if stored else "already loaded, unchanged"
    if framework.state == "published":
        return f"{_named(framework)}: {word}, digest {framework.digest[:12]}"
    return (
        f"{_named(framework)}: {word}, digest {framework.digest[:12]}. It judges nothing until it is published: "
        f"manage.py framework publish {framework.key} --approver USER --digest {framework.digest[:12]}"
        + ("" if framework.author_id else " (name its author first: manage.py framework load FILE --author USER)")
    )


def _named(framework: Framework) -> str:
    return f"{framework} ({framework.key})"


@transaction.atomic
def load_with_plans(content: FrameworkFile) -> tuple[Framework, bool]:
    """Load a version that ships with the product together with its checklists, and put it in force at once.

    Returns the framework and whether it came in force now.
    """
    now = timezone.now()
    framework, _ = load_draft(content, now=now, origin="library")
    if framework.state == "published":
        return framework, False
    return publish_library(framework=framework, now=now), True
