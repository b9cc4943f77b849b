"""A framework version: what it says, what it changed, who stands for it; and the way from a file to a published version."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.roles import Actor, Refused
from fsf.web.acting import Act, attempt, may
from fsf.web.forms import ActForm, DraftForm, PublishForm
from fsf.web.history import Said
from fsf.web.lines import LineWords, in_words, rule_words
from fsf.web.wording import cadence_words, change_words
from mitigations.drafting import load_draft
from thresholds.library import ContentUnknown, InvalidFramework, stored_content
from thresholds.library.difference import difference
from thresholds.library.reading import read_text
from thresholds.models import CapabilityLevel, Framework, Threshold
from thresholds.publishing import find_framework, predecessor, publish

FAULTS_SHOWN = 100


def _publish(*, framework_id: int, reviewed: str, reason: str, actor: Actor, now: dt.datetime) -> Framework:
    return publish(framework_id=framework_id, reviewed=reviewed, approver=actor, reason=reason, now=now)


PUBLISH = Act(PublishForm, _publish, "Published. Its lines are frozen, and judge from the day on which they are in force.")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One level of a version with its lines in words and how many measures were agreed for it."""

    level: CapabilityLevel
    combines: str
    measures: int
    lines: list[LineWords]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a version says differently from the one before; `unknown` says why nobody can tell."""

    before: Framework
    changes: list[Said]
    unknown: str = ""


def _found(key: str) -> Framework:
    try:
        return find_framework(key)
    except Framework.DoesNotExist as none:
        raise Http404(f"There is no framework version '{key}'.") from none


def _levels(framework: Framework) -> list[Drawn]:
    drawn = Prefetch("thresholds", Threshold.objects.select_related("evaluation").order_by("pk"))
    levels = framework.levels.select_related("domain").annotate(measures=Count("mitigations")).order_by("position", "pk")
    found = []
    for level in levels.prefetch_related(drawn):
        lines = list(level.thresholds.all())
        found.append(Drawn(level, rule_words(level, lines), level.measures, in_words(lines)))
    return found


def _compared(framework: Framework) -> Comparison | None:
    """The difference to the version that it takes or took the place of; nothing for a first version."""
    before = predecessor(framework)
    if before is None:
        return None
    try:
        changes = difference(stored_content(before), stored_content(framework))
    except ContentUnknown as unknown:
        return Comparison(before, [], str(unknown))
    return Comparison(before, [change_words(change) for change in changes])


def _next(framework: Framework) -> Framework | None:
    """The published version that ends the time in which this one is in force."""
    later = Framework.objects.filter(slug=framework.slug, state="published", effective_from__gt=framework.effective_from)
    return later.order_by("effective_from", "pk").first()


def _approval(request: HttpRequest, framework: Framework) -> tuple[ActForm | None, str]:
    """The form for publishing a draft, or why the reader cannot."""
    if framework.state != "draft":
        return None, ""
    if framework.author is None:
        return None, "Nobody is named as its author; upload the file again, or load it with --author."
    if framework.author == request.user:
        return None, "You wrote it: another safety lead must approve and publish it."
    if not may(request, "thresholds.publish"):
        return None, f"{framework.author.display_name} wrote it; a safety lead must approve and publish it."
    return PublishForm(initial={"reason": framework.reason, "reviewed": framework.digest}), ""


def _page(request: HttpRequest, framework: Framework, wrong: ActForm | None = None) -> HttpResponse:
    form, why_not = _approval(request, framework)
    context = {
        "framework": framework,
        "ahead": framework.effective_from > timezone.now().date(),
        "levels": _levels(framework),
        "compared": _compared(framework),
        "next": _next(framework) if framework.state == "published" else None,
        "cadence": [(cadence_words(rule), rule) for rule in framework.cadence],
        "may_draft": may(request, "thresholds.draft"),
        "form": wrong or form,
        "why_not": why_not,
    }
    return render(request, "frameworks/framework_detail.html", context, status=422 if wrong else 200)


@require_safe
def framework_detail(request: HttpRequest, key: str) -> HttpResponse:
    return _page(request, _found(key))


@require_POST
def framework_publish(request: HttpRequest, key: str) -> HttpResponse:
    framework = _found(key)
    wrong = attempt(request, PUBLISH, framework_id=framework.pk)
    if wrong is None:
        return redirect("web:framework-detail", framework.key)
    wrong.data = {**wrong.cleaned_data, "reviewed": framework.digest}  # what the page now shows is what is approved next
    return _page(request, framework, wrong)


Fault = tuple[int | None, object]


def _stored(form: DraftForm, author: User) -> tuple[Framework | None, Sequence[Fault]]:
    """The draft that a checked file was stored as, or every fault with its line; a refusal is left on the form."""
    try:
        content = read_text(form.cleaned_data["text"], form.cleaned_data["name"])
        framework, _ = load_draft(content, now=timezone.now(), author=author)
    except InvalidFramework as wrong:
        return None, wrong.faults
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return None, []
    return framework, []


def _again(request: HttpRequest, form: DraftForm, faults: Sequence[Fault]) -> HttpResponse:
    """The page with what was wrong, and the text to correct, also where it came as a file."""
    shown = DraftForm(initial={"text": form.cleaned_data["text"]}) if faults else form
    context = {"form": shown, "faults": faults[:FAULTS_SHOWN], "count": len(faults)}
    return render(request, "frameworks/framework_draft.html", context, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
def framework_draft(request: HttpRequest) -> HttpResponse:
    if not may(request, "thresholds.draft") or not isinstance(request.user, User):
        raise PermissionDenied
    if request.method != "POST":
        return render(request, "frameworks/framework_draft.html", {"form": DraftForm()})
    form = DraftForm(request.POST, request.FILES)
    framework, faults = _stored(form, request.user) if form.is_valid() else (None, [])
    if framework is None:
        return _again(request, form, faults)
    is_draft = framework.state == "draft"
    messages.success(request, f"{framework} is stored as a draft; it judges nothing yet." if is_draft else f"{framework} says so already.")
    return redirect("web:framework-detail", framework.key)
