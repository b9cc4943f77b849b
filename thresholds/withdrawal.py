"""Marking a run as invalid: what rested on it is read anew without it, and what it raised stays raised."""

import datetime as dt
from operator import itemgetter

from django.db import transaction

from accounts.roles import Actor
from audit import log
from evals.ingest import invalidate_run
from evals.models import EvalRun
from thresholds.places import lock
from thresholds.repeated import counted_at, rows_with
from thresholds.standing import rebuild


@transaction.atomic
@log.gathered()
def withdraw_run(*, run_id: int, reason: str, actor: Actor, now: dt.datetime) -> EvalRun:
    """Mark a run invalid with a reason, and read every level it was judged for, or counted at as a look, without it, at its checkpoint
    and at every heir.

    A clear that rested on it is clear no longer; an alert or critical state stays until it is signed down.
    Raises NotAllowed, or Refused where the reason is missing or the run was withdrawn before.
    """
    run = invalidate_run(run_id=run_id, reason=reason, actor=actor, now=now)
    pair = run.checkpoint_id, run.evaluation_id
    lock(rows_with([pair]))  # so that none begins to count the run meanwhile
    places = {*run.assessments.values_list("checkpoint", "level"), *counted_at([pair])[pair]}
    for checkpoint_id, level_id in sorted(places, key=itemgetter(1, 0)):
        rebuild(checkpoint_id=checkpoint_id, level_id=level_id, now=now)
    return run
