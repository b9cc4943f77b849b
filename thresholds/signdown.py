"""Lowering a latched state: only by a named person, only to what the evidence says, with a reason that is kept."""

import datetime as dt

from django.db import transaction

from accounts.roles import Actor, Refused, require
from audit import log
from thresholds.models import LevelStatus, SignDown
from thresholds.reported import differs


class NothingToSignDown(Refused):
    """The evidence does not stand below the state, so there is nothing that a signature could lower."""


@transaction.atomic
def sign_down(*, status_id: int, reason: str, actor: Actor, now: dt.datetime) -> SignDown:
    """Lower a reached state to the state of the newest evidence; a later crossing begins a new episode.

    Raises NotAllowed, or NothingToSignDown while the evidence does not rule the line out: too little evidence cannot clear.
    """
    person = require(actor, "thresholds.sign_down")
    if not reason.strip():
        raise Refused("Say why the state is signed down; the reason is kept with the signature.")
    status = LevelStatus.objects.select_for_update(of=("self",)).select_related("level", "checkpoint").get(pk=status_id)
    if not status.latched or status.reading_state != "clear":
        raise NothingToSignDown(
            f"{status.checkpoint} at {status.level} stands at {status.state} and the newest evidence says {status.reading_state}: "
            "a state is signed down only once complete evidence rules the line out."
        )
    signed = SignDown.objects.create(
        status=status,
        state_before=status.state,
        state=status.reading_state,
        episode=status.episode,
        reason=reason.strip(),
        signed_by_id=person,
        at=now,
    )
    status.state, status.since, status.episode = status.reading_state, now, status.episode + 1
    status.differs = differs(status.reported, status.state)
    status.save(update_fields=["state", "since", "episode", "differs"])
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
        },
    )
    return signed
