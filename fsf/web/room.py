"""What the crisis page shows: the steps, the plan with every item's proof and signature, and the actions that are possible now."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest

from accounts.models import User
from crises.models import Crisis, Update
from crises.states import allowed_actions
from fsf.web.acting import may
from fsf.web.forms import ActForm, AssignForm, CloseForm, EscalateForm, EvidenceForm, ReopenForm, SignOffForm, UpdateForm
from fsf.web.plans import facts_of
from mitigations.checklists import with_facts
from mitigations.models import ChecklistItem, Evidence, SignOff
from mitigations.readiness import ItemReadiness, Readiness, judge

UPDATES_SHOWN = 200
STEP_NAMES = {"opened": "Opened", "acknowledged": "Acknowledged", "mitigating": "Mitigating", "ready": "Plan ready", "closed": "Closed"}


@dataclass(frozen=True, slots=True)
class Bound:
    """A form that came back filled in wrongly: which action, on which item, and the form with its errors."""

    action: str
    item_id: int | None
    form: ActForm


@dataclass(frozen=True, slots=True)
class Step:
    """One state of the crisis's way; `note` says when it was reached, or what it waits for."""

    name: str
    done: bool
    current: bool
    at: dt.datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One item of the plan with its proof, its standing signature and the forms offered to the reader."""

    item: ChecklistItem
    readiness: ItemReadiness
    evidence: list[Evidence]
    signature: SignOff | None
    same_hand: bool
    assign: ActForm | None
    attach: ActForm | None
    sign: ActForm | None
    open: bool


def steps_of(crisis: Crisis, readiness: Readiness) -> list[Step]:
    """The way of a crisis with the times of the steps taken."""
    order = list(STEP_NAMES)
    here = order.index(crisis.state)
    times = {"opened": crisis.opened, "acknowledged": crisis.acknowledged, "ready": crisis.ready, "closed": crisis.closed}
    notes = {"mitigating": f"{readiness.done} of {readiness.total} ready", "ready": "every item signed off", "closed": "with a reason"}
    return [
        Step(STEP_NAMES[state], index < here, index == here, times.get(state) if index <= here else None, notes.get(state, ""))
        for index, state in enumerate(order)
    ]


def _form(kind: type[ActForm], bound: Bound | None, action: str, item_id: int | None = None) -> ActForm:
    """The form to show: the one that came back wrong if it is this one, else an empty one with ids of its own."""
    if bound is not None and (bound.action, bound.item_id) == (action, item_id):
        return bound.form
    return kind(auto_id=f"{action}-{item_id or 'crisis'}-%s")


def _offered(allowed: bool, kind: type[ActForm], bound: Bound | None, action: str, item_id: int) -> ActForm | None:  # noqa: FBT001 - a fact
    return _form(kind, bound, action, item_id) if allowed else None


def _items(crisis: Crisis) -> list[ChecklistItem]:
    items = with_facts(ChecklistItem.objects.filter(checklist_id=crisis.checklist_id)).select_related("owner").order_by("position")
    evidence = Evidence.objects.select_related("attached_by").order_by("-attached", "-pk")
    standing = SignOff.objects.filter(withdrawn__isnull=True).select_related("signed_by", "done_by")
    return list(items.prefetch_related(Prefetch("evidence", evidence), Prefetch("sign_offs", standing)))


@dataclass(frozen=True, slots=True)
class Offer:
    """What the reader may do to items, and who may own them."""

    reader: int
    assign: bool
    attach: bool
    sign: bool
    people: list[tuple[int | str, str]]


def _assign_form(item: ChecklistItem, offer: Offer, bound: Bound | None) -> ActForm | None:
    if not offer.assign:
        return None
    form = _form(AssignForm, bound, "owner", item.pk)
    if not form.is_bound:
        form.fields["owner"].choices = offer.people  # type: ignore[attr-defined]  # one query for all items
        form.initial["owner"] = item.owner_id
    return form


def _measure(item: ChecklistItem, readiness: ItemReadiness, offer: Offer, bound: Bound | None) -> Measure:
    evidence = list(item.evidence.all())
    signable = bool(evidence) and readiness.state != "ready"
    same_hand = signable and offer.reader in {item.owner_id, *(proof.attached_by_id for proof in evidence)}
    return Measure(
        item=item,
        readiness=readiness,
        evidence=evidence,
        signature=next(iter(item.sign_offs.all()), None),
        same_hand=same_hand,
        assign=_assign_form(item, offer, bound),
        attach=_offered(offer.attach, EvidenceForm, bound, "evidence", item.pk),
        sign=_offered(offer.sign and signable and not same_hand, SignOffForm, bound, "sign-off", item.pk),
        open=bound is not None and bound.item_id == item.pk,
    )


def _offer(request: HttpRequest, crisis: Crisis) -> Offer:
    live = crisis.state != "closed"
    assign = live and may(request, "mitigations.assign")
    people: list[tuple[int | str, str]] = [("", "Choose a person")]
    if assign:
        people += [(user.pk, user.display_name) for user in User.objects.filter(is_active=True).order_by("first_name", "username")]
    return Offer(
        reader=request.user.pk or 0,
        assign=assign,
        attach=live and may(request, "mitigations.attach"),
        sign=live and may(request, "mitigations.sign_off"),
        people=people,
    )


def actions_of(request: HttpRequest, crisis: Crisis) -> set[str]:
    """What is possible in this state and allowed to the reader; an update can always be posted."""
    return {action for action in (*allowed_actions(crisis.state), "update") if may(request, f"crises.{action}")}


def _crisis_forms(actions: set[str], bound: Bound | None) -> dict[str, ActForm]:
    kinds = {"update": UpdateForm, "escalate": EscalateForm, "close": CloseForm, "reopen": ReopenForm}
    return {action: _form(kind, bound, action) for action, kind in kinds.items() if action in actions}


def furnish(request: HttpRequest, crisis: Crisis, now: dt.datetime, bound: Bound | None) -> dict[str, Any]:
    """Everything the page of one crisis shows."""
    items = _items(crisis)
    readiness = judge([facts_of(item) for item in items], now.date())
    actions, offer = actions_of(request, crisis), _offer(request, crisis)
    crossings = list(crisis.crossings.select_related("assessment__run", "checkpoint").order_by("at", "pk"))
    updates: Sequence[Update] = list(crisis.updates.order_by("-at", "-pk")[:UPDATES_SHOWN])
    return {
        "now": now,
        "crisis": crisis,
        "readiness": readiness,
        "steps": steps_of(crisis, readiness),
        "measures": [_measure(item, found, offer, bound) for item, found in zip(items, readiness.items, strict=True)],
        "crossings": crossings,
        "updates": updates,
        "actions": actions,
        "forms": _crisis_forms(actions, bound),
        "bound_action": bound.action if bound and bound.item_id is None else "",
        "late_to_acknowledge": crisis.state == "opened" and crisis.acknowledge_by < now,
    }
