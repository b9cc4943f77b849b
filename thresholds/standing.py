"""The maintained row of a checkpoint at a level: locked, brought up to date from its readings, or rebuilt from what still counts."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from accounts.roles import SYSTEM
from audit import log
from thresholds.evidence import LATCHING, LineFact, Summary, add, higher, rank, summarise
from thresholds.governing import lines_of
from thresholds.models import Assessment, CapabilityLevel, Crossing, LevelStatus
from thresholds.reported import differs


def locked_status(checkpoint_id: int, level_id: int) -> LevelStatus:
    """The row, made before the first result and then locked, so that two first results cannot both cross."""
    rows = LevelStatus.objects.select_for_update().filter(checkpoint_id=checkpoint_id, level_id=level_id)
    if found := list(rows):
        return found[0]
    LevelStatus.objects.bulk_create([LevelStatus(checkpoint_id=checkpoint_id, level_id=level_id)], ignore_conflicts=True)
    return rows.get()


def line_facts(level: CapabilityLevel) -> list[LineFact]:
    """Every line of a level as the summary takes it."""
    lines = (line for line in lines_of(level.framework) if line.level_id == level.pk)
    return [LineFact(line.evaluation.key, line.kind, line.required, line.alternative) for line in lines]


def explain(message: str, *, illustrative: bool, complete: bool, missing: Iterable[str]) -> str:
    """The decision's sentence with what a reader must know beside it."""
    names = ", ".join(missing)
    parts = (
        (True, message),
        (illustrative, "This is an illustrative line: the lab has not published its own."),
        (not complete, "The run is incomplete: it may raise the state, never lower it."),
        (bool(names), f"Not yet read by a complete run for this level: {names}."),
    )
    return " ".join(text for holds, text in parts if holds)


def bring_up_to_date(status: LevelStatus, summary: Summary, reached: str, now: dt.datetime) -> None:
    """Write what the evidence says into the row; a state once reached stays, whatever arrives later or out of order.

    `reached` is the state that the run just read gives by itself: it counts even where a newer run says less.
    """
    held = [state for state in (status.state, reached) if state in LATCHING]
    state = summary.state
    for each in held:
        state = higher(state, each)
    if status.state != state:
        status.state, status.since = state, now
    status.reading_state, status.critical_ruled_out = summary.state, summary.critical_ruled_out
    status.taken = dt.datetime.fromisoformat(summary.taken) if summary.taken else None
    if (leading := summary.leading) is not None:
        _show(status, leading)
        status.message = explain(
            leading["message"], illustrative=leading["illustrative"], complete=leading["complete"], missing=summary.missing
        )
    status.differs = differs(status.reported, status.state)


def _show(status: LevelStatus, leading: dict[str, Any]) -> None:
    """Copy the reading that leads into the columns that pages draw from."""
    lines = {line["threshold"]: line for line in leading["lines"]}
    warning = lines.get("alert") or lines.get("rule_out")
    shown = warning or lines["critical"]
    status.evaluation_id = leading["evaluation_id"]
    status.point, status.lower, status.upper, status.n_eff = (shown[key] for key in ("point", "lower", "upper", "n_eff"))
    status.alert_value = warning["value"] if warning else None
    status.critical_value = lines["critical"]["value"] if "critical" in lines else None
    status.illustrative = leading["illustrative"]


def cross(status: LevelStatus, assessment: Assessment, before: str, now: dt.datetime) -> Crossing | None:
    """A crossing where the state rose to alert or critical; one per checkpoint, level, kind and episode."""
    if status.state not in LATCHING or rank(status.state) <= rank(before if before in LATCHING else "no_result"):
        return None
    crossing = Crossing.objects.create(
        checkpoint_id=assessment.checkpoint_id,
        level_id=assessment.level_id,
        kind=status.state,
        episode=status.episode,
        assessment=assessment,
        at=now,
    )
    log.record(
        action="thresholds.level.cross",
        about=f"crossing:{crossing.pk}",
        actor=SYSTEM,
        now=now,
        data={
            "checkpoint": assessment.checkpoint_id,
            "level": assessment.level.key,
            "kind": crossing.kind,
            "run": assessment.run_id,
            "state_before": before,
        },
    )
    return crossing


def reading_of(assessment: Assessment) -> dict[str, Any]:
    """The reading that a stored assessment holds; its run and evaluation must be loaded."""
    run, lines = assessment.run, assessment.readings
    gates = [line for line in lines if line["threshold"] in {"critical", "rule_out"}]
    return {
        "run": run.pk,
        "completed": run.completed.astimezone(dt.UTC).isoformat(),
        "complete": assessment.complete,
        "state": assessment.reading_state,
        "critical_ruled_out": bool(gates) and all(line["grade"] == "ruled_out" and not line["reached"] for line in gates),
        "evaluation": run.evaluation.key,
        "evaluation_id": run.evaluation_id,
        "illustrative": assessment.illustrative,
        "message": assessment.message,
        "lines": lines,
    }


def rebuild(*, checkpoint_id: int, level_id: int, now: dt.datetime) -> LevelStatus:
    """Read a level anew from the assessments whose runs still count: neither superseded nor marked invalid.

    Where a state was signed down on a result that no longer counts, what it had ruled out stands again and is a new crossing.
    """
    status = locked_status(checkpoint_id, level_id)
    before = status.state
    counting = Assessment.objects.filter(
        checkpoint_id=checkpoint_id, level_id=level_id, run__invalidated__isnull=True, run__superseded_by__isnull=True
    ).select_related("run__evaluation")
    status.readings = {}
    for assessment in counting.order_by("run__completed", "run_id"):
        status.readings = add(status.readings, assessment.run.evaluation.key, reading_of(assessment))
    summary = summarise(status.readings, line_facts(status.level))
    bring_up_to_date(status, summary, "no_result", now)
    if not status.readings:
        status.evaluation = status.point = status.lower = status.upper = status.n_eff = None
        status.message = "Every result read for this level was withdrawn."
    status.save()
    if summary.leading is not None:
        cross(status, counting.get(run_id=summary.leading["run"]), before, now)
    return status
