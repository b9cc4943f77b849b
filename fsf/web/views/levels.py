"""The levels: how close is each, what does it rest on, and what does the lab itself say?"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, F, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from crises.models import Crisis
from evals.models import EvalRun, Evaluation
from fsf.web import plans, series, standings
from fsf.web.acting import Act, Bound, may, perform
from fsf.web.looks import SEVERITY
from fsf.web.series import WITHDRAW
from fsf.web.standings import SIGN_DOWN
from mitigations.readiness import Readiness
from thresholds.models import CapabilityLevel, Framework, LevelStatus, Threshold

STATUSES_SHOWN = 100
_LEVELS = CapabilityLevel.objects.select_related("framework", "domain")


@require_safe
def level_list(request: HttpRequest) -> HttpResponse:
    levels = (
        CapabilityLevel.objects.select_related("domain")
        .annotate(
            lines=Count("thresholds", distinct=True),
            illustrative_lines=Count("thresholds", filter=Q(thresholds__illustrative=True), distinct=True),
            reached=Count("statuses", filter=Q(statuses__state__in=["alert", "critical"]), distinct=True),
            judged=Count("statuses", filter=~Q(statuses__state="no_result"), distinct=True),
        )
        .order_by("domain__position", "domain__name", "position", "pk")
    )
    frameworks = Framework.objects.order_by("developer", "slug", "-effective_from").prefetch_related(Prefetch("levels", levels))
    return render(request, "levels/level_list.html", {"frameworks": frameworks})


def _chosen(lines: Sequence[Threshold], wanted: str) -> Evaluation | None:
    """The evaluation asked for, or that of the level's first line."""
    evaluations = [line.evaluation for line in lines]
    return next((each for each in evaluations if each.key == wanted), evaluations[0] if evaluations else None)


def _leading_first(lines: Iterable[Threshold], statuses: Sequence[LevelStatus]) -> list[Threshold]:
    """The lines, those of the evaluation that leads the newest status first: its chart is the one to see."""
    leading = next((status.evaluation_id for status in statuses if status.evaluation_id), None)
    return sorted(lines, key=lambda line: (line.evaluation_id != leading, line.pk))


def _statuses(level: CapabilityLevel) -> list[LevelStatus]:
    """The statuses at a level, those with the newest evidence first."""
    rows = LevelStatus.objects.filter(level=level).select_related("checkpoint__model", "level__framework", "evaluation")
    return list(rows.order_by(F("taken").desc(nulls_last=True), "-pk")[:STATUSES_SHOWN])


def _open_crises(level: CapabilityLevel, now: dt.datetime) -> list[tuple[Crisis, Readiness]]:
    crises = list(Crisis.objects.filter(level=level).exclude(state="closed").select_related("model").order_by("opened", "pk"))
    readiness = plans.readiness_by_crisis(crises, now)
    return [(crisis, readiness[crisis.pk]) for crisis in crises]


def _leading(shown: Sequence[standings.Standing], lines: Sequence[Threshold]) -> dict[str, Any]:
    """The newest status with its own lines, or the first where no reading counts, and the worst one; nothing without any status."""
    if not shown:
        return {}
    latest = shown[0].status
    shown_by = latest.evaluation_id or (lines[0].evaluation_id if lines else None)
    return {
        "latest": latest,
        "leading": shown[0].cell,
        "leading_lines": [line for line in lines if line.evaluation_id == shown_by],
        "worst": min((standing.status for standing in shown), key=lambda status: SEVERITY.index(status.state)),
    }


def _page(request: HttpRequest, level: CapabilityLevel, bound: Bound | None = None) -> dict[str, Any]:
    """Everything the page of one level shows; `bound` is a form on it that came back filled in wrongly."""
    now, statuses = timezone.now(), _statuses(level)
    lines = _leading_first(level.thresholds.select_related("evaluation").order_by("pk"), statuses)
    evaluation = _chosen(lines, request.GET.get("evaluation", ""))
    may_sign, may_withdraw = may(request, "thresholds.sign_down"), may(request, "evals.invalidate")
    shown = [standings.of(status, lines, now, may_sign=may_sign, bound=bound) for status in statuses]
    before = request.GET.get("before", "")
    return {
        "now": now,
        "level": level,
        "lines": lines,
        "evaluation": evaluation,
        "evaluations": list(dict.fromkeys(line.evaluation for line in lines)),
        "critical_drawn": any(line.kind != "alert" for line in lines),
        "statuses": shown,
        "crises": _open_crises(level, now),
        **_leading(shown, lines),
        **(series.of(level, evaluation, lines, before, now, may_withdraw=may_withdraw, bound=bound) if evaluation else {}),
    }


@require_safe
def level_detail(request: HttpRequest, key: str) -> HttpResponse:
    return render(request, "levels/level_detail.html", _page(request, get_object_or_404(_LEVELS, key=key)))


def _do(request: HttpRequest, level: CapabilityLevel, act: Act, noun: str, row_id: int) -> HttpResponse:
    """Do it to one row and go back to where on the page the person acted; a form filled in wrongly comes back on the page."""
    wrong = perform(request, act, **{f"{noun}_id": row_id})
    if wrong is not None:
        return render(request, "levels/level_detail.html", _page(request, level, Bound(act, row_id, wrong)), status=422)
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    return redirect(reverse("web:level-detail", args=[level.key]) + query + f"#{noun}-{row_id}")


@require_POST
def level_sign_down(request: HttpRequest, key: str, status_id: int) -> HttpResponse:
    level = get_object_or_404(_LEVELS, key=key)
    status = get_object_or_404(LevelStatus, pk=status_id, level=level)
    return _do(request, level, SIGN_DOWN, "status", status.pk)


@require_POST
def level_withdraw_run(request: HttpRequest, key: str, run_id: int) -> HttpResponse:
    level = get_object_or_404(_LEVELS, key=key)
    run = get_object_or_404(EvalRun, pk=run_id, assessments__level=level)
    return _do(request, level, WITHDRAW, "run", run.pk)
