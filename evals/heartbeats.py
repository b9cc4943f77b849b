"""Signs of life of runs that were started: what each said last, until when it is waited for, and which were waited for in vain."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Exists, F, FloatField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Greatest

from accounts.roles import Actor, Refused
from evals.authors import check_author, owner_of
from evals.models import EvalRun, Heartbeat

PATIENCE = 3  # declared intervals without a sign, after which a run is lost


class RunEnded(Refused):
    """The run is waited for no more; `.run` is the one that stands now."""

    def __init__(self, run: EvalRun, asked: int) -> None:
        word = f"was marked invalid by {run.invalidated_by}" if run.invalidated else f"stands as {run.status}"
        name = f"R-{asked}" if run.pk == asked else f"R-{asked} has ended: {run.ref}, which followed it,"
        super().__init__(f"{name} {word}; nothing more is expected of it. A correction is a post of its own with supersedes.")
        self.run = run


@dataclass(frozen=True, slots=True)
class Course:
    """Where a started run stands: `start` is the newest revision of its identity that says it has started, `newest` the newest of all."""

    start: EvalRun
    newest: EvalRun

    @property
    def given_up(self) -> bool:
        """Whether the newest word is that we gave it up as lost, and not one of its producer's or of a person's."""
        return self.newest.supersedes_id == self.start.pk and self.start.heartbeat.lost is not None and self.newest.invalidated is None

    @property
    def running(self) -> bool:
        """Whether it is still waited for."""
        return self.newest.pk == self.start.pk and self.start.invalidated is None


def allowance(every: int | None) -> dt.timedelta:
    """How long a started run may be silent: three of its declared intervals (seconds), or as the settings say."""
    return dt.timedelta(minutes=settings.LOST_MINUTES) if every is None else dt.timedelta(seconds=PATIENCE * every)


def begin(run: EvalRun, actor: Actor) -> None:
    """Keep with a run that has only started whose it is, before either is stored: what comes beside it in one batch asks for it."""
    if run.status == "started":
        run.heartbeat = Heartbeat(owner=owner_of(actor))


def watch_runs(*, runs: Iterable[tuple[EvalRun, int | None]], now: dt.datetime) -> None:
    """Wait for signs of those of these stored runs that were begun, each with the seconds that its producer declared."""
    started = [_awaited(run, every, now) for run, every in runs if run.status == "started"]
    if started:
        Heartbeat.objects.bulk_create(started)


def _awaited(run: EvalRun, every: int | None, now: dt.datetime) -> Heartbeat:
    heartbeat = run.heartbeat
    heartbeat.run_id, heartbeat.every, heartbeat.seen, heartbeat.due = run.pk, every, now, now + allowance(every)
    return heartbeat


def course_of(run_id: int, actor: Actor) -> Course:
    """Where a run stands, for the account that posted its start.

    Raises EvalRun.DoesNotExist, NotAllowed for any other account, and RunEnded where the run was never started.
    """
    found = EvalRun.objects.get(pk=run_id)
    same = EvalRun.objects.filter(producer=found.producer, external_id=found.external_id)
    known = list(same.select_related("heartbeat", "checkpoint__model", "evaluation").order_by("-revision"))
    start = next((run for run in known if hasattr(run, "heartbeat")), None)
    check_author(start or found, actor)
    if start is None:
        raise RunEnded(known[0], run_id)
    return Course(start, known[0])


def hear(*, run_id: int, said: Mapping[str, float], actor: Actor, now: dt.datetime) -> tuple[EvalRun, dt.datetime] | None:
    """Take note of a sign of a run that is waited for; the run and until when, or None where that run is no longer the newest.

    One look and one update; counts never fall and times never run back, whatever the order of arrival.
    Raises EvalRun.DoesNotExist and NotAllowed.
    """
    related = EvalRun.objects.select_related("heartbeat", "superseded_by", "checkpoint__model", "evaluation")
    run = related.get(pk=run_id)
    if run.status != "started" or hasattr(run, "superseded_by") or run.invalidated or not hasattr(run, "heartbeat"):
        return None
    check_author(run, actor)
    due = now + allowance(run.heartbeat.every)
    waiting = Heartbeat.objects.filter(run=run_id, due__isnull=False)
    heard = waiting.update(seen=_later("seen", now), due=_later("due", due), beats=F("beats") + 1, **_highest(said))
    return (run, max(due, run.heartbeat.due or due)) if heard else None


def resume(*, course: Course, run: EvalRun, said: Mapping[str, float], now: dt.datetime) -> Heartbeat:
    """What is known of a run that was given up and is heard of again as `run`: all that it had said, and what it says now."""
    before, heartbeat = course.start.heartbeat, Heartbeat.objects.select_for_update().get(run=run)
    for name in Heartbeat.COUNTS:
        setattr(heartbeat, name, _most(before, heartbeat, said, name))
    heartbeat.seen, heartbeat.beats = max(now, heartbeat.seen), max(before.beats, heartbeat.beats) + 1
    heartbeat.save(update_fields=["seen", "beats", *Heartbeat.COUNTS])
    return heartbeat


def overdue(*, now: dt.datetime, after: int = 0, limit: int = 100) -> list[int]:
    """Ids, above `after`, of runs of which nothing was heard in time; those that have ended meanwhile are among them."""
    silent = Heartbeat.objects.filter(due__lte=now, run__gt=after)
    return list(silent.order_by("run").values_list("run", flat=True)[:limit])


def give_up(*, run_id: int, now: dt.datetime) -> EvalRun | None:
    """Stop waiting for a silent run, in the caller's transaction; None where it has ended, was heard of, or another worker has it.

    The conditional update is the claim: of two workers the second waits for the first and then finds nothing to do.
    """
    claimed = Heartbeat.objects.filter(run=run_id, due__lte=now)
    ended = EvalRun.objects.filter(Q(superseded_by__isnull=False) | Q(invalidated__isnull=False), pk=run_id)
    if claimed.filter(run__in=ended).update(due=None) or not claimed.update(due=None, lost=now):
        return None
    return EvalRun.objects.select_related("heartbeat", "checkpoint", "evaluation").get(pk=run_id)


def said_lost(*, run_id: int, now: dt.datetime) -> tuple[EvalRun, EvalRun] | None:
    """A silent start and the run by which its producer called it lost, in the caller's transaction; waits for it no longer.

    None where nothing is waited for, the wait is not over, or something else than a loss came after it.
    """
    found = EvalRun.objects.filter(supersedes=run_id, status="lost", superseded_by__isnull=True, invalidated__isnull=True).first()
    if found is None or not Heartbeat.objects.filter(run=run_id, due__lte=now).update(due=None):
        return None
    return EvalRun.objects.select_related("heartbeat", "checkpoint", "evaluation").get(pk=run_id), found


def held(course: Course) -> Heartbeat:
    """What a run said last, locked: a sign that comes meanwhile waits, and then finds the run ended."""
    return Heartbeat.objects.select_for_update().get(run=course.start.pk)


def end(course: Course) -> None:
    """Wait no longer for a run that is finished in this very transaction."""
    Heartbeat.objects.filter(run=course.start.pk).update(due=None)


def losses() -> QuerySet[EvalRun]:
    """Runs that were lost and that nothing has made up for: neither their own result nor a later complete run of the same evaluation."""
    return _lost().filter(~Exists(_later_complete()))


def unreplaced() -> QuerySet[EvalRun]:
    """Runs that were lost and that no revision replaced, each with the id of the run that made up for it first (`made_up`), if one did."""
    return _lost().annotate(made_up=Subquery(_later_complete().order_by("completed", "pk").values("pk")[:1]))


def _lost() -> QuerySet[EvalRun]:
    return _counting().filter(status="lost")


def _counting() -> QuerySet[EvalRun]:
    return EvalRun.objects.filter(invalidated__isnull=True, superseded_by__isnull=True)


def _later_complete() -> QuerySet[EvalRun]:
    """The complete runs of the same evaluation on the same checkpoint after the outer run."""
    # by our clock too: a producer whose clock runs ahead must not have made up for what was lost after it
    since = _counting().filter(complete=True, completed__gte=OuterRef("completed"), received__gte=OuterRef("completed"))
    return since.filter(checkpoint=OuterRef("checkpoint"), evaluation=OuterRef("evaluation"))


def running() -> QuerySet[EvalRun]:
    """Runs that were started and are waited for."""
    return _counting().filter(heartbeat__due__isnull=False)


def _later(name: str, moment: dt.datetime) -> Any:
    return Greatest(Coalesce(F(name), Value(moment)), Value(moment))


def _highest(said: Mapping[str, float]) -> dict[str, Any]:
    """Each count as an expression: the highest that was said."""
    given = {name: Value(value, output_field=FloatField() if name == "cost" else BigIntegerField()) for name, value in said.items()}
    return {name: Greatest(Coalesce(F(name), value), value) for name, value in given.items()}


def _most(before: Heartbeat, heartbeat: Heartbeat, said: Mapping[str, float], name: str) -> float | None:
    values = (getattr(before, name), getattr(heartbeat, name), said.get(name))
    return max((value for value in values if value is not None), default=None)
