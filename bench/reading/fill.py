"""Stores runs with their results straight into the tables, unjudged, until there are as many as asked for; prints the newest's id."""

import datetime as dt
import os
import sys

import django
from django.db import connection
from django.utils import timezone

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")
django.setup()

from evals.models import Checkpoint, EvalResult, EvalRun, Evaluation  # noqa: E402 - models are there only after django.setup

AT_ONCE, RARE, ONE_IN_ERROR = 2000, 5, 1000


def run_of(number: int, checkpoints: list[Checkpoint], evaluation: Evaluation, now: dt.datetime) -> EvalRun:
    """The first few are of the first checkpoint, which has no others."""
    checkpoint = checkpoints[0] if number < RARE else checkpoints[1 + number % (len(checkpoints) - 1)]
    moment = now - dt.timedelta(days=300) + dt.timedelta(seconds=number)
    return EvalRun(
        producer="fill",
        external_id=f"fill-{number}",
        digest=f"{number:064x}",
        checkpoint=checkpoint,
        evaluation=evaluation,
        status="error" if number % ONE_IN_ERROR == 1 else "success",
        completed=moment,
        received=moment,
        judged=moment,
        planned=200,
        finished=200,
        scored=200,
        complete=True,
        posted_by="service:bench",
    )


def main() -> None:
    """Fill up, then let the database look at what it has."""
    until, now = int(sys.argv[1]), timezone.now()
    checkpoints = list(Checkpoint.objects.order_by("pk"))
    evaluation = Evaluation.objects.get(slug="bench-tasks")
    for first in range(EvalRun.objects.count(), until, AT_ONCE):
        numbers = range(first, min(until, first + AT_ONCE))
        runs = EvalRun.objects.bulk_create([run_of(number, checkpoints, evaluation, now) for number in numbers])
        EvalResult.objects.bulk_create([EvalResult(run=run, metric="solved", solved=7, total=200) for run in runs])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(EvalRun.objects.order_by("-pk").values_list("pk", flat=True)[0])


if __name__ == "__main__":
    main()
