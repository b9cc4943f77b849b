"""Many posted runs at once: the way of `crises.response.receive_run` in few statements, with an outcome of its own for each.

Whatever goes together is one transaction. Where the database or the judgement refuses it, nothing of it was kept; it is tried
again in halves, down to the one that cannot be kept, which is then refused alone by the plain way.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from accounts.proven import TokenChanged
from accounts.roles import Refused
from alerts.outbox import NotQueued
from audit import log
from crises.foreseeing import MOST, foreseen, learn
from crises.receipts import Replies, replies_to
from crises.response import Answer, answer_one, insistently, lost_a_race, receive_run, rehearsed
from database.asking import asked_ahead, send_off, together, with_statements_prepared
from evals.ingest import Recorded
from evals.rows import check_references, store_rows
from evals.storing import Posted, Refusal, record_runs
from evals.submissions import InvalidSubmission
from thresholds.batches import assess_many
from thresholds.statistics import InvalidMeasurement

Outcome = Answer | Exception
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
        return insistently(lambda: with_statements_prepared(lambda: _together(posts, now, as_one=as_one)))
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
        if post.proof is not None:
            return TokenChanged()  # whoever proved it from memory is to ask
        return receive_run(submission=post.submission, actor=post.actor, now=now)
    except FAULTS as refusal:
        return refusal


def _together(posts: Sequence[Posted], now: dt.datetime, *, as_one: bool) -> list[Outcome]:
    with transaction.atomic(), together(commit=True), asked_ahead(foreseen(posts)), log.gathered():
        recorded = record_runs(posts=posts, now=now, judged=now, as_one=as_one)
        send_off()
        new = [(post, found) for post, found in zip(posts, recorded, strict=True) if isinstance(found, Recorded) and found.created]
        replies = _judged(new, now)
        kept = replies_to(found.run.id for found in recorded if isinstance(found, Recorded) and not found.created)
        outcomes = [_outcome(post, found, replies, kept, now) for post, found in zip(posts, recorded, strict=True)]
        check_references()  # now, and not at the commit, when everyone waits for the head of the audit log
        return outcomes


def _judged(new: Sequence[tuple[Posted, Recorded]], now: dt.datetime) -> dict[int, Answer]:
    """The answer to each new run by its id, its reply kept as its receipt."""
    judged = assess_many(stored=[(each.run, each.results) for _, each in new], now=now, keep=store_rows)
    send_off()
    replies, told = Replies(now, {each.run.id: each.results for _, each in new}), {}
    for (post, each), found in zip(new, judged, strict=True):
        told[each.run.id] = replies.answer_to(each.run, found)
        if len(new) <= MOST:
            learn(post.submission, each.run, found)
    replies.keep()
    return told


def _outcome(
    post: Posted, found: Recorded | Refusal, replies: Mapping[int, Answer], kept: Mapping[int, dict[str, Any]], now: dt.datetime
) -> Outcome:
    if not isinstance(found, Recorded):
        return found
    answer = replies.get(found.run.id)
    if found.created and answer is not None:
        return answer
    reply = kept.get(found.run.id) if answer is None else answer.reply
    if reply is None:
        return answer_one(post.submission, post.actor, now)
    return Answer({**reply, "replayed": True}, created=False, ring=False)
