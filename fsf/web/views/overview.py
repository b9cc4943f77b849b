"""The overview: are we all right, and what is next?"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from crises.models import Crisis
from evals.models import Checkpoint, EvalJob
from fsf.web import attention, matrix, plans
from fsf.web.distance import numbers_text
from fsf.web.situation import describe
from fsf.web.underway import underway
from mitigations.readiness import Readiness
from thresholds.governing import in_force
from thresholds.models import CapabilityLevel, Framework, LevelStatus, Threshold

ROWS_PER_PAGE = 40
ATTENTION_SHOWN = 6
JOBS_SHOWN = 5
SHOWN = {"": "All", "attention": "Needs attention", "stale": "Stale"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader asked to see; anything unknown in the address reads as the usual view."""

    show: str
    every_checkpoint: bool
    page: str

    @classmethod
    def of(cls, request: HttpRequest) -> "Choice":
        show = request.GET.get("show", "")
        return cls(show if show in SHOWN else "", request.GET.get("rows") == "all", request.GET.get("page", "1"))


def _checkpoints(choice: Choice, frameworks: Sequence[Framework], now: dt.datetime) -> list[Checkpoint]:
    """The rows asked for, by developer and newest first."""
    ordered = matrix.newest_first(Checkpoint.objects.select_related("model"))
    chosen = ordered if choice.every_checkpoint else matrix.newest_of_each_model(ordered)
    if not choice.show:
        return chosen
    wanted = attention.NEEDS if choice.show == "attention" else attention.is_stale(frameworks, now)
    kept = set(LevelStatus.objects.filter(wanted, binding=True).values_list("checkpoint_id", flat=True))
    return [checkpoint for checkpoint in chosen if checkpoint.pk in kept]


def _open_crises(now: dt.datetime) -> list[tuple[Crisis, Readiness]]:
    crises = list(Crisis.objects.exclude(state="closed").select_related("model", "level", "lead").order_by("-severity", "opened")[:20])
    readiness = plans.readiness_by_crisis(crises, now)
    return [(crisis, readiness[crisis.pk]) for crisis in crises]


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    now, choice = timezone.now(), Choice.of(request)
    frameworks = list(Framework.objects.filter(state="published").defer("summary", "notes", "plan_note", "source", "content"))
    levels = list(CapabilityLevel.objects.select_related("domain").defer("definition", "source"))
    checkpoints = _checkpoints(choice, frameworks, now)
    page = Paginator(checkpoints, ROWS_PER_PAGE).get_page(choice.page)
    rows = list(page.object_list)
    governed = {framework.developer.casefold() for framework in frameworks}
    counts = attention.tally(frameworks, now)
    urgent = attention.ranked(ATTENTION_SHOWN)
    crises = _open_crises(now)
    drawn = matrix.Drawn(Threshold.objects.values_list("level_id", "evaluation_id", "kind"))
    leading = attention.crisis_of(urgent, [crisis for crisis, _ in crises])
    without_result, lost = underway()
    plan = next((plans.plan_of(crisis, readiness) for crisis, readiness in crises if crisis == leading), None)
    matrices = matrix.build(
        frameworks=in_force(frameworks, now.date()),
        levels=levels,
        drawn=drawn,
        checkpoints=rows,
        statuses=list(attention.light(LevelStatus.objects.filter(checkpoint__in=rows, binding=True))),
        now=now,
    )
    context = {
        "now": now,
        "choice": choice,
        "shown": SHOWN,
        "page": page,
        "matrices": matrices,
        "ungoverned": [row for row in rows if row.model.developer.casefold() not in governed],
        "empty": not checkpoints and not choice.show,
        "situation": describe(attention.facts_of({**counts, "lost": lost}, urgent, drawn, plan, len(crises))),
        "leading": leading,
        "attention": [(status, numbers_text(matrix.score_of(status, drawn))) for status in urgent],
        "counts": counts,
        "crises": crises,
        "underway": without_result,
        "lost": lost,
        "jobs": EvalJob.objects.select_related("schedule__evaluation", "schedule__checkpoint").order_by("-claimed", "-pk")[:JOBS_SHOWN],
    }
    return render(request, "overview/overview.html", context)
