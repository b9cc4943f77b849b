"""A run that was started is watched to its end: it says that it lives, it is finished, or it falls silent, which is an alarm.

heard      evals.heartbeats.hear      how far it is; cheap, for it comes every few seconds
lost       lose_run                   its next revision says so, is judged as a run without a result, and people are told
heard of   hear_run                   again: the revision after that says it has started, the alarm is over
finished   finish_run                 in time or late: stored, judged and answered as any posted run
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.roles import SYSTEM, Actor
from alerts import outbox
from audit import log
from crises import watch_messages
from crises.models import Receipt
from crises.response import Answer, receive_run
from evals import continuing, heartbeats
from evals.heartbeats import Course, RunEnded
from evals.models import EvalRun

TRIES = 3  # how often a sign that came just when its run was given up, or taken up again, is put to the run that stands then


@dataclass(frozen=True, slots=True)
class Heard:
    """The run that the sign counts for, until when the next is waited for, and whether there is something to send."""

    run: EvalRun
    due: dt.datetime
    ring: bool = False


def hear_run(*, run_id: int, said: Mapping[str, float], actor: Actor, now: dt.datetime) -> Heard:
    """Take note that a run lives; one that was given up as lost goes on, on record, and its alarm is told to be over.

    `run_id` may be any revision of it. Raises EvalRun.DoesNotExist, NotAllowed unless the actor posted it, RunEnded where it is
    finished, corrected or invalid.
    """
    asked = run_id
    for _ in range(TRIES):
        if (heard := heartbeats.hear(run_id=asked, said=said, actor=actor, now=now)) is not None:
            return Heard(*heard)
        course = heartbeats.course_of(run_id, actor)
        if course.given_up:
            return _revive(course, said, actor, now)
        if not course.running or asked == course.newest.pk:
            break
        asked = course.newest.pk
    raise RunEnded(course.newest, run_id)


@transaction.atomic
def _revive(course: Course, said: Mapping[str, float], actor: Actor, now: dt.datetime) -> Heard:
    before = course.start.heartbeat
    answer = receive_run(submission=continuing.started_again(course.start, lost=course.newest), actor=actor, now=now)
    run = EvalRun.objects.select_related("checkpoint", "evaluation").get(pk=answer.reply["id"])
    heartbeat = heartbeats.resume(course=course, run=run, said=said, now=now)
    about = {"lost": course.newest.pk, "silent_since": before.seen.isoformat()}
    log.record(action="evals.run.revive", about=f"run:{run.pk}", actor=actor, now=now, data=about)
    silent = _silent(course.start, heartbeat.completed, heartbeat.planned)
    message = watch_messages.heard(silent, now=now, site=settings.SITE_URL)
    queued = outbox.queue(
        event="run.heard",
        thread=_thread(course.start),
        message=message,
        recipients=outbox.people_to_alert(),
        now=now,
        dedup=f"heard:{course.newest.pk}",
    )
    return Heard(run, heartbeat.due or now, ring=bool(queued))


@transaction.atomic
def lose_run(*, run_id: int, now: dt.datetime) -> bool:
    """Give up a run of which nothing was heard in time: its next revision is lost, judged without a result, and people are told.

    They are told too where its producer has called it lost meanwhile and nothing came since. False where it has ended, was heard of, or
    another worker was first.
    """
    if (said := heartbeats.said_lost(run_id=run_id, now=now)) is not None:
        return _alarm(*said, now)
    start = heartbeats.give_up(run_id=run_id, now=now)
    if start is None:
        return False
    reply = receive_run(submission=continuing.lost(start), actor=SYSTEM, now=now).reply
    return _alarm(start, EvalRun.objects.get(pk=reply["id"]), now)


def _alarm(start: EvalRun, run: EvalRun, now: dt.datetime) -> bool:
    """Put on record and tell people that a start was lost, as `run` says."""
    receipt = Receipt.objects.filter(run=run).select_related("said").first()
    names = tuple(dict.fromkeys(verdict["level_name"] for verdict in receipt.reply["verdicts"])) if receipt else ()
    about = {"run": run.pk, "last_sign": start.heartbeat.seen.isoformat(), "posted_by": start.posted_by}
    log.record(action="evals.run.lose", about=f"run:{start.pk}", actor=SYSTEM, now=now, data=about)
    outbox.queue(
        event="run.lost",
        thread=_thread(start),
        message=watch_messages.lost(_silent(start, run.finished, run.planned, names), site=settings.SITE_URL),
        recipients=outbox.people_to_alert(),
        now=now,
        dedup=f"lost:{start.pk}",
    )
    return True


def finish_run(*, run_id: int, rest: Mapping[str, Any], actor: Actor, now: dt.datetime, dry_run: bool = False) -> Answer:
    """End a run with the rest of what is to be said of it, also one that was given up; the answer is that of its post.

    The same rest again gets the same answer. `run_id` may be any revision of the run. Raises EvalRun.DoesNotExist, NotAllowed unless
    the actor posted it, RunEnded where it was never started or is invalid, InvalidSubmission, ContentDiffers where it has ended otherwise.
    """
    with transaction.atomic():
        course = heartbeats.course_of(run_id, actor)
        if course.newest.invalidated is not None:
            raise RunEnded(course.newest, run_id)
        submission = continuing.ended(course.start, heartbeats.held(course), rest)
        answer = receive_run(submission=submission, actor=actor, now=now, dry_run=dry_run)
        if not dry_run:
            heartbeats.end(course)
    return answer


def _thread(start: EvalRun) -> str:
    """What the mails of a run are threaded by, however often it is given up: its first revision."""
    first = EvalRun.objects.filter(producer=start.producer, external_id=start.external_id).order_by("revision")
    return f"run.{first.values_list('pk', flat=True)[0]}"


def _silent(start: EvalRun, completed: int | None, planned: int | None, names: tuple[str, ...] = ()) -> watch_messages.Silent:
    heartbeat = start.heartbeat
    return watch_messages.Silent(
        ref=start.ref,
        number=start.pk,
        evaluation=start.evaluation.key,
        checkpoint=start.checkpoint.name,
        slug=start.checkpoint.slug,
        producer=start.producer,
        posted_by=start.posted_by.partition(":")[2],
        seen=heartbeat.seen,
        allowed=heartbeats.allowance(heartbeat.every),
        completed=completed,
        planned=planned,
        names=names,
    )
