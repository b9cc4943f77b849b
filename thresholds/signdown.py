"""Lowering a latched state: only by a named person, only where all evidence together rules the lines out, with a reason that is kept."""

import datetime as dt
from dataclasses import asdict
from typing import Any

from django.db import transaction

from accounts.roles import Actor, Refused, require
from audit import log
from evals.models import EvalRun
from thresholds.evidence import summarise
from thresholds.governing import line_facts, lines_at, rule_of
from thresholds.models import LevelStatus, SignDown
from thresholds.repeated import pooled_of, settled
from thresholds.reported import differs
from thresholds.standing import bring_up_to_date


class NothingToSignDown(Refused):
    """The evidence does not stand below the state, so there is nothing that a signature could lower."""


def lowerable(status: LevelStatus) -> bool:
    """Whether all evidence together rules out what a held state says; a forecast alone keeps no state up."""
    return status.latched and summarise(status.readings, line_facts(status.level), rule_of(status.level)).state == "clear"


@transaction.atomic
def sign_down(*, status_id: int, reason: str, actor: Actor, now: dt.datetime) -> SignDown:
    """Lower a reached state to the state of the evidence; a later crossing begins a new episode.

    Every run of the checkpoint counts, not only the newest, and the looks must be paid for. Raises NotAllowed, or NothingToSignDown
    while the evidence does not rule the line out: too little evidence cannot clear.
    """
    person = require(actor, "thresholds.sign_down")
    if not reason.strip():
        raise Refused("Say why the state is signed down; the reason is kept with the signature.")
    status = LevelStatus.objects.select_for_update(of=("self",)).select_related("level__framework", "checkpoint").get(pk=status_id)
    _count_again(status, now)
    if not lowerable(status):
        raise NothingToSignDown(
            f"{status.checkpoint} at {status.level} stands at {status.state} and the evidence says {status.reading_state}: "
            "a state is signed down only once all complete evidence together rules the line out, with every look paid for. "
            f"{status.message}"
        )
    evidence = _evidence(status)
    signed = SignDown.objects.create(
        status=status,
        state_before=status.state,
        state=status.reading_state,
        episode=status.episode,
        reason=reason.strip(),
        evidence=evidence,
        signed_by_id=person,
        at=now,
    )
    status.state, status.since, status.episode = status.reading_state, now, status.episode + 1
    status.differs = differs(status.reported, status.state)
    status.save()
    log.record(
        action="thresholds.status.sign_down",
        about=f"status:{status.pk}",
        actor=actor,
        now=now,
        data={
            "level": status.level.key,
            "checkpoint": status.checkpoint.slug,
            "from": signed.state_before,
            "to": signed.state,
            "reason": signed.reason,
            "evidence": evidence,
        },
    )
    return signed


def _count_again(status: LevelStatus, now: dt.datetime) -> None:
    """Let the row say what all looks together say now: one that only another version read was not counted when it came."""
    status.readings = settled(status.readings, lines_at(status.level))
    bring_up_to_date(status, summarise(status.readings, line_facts(status.level), rule_of(status.level)), "no_result", now)


def _evidence(status: LevelStatus) -> dict[str, Any]:
    """By evaluation and kind of line, what all runs together say at the time of the signature."""
    lines = lines_at(status.level)
    found = {}
    for key, slots in status.readings.items():
        its = [line for line in lines if line.evaluation.key == key]
        newest = EvalRun.objects.select_related("evaluation").filter(pk__in=[reading["run"] for reading in slots.values()]).last()
        if its and newest is not None:
            found[key] = {kind: asdict(verdict) for kind, verdict in pooled_of(newest, its).items()}
    return found
