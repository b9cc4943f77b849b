"""Where the plans of crises stand, for any number of crises in one query."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection

from crises.models import Crisis
from fsf.web.situation import Plan
from mitigations.checklists import with_facts
from mitigations.models import ChecklistItem
from mitigations.readiness import ItemFacts, Readiness, judge


def facts_of(item: ChecklistItem) -> ItemFacts:
    """An item annotated by `with_facts` as the readiness rule takes it."""
    evidenced, signed = bool(getattr(item, "evidenced", False)), bool(getattr(item, "signed", False))
    return ItemFacts(item.slug, item.what, item.due, item.owner_id is not None, evidenced, signed)


def readiness_by_crisis(crises: Collection[Crisis], now: dt.datetime) -> dict[int, Readiness]:
    """The readiness of each crisis's plan, by crisis id."""
    items = with_facts(ChecklistItem.objects.filter(checklist_id__in=[crisis.checklist_id for crisis in crises])).order_by("position")
    by_checklist: dict[int, list[ItemFacts]] = defaultdict(list)
    for item in items:
        by_checklist[item.checklist_id].append(facts_of(item))
    return {crisis.pk: judge(by_checklist[crisis.checklist_id], now.date()) for crisis in crises}


def plan_of(crisis: Crisis, readiness: Readiness) -> Plan:
    """A crisis and its readiness as the overview's sentence takes them."""
    return Plan(crisis.ref, crisis.state, readiness.done, readiness.total, readiness.overdue)
