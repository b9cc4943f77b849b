"""Times the judging of stored runs with 200 lines in the library and ever more results of the same pair; started by bench.assess."""

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import django
import msgspec
from django.db import connection, transaction
from django.utils import timezone

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")
django.setup()

from accounts.roles import SYSTEM  # noqa: E402 - models are there only after django.setup
from evals.catalogue import register_checkpoint, register_model  # noqa: E402
from evals.ingest import record_run  # noqa: E402
from evals.models import EvalResult, EvalRun  # noqa: E402
from evals.submissions import parse  # noqa: E402
from fsf.management.commands.load_framework import load_with_plans  # noqa: E402
from thresholds import library  # noqa: E402
from thresholds.assess import assess  # noqa: E402
from thresholds.models import Assessment, Threshold  # noqa: E402

BARE = {
    "postgresql": "CREATE TABLE bare (id bigserial PRIMARY KEY, body jsonb NOT NULL)",
    "sqlite": "CREATE TABLE bare (id INTEGER PRIMARY KEY, body TEXT NOT NULL CHECK (json_valid(body)))",
}
FRAMEWORKS, LEVELS, TASKS = 10, 10, 200  # an alert and a critical line each: 200 lines
STORED, TIMES, WARM = (0, 1_000, 5_000), 150, 10
MOST_QUERIES, MOST_PYTHON = 6, 3.0  # milliseconds
COLUMNS = ("Run", "stored before", "statements", "judged in", "of it Python", "bare insert", "ratio", "kept")
Body = dict[str, Any]


@dataclass(slots=True)
class Cost:
    """What one piece of work took: statements, seconds, and of them seconds of this process's processor beside the statements.

    Beside the statements are building them, rows to objects, judging. Processor time does not count what else runs on the machine.
    """

    queries: int = 0
    seconds: float = 0.0
    python: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """The cost of what happens inside."""
    cost = Cost()

    def counted(execute: Any, *how: Any) -> Any:
        began = time.thread_time()
        try:
            return execute(*how)
        finally:
            cost.queries, cost.python = cost.queries + 1, cost.python - (time.thread_time() - began)

    with connection.execute_wrapper(counted):
        began, worked = time.perf_counter(), time.thread_time()
        yield cost
        cost.seconds, cost.python = time.perf_counter() - began, cost.python + time.thread_time() - worked


@dataclass(slots=True)
class Case:
    """One kind of run: which evaluation it is of, whether it comes as counts or task by task, and whether the first did not rule out."""

    name: str
    evaluation: str
    listed: bool = False
    contested: bool = False
    times: int = TIMES
    number: int = 0

    def body(self) -> Body:
        """A run as a pipeline posts it: 0 to 15 of 200 tasks solved, far below the alert line."""
        self.number += 1
        solved = 35 if self.contested and self.number == 1 else self.number * 7 % 16
        item: Body = {"metric": "solved", "solved": solved, "total": TASKS}
        if self.listed:
            item = {"metric": "solved", "tasks": [{"id": f"t-{each}", "solved": int(each < solved)} for each in range(TASKS)]}
        return {
            "producer": {"name": "bench", "version": "1.0"},
            "external_id": f"{self.name}-{self.number}",
            "checkpoint": "bench-1",
            "evaluation": f"{self.evaluation}@1",
            "elicitation": {"attested_by": "bench"},
            "measurements": [item],
        }


CASES = (
    Case("counts, one level", "one"),
    Case("counts, three levels", "three"),
    Case("200 tasks listed, one level", "listed", listed=True),
    Case("counts, after a run that did not rule out", "contested", contested=True, times=15),
)
READ = {
    (0, 0): "one",
    (0, 1): "listed",
    (0, 3): "contested",
    **{(number, 2): "three" for number in range(3)},
}  # framework and level that read each


def prepare() -> None:
    """200 lines in ten frameworks, one checkpoint, the bare table."""
    plain = msgspec.to_builtins(library.read_file(Path(__file__).with_name("lines.yaml")))
    for number in range(FRAMEWORKS):
        names = [READ.get((number, level), f"other-{number}-{level}") for level in range(LEVELS)]
        drawn = [[{**line, "evaluation": f"{name}@1"} for line in plain["levels"][0]["thresholds"]] for name in names]
        content = {
            **plain,
            "framework": {**plain["framework"], "slug": f"bench-{number}"},
            "evaluations": [{**plain["evaluations"][0], "slug": name} for name in names],
            "levels": [{**plain["levels"][0], "slug": f"level-{level}", "thresholds": lines} for level, lines in enumerate(drawn)],
        }
        load_with_plans(msgspec.convert(content, library.FrameworkFile))
    now = timezone.now()
    model = register_model(slug="bench", name="Bench", developer="Bench Works", actor=SYSTEM, now=now)
    register_checkpoint(model=model, fields={"slug": "bench-1", "name": "Bench 1"}, actor=SYSTEM, now=now)
    with connection.cursor() as cursor:
        cursor.execute(BARE[connection.vendor])


def judge(case: Case) -> tuple[Cost, Cost]:
    """Store one run, and measure judging it and a bare insert of its body, each committed."""
    body = case.body()
    text, now = msgspec.json.encode(body).decode(), timezone.now()
    with measured() as bare, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare (body) VALUES (%s)", [text])
    with transaction.atomic():
        recorded = record_run(submission=parse(body), actor=SYSTEM, now=now, judged=now)
        with measured() as cost:
            judged = assess(run=recorded.run, results=recorded.results, now=now, stored_now=True)
    if not judged:
        raise RuntimeError(f"{case.name}: no line read the run.")
    return cost, bare


def fill(case: Case, count: int) -> None:
    """As many judged results of the same pair as if they had been posted before."""
    run = EvalRun.objects.filter(evaluation__slug=case.evaluation).latest("pk")
    result, assessments = run.results.get(), list(run.assessments.all())
    missing = range(count - EvalRun.objects.filter(evaluation=run.evaluation_id).count())
    runs = EvalRun.objects.bulk_create((_copy(run, external_id=f"{case.name}-more-{count}-{each}") for each in missing), batch_size=500)
    EvalResult.objects.bulk_create((_copy(result, run_id=each.pk) for each in runs), batch_size=100)
    Assessment.objects.bulk_create((_copy(one, run_id=each.pk) for each in runs for one in assessments), batch_size=100)


def _copy(row: Any, **changed: Any) -> Any:
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}  # noqa: SLF001
    return type(row)(**{**fields, **changed})


def row(case: Case, stored: int) -> str:
    """The most statements, and medians, of one case at one number of stored results."""
    took = [judge(case) for _ in range(case.times)]
    costs, bare = [cost for cost, _ in took], median(1000 * cost.seconds for _, cost in took)
    queries, python = max(cost.queries for cost in costs), median(1000 * cost.python for cost in costs)
    whole = median(1000 * cost.seconds for cost in costs)
    kept = _kept(queries, python)
    return f"| {case.name} | {stored:,} | {queries} | {whole:.2f} | {python:.2f} | {bare:.2f} | {whole / bare:.1f} | {kept} |"


def _kept(queries: int, python: float) -> str:
    return "yes" if queries <= MOST_QUERIES and python <= MOST_PYTHON else "NO"


def main() -> None:
    """Print the table; the garbage collector runs between the measurements, not in them."""
    prepare()
    print(f"{Threshold.objects.count()} lines in {FRAMEWORKS} frameworks; medians of {TIMES} runs, in milliseconds; kept:")
    print(f"at most {MOST_QUERIES} statements and {MOST_PYTHON:g} ms of Python beside them\n")
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for case in CASES:
        for _ in range(WARM):
            judge(case)
        for stored in STORED:
            fill(case, stored)
            judge(case)  # what all runs add up to is read anew after rows that came by no post
            gc.collect()
            gc.disable()
            print(row(case, stored))
            gc.enable()


if __name__ == "__main__":
    main()
