"""Working on the plan of a live crisis: each step is done in the checklist and written into the timeline."""

import datetime as dt

from django.db import transaction

from accounts.roles import Actor, Refused
from crises.lifecycle import move, note
from crises.models import Crisis
from crises.states import READY
from mitigations import checklists
from mitigations.models import ChecklistItem, Evidence, SignOff


def _live(item_id: int) -> Crisis:
    crisis = Crisis.objects.select_for_update(of=("self",)).get(checklist__items=item_id)
    if crisis.state == "closed":
        raise Refused(f"{crisis.ref} is closed; reopen it before its checklist is worked on.")
    return crisis


@transaction.atomic
def assign_owner(*, item_id: int, owner_id: int, actor: Actor, now: dt.datetime) -> ChecklistItem:
    """Give an item to a named person."""
    crisis = _live(item_id)
    item = checklists.assign_owner(item_id=item_id, owner_id=owner_id, actor=actor, now=now)
    owner = item.owner.display_name if item.owner else "nobody"
    note(crisis=crisis, kind="note", text=f"{owner} owns '{item.what}'.", author=actor.name, now=now)
    return item


@transaction.atomic
def attach_evidence(*, item_id: int, summary: str, link: str, sha256: str, actor: Actor, now: dt.datetime) -> Evidence:
    """Attach proof to an item of a live crisis; a plan that was declared ready goes back to work, for its proof changed."""
    crisis = _live(item_id)
    evidence = checklists.attach_evidence(item_id=item_id, summary=summary, link=link, sha256=sha256, actor=actor, now=now)
    note(crisis=crisis, kind="evidence", text=f"Evidence for '{evidence.item.what}': {evidence.summary}", author=actor.name, now=now)
    if crisis.state == READY:
        move(crisis, "evidence", actor, now, "Back to mitigating: evidence changed after the plan was ready.", ready=None)
    return evidence


@transaction.atomic
def sign_off(*, item_id: int, note_text: str, actor: Actor, now: dt.datetime) -> SignOff:
    """Sign an item off as a second person."""
    crisis = _live(item_id)
    signed = checklists.sign_off(item_id=item_id, note=note_text, actor=actor, now=now)
    text = f"'{signed.item.what}' signed off; done by {signed.done_by.display_name}."
    note(crisis=crisis, kind="sign_off", text=text, author=actor.name, now=now)
    return signed
