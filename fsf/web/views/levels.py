"""The levels: how close is each, what does it rest on, and what does the lab itself say?"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from crises.models import Crisis
from evals.models import Evaluation
from fsf.web import matrix, plans, series, standings
from fsf.web.acting import Act, may, perform
from fsf.web.forms import ActForm, SignDownForm
from thresholds.models import CapabilityLevel, Framework, LevelStatus, Threshold
from thresholds.signdown import sign_down

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
    rows = LevelStatus.objects.filter(level=level).select_related("checkpoint__model", "level__framework", "evaluation")
    return sorted(rows, key=lambda each: (each.taken or dt.datetime.min.replace(tzinfo=dt.UTC), each.pk), reverse=True)


def _page(request: HttpRequest, level: CapabilityLevel, *, bound: ActForm | None = None, bound_to: int = 0) -> dict[str, Any]:
    """Everything the page of one level shows."""
    now = timezone.now()
    statuses = _statuses(level)
    lines = _leading_first(level.thresholds.select_related("evaluation").order_by("pk"), statuses)
    evaluation = _chosen(lines, request.GET.get("evaluation", ""))
    crises = list(Crisis.objects.filter(level=level).exclude(state="closed").select_related("model").order_by("opened"))
    readiness = plans.readiness_by_crisis(crises, now)
    may_sign = may(request, "thresholds.sign_down")
    return {
        "now": now,
        "level": level,
        "lines": lines,
        "evaluation": evaluation,
        "leading_lines": [line for line in lines if statuses and line.evaluation_id == statuses[0].evaluation_id],
        "critical_drawn": any(line.kind != "alert" for line in lines),
        "evaluations": list(dict.fromkeys(line.evaluation for line in lines)),
        "statuses": [
            standings.of(
                status,
                matrix.cell_of(status, newest=level.framework, now=now),
                lines,
                may_sign=may_sign,
                bound=bound if bound_to == status.pk else None,
            )
            for status in statuses
        ],
        "leading": matrix.cell_of(statuses[0], newest=level.framework, now=now) if statuses else None,
        "latest": statuses[0] if statuses else None,
        "crises": [(crisis, readiness[crisis.pk]) for crisis in crises],
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
        return render(request, "levels/level_detail.html", _page(request, status.level, bound=wrong, bound_to=status.pk), status=422)
    return redirect(reverse("web:level-detail", args=[key]) + f"#status-{status.pk}")
