"""Schedule an evaluation: a command that a worker starts by itself whenever it is due."""

import shlex
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.roles import SYSTEM
from audit import log
from evals.catalogue import UnknownEvaluation, find_evaluation
from evals.models import Checkpoint, EvalSchedule, Evaluation


class Command(BaseCommand):
    help = "Schedule an evaluation of a checkpoint, change a schedule of that name, or stop it with --stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--evaluation", help="slug@version")
        parser.add_argument("--checkpoint", help="slug")
        parser.add_argument("--every", type=int, metavar="MINUTES", help="minutes between runs")
        parser.add_argument("--timeout", type=int, default=3600, metavar="SECONDS")
        parser.add_argument("--stop", action="store_true", help="keep the schedule but start nothing more")
        parser.add_argument(
            "--run",
            default="",
            metavar="COMMAND",
            help="the program and its arguments, quoted as one; {python}, {base}, {checkpoint}, {evaluation} and {out} are filled in",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            done = self._stop(options["name"]) if options["stop"] else self._save(options)
        self.stdout.write(done)

    def _stop(self, name: str) -> str:
        if not EvalSchedule.objects.filter(name=name).update(active=False):
            raise CommandError(f"There is no schedule '{name}'.")
        log.record(action="evals.schedule.stop", about=f"schedule:{name}", actor=SYSTEM, now=timezone.now())
        return f"{name} is stopped; its results stay."

    def _save(self, options: dict[str, Any]) -> str:
        command = shlex.split(options["run"])
        if not all((command, options["evaluation"], options["checkpoint"], (options["every"] or 0) > 0)):
            raise CommandError("Give --evaluation, --checkpoint, --every (1 minute or more) and --run with the command.")
        evaluation, checkpoint = _named(options["evaluation"], options["checkpoint"])
        now = timezone.now()
        fields = {
            "evaluation": evaluation,
            "checkpoint": checkpoint,
            "command": command,
            "every_minutes": options["every"],
            "timeout_seconds": options["timeout"],
            "active": True,
            "due": now,
        }
        schedule, created = EvalSchedule.objects.update_or_create(name=options["name"], defaults=fields)
        data = {"command": command, "every_minutes": schedule.every_minutes, "evaluation": evaluation.key, "checkpoint": checkpoint.slug}
        log.record(action="evals.schedule.save", about=f"schedule:{schedule.name}", actor=SYSTEM, now=now, data=data)
        return f"{schedule.name} is {'made' if created else 'changed'}: due now, then every {schedule.every_minutes} minutes."


def _named(evaluation: str, checkpoint: str) -> tuple[Evaluation, Checkpoint]:
    try:
        return find_evaluation(evaluation), Checkpoint.objects.get(slug=checkpoint)
    except UnknownEvaluation as wrong:
        raise CommandError(str(wrong)) from wrong
    except Checkpoint.DoesNotExist:
        raise CommandError(f"No checkpoint '{checkpoint}' is registered.") from None
