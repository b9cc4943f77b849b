"""Judging a stored run: its readings against every line in force, the level's status, and the crossing where one is new."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db import transaction

from accounts.roles import SYSTEM
from audit import log
from evals.models import EvalResult, EvalRun
from thresholds.evidence import LATCHING, LineFact, Summary, add, higher, rank, summarise
from thresholds.governing import lines_for
from thresholds.measured import measurement_of
from thresholds.models import Assessment, CapabilityLevel, Crossing, LevelStatus, Threshold
from thresholds.reported import differs
from thresholds.verdicts import Decision, Line, Policy, Reading, decide


@dataclass(frozen=True, slots=True)
class Judged:
    """What one run did to one level."""

    assessment: Assessment
    status: LevelStatus
    crossing: Crossing | None


@transaction.atomic(savepoint=False)
def assess(*, run: EvalRun, results: Sequence[EvalResult], now: dt.datetime) -> list[Judged]:
    """Judge a run that was just stored, in the same transaction; a run already assessed is left as it is.

    A run that has not ended, or whose evaluation carries no line in force, is judged by nothing: the list is empty.
    """
    if run.status == "started" or run.assessments.exists():
        return []
    lines = lines_for(evaluation_id=run.evaluation_id, developer=run.checkpoint.model.developer, on=run.completed.date())
    result = next((each for each in results if each.metric == run.evaluation.metric), None)
    return [_assess_level(run, result, level, list(group), now) for level, group in groupby(lines, key=lambda line: line.level)]


def _assess_level(run: EvalRun, result: EvalResult | None, level: CapabilityLevel, lines: list[Threshold], now: dt.datetime) -> Judged:
    status = _locked_status(run.checkpoint_id, level.pk)
    decision = _decide(run, result, lines)
    reading = _reading(run, lines, decision)
    status.readings = add(status.readings, run.evaluation.key, reading, superseded=run.supersedes_id)
    facts = [
        LineFact(line.evaluation.key, line.kind, line.required, line.alternative)
        for line in level.thresholds.select_related("evaluation").order_by("pk")
    ]
    summary = summarise(status.readings, facts)
    before = status.state
    # A line once reached stays reached until a named person signs it down, whatever arrives later or out of order.
    reached = decision.state.value if decision.state.value in LATCHING else "no_result"
    held = before if before in LATCHING else "no_result"
    state = higher(summary.state, higher(reached, held))
    assessment = Assessment.objects.create(
        run=run,
        checkpoint_id=run.checkpoint_id,
        level=level,
        at=now,
        state_before=before,
        state=state,
        reading_state=decision.state.value,
        complete=run.complete,
        critical_ruled_out=summary.critical_ruled_out,
        illustrative=any(line.illustrative for line in lines),
        readings=reading["lines"],
        message=_message(decision, lines, run, summary),
    )
    _update(status, summary, assessment, run, now)
    return Judged(assessment, status, _cross(assessment, before, status.episode, now))


def _locked_status(checkpoint_id: int, level_id: int) -> LevelStatus:
    """The row is made before the first result and then locked, so that two first results cannot both cross."""
    rows = LevelStatus.objects.select_for_update().filter(checkpoint_id=checkpoint_id, level_id=level_id)
    if (found := rows.first()) is not None:
        return found
    LevelStatus.objects.bulk_create([LevelStatus(checkpoint_id=checkpoint_id, level_id=level_id)], ignore_conflicts=True)
    return rows.get()


def line_of(threshold: Threshold) -> Line:
    """The stored line as the decision rule takes it."""
    return Line(
        kind=threshold.kind,
        value=threshold.value,
        comparator=threshold.comparator,
        policy=Policy(threshold.policy),
        posterior=threshold.posterior,
        confidence=threshold.confidence,
    )


def _decide(run: EvalRun, result: EvalResult | None, lines: Sequence[Threshold]) -> Decision:
    by_kind = {line.kind: line_of(line) for line in lines}
    return decide(measurement_of(run, result), by_kind.get("alert"), by_kind.get("critical"), by_kind.get("rule_out"))


def _facts(reading: Reading, line: Threshold) -> dict[str, Any]:
    return {
        "threshold": line.kind,
        "value": line.value,
        "comparator": line.comparator,
        "policy": line.policy,
        "grade": reading.grade.value,
        "reached": reading.reached,
        "able": reading.able,
        "point": reading.bounds.point,
        "lower": reading.bounds.lower,
        "upper": reading.bounds.upper,
        "n_eff": reading.bounds.n_eff,
        "needed": reading.needed,
        "note": reading.note,
        "illustrative": line.illustrative,
    }


def _reading(run: EvalRun, lines: Sequence[Threshold], decision: Decision) -> dict[str, Any]:
    by_kind = {line.kind: line for line in lines}
    found = [reading for reading in decision.readings if reading is not None]
    return {
        "run": run.pk,
        "completed": run.completed.astimezone(dt.UTC).isoformat(),
        "complete": run.complete,
        "state": decision.state.value,
        "critical_ruled_out": decision.critical_ruled_out,
        "evaluation": run.evaluation.key,
        "evaluation_id": run.evaluation_id,
        "illustrative": any(line.illustrative for line in lines),
        "message": decision.message,
        "lines": [_facts(reading, by_kind[reading.line.kind]) for reading in found],
    }


def _message(decision: Decision, lines: Sequence[Threshold], run: EvalRun, summary: Summary) -> str:
    parts = [decision.message]
    if any(line.illustrative for line in lines):
        parts.append("This is an illustrative line: the lab has not published its own.")
    if not run.complete:
        parts.append("The run is incomplete: it may raise the state, never lower it.")
    if summary.missing:
        parts.append(f"Not yet read for this level: {', '.join(summary.missing)}.")
    return " ".join(parts)


def _update(status: LevelStatus, summary: Summary, assessment: Assessment, run: EvalRun, now: dt.datetime) -> None:
    if status.state != assessment.state:
        status.state, status.since = assessment.state, now
    status.reading_state = summary.state
    status.assessed, status.assessment = now, assessment
    status.taken = max(filter(None, (status.taken, run.completed)))
    status.critical_ruled_out = summary.critical_ruled_out
    if (leading := summary.leading) is not None:
        show_leading(status, leading)
    status.message = assessment.message
    status.differs = differs(status.reported, status.state)
    status.save()


def show_leading(status: LevelStatus, leading: dict[str, Any]) -> None:
    """Copy the reading that leads into the columns that pages draw from."""
    lines = {line["threshold"]: line for line in leading["lines"]}
    shown = lines.get("alert") or lines.get("rule_out") or lines["critical"]
    status.evaluation_id = leading["evaluation_id"]
    status.point, status.lower, status.upper, status.n_eff = (shown[key] for key in ("point", "lower", "upper", "n_eff"))
    warning = lines.get("alert") or lines.get("rule_out")
    status.alert_value = warning["value"] if warning else None
    status.critical_value = lines["critical"]["value"] if "critical" in lines else None
    status.illustrative = leading["illustrative"]


def _cross(assessment: Assessment, before: str, episode: int, now: dt.datetime) -> Crossing | None:
    """A crossing where the state rose to alert or critical; one per checkpoint, level, kind and episode."""
    if assessment.state not in LATCHING or rank(assessment.state) <= rank(before if before in LATCHING else "no_result"):
        return None
    crossing = Crossing.objects.create(
        checkpoint_id=assessment.checkpoint_id,
        level_id=assessment.level_id,
        kind=assessment.state,
        episode=episode,
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
