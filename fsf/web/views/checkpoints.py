"""A checkpoint: what it is, what every framework says of it, what it rests on, and what people sign about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crises.grading import record_grade
from evals.models import Checkpoint, EvalResult, EvalRun, Evaluation
from fsf.web import comparison
from fsf.web.acting import Act, Bound, attempt, form_for, may
from fsf.web.forms import ActForm, EndForm, EquateForm, GradeForm
from fsf.web.lines import word_of
from fsf.web.looks import GRADE
from fsf.web.scales import compute_text, score_text
from fsf.web.underway import heartbeat_of, said
from thresholds.inheritance import end_equivalence, sign_equivalence
from thresholds.lines import GRADES
from thresholds.models import Equivalence, Threshold

RUNS_SHOWN = 100
EQUATE = Act(EquateForm, sign_equivalence, "Signed. The other checkpoint's results count for this one until then, marked as inherited.")
END = Act(EndForm, end_equivalence, "Ended. Every level is read without what was inherited; what it raised stays raised.")
DETERMINE = Act(GradeForm, record_grade, "Recorded and judged. It stands with the names and the reasons you gave.")


@dataclass(frozen=True, slots=True)
class Run:
    """One run as the table shows it; `why` holds what experts said, `void` why it no longer counts."""

    run: EvalRun
    score: str
    counted: str
    void: str

    @property
    def state(self) -> str:
        """Running or lost, where it stands without a result."""
        return "" if self.void else {"started": "running", "lost": "lost"}.get(self.run.status, "")

    @property
    def said(self) -> str:
        """How far it said it was, where it has no result."""
        return said(heartbeat_of(self.run)) if self.state else ""

    @property
    def late(self) -> bool:
        """Whether it came after it had been given up as lost."""
        return self.run.supersedes is not None and self.run.supersedes.status == "lost"

    @property
    def why(self) -> dict[str, Any]:
        return self.run.provenance if self.run.evaluation.kind == "expert" else {}


@dataclass(frozen=True, slots=True)
class Signed:
    """One equivalence, and the form that ends it where it is live and the reader may."""

    equivalence: Equivalence
    form: ActForm | None


@dataclass(frozen=True, slots=True)
class Determination:
    """One evaluation that experts grade, with what they determined last."""

    evaluation: Evaluation
    newest: Run | None


def _score(run: EvalRun) -> tuple[str, str]:
    """The score of a run in its evaluation's unit, and the count behind it."""
    result = next((each for each in run.results.all() if each.metric == run.evaluation.metric), None)
    if result is None or result.value is None:
        return "", result.reason if result else ""
    counted = f"{result.solved:g} of {result.total}" if result.solved is not None and result.total is not None else ""
    return score_text(result.value, run.evaluation.unit), counted


def _void(run: EvalRun) -> str:
    if run.invalidated is not None:
        return f"Withdrawn by {run.invalidated_by}: {run.invalidated_reason}"
    return f"Superseded by {run.superseded_by.ref}" if hasattr(run, "superseded_by") else ""


def _runs(runs: "QuerySet[EvalRun]") -> list[Run]:
    """The newest runs, each with its score."""
    results = Prefetch("results", EvalResult.objects.defer("tasks"))
    related = ("evaluation", "superseded_by", "heartbeat", "supersedes__heartbeat")
    found = runs.select_related(*related).prefetch_related(results).order_by("-completed", "-pk")[:RUNS_SHOWN]
    return [Run(run, *_score(run), _void(run)) for run in found]


def _determinations(checkpoint: Checkpoint, columns: Sequence[comparison.Column], runs: Sequence[Run]) -> list[Determination]:
    """Every evaluation that experts grade and that a framework binding this checkpoint uses, or that was graded already."""
    binding = [column.framework for column in columns if column.binding and column.in_force]
    asked = Q(thresholds__level__framework__in=binding) | Q(runs__checkpoint=checkpoint)
    newest: dict[int, Run] = {}
    for run in runs:
        if not run.void:
            newest.setdefault(run.run.evaluation_id, run)
    evaluations = Evaluation.objects.filter(asked, kind="expert").distinct().order_by("name", "version")
    return [Determination(evaluation, newest.get(evaluation.pk)) for evaluation in evaluations]


def _equate_form(checkpoint: Checkpoint, bound: Bound | None, *, may_equate: bool) -> ActForm | None:
    """The form with the checkpoints of the same developer to choose from, for those who may sign or whose form came back."""
    wrong = bound.form if bound and bound.act is EQUATE else None
    if not (may_equate or wrong):
        return None
    form = wrong or EquateForm()
    others = Checkpoint.objects.filter(model__developer__iexact=checkpoint.model.developer).exclude(pk=checkpoint.pk)
    form.fields["source"].queryset = others.order_by("name")  # type: ignore[attr-defined]
    return form


def _signed(checkpoint: Checkpoint, bound: Bound | None, *, may_end: bool) -> list[Signed]:
    """What this checkpoint inherits and what others inherit from it, the newest first."""
    rows = Equivalence.objects.filter(Q(checkpoint=checkpoint) | Q(source=checkpoint)).select_related("checkpoint", "source", "signed_by")
    return [Signed(row, form_for(END, row.pk, bound) if may_end and row.ended is None else None) for row in rows.order_by("-at", "-pk")]


def _equivalences(checkpoint: Checkpoint, bound: Bound | None, *, may_equate: bool) -> dict[str, Any]:
    """What it inherits, what others inherit from it, and the form that signs one more."""
    signed = _signed(checkpoint, bound, may_end=may_equate)
    return {
        "inherited": [each for each in signed if each.equivalence.checkpoint_id == checkpoint.pk],
        "lent": [each for each in signed if each.equivalence.source_id == checkpoint.pk],
        "form": _equate_form(checkpoint, bound, may_equate=may_equate),
    }


def _page(request: HttpRequest, checkpoint: Checkpoint, bound: Bound | None = None) -> HttpResponse:
    """Everything about one checkpoint; `bound` is a form on it that came back."""
    now = timezone.now()
    columns, rows = comparison.of(checkpoint, now.date())
    runs = _runs(EvalRun.objects.filter(checkpoint=checkpoint))
    context = {
        "now": now,
        "checkpoint": checkpoint,
        "compute": compute_text(checkpoint.effective_compute) if checkpoint.effective_compute else "",
        "children": checkpoint.children.order_by("name"),
        "columns": columns,
        "rows": rows,
        "runs": runs,
        "determinations": _determinations(checkpoint, columns, runs),
        "may_determine": may(request, "thresholds.determine"),
        **_equivalences(checkpoint, bound, may_equate=may(request, "thresholds.equate")),
    }
    return render(request, "checkpoints/checkpoint_detail.html", context, status=422 if bound else 200)


_CHECKPOINTS = Checkpoint.objects.select_related("model", "parent")


@require_safe
def checkpoint_detail(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, get_object_or_404(_CHECKPOINTS, slug=slug))


@require_POST
def equivalence_sign(request: HttpRequest, checkpoint_id: int) -> HttpResponse:
    checkpoint = get_object_or_404(_CHECKPOINTS, pk=checkpoint_id)
    wrong = attempt(request, EQUATE, checkpoint=checkpoint)
    return _page(request, checkpoint, Bound(EQUATE, checkpoint.pk, wrong)) if wrong else redirect("web:checkpoint-detail", checkpoint.slug)


@require_POST
def equivalence_end(request: HttpRequest, equivalence_id: int) -> HttpResponse:
    found = get_object_or_404(Equivalence.objects.select_related("checkpoint__model", "checkpoint__parent"), pk=equivalence_id)
    wrong = attempt(request, END, equivalence_id=found.pk)
    heir = found.checkpoint
    return _page(request, heir, Bound(END, found.pk, wrong)) if wrong else redirect("web:checkpoint-detail", heir.slug)


def _grades(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The four grades with what the rubric says of each."""
    says = {each["grade"]: each["says"] for each in evaluation.rubric}
    return [(grade.value, f"{GRADE[grade].capitalize()}. {says.get(grade.value, '')}".strip()) for grade in GRADES]


@require_http_methods(["GET", "HEAD", "POST"])
def determination(request: HttpRequest, checkpoint_id: int, evaluation_id: int) -> HttpResponse:
    checkpoint = get_object_or_404(_CHECKPOINTS, pk=checkpoint_id)
    evaluation = get_object_or_404(Evaluation, pk=evaluation_id, kind="expert")
    wrong = attempt(request, DETERMINE, checkpoint=checkpoint, evaluation=evaluation) if request.method == "POST" else None
    if request.method == "POST" and wrong is None:
        return redirect("web:determination", checkpoint.pk, evaluation.pk)
    form = wrong or (GradeForm() if may(request, "thresholds.determine") else None)
    context = {"checkpoint": checkpoint, "evaluation": evaluation, **_graded(checkpoint, evaluation, form)}
    return render(request, "checkpoints/determination.html", context, status=422 if wrong else 200)


def _graded(checkpoint: Checkpoint, evaluation: Evaluation, form: ActForm | None) -> dict[str, Any]:
    """The rubric, as what to choose from and for reading; what was determined before, and the lines that read it."""
    grades = _grades(evaluation)
    if form is not None:
        form.fields["grade"].choices = grades  # type: ignore[attr-defined]
    lines = Threshold.objects.filter(evaluation=evaluation, level__framework__state="published")
    return {
        "form": form,
        "grades": grades,
        "runs": _runs(EvalRun.objects.filter(checkpoint=checkpoint, evaluation=evaluation)),
        "lines": [
            (line, word_of(line))
            for line in lines.select_related("level__framework", "evaluation").order_by("level__framework__developer", "pk")
        ],
    }
