"""Opening a crisis and leading it to its end: each operation moves the state by the table, writes the timeline and the audit."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.roles import Actor, Refused, require
from alerts import outbox
from audit import log
from crises import messages
from crises.models import Crisis, Update
from crises.states import LIVE, NotPossible, after
from evals.rows import store_rows
from mitigations import checklists
from mitigations.readiness import Readiness
from thresholds.evidence import rank
from thresholds.models import Crossing


class NotReady(Refused):
    """The plan is not proven ready; the text says what is missing."""


def note(*, crisis: Crisis, kind: str, text: str, author: str, now: dt.datetime) -> Update:
    """Write one line of the timeline."""
    return Update.objects.create(crisis=crisis, at=now, author=author, kind=kind, text=text)


def open_for(*, crossing: Crossing, actor: Actor, now: dt.datetime) -> tuple[Crisis, bool]:
    """Open a crisis for a crossing with the plan frozen as it is, or join the live one; returns it and whether it was opened."""
    level, checkpoint = crossing.assessment.level, crossing.assessment.checkpoint  # the crossing's own, which are there already
    live = Crisis.objects.select_for_update(of=("self",)).select_related("checkpoint", "checklist")
    crisis = live.filter(model=checkpoint.model_id, level=level, state__in=LIVE).first()
    opened = crisis is None
    if crisis is None:
        crisis = _open(crossing, now)
    else:
        crisis.model, crisis.level, crisis.checklist.level = checkpoint.model, level, level
        _join(crisis, crossing, now)
    text = f"{checkpoint} reached the {crossing.kind} line of {level}. {crossing.assessment.message}"
    store_rows([Crisis.crossings.through(crisis_id=crisis.pk, crossing_id=crossing.pk)], nameless=True)
    store_rows([Update(crisis=crisis, at=now, author="system", kind="crossing", text=text)], nameless=True)
    log.record(
        action="crises.crisis.open" if opened else "crises.crisis.join",
        about=f"crisis:{crisis.pk}",
        actor=actor,
        now=now,
        data={
            "level": level.key,
            "checkpoint": checkpoint.slug,
            "crossing": crossing.pk,
            "plan": crisis.checklist.framework_digest,
        },
    )
    return crisis, opened


def _open(crossing: Crossing, now: dt.datetime) -> Crisis:
    read = crossing.assessment
    acknowledge_by = now + dt.timedelta(minutes=settings.ACKNOWLEDGE_MINUTES)
    return Crisis.objects.create(
        model=read.checkpoint.model,
        level=read.level,
        checkpoint=read.checkpoint,
        severity=crossing.kind,
        illustrative=read.illustrative,
        checklist=checklists.freeze(model_id=read.checkpoint.model_id, level=read.level, kind=crossing.kind, now=now),
        opened=now,
        acknowledge_by=acknowledge_by,
        next_step=acknowledge_by,
    )


def _join(crisis: Crisis, crossing: Crossing, now: dt.datetime) -> None:
    before = crisis.state, crisis.severity, crisis.ready, crisis.illustrative
    crisis.state = after(crisis.state, "join")
    if rank(crossing.kind) > rank(crisis.severity):
        crisis.severity = crossing.kind
    crisis.ready = None
    crisis.illustrative = crisis.illustrative and crossing.assessment.illustrative
    if before != (crisis.state, crisis.severity, crisis.ready, crisis.illustrative):  # the row is locked either way
        crisis.save(update_fields=["state", "severity", "ready", "illustrative"])
    checklists.extend(checklist=crisis.checklist, kind=crossing.kind, now=now)


def _locked(crisis_id: int) -> Crisis:
    return (
        Crisis.objects.select_for_update(of=("self",))
        .select_related("level__framework", "model", "checkpoint", "checklist", "lead")
        .get(pk=crisis_id)
    )


def move(crisis: Crisis, action: str, actor: Actor, now: dt.datetime, text: str, **fields: Any) -> Crisis:
    """One step of the table, with its timeline line and its audit entry."""
    before, crisis.state = crisis.state, after(crisis.state, action)
    for name, value in fields.items():
        setattr(crisis, name, value)
    crisis.save(update_fields=["state", *fields])
    note(crisis=crisis, kind="escalation" if action == "escalate" else "state", text=text, author=actor.name, now=now)
    log.record(
        action=f"crises.crisis.{action}",
        about=f"crisis:{crisis.pk}",
        actor=actor,
        now=now,
        data={"before": before, "after": crisis.state, "text": text},
    )
    return crisis


def _reason(reason: str) -> str:
    if not reason.strip():
        raise Refused("Give the reason; it stands in the timeline and the audit log.")
    return reason.strip()


@transaction.atomic
def acknowledge(*, crisis_id: int, actor: Actor, now: dt.datetime) -> Crisis:
    """A named person takes the crisis on and becomes its lead where there is none."""
    require(actor, "crises.acknowledge")
    crisis = _locked(crisis_id)
    lead_id = crisis.lead_id or actor.id
    return move(
        crisis, "acknowledge", actor, now, "Acknowledged.", acknowledged=now, acknowledged_by_id=actor.id, lead_id=lead_id, next_step=None
    )


@transaction.atomic
def start(*, crisis_id: int, actor: Actor, now: dt.datetime) -> Crisis:
    """Work on the checklist begins."""
    require(actor, "crises.start")
    return move(_locked(crisis_id), "start", actor, now, "Mitigation started.")


@transaction.atomic
def post_update(*, crisis_id: int, text: str, actor: Actor, now: dt.datetime) -> Update:
    """Say what changed and what is next."""
    require(actor, "crises.update")
    if not text.strip():
        raise Refused("An update needs text: what changed, what is next.")
    crisis = _locked(crisis_id)
    log.record(action="crises.crisis.update", about=f"crisis:{crisis.pk}", actor=actor, now=now, data={"text": text.strip()})
    return note(crisis=crisis, kind="note", text=text.strip(), author=actor.name, now=now)


@transaction.atomic
def declare_ready(*, crisis_id: int, actor: Actor, now: dt.datetime) -> Crisis:
    """Declare the plan ready; raises NotReady unless every measure is signed off by a second person."""
    require(actor, "crises.ready")
    crisis = _locked(crisis_id)
    after(crisis.state, "ready")
    readiness = checklists.readiness_of(crisis.checklist_id, now)
    if not readiness.ready:
        raise NotReady(f"{crisis.ref} is not ready. {readiness.sentence} {_open_items(crisis, readiness)}")
    return move(crisis, "ready", actor, now, f"Declared ready: {readiness.sentence}", ready=now)


def _open_items(crisis: Crisis, readiness: Readiness) -> str:
    names = dict(crisis.checklist.items.values_list("slug", "what"))
    return " ".join(f"'{names[item.slug]}' needs {item.missing}." for item in readiness.items if item.state != "ready")


@transaction.atomic
def close(*, crisis_id: int, reason: str, actor: Actor, now: dt.datetime) -> Crisis:
    """End a crisis whose plan is ready, with the reason."""
    require(actor, "crises.close")
    return move(_locked(crisis_id), "close", actor, now, f"Closed: {_reason(reason)}", closed=now)


@transaction.atomic
def reopen(*, crisis_id: int, reason: str, actor: Actor, now: dt.datetime) -> Crisis:
    """Take a ready or closed crisis back to work; raises NotPossible while another one for the same model and level is live."""
    require(actor, "crises.reopen")
    text = f"Reopened: {_reason(reason)}"
    try:
        with transaction.atomic():
            return move(_locked(crisis_id), "reopen", actor, now, text, closed=None, ready=None)
    except IntegrityError:
        raise NotPossible("Another crisis for this model and level is live; work there.") from None


@transaction.atomic
def escalate(*, crisis_id: int, reason: str, actor: Actor, now: dt.datetime) -> Crisis:
    """Call everyone who gets alerts again, with the reason; the state stays."""
    require(actor, "crises.escalate")
    return call_again(crisis=_locked(crisis_id), why=_reason(reason), actor=actor, now=now)


def call_again(*, crisis: Crisis, why: str, actor: Actor, now: dt.datetime) -> Crisis:
    """The escalation itself, by a person or by the clock: count it, write it down, queue the mails."""
    count = crisis.escalations + 1
    move(crisis, "escalate", actor, now, f"Escalated: {why}", escalations=count)
    readiness = checklists.readiness_of(crisis.checklist_id, now)
    outbox.queue(
        event="crisis.escalated",
        thread=crisis.thread,
        message=messages.escalation(
            crisis=messages.brief(crisis),
            why=why,
            readiness=readiness.sentence,
            subject=outbox.thread_subject(crisis.thread),
            site=settings.SITE_URL,
        ),
        recipients=outbox.people_to_alert(),
        now=now,
        dedup=f"escalation:{crisis.pk}:{count}",
    )
    return crisis
