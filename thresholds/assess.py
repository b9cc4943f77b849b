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
from thresholds.evidence import LATCHING, add, rank, summarise
from thresholds.governing import lines_for
from thresholds.measured import measurement_of
from thresholds.models import Assessment, CapabilityLevel, Crossing, LevelStatus, Threshold
from thresholds.standing import bring_up_to_date, explain, line_facts, locked_status, rebuild
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
    if run.assessments.exists():
        return []
    _read_elsewhere_anew(run, now)
    if run.status == "started":
        return []
    lines = lines_for(evaluation_id=run.evaluation_id, developer=run.checkpoint.model.developer, on=run.completed.date())
    result = next((each for each in results if each.metric == run.evaluation.metric), None)
    return [_assess_level(run, result, level, list(group), now) for level, group in groupby(lines, key=lambda line: line.level)]


def _assess_level(run: EvalRun, result: EvalResult | None, level: CapabilityLevel, lines: list[Threshold], now: dt.datetime) -> Judged:
    status = locked_status(run.checkpoint_id, level.pk)
    decision = _decide(run, result, lines)
    reading = _reading(run, lines, decision)
    status.readings = add(status.readings, run.evaluation.key, reading, superseded=run.supersedes_id)
    summary = summarise(status.readings, line_facts(level))
    before = status.state
    bring_up_to_date(status, summary, decision.state.value, now)
    status.assessed = now
    status.assessment = Assessment.objects.create(
        run=run,
        checkpoint_id=run.checkpoint_id,
        level=level,
        at=now,
        state_before=before,
        state=status.state,
        reading_state=decision.state.value,
        complete=run.complete,
        critical_ruled_out=summary.critical_ruled_out,
        illustrative=reading["illustrative"],
        readings=reading["lines"],
        message=explain(decision.message, illustrative=reading["illustrative"], complete=run.complete, missing=summary.missing),
    )
    status.save()
    return Judged(status.assessment, status, _cross(status.assessment, before, status.episode, now))


def _read_elsewhere_anew(run: EvalRun, now: dt.datetime) -> None:
    """A correction may name another checkpoint or evaluation: what the run it supersedes was judged for is read without it."""
    if run.supersedes_id is None:
        return
    for old in Assessment.objects.filter(run_id=run.supersedes_id).order_by("level_id"):
        rebuild(checkpoint_id=old.checkpoint_id, level_id=old.level_id, now=now)


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
