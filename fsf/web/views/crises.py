"""The crisis room: where it stands, who does what next, and every action a person may take."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from crises import lifecycle, plan
from crises.models import Crisis
from fsf.web import plans, room
from fsf.web.acting import Act, perform
from fsf.web.forms import ActForm, AssignForm, CloseForm, EscalateForm, EvidenceForm, PressForm, ReopenForm, SignOffForm, UpdateForm
from mitigations.models import ChecklistItem

LIVE_SHOWN = 100
CLOSED_SHOWN = 50

CRISIS_ACTS = {
    "acknowledge": Act(PressForm, lifecycle.acknowledge, "Acknowledged. Everyone who was alerted can see that you are on it."),
    "start": Act(PressForm, lifecycle.start, "Mitigation has started."),
    "update": Act(UpdateForm, lifecycle.post_update, "The update is on the timeline."),
    "escalate": Act(EscalateForm, lifecycle.escalate, "Escalated. The people concerned are being told."),
    "ready": Act(PressForm, lifecycle.declare_ready, "The plan is declared ready."),
    "close": Act(CloseForm, lifecycle.close, "The crisis is closed."),
    "reopen": Act(ReopenForm, lifecycle.reopen, "The crisis is open again."),
}
ITEM_ACTS = {
    "evidence": Act(EvidenceForm, plan.attach_evidence, "The evidence is attached. A second person can now sign the item off."),
    "owner": Act(AssignForm, plan.assign_owner, "The owner is set."),
    "sign-off": Act(SignOffForm, plan.sign_off, "Signed off."),
}


@require_safe
def crisis_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    related = Crisis.objects.select_related("model", "level__framework", "lead")
    live = list(related.exclude(state="closed").order_by("-severity", "opened", "pk")[:LIVE_SHOWN])
    closed = list(related.filter(state="closed").order_by("-closed", "-pk")[:CLOSED_SHOWN])
    readiness = plans.readiness_by_crisis([*live, *closed], now)
    groups = [
        ("Open", [(crisis, readiness[crisis.pk]) for crisis in live]),
        ("Closed", [(crisis, readiness[crisis.pk]) for crisis in closed]),
    ]
    return render(request, "crises/crisis_list.html", {"groups": groups, "now": now})


def _page(request: HttpRequest, crisis_id: int, bound: room.Bound | None = None, status: int = 200) -> HttpResponse:
    crisis = get_object_or_404(
        Crisis.objects.select_related("model", "level__framework", "checkpoint", "lead", "acknowledged_by"), pk=crisis_id
    )
    return render(request, "crises/crisis_detail.html", room.furnish(request, crisis, timezone.now(), bound), status=status)


@require_safe
def crisis_detail(request: HttpRequest, crisis_id: int) -> HttpResponse:
    return _page(request, crisis_id)


def _act_of(acts: dict[str, Act], name: str) -> Act:
    if name not in acts:
        raise Http404(f"There is no action '{name}'.")
    return acts[name]


@require_POST
def crisis_act(request: HttpRequest, crisis_id: int, action: str) -> HttpResponse:
    crisis = get_object_or_404(Crisis, pk=crisis_id)
    wrong: ActForm | None = perform(request, _act_of(CRISIS_ACTS, action), crisis_id=crisis.pk)
    if wrong is not None:
        return _page(request, crisis_id, room.Bound(action, None, wrong), status=422)
    return redirect("web:crisis-detail", crisis_id)


@require_POST
def item_act(request: HttpRequest, crisis_id: int, item_id: int, action: str) -> HttpResponse:
    item = get_object_or_404(ChecklistItem, pk=item_id, checklist__crisis=crisis_id)
    wrong = perform(request, _act_of(ITEM_ACTS, action), item_id=item.pk)
    if wrong is not None:
        return _page(request, crisis_id, room.Bound(action, item.pk, wrong), status=422)
    return redirect(reverse("web:crisis-detail", args=[crisis_id]) + f"#item-{item.pk}")
