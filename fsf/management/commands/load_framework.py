"""Load framework files; loading the same file again does nothing, a changed file under the same version is refused."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.roles import SYSTEM, Refused
from audit import log
from mitigations import checklists
from thresholds import library
from thresholds.library.shape import FrameworkFile, InvalidFramework
from thresholds.models import Framework


class Command(BaseCommand):
    help = "Load framework versions from YAML files (default: all in the library that ships with the product)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, help="YAML files")

    def handle(self, *args: Any, **options: Any) -> None:
        for path in options["files"] or sorted(library.LIBRARY.glob("*.yaml")):
            try:
                content = library.read_file(path)
                framework, created = load_with_plans(content)
            except (InvalidFramework, Refused) as wrong:
                raise CommandError(str(wrong)) from wrong
            word = "loaded" if created else "already loaded, unchanged"
            self.stdout.write(f"{framework} ({framework.key}): {word}, digest {framework.digest[:12]}")


def load_with_plans(content: FrameworkFile) -> tuple[Framework, bool]:
    """Load a framework version together with the checklists agreed in the same file."""
    now = timezone.now()
    with transaction.atomic(), log.gathered():
        framework, created = library.load(content=content, actor=SYSTEM, now=now)
        if created:
            measures = {entry.slug: [msgspec.structs.asdict(measure) for measure in entry.checklist] for entry in content.levels}
            for level in framework.levels.all():
                checklists.define(level=level, measures=measures[level.slug])
    return framework, created
