"""Many posted runs at once: the way of `crises.response.receive_run` in few statements, with an outcome of its own for each.

Whatever goes together is one transaction. Where the database or the judgement refuses it, nothing of it was kept; it is tried
again in halves, down to the one that cannot be kept, which is then refused alone by the plain way.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from accounts.roles import Refused
from alerts.outbox import NotQueued
from audit import log
from crises.models import Receipt
from crises.response import Answer, answer_one, compose, insistently, lost_a_race, receive_run, rehearsed, verdicts
from evals.ingest import Recorded
from evals.prepared import together
from evals.rows import check_references, new_row, store_rows
from evals.storing import Posted, Refusal, record_runs
from evals.submissions import InvalidSubmission
from thresholds.assess import Judged
from thresholds.batches import assess_many
from thresholds.statistics import InvalidMeasurement

Outcome = Answer | Exception
MANY = 100  # rows to be looked at take longer than one more statement
FAULTS = (Refused, InvalidSubmission, InvalidMeasurement, NotQueued, DatabaseError)  # what one run may be refused for


def receive_runs(*, posts: Sequence[Posted], now: dt.datetime, as_one: bool = True, dry_run: bool = False) -> list[Outcome]:
    """Store, judge and answer what was posted, each as if it had been posted after the one before; its answer or its refusal, in order.

    With `as_one` there is one audit entry for all runs of an actor, else one for each. With `dry_run` nothing is kept. Raises
    DatabaseError where the database takes nothing at all.
    """
    if not dry_run:
        return _received(posts, now, as_one=as_one)
    with transaction.atomic():
        outcomes = _received(posts, now, as_one=as_one)
        transaction.set_rollback(True)
    return [rehearsed(outcome) if isinstance(outcome, Answer) else outcome for outcome in outcomes]


def _received(posts: Sequence[Posted], now: dt.datetime, *, as_one: bool) -> list[Outcome]:
    """All together, or in parts where that is refused; a database that is gone is raised, for no part would fare better."""
    try:
        return insistently(lambda: _together(posts, now, as_one=as_one))
    except (OperationalError, InterfaceError) as gone:
        if not isinstance(gone, DatabaseError) or not lost_a_race(gone):
            raise
    except FAULTS:
        pass
    return _in_parts(posts, now, as_one=as_one)


def _in_parts(posts: Sequence[Posted], now: dt.datetime, *, as_one: bool) -> list[Outcome]:
    if len(posts) == 1:
        return [_alone(posts[0], now)]
    outcomes: list[Outcome] = []
    for part in (posts[: len(posts) // 2], posts[len(posts) // 2 :]):
        try:
            outcomes += _received(part, now, as_one=as_one)
        except (OperationalError, InterfaceError) as gone:  # the other half may be stored: each of this one is told that it is not
            outcomes += [gone] * len(part)
    return outcomes


def _alone(post: Posted, now: dt.datetime) -> Outcome:
    try:
        return receive_run(submission=post.submission, actor=post.actor, now=now)
    except FAULTS as refusal:
        return refusal


def _together(posts: Sequence[Posted], now: dt.datetime, *, as_one: bool) -> list[Outcome]:
    with transaction.atomic(), together(), log.gathered():
        recorded = record_runs(posts=posts, now=now, judged=now, as_one=as_one)
        replies = _judged([found for found in recorded if isinstance(found, Recorded) and found.created], now)
        kept = _kept([found for found in recorded if isinstance(found, Recorded) and not found.created])
        outcomes = [_outcome(post, found, replies, kept, now) for post, found in zip(posts, recorded, strict=True)]
        if len(posts) >= MANY:
            check_references()  # now, and not at the commit, when everyone waits for the head of the audit log
        return outcomes


def _judged(stored: Sequence[Recorded], now: dt.datetime) -> dict[int, dict[str, Any]]:
    """The reply to each new run by its id, kept as its receipt."""
    judged = assess_many(stored=[(each.run, each.results) for each in stored], now=now, keep=store_rows)
    said = _shared()
    replies = {each.run.pk: compose(run=each.run, judged=found, now=now, said=said) for each, found in zip(stored, judged, strict=True)}
    store_rows([new_row(Receipt, {}, {"run_id": run_id, "reply": reply}) for run_id, reply in replies.items()], nameless=True)
    return replies


def _shared() -> Callable[[Judged], list[dict[str, Any]]]:
    """The verdicts of an assessment, made once for all that say the same at one level (their readings and words are one object)."""
    known: dict[tuple[object, ...], list[dict[str, Any]]] = {}

    def said(judged: Judged) -> list[dict[str, Any]]:
        row = judged.assessment
        key = id(row.readings), id(row.message), id(judged.status), row.set_after, row.state_before, row.state, row.inherited_id
        if key not in known:
            known[key] = verdicts(judged)
        return known[key]

    return said


def _kept(found: Sequence[Recorded]) -> dict[int, dict[str, Any]]:
    """What was answered when these runs were stored, by id; a run that came by another door was not answered yet."""
    return dict(Receipt.objects.filter(run__in=[each.run.pk for each in found]).values_list("run_id", "reply")) if found else {}


def _outcome(
    post: Posted, found: Recorded | Refusal, replies: Mapping[int, dict[str, Any]], kept: Mapping[int, dict[str, Any]], now: dt.datetime
) -> Outcome:
    if not isinstance(found, Recorded):
        return found
    if found.created:
        return Answer(replies[found.run.pk], created=True, ring=bool(replies[found.run.pk]["alerts_queued"]))
    if (reply := kept.get(found.run.pk) or replies.get(found.run.pk)) is not None:
        return Answer({**reply, "replayed": True}, created=False, ring=False)
    return answer_one(post.submission, post.actor, now)
