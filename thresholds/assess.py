"""Judging a stored run: its readings against every line in force, the level's status, and the crossing where one is new."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite
from typing import Any

from django.db import transaction

from evals.models import EvalResult, EvalRun
from thresholds.evidence import add, summarise
from thresholds.governing import lines_for
from thresholds.measured import measurement_of
from thresholds.models import Assessment, CapabilityLevel, Crossing, LevelStatus, Threshold
from thresholds.standing import bring_up_to_date, cross, explain, line_facts, locked_status, rebuild
from thresholds.statistics import InvalidMeasurement
from thresholds.verdicts import Decision, Line, Policy, Reading, decide


@dataclass(frozen=True, slots=True)
class Judged:
    """What one run did to one level; `missing` names evaluations that the level needs and no complete run has read yet."""

    assessment: Assessment
    status: LevelStatus
    crossing: Crossing | None
    missing: list[str]


@transaction.atomic(savepoint=False)
def assess(*, run: EvalRun, results: Sequence[EvalResult], now: dt.datetime, stored_now: bool = False) -> list[Judged]:
    """Judge a run in the transaction that stores it (`stored_now`) or later; a run already assessed is left as it is.

    A run that has only started and brings no results, that was marked invalid before it was judged, or whose evaluation
    carries no line in force, is judged by nothing: the list is empty. Raises InvalidMeasurement where it cannot be judged.
    """
    if not stored_now and run.assessments.exists():
        return []
    _read_elsewhere_anew(run, now)
    if run.invalidated is not None or (run.status == "started" and not results):
        return []
    on = run.completed.astimezone(dt.UTC).date()
    lines = lines_for(evaluation_id=run.evaluation_id, developer=run.checkpoint.model.developer, on=on)
    result = next((each for each in results if each.metric == run.evaluation.metric), None)
    return [_assess_level(run, result, level, list(group), now) for level, group in groupby(lines, key=lambda line: line.level)]


def _assess_level(run: EvalRun, result: EvalResult | None, level: CapabilityLevel, lines: list[Threshold], now: dt.datetime) -> Judged:
    status = locked_status(run.checkpoint_id, level.pk)
    decision = _decide(run, result, lines)
    reading = _reading(run, lines, decision)
    if not _corrected_since(run, now):
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
    return Judged(status.assessment, status, cross(status, status.assessment, before, now), list(summary.missing))


def _corrected_since(run: EvalRun, now: dt.datetime) -> bool:
    """Whether a run that is judged later than it came was superseded meanwhile: it may raise the state, but is no evidence now."""
    return run.received != now and EvalRun.objects.filter(supersedes=run.pk).exists()


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
    try:
        return decide(measurement_of(run, result), by_kind.get("alert"), by_kind.get("critical"), by_kind.get("rule_out"))
    except ArithmeticError as wrong:
        raise InvalidMeasurement("not_computable", f"The numbers are too large or too small to be judged ({wrong}).") from wrong


def _finite(number: float | None) -> float | None:
    """A bound that overflowed says nothing of its side, and is no JSON."""
    return number if number is not None and isfinite(number) else None


def _facts(reading: Reading, line: Threshold) -> dict[str, Any]:
    return {
        "threshold": line.kind,
        "value": line.value,
        "comparator": line.comparator,
        "policy": line.policy,
        "confidence": line.confidence,
        "grade": reading.grade.value,
        "reached": reading.reached,
        "able": reading.able,
        "point": reading.bounds.point,
        "lower": _finite(reading.bounds.lower),
        "upper": _finite(reading.bounds.upper),
        "n_eff": _finite(reading.bounds.n_eff),
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
