"""One version of an evaluation: what it measures, what was declared before any result, and what was found out since."""

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from evals.models import Evaluation
from fsf.web.acting import Act, attempt, may
from fsf.web.forms import ActForm, FlagForm
from fsf.web.lines import word_of
from fsf.web.looks import GRADE
from fsf.web.underway import underway
from fsf.web.wording import REFUSALS, looks_words, task_rule_words
from thresholds.models import Threshold
from thresholds.validity import FLAGS, flag_evaluation

FLAG = Act(FlagForm, flag_evaluation, "Recorded. Every level that it reads is read anew; what was reached stays reached.")


def _flags(evaluation: Evaluation) -> list[dict[str, Any]]:
    """What was found out, newest first, with what it means."""
    return [
        {**each, "word": each["flag"].replace("_", " "), "says": FLAGS[each["flag"]], "at": dt.datetime.fromisoformat(each["at"])}
        for each in reversed(evaluation.validity)
    ]


def _form(request: HttpRequest, evaluation: Evaluation) -> ActForm | None:
    """The form for what was not found out yet, where the reader may add it."""
    told = {each["flag"] for each in evaluation.validity}
    if not may(request, "thresholds.flag") or told >= set(FLAGS):
        return None
    form = FlagForm()
    form.fields["flag"].choices = [choice for choice in form.fields["flag"].choices if choice[0] not in told]  # type: ignore[attr-defined]
    return form


def _page(request: HttpRequest, evaluation: Evaluation, wrong: ActForm | None = None) -> HttpResponse:
    lines = Threshold.objects.filter(evaluation=evaluation).select_related("level__framework", "evaluation")
    lines = lines.order_by("level__framework__developer", "level__framework__effective_from", "pk")
    without_result, lost = underway(evaluation=evaluation)
    context = {
        "evaluation": evaluation,
        "underway": without_result,
        "lost": lost,
        "task_rule": task_rule_words(evaluation),
        "refusals": REFUSALS[evaluation.refusals],
        "looks": looks_words(evaluation),
        "flags": _flags(evaluation),
        "lines": [
            (line, word_of(line)) for line in lines.order_by("level__framework__developer", "level__framework__effective_from", "pk")
        ],
        "versions": Evaluation.objects.filter(slug=evaluation.slug).exclude(pk=evaluation.pk).order_by("version"),
        "runs": evaluation.runs.count(),
        "rubric": [(GRADE[each["grade"]], each["says"]) for each in evaluation.rubric],
        "form": wrong or _form(request, evaluation),
    }
    return render(request, "evaluations/evaluation_detail.html", context, status=422 if wrong else 200)


def _found(key: str) -> Evaluation:
    slug, _, version = key.partition("@")
    return get_object_or_404(Evaluation, slug=slug, version=version)


@require_safe
def evaluation_detail(request: HttpRequest, key: str) -> HttpResponse:
    return _page(request, _found(key))


@require_POST
def evaluation_flag(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    evaluation = get_object_or_404(Evaluation, pk=evaluation_id)
    wrong = attempt(request, FLAG, evaluation_id=evaluation.pk)
    return _page(request, evaluation, wrong) if wrong else redirect("web:evaluation-detail", evaluation.key)
