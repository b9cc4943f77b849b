"""Coverage: which levels were read often enough for which checkpoints, and why not."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from evals.models import Checkpoint
from fsf.web import matrix
from fsf.web.looks import Look
from thresholds.cadence import Covered, cover_levels
from thresholds.coverage import Coverage
from thresholds.models import Framework
from thresholds.triggers import Reason

ROWS_PER_PAGE = 40
LOOKS = {
    "overdue": Look("alert", "alert", "Overdue"),
    "due": Look("watch", "clock", "Due"),
    "never_run": Look("open", "inconclusive", "Never run"),
    "fresh": Look("clear", "ready", "Fresh"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader asked to see; anything unknown in the address reads as everything."""

    state: str
    newest: bool
    page: str

    @classmethod
    def of(cls, request: HttpRequest) -> "Choice":
        state = request.GET.get("state", "")
        return cls(state if state in LOOKS else "", request.GET.get("rows") == "newest", request.GET.get("page", "1"))


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer as the table shows it: the word before its day, and whether it is in the state that was asked for."""

    coverage: Coverage
    look: Look
    when: str
    on: dt.date | None
    opens: bool
    wanted: bool

    @property
    def reasons(self) -> list[tuple[Look, Reason]]:
        """Every reason with the look of its own state."""
        return [(LOOKS[reason.state], reason) for reason in self.coverage.reasons]


@dataclass(frozen=True, slots=True)
class Row:
    """One checkpoint with a cell for every level."""

    checkpoint: Checkpoint
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """One framework in force: its levels grouped by domain, and its developer's checkpoints."""

    framework: Framework
    columns: list[matrix.Column]
    rows: list[Row] = field(default_factory=list)

    @property
    def domains(self) -> list[tuple[str, int]]:
        return matrix.domains_of(self.columns)

    @property
    def wide(self) -> bool:
        return len(self.columns) > 4


def _when(coverage: Coverage, today: dt.date) -> tuple[str, dt.date | None]:
    """The day that matters most in a state, with the word before it."""
    if coverage.state == "overdue":
        return "since", coverage.overdue
    if coverage.state == "due" and coverage.overdue and coverage.overdue > today:
        return "overdue from", coverage.overdue
    past = coverage.due is not None and coverage.due <= today
    return ("asked since" if past else "due"), coverage.due


def _tables(answers: Iterable[Covered], state: str, today: dt.date) -> list[Table]:
    """A table for every framework with a row for each checkpoint that has a level in the state asked for."""
    by_framework: dict[Framework, dict[Checkpoint, list[Covered]]] = defaultdict(lambda: defaultdict(list))
    for answer in answers:
        by_framework[answer.level.framework][answer.checkpoint].append(answer)
    tables = [_table(framework, by_checkpoint, state, today) for framework, by_checkpoint in by_framework.items()]
    return sorted((table for table in tables if table.rows), key=lambda table: (table.framework.developer, table.framework.title))


def _table(framework: Framework, by_checkpoint: dict[Checkpoint, list[Covered]], state: str, today: dt.date) -> Table:
    columns = matrix.columns_of((each.level for each in next(iter(by_checkpoint.values()))), matrix.Drawn([]))
    asked = {checkpoint: found for checkpoint, found in by_checkpoint.items() if _has(state, found)}
    return Table(framework, columns, [_row(checkpoint, found, columns, state, today) for checkpoint, found in asked.items()])


def _has(state: str, found: Iterable[Covered]) -> bool:
    return not state or any(each.coverage.state == state for each in found)


def _row(checkpoint: Checkpoint, found: Sequence[Covered], columns: Sequence[matrix.Column], state: str, today: dt.date) -> Row:
    by_level = {each.level.pk: each.coverage for each in found}
    cells = []
    for column in columns:
        coverage = by_level[column.level.pk]
        when, on = _when(coverage, today)
        cells.append(Cell(coverage, LOOKS[coverage.state], when, on, column.opens, state in {"", coverage.state}))
    return Row(checkpoint, cells)


def _page(checkpoints: Iterable[Checkpoint], answers: Iterable[Covered], choice: Choice) -> Page[Checkpoint]:
    """The page asked for of the checkpoints with an answer in the state asked for."""
    kept = {answer.checkpoint.pk for answer in answers if choice.state in {"", answer.coverage.state}}
    return Paginator([checkpoint for checkpoint in checkpoints if checkpoint.pk in kept], ROWS_PER_PAGE).get_page(choice.page)


def _on(page: Page[Checkpoint], answers: Iterable[Covered]) -> list[Covered]:
    shown = {checkpoint.pk for checkpoint in page.object_list}
    return [answer for answer in answers if answer.checkpoint.pk in shown]


def _ungoverned(checkpoints: Iterable[Checkpoint], answers: Iterable[Covered]) -> list[Checkpoint]:
    governed = {answer.checkpoint.pk for answer in answers}
    return [checkpoint for checkpoint in checkpoints if checkpoint.pk not in governed]


@require_safe
def coverage(request: HttpRequest) -> HttpResponse:
    now, choice = timezone.now(), Choice.of(request)
    checkpoints = matrix.newest_first(Checkpoint.objects.select_related("model"))
    if choice.newest:
        checkpoints = matrix.newest_of_each_model(checkpoints)
    answers = cover_levels(checkpoints=checkpoints, now=now)
    counts = Counter(answer.coverage.state for answer in answers)
    page = _page(checkpoints, answers, choice)
    context = {
        "now": now,
        "choice": choice,
        "looks": LOOKS,
        "counts": [(look, counts[state]) for state, look in LOOKS.items()],
        "total": len(answers),
        "page": page,
        "tables": _tables(_on(page, answers), choice.state, now.astimezone(dt.UTC).date()),
        "ungoverned": _ungoverned(checkpoints, answers),
    }
    return render(request, "coverage/coverage.html", context)
