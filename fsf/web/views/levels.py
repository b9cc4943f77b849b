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
from evals.models import Evaluation
from fsf.web import matrix, plans, series, standings
from fsf.web.acting import Act, may, perform
from fsf.web.forms import SignDownForm
from fsf.web.looks import SEVERITY
from mitigations.readiness import Readiness
from thresholds.models import CapabilityLevel, Framework, LevelStatus, Threshold
from thresholds.signdown import sign_down

STATUSES_SHOWN = 100
SIGN_DOWN = Act(SignDownForm, sign_down, "Signed down. The reason is kept with your signature.")


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


def _leading(statuses: Sequence[LevelStatus], lines: Sequence[Threshold], now: dt.datetime) -> dict[str, Any]:
    """The newest status with its own lines, and the worst one; nothing where no checkpoint stands at the level."""
    if not statuses:
        return {}
    latest = statuses[0]
    return {
        "latest": latest,
        "leading": matrix.cell_of(latest, newest=latest.level.framework, now=now),
        "leading_lines": [line for line in lines if line.evaluation_id == latest.evaluation_id],
        "worst": min(statuses, key=lambda status: SEVERITY.index(status.state)),
    }


def _page(request: HttpRequest, level: CapabilityLevel, bound: standings.Bound | None = None) -> dict[str, Any]:
    """Everything the page of one level shows."""
    now, statuses = timezone.now(), _statuses(level)
    lines = _leading_first(level.thresholds.select_related("evaluation").order_by("pk"), statuses)
    evaluation = _chosen(lines, request.GET.get("evaluation", ""))
    may_sign = may(request, "thresholds.sign_down")
    return {
        "now": now,
        "level": level,
        "lines": lines,
        "evaluation": evaluation,
        "evaluations": list(dict.fromkeys(line.evaluation for line in lines)),
        "critical_drawn": any(line.kind != "alert" for line in lines),
        "statuses": [standings.of(status, lines, now, may_sign=may_sign, bound=bound) for status in statuses],
        "crises": _open_crises(level, now),
        **_leading(statuses, lines, now),
        **(series.of(level, evaluation, lines, request.GET.get("before", ""), now) if evaluation else {}),
    }


@require_safe
def level_detail(request: HttpRequest, key: str) -> HttpResponse:
    level = get_object_or_404(CapabilityLevel.objects.select_related("framework", "domain"), key=key)
    return render(request, "levels/level_detail.html", _page(request, level))


@require_POST
def level_sign_down(request: HttpRequest, key: str, status_id: int) -> HttpResponse:
    status = get_object_or_404(LevelStatus.objects.select_related("level__framework", "level__domain"), pk=status_id, level__key=key)
    wrong = perform(request, SIGN_DOWN, status_id=status.pk)
    if wrong is not None:
        return render(request, "levels/level_detail.html", _page(request, status.level, standings.Bound(status.pk, wrong)), status=422)
    return redirect(reverse("web:level-detail", args=[key]) + f"#status-{status.pk}")
