"""The maintained row of a checkpoint at a level: locked, brought up to date from its readings, or rebuilt from what still counts."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Q

from accounts.roles import SYSTEM
from audit import log
from evals.models import Checkpoint
from thresholds.combining import state_of
from thresholds.evidence import LATCHING, Ledger, Summary, add, gates_ruled_out, higher, rank, standing, summarise
from thresholds.governing import line_facts, lines_at, rule_of
from thresholds.judging import judge
from thresholds.models import Assessment, CapabilityLevel, Crossing, LevelStatus, Threshold
from thresholds.moved import moved_words
from thresholds.places import locked_statuses
from thresholds.repeated import settled
from thresholds.reported import differs

Parts = tuple[str | Literal[False] | None, ...]  # of a sentence; what is empty or false is left out
BESIDE = frozenset({"said", "together"})  # of the facts of an assessment, what is not of the reading


def explain(message: str, *, status: LevelStatus, reading: dict[str, Any], missing: Iterable[str]) -> str:
    """The decision's sentence with what a reader must know beside it."""
    names = ", ".join(missing)
    parts: Parts = (
        message,
        *_beside(reading),
        status.moved_from and moved_words(status.moved, status.moved_from, status.state),
        not status.binding and "For comparison only: this framework does not govern the model.",
        names and f"Not yet read by a complete run for this level: {names}.",
    )
    return " ".join([part for part in parts if part])


def _beside(reading: dict[str, Any]) -> Parts:
    source = reading.get("from", "")
    return (
        reading["illustrative"] and "This is an illustrative line: the lab has not published its own.",
        reading.get("set_after") and "The line was set after the result.",
        not reading["complete"] and "The run is incomplete: it may raise the state, never lower it.",
        source and f"Inherited from {source} by a signed equivalence.",
    )


def bring_up_to_date(status: LevelStatus, summary: Summary, reached: str, now: dt.datetime) -> None:
    """Write what the evidence says into the row; a state once reached stays, whatever arrives later or out of order.

    `reached` is the state that the run just read gives by itself: it counts even where a newer run says less. A forecast that
    reaches a line within the lead time turns clear into watch, and nothing else.
    """
    reading_state = "watch" if summary.state == "clear" and status.forecast_crosses else summary.state
    state = _latched(reading_state, (status.state, reached))
    if status.state != state:
        status.state, status.since = state, now
    status.reading_state, status.critical_ruled_out = reading_state, summary.critical_ruled_out
    status.taken, status.valid_until = _moment(summary.taken), _moment(summary.until)
    if (leading := summary.leading) is not None:
        _show(status, leading)
        foreseen = " The forecast reaches a line within the lead time." if reading_state != summary.state else ""
        status.message = explain(leading["message"] + foreseen, status=status, reading=leading, missing=summary.missing)
    status.differs = differs(status.reported, status.state)


def _latched(state: str, reached: Iterable[str]) -> str:
    """A state, not below any alert or critical that was reached."""
    for each in reached:
        if each in LATCHING:
            state = higher(state, each)
    return state


def _moment(told: str) -> dt.datetime | None:
    return dt.datetime.fromisoformat(told) if told else None


def reached_together(status: LevelStatus, reading: dict[str, Any], lines: Sequence[Threshold], later: Collection[int] = ()) -> str:
    """The state that several evaluations have reached together by a reading and all that was read since the last signature, `lines`
    being those of the level and `later` as in `counting`. What each reached counts whichever came first, or the order of arrival would
    decide who is told."""
    level, told = lines[0].level, _told(status, lines, later)
    reached: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for key, found in (*told, (reading["evaluation"], reading["lines"])):
        reached[key] += [line for line in found if line["reached"]]
    every = {key: {"complete": True, "lines": found} for key, found in reached.items()}
    return state_of(line_facts(level), every, rule_of(level))[0]


def _told(status: LevelStatus, lines: Sequence[Threshold], later: Collection[int]) -> list[tuple[str, list[dict[str, Any]]]]:
    """By evaluation what was read since the last signature says of its lines, and what stands."""
    read = counting(status.checkpoint_id, status.level_id, later)
    if (signed := status.sign_downs.order_by("-at").values_list("at", flat=True).first()) is not None:
        read = read.filter(at__gt=signed)
    told = [
        (each.run.evaluation.key, reading_of(each, [line for line in lines if line.evaluation_id == each.run.evaluation_id])["lines"])
        for each in read
    ]
    return told + [(key, found["lines"]) for key, slots in status.readings.items() for found in standing(slots)]


def _show(status: LevelStatus, leading: dict[str, Any]) -> None:
    """Copy the reading that leads into the columns that pages draw from."""
    lines = {line["threshold"]: line for line in leading["lines"]}
    warning = lines.get("alert") or lines.get("rule_out")
    shown = warning or lines["critical"]
    status.evaluation_id = leading["evaluation_id"]
    status.point, status.lower, status.upper, status.n_eff = shown["point"], shown["lower"], shown["upper"], shown["n_eff"]
    status.alert_value = warning["value"] if warning else None
    status.critical_value = lines["critical"]["value"] if "critical" in lines else None
    status.illustrative = leading["illustrative"]


@dataclass(frozen=True, slots=True)
class Reached:
    """A line that a run was the first to reach in an episode: alert or critical, and the state before."""

    status: LevelStatus
    assessment: Assessment
    kind: str
    before: str


def rises(state: str, before: str) -> bool:
    """Whether a state is reached that was not reached before."""
    return state in LATCHING and rank(state) > rank(before if before in LATCHING else "no_result")


def cross(status: LevelStatus, assessment: Assessment, before: str, now: dt.datetime) -> Crossing | None:
    """A crossing where the state rose to alert or critical and the framework governs; one per checkpoint, level, kind, episode."""
    if not rises(status.state, before) or not status.binding:
        return None
    (crossing,) = cross_all([Reached(status, assessment, status.state, before)], now)
    return crossing


def cross_all(reached: Sequence[Reached], now: dt.datetime) -> list[Crossing]:
    """Store a crossing, and its entry, for each line that was reached, in one statement."""
    crossings = Crossing.objects.bulk_create([_crossing(each, now) for each in reached])
    for each, crossing in zip(reached, crossings, strict=True):
        log.record(
            action="thresholds.level.cross",
            about=f"crossing:{crossing.pk}",
            actor=SYSTEM,
            now=now,
            data={
                "checkpoint": each.status.checkpoint_id,
                "level": each.assessment.level.key,
                "kind": crossing.kind,
                "run": each.assessment.run_id,
                "state_before": each.before,
            },
        )
    return crossings


def _crossing(reached: Reached, now: dt.datetime) -> Crossing:
    status = reached.status
    return Crossing(
        checkpoint_id=status.checkpoint_id,
        level_id=status.level_id,
        kind=reached.kind,
        episode=status.episode,
        assessment=reached.assessment,
        at=now,
    )


def reading_of(assessment: Assessment, lines: Sequence[Threshold]) -> dict[str, Any]:
    """The reading that a stored assessment holds; judged anew where the evaluation was found wanting since it was registered."""
    run, inherited = assessment.run, assessment.inherited
    if run.evaluation.validity and lines:
        result = next((each for each in run.results.all() if each.metric == run.evaluation.metric), None)
        return judge(run, result, lines, inherited)
    return {
        "run": run.pk,
        "completed": run.completed.astimezone(dt.UTC).isoformat(),
        "complete": assessment.complete,
        "state": assessment.reading_state,
        "critical_ruled_out": gates_ruled_out(assessment.readings),
        "evaluation": run.evaluation.key,
        "evaluation_id": run.evaluation_id,
        "illustrative": assessment.illustrative,
        "set_after": assessment.set_after,
        "message": assessment.facts.get("said", assessment.message),
        "lines": assessment.readings,
        "counted": {name: fact for name, fact in assessment.facts.items() if name not in BESIDE},
        **(
            {"inherited": inherited.pk, "until": inherited.expires.astimezone(dt.UTC).isoformat(), "from": inherited.source.slug}
            if inherited
            else {}
        ),
    }


def counting(checkpoint_id: int, level_id: int, later: Collection[int] = ()) -> Any:
    """The assessments whose runs still count: neither superseded, nor marked invalid, nor inherited by what has ended.

    `later` are runs that count yet, for what supersedes them is stored already and its turn is still to come.
    """
    stands = Q(run__superseded_by__isnull=True)
    return (
        Assessment.objects.filter(checkpoint_id=checkpoint_id, level_id=level_id, run__invalidated__isnull=True)
        .filter(stands | Q(run__in=later) if later else stands)
        .filter(Q(inherited__isnull=True) | Q(inherited__ended__isnull=True))
        .select_related("run__evaluation", "level__framework", "inherited__source")
        .prefetch_related("run__results")
    )


def read_anew(assessments: Iterable[Assessment], lines: Sequence[Threshold]) -> Ledger:
    """The readings of a level from stored assessments, oldest first; `lines` are those of the level."""
    ledger: Ledger = {}
    for assessment in assessments:
        its = [line for line in lines if line.evaluation_id == assessment.run.evaluation_id]
        ledger = add(ledger, assessment.run.evaluation.key, reading_of(assessment, its))
    return ledger


def rebuild(*, checkpoint_id: int, level_id: int, now: dt.datetime, later: Collection[int] = ()) -> LevelStatus:
    """Read a level anew from the assessments whose runs still count; `later` as in `counting`.

    Where a state was signed down on a result that no longer counts, what it had ruled out stands again and is a new crossing.
    """
    level = CapabilityLevel.objects.select_related("framework").get(pk=level_id)
    checkpoint = Checkpoint.objects.select_related("model").get(pk=checkpoint_id)
    status = locked_statuses([checkpoint], [level], now)[checkpoint_id, level_id]
    before, assessments = status.state, counting(checkpoint_id, level_id, later)
    lines = lines_at(level)
    status.readings = settled(read_anew(assessments.order_by("run__completed", "run_id"), lines), lines)
    summary = summarise(status.readings, line_facts(level), rule_of(level))
    bring_up_to_date(status, summary, "no_result", now)
    if not status.readings:
        status.evaluation = status.point = status.lower = status.upper = status.n_eff = None
        status.message = "Every result read for this level was withdrawn."
    status.save()
    if summary.leading is not None:
        cross(status, assessments.get(run_id=summary.leading["run"]), before, now)
    return status
