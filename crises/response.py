"""The product on one page: a result arrives, is judged, and where a line is reached people are told, all in one transaction.

    stored    evals.ingest.record_run      the run and its results
    judged    thresholds.assess.assess     readings, the level's status, the crossing
    crisis    crises.lifecycle.open_for    opened with the plan agreed beforehand, or joined
    queued    alerts.outbox.queue          one alert per person and channel
    answered  Receipt                      what the pipeline is told, the same words at every repeat

If any hop fails nothing is kept: there is never a crossing that nobody is queued to hear of.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction

from accounts.roles import SYSTEM, Actor
from alerts import outbox
from audit import log
from crises import messages
from crises.lifecycle import open_for
from crises.models import Crisis, Receipt, spoken
from evals.ingest import record_run
from evals.models import EvalResult, EvalRun
from evals.submissions import Submission
from mitigations import checklists
from thresholds.assess import Judged, assess
from thresholds.explained import explained
from thresholds.models import Assessment, Crossing

ATTEMPTS = 3
LINE = ("threshold", "comparator", "value", "policy", "grade", "reached", "point", "lower", "upper", "n_eff", "needed")  # of a reading
DEADLOCK, NOT_SERIALIZABLE = "40P01", "40001"  # SQLSTATE
T = TypeVar("T")


class Answer(NamedTuple):
    """The reply to a post, whether the run was stored by it, and whether there is something to send."""

    reply: dict[str, Any]
    created: bool
    ring: bool


def receive_run(*, submission: Submission, actor: Actor, now: dt.datetime, dry_run: bool = False) -> Answer:
    """Store, judge and answer a posted run; the same content again gets the stored answer.

    Raises InvalidSubmission, ContentDiffers and NotAllowed (see evals.ingest). Two posts that race for one identity or one crisis
    are told apart by the database; the later one starts again and finds the earlier one's rows. With `dry_run` everything is done
    and nothing kept: the answer says what would happen.
    """
    receive = _rehearse if dry_run else _receive
    return insistently(lambda: receive(submission, actor, now))


def insistently(attempt: Callable[[], T]) -> T:
    """What an attempt returns; one that lost a race or was the victim of a deadlock is made again, for nothing of it was kept."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except DatabaseError as wrong:
            if not lost_a_race(wrong):
                raise
    return attempt()


def lost_a_race(wrong: DatabaseError) -> bool:
    """Whether another transaction was first, so that the same may well succeed now."""
    return isinstance(wrong, IntegrityError) or getattr(wrong.__cause__, "sqlstate", None) in {DEADLOCK, NOT_SERIALIZABLE}


def _receive(submission: Submission, actor: Actor, now: dt.datetime) -> Answer:
    with transaction.atomic(), log.gathered():
        return answer_one(submission, actor, now)


def _rehearse(submission: Submission, actor: Actor, now: dt.datetime) -> Answer:
    with transaction.atomic():
        answer = _receive(submission, actor, now)
        transaction.set_rollback(True)
    return rehearsed(answer)


def rehearsed(answer: Answer) -> Answer:
    """The answer without the names of what was not kept; a run that is stored already keeps its own."""
    reply = {**answer.reply, "dry_run": True}
    if answer.created:
        reply |= {"id": None, "ref": None}
    reply["crises"] = [{**each, "ref": None, "url": None} if each["opened"] and not reply["replayed"] else each for each in reply["crises"]]
    return Answer(reply, created=False, ring=False)


def answer_one(submission: Submission, actor: Actor, now: dt.datetime) -> Answer:
    """Store, judge and answer one run in the caller's transaction."""
    recorded = record_run(submission=submission, actor=actor, now=now, judged=now)
    if not recorded.created and (receipt := Receipt.objects.filter(run=recorded.run).select_related("said").first()) is not None:
        return Answer({**receipt.reply, "replayed": True}, created=False, ring=False)
    if not recorded.created:
        EvalRun.objects.filter(pk=recorded.run.pk).update(judged=now)
    results = recorded.results if recorded.created else list(recorded.run.results.all())
    reply = respond(run=recorded.run, results=results, now=now, stored_now=recorded.created)
    return Answer(reply, created=recorded.created, ring=bool(reply["alerts_queued"]))


def unanswered(*, after: int = 0, limit: int = 100) -> list[int]:
    """Ids, above `after`, of runs that came by another door (a scheduled job, an import, a restored backup) and were not answered yet."""
    return list(EvalRun.objects.filter(judged__isnull=True, pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])


def respond_later(*, run_id: int, now: dt.datetime) -> dict[str, Any] | None:
    """Judge and answer a run that is stored but not answered; None where another worker already did."""
    with transaction.atomic(), log.gathered():
        run = EvalRun.objects.select_for_update(of=("self",)).select_related("checkpoint__model", "evaluation").get(pk=run_id)
        if run.judged is not None:
            return None
        run.judged = now
        run.save(update_fields=["judged"])
        return respond(run=run, results=list(run.results.all()), now=now)


def respond(*, run: EvalRun, results: Sequence[EvalResult], now: dt.datetime, stored_now: bool = False) -> dict[str, Any]:
    """Everything that follows from a stored run, inside the caller's transaction; returns and keeps the reply."""
    judged = assess(run=run, results=results, now=now, stored_now=stored_now)
    reply = compose(run=run, results=results, judged=judged, now=now)
    Receipt.objects.create(run=run, own=reply)
    return reply


def compose(*, run: EvalRun, results: Sequence[EvalResult], judged: Sequence[Judged], now: dt.datetime) -> dict[str, Any]:
    """The reply to a judged run; its crossings open or join crises and queue their alerts."""
    told = [verdict for each in judged for verdict in verdicts(each)]
    return spoken(run.id, words(run=run, results=results, judged=judged, told=told, now=now))


def words(
    *, run: EvalRun, results: Sequence[EvalResult], judged: Sequence[Judged], told: list[dict[str, Any]], now: dt.datetime
) -> dict[str, Any]:
    """The same without the names of the run, `told` being the verdicts."""
    crossings = [(each, each.crossing) for each in judged if each.crossing is not None]
    crises = [_respond_to(crossing, now, results) for _, crossing in crossings]
    return {
        "replayed": False,
        "status": run.status,
        "complete": run.complete,
        "verdicts": told,
        "crossings": [_crossing(each, crossing) for each, crossing in crossings],
        "crises": [
            {"ref": crisis.ref, "url": f"{settings.SITE_URL}/crises/{crisis.pk}/", "opened": opened} for crisis, opened, _ in crises
        ],
        "alerts_queued": sum([queued for *_, queued in crises]),
        "notes": _notes(run, judged),
    }


def unheard(*, after: int = 0, limit: int = 100) -> list[int]:
    """Ids, above `after`, of crossings without a crisis: an alert that stands again, for what had ruled it out was withdrawn."""
    return list(Crossing.objects.filter(crises__isnull=True, pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])


def respond_to_crossing(*, crossing_id: int, now: dt.datetime) -> int:
    """Open or join the crisis of such a crossing; returns how many alerts were queued, none where another worker was first."""
    with transaction.atomic(), log.gathered():
        crossing = Crossing.objects.select_for_update(of=("self",)).get(pk=crossing_id)
        if crossing.crises.exists():
            return 0
        *_, queued = _respond_to(crossing, now)
    return queued


def _respond_to(crossing: Crossing, now: dt.datetime, results: Sequence[EvalResult] | None = None) -> tuple[Crisis, bool, int]:
    """Open or join the crisis of one crossing and queue its alerts; returns the crisis, whether it was opened, and how many.

    `results` are those of the run, where this transaction made the crossing.
    """
    run = crossing.assessment.run
    crisis, opened = open_for(crossing=crossing, actor=SYSTEM, now=now)
    readiness = checklists.readiness_of(crisis.checklist_id, now)
    message = messages.crossing(
        crisis=messages.brief(crisis),
        kind=crossing.kind,
        reading={"evaluation": run.evaluation.key, "lines": crossing.assessment.readings},
        run=run.ref,
        readiness=readiness.sentence,
        opened=opened,
        site=settings.SITE_URL,
        reasoning=explained(crossing.assessment, results).paragraph,
    )
    queued = outbox.queue(
        event=f"threshold.{crossing.kind}_reached",
        thread=crisis.thread,
        message=message,
        recipients=outbox.people_to_alert(),
        now=now,
        dedup=f"crossing:{crossing.pk}",
        first=results is not None,
    )
    return crisis, opened, len(queued)


def verdicts(judged: Judged) -> list[dict[str, Any]]:
    """What a run said about each line of a level, as the reply gives it; bounds are one-sided, in the evaluation's unit."""
    row = judged.assessment
    level, checkpoint, inherited = row.level, row.checkpoint, row.inherited if row.inherited_id else None
    until = judged.status.valid_until
    return [
        {
            "level": level.key,
            "level_name": level.name,
            **{key: line[key] for key in LINE},
            "state_before": row.state_before,
            "state": row.state,
            "critical_ruled_out": row.critical_ruled_out,
            "illustrative": line["illustrative"],
            "binding": row.binding,
            "set_after": row.set_after,
            "moved": row.moved,
            "checkpoint": checkpoint.slug,
            "inherited": inherited.source.slug if inherited else None,
            "valid_until": until.isoformat() if until else None,
            "missing": judged.missing,
            "message": row.message if line["note"] in row.message else f"{row.message} On this line: {line['note']}.",
        }
        for line in row.readings
    ]


def _crossing(judged: Judged, crossing: Crossing) -> dict[str, Any]:
    return {"level": judged.assessment.level.key, "kind": crossing.kind, "episode": crossing.episode}


def _notes(run: EvalRun, judged: Sequence[Judged]) -> list[str]:
    rows = [each.assessment for each in judged]
    illustrative = [row for row in rows if row.illustrative]
    told = (
        _why_not_binding(run, rows) if rows else _why_unjudged(run),
        _why_partial(run),
        "It came after it had been given up as lost." if _came_late(run) else "",
        "Judged against an illustrative line: the lab has not published its own." if illustrative else "",
    )
    return [note for note in told if note]


def _why_not_binding(run: EvalRun, rows: Sequence[Assessment]) -> str:
    if True in [row.binding for row in rows]:
        return ""
    return f"No framework in force governs models of {run.checkpoint.model.developer}: it was read for comparison only."


def _why_partial(run: EvalRun) -> str:
    return "" if run.complete or run.status == "started" else "The run is incomplete: it may raise a state, never lower it."


def _came_late(run: EvalRun) -> bool:
    return (
        run.supersedes_id is not None
        and run.supersedes is not None
        and run.supersedes.status == "lost"
        and run.status not in {"started", "lost"}
    )


def _why_unjudged(run: EvalRun) -> str:
    if run.invalidated is not None:
        return "The run was marked invalid before it was judged; it is judged by nothing."
    if run.status == "started":
        return "The run has only started; it is judged when its results come."
    return f"No line in force uses {run.evaluation.key}: the run is recorded, and nothing was judged."
