"""The agreed measures of a level, the frozen plan of a crisis, and what people do to its items."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User
from accounts.roles import Actor, NotAllowed, Refused, require
from audit import log
from mitigations.models import Assignment, Checklist, ChecklistItem, Evidence, Mitigation, SignOff
from mitigations.readiness import ItemFacts, Readiness, judge
from thresholds.models import CapabilityLevel


class EvidenceMissing(Refused):
    """An item cannot be signed off before evidence is attached to it."""


class SameHand(NotAllowed):
    """The person who did an item, or attached evidence to it, may not sign it off."""


def define(*, level: CapabilityLevel, measures: Iterable[dict[str, Any]]) -> list[Mitigation]:
    """Store the measures agreed for a level, in order; called once, when its framework version is loaded."""
    return Mitigation.objects.bulk_create(
        Mitigation(level=level, position=position, evidence_asked=measure.pop("evidence"), **measure)
        for position, measure in enumerate(measures)
    )


def freeze(*, model_id: int, level: CapabilityLevel, kind: str, now: dt.datetime) -> Checklist:
    """Copy the plan for a crossing of a kind; due dates count from now, in days."""
    checklist = Checklist.objects.create(model_id=model_id, level=level, framework_digest=level.framework.digest, frozen=now)
    extend(checklist=checklist, kind=kind, now=now)
    return checklist


def extend(*, checklist: Checklist, kind: str, now: dt.datetime) -> list[ChecklistItem]:
    """Add the measures that a crossing of this kind needs and the plan does not hold yet; returns those added."""
    wanted = checklist.level.mitigations.exclude(slug__in=checklist.items.values("slug")).order_by("position")
    if kind == "alert":
        wanted = wanted.filter(applies_to="alert")
    fields = ("position", "slug", "what", "kind", "why", "evidence_asked", "days", "applies_to")
    return ChecklistItem.objects.bulk_create(
        ChecklistItem(
            checklist=checklist,
            due=now.date() + dt.timedelta(days=measure.days),
            **{field: getattr(measure, field) for field in fields},
        )
        for measure in wanted
    )


def with_facts(items: QuerySet[ChecklistItem]) -> QuerySet[Any]:
    """Items with `evidenced` and `signed`, in one query."""
    standing = SignOff.objects.filter(item=OuterRef("pk"), withdrawn__isnull=True)
    return items.annotate(evidenced=Exists(Evidence.objects.filter(item=OuterRef("pk"))), signed=Exists(standing))


def readiness_of(checklist_id: int, now: dt.datetime) -> Readiness:
    """Where a stored checklist stands now."""
    items = with_facts(ChecklistItem.objects.filter(checklist_id=checklist_id)).order_by("position")
    facts = [ItemFacts(item.slug, item.what, item.due, item.owner_id is not None, item.evidenced, item.signed) for item in items]
    return judge(facts, now.date())


def _locked(item_id: int) -> ChecklistItem:
    return ChecklistItem.objects.select_for_update(of=("self",)).get(pk=item_id)


@transaction.atomic
def assign_owner(*, item_id: int, owner_id: int, actor: Actor, now: dt.datetime) -> ChecklistItem:
    """Give an item to a named person; raises Refused where the person is not active or the item is signed off already."""
    require(actor, "mitigations.assign")
    item = _locked(item_id)
    owner = User.objects.filter(pk=owner_id, is_active=True).first()
    if owner is None:
        raise Refused("Only an active person can own an item.")
    if item.sign_offs.filter(withdrawn__isnull=True).exists():
        raise Refused(f"'{item.what}' is signed off; its owner stays as the sign-off found it.")
    item.owner = owner
    item.save(update_fields=["owner"])
    Assignment.objects.create(item=item, owner=owner, assigned=now)
    log.record(
        action="mitigations.item.assign",
        about=f"item:{item.pk}",
        actor=actor,
        now=now,
        data={"what": item.what, "owner": owner.display_name},
    )
    return item


@transaction.atomic
def attach_evidence(*, item_id: int, summary: str, link: str, sha256: str, actor: Actor, now: dt.datetime) -> Evidence:
    """Attach proof to an item; a standing sign-off of older evidence is withdrawn, for it judged something else."""
    person = require(actor, "mitigations.attach")
    if not summary.strip():
        raise Refused("Say in a sentence what the evidence shows.")
    item = _locked(item_id)
    evidence = Evidence.objects.create(item=item, summary=summary.strip(), link=link, sha256=sha256, attached_by_id=person, attached=now)
    withdrawn = item.sign_offs.filter(withdrawn__isnull=True).update(withdrawn=now)
    log.record(
        action="mitigations.evidence.attach",
        about=f"item:{item.pk}",
        actor=actor,
        now=now,
        data={"what": item.what, "summary": evidence.summary, "link": link, "sha256": sha256, "sign_offs_withdrawn": withdrawn},
    )
    return evidence


@transaction.atomic
def sign_off(*, item_id: int, note: str, actor: Actor, now: dt.datetime) -> SignOff:
    """Sign an item off on its newest evidence; raises NotAllowed, EvidenceMissing, or SameHand for whoever had a hand in it:
    its owner, a former owner, and everyone who attached evidence to it."""
    person = require(actor, "mitigations.sign_off")
    item = _locked(item_id)
    evidence = list(item.evidence.select_related("attached_by").order_by("-attached", "-pk"))
    if not evidence:
        raise EvidenceMissing(f"'{item.what}' has no evidence yet; attach it before the item is signed off.")
    owners = item.assignments.values_list("owner_id", flat=True)
    if person in {item.owner_id, *owners, *(proof.attached_by_id for proof in evidence)}:
        raise SameHand(actor, "mitigations.sign_off", f"{actor.name} did '{item.what}'; another person must sign it off.")
    if item.sign_offs.filter(withdrawn__isnull=True).exists():
        raise Refused(f"'{item.what}' is already signed off.")
    signed = SignOff.objects.create(
        item=item, evidence=evidence[0], done_by=evidence[0].attached_by, signed_by_id=person, note=note.strip(), signed=now
    )
    log.record(
        action="mitigations.item.sign_off",
        about=f"item:{item.pk}",
        actor=actor,
        now=now,
        data={"what": item.what, "done_by": signed.done_by.display_name, "evidence": evidence[0].pk, "note": signed.note},
    )
    return signed
