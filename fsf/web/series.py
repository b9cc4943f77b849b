"""The results behind one level: the points of its chart, the rows of its table, one page at a time."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from evals.models import EvalResult, Evaluation
from fsf.web import charts
from fsf.web.acting import Act, Bound, form_for
from fsf.web.forms import ActForm, WithdrawForm
from thresholds.models import Assessment, CapabilityLevel, Threshold
from thresholds.withdrawal import withdraw_run

ROWS_SHOWN = 100
POINTS_DRAWN = 500
WITHDRAW = Act(WithdrawForm, withdraw_run, "Marked invalid. Every level it was read for is read without it; what it raised stays raised.")
_CURSOR = re.compile(r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?)Z-(\d{1,18})$")


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One run as the table shows it: its score with denominator and interval, and what its evidence alone says.

    `superseded_by` is the name of the run that corrects it; `form` is there only where the reader may withdraw the run.
    """

    assessment: Assessment
    point: float | None
    lower: float | None
    upper: float | None
    counted: str
    n_eff: float | None
    superseded_by: str
    form: ActForm | None = None

    @property
    def void(self) -> str:
        """Why the run no longer counts, in a word or two, or nothing."""
        if self.assessment.run.invalidated is not None:
            return "withdrawn"
        return f"superseded by {self.superseded_by}" if self.superseded_by else ""


def _leading_reading(assessment: Assessment) -> dict[str, Any]:
    by_kind = {reading["threshold"]: reading for reading in assessment.readings}
    for kind in ("alert", "rule_out", "critical"):
        if kind in by_kind:
            return dict(by_kind[kind])
    return {}


def _counted(result: EvalResult | None) -> str:
    """The count behind a score, where the run gave one: 6 of 12."""
    if result is None or result.solved is None or result.total is None:
        return ""
    return f"{result.solved:g} of {result.total}"


def _row(assessment: Assessment, evaluation: Evaluation) -> ResultRow:
    reading = _leading_reading(assessment)
    result = next((each for each in assessment.run.results.all() if each.metric == evaluation.metric), None)
    point, lower, upper, n_eff = (reading.get(name) for name in ("point", "lower", "upper", "n_eff"))
    superseded_by = assessment.run.superseded_by.ref if hasattr(assessment.run, "superseded_by") else ""
    return ResultRow(assessment, point, lower, upper, _counted(result), n_eff, superseded_by)


def _runs(level: CapabilityLevel, evaluation: Evaluation) -> "QuerySet[Assessment]":
    results = EvalResult.objects.filter(metric=evaluation.metric).defer("tasks")
    return (
        Assessment.objects.filter(level=level, run__evaluation=evaluation)
        .select_related("run__checkpoint__model", "run__superseded_by")
        .prefetch_related(Prefetch("run__results", results))
        .order_by("-run__completed", "-run_id")
    )


def cursor_of(assessment: Assessment) -> str:
    """Where a page of results ends: the run's time and number."""
    return f"{assessment.run.completed.astimezone(dt.UTC).replace(tzinfo=None).isoformat()}Z-{assessment.run_id}"


def older_than(cursor: str) -> Q:
    """The runs before a cursor; a cursor that cannot be read asks for the newest."""
    found = _CURSOR.match(cursor)
    if not found:
        return Q()
    try:
        completed = dt.datetime.fromisoformat(found[1]).replace(tzinfo=dt.UTC)
    except ValueError:
        return Q()
    return Q(run__completed__lt=completed) | Q(run__completed=completed, run_id__lt=int(found[2]))


def _points(rows: Iterable[ResultRow]) -> list[charts.Point]:
    return [
        charts.Point(
            name=row.assessment.run.checkpoint.name,
            ref=row.assessment.run.ref,
            day=row.assessment.run.completed.date(),
            score=row.point,
            lower=row.lower,
            upper=row.upper,
            state=row.assessment.reading_state,
            void=row.void,
        )
        for row in rows
        if row.point is not None
    ]


def axis_of(evaluation: Evaluation) -> charts.Axis:
    """The score axis of an evaluation."""
    titles = {"proportion": "share solved", "ratio": "times the baseline", "minutes": "minutes", "count": "count", "points": "points"}
    return charts.Axis(
        title=titles.get(evaluation.unit, evaluation.unit).capitalize(),
        unit=evaluation.unit,
        log=evaluation.scale == "log",
        minimum=evaluation.minimum,
        maximum=evaluation.maximum,
        lower_is_stronger=evaluation.direction == "lower",
    )


def _offered(row: ResultRow, bound: Bound | None) -> ResultRow:
    """The row with the form that withdraws its run, as long as the run counts."""
    return row if row.void else replace(row, form=form_for(WITHDRAW, row.assessment.run_id, bound))


def of(
    level: CapabilityLevel,
    evaluation: Evaluation,
    lines: Sequence[Threshold],
    before: str,
    now: dt.datetime,
    *,
    may_withdraw: bool,
    bound: Bound | None,
) -> dict[str, Any]:
    """The chart of all recent runs and one page of the table, newest first."""
    runs = _runs(level, evaluation)
    page = list(runs.filter(older_than(before))[: ROWS_SHOWN + 1])
    drawn = [_row(each, evaluation) for each in runs[:POINTS_DRAWN]]
    points, axis = _points(drawn), axis_of(evaluation)
    drawn_lines = [charts.Line(line.kind, line.value, line.illustrative) for line in lines if line.evaluation_id == evaluation.pk]
    rows = [_row(each, evaluation) for each in page[:ROWS_SHOWN]]
    return {
        "rows": [_offered(row, bound) for row in rows] if may_withdraw else rows,
        "older": cursor_of(page[ROWS_SHOWN - 1]) if len(page) > ROWS_SHOWN else "",
        "before": before,
        "figure": {"figure": charts.figure(points, drawn_lines, axis, now.date()), "tokens": charts.TOKENS} if points else None,
        "chart_summary": charts.summary(points, drawn_lines, axis),
    }
