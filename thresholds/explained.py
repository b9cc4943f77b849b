"""Every stored assessment explains itself: its facts gathered from the rows it rests on, and told step by step."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from evals.models import EvalResult
from thresholds.evidence import Ledger, add, current, newest_complete, summarise
from thresholds.explaining import Explanation, Facts, explain
from thresholds.governing import line_facts, rule_of
from thresholds.measured import measurement_of
from thresholds.models import Assessment, LevelStatus
from thresholds.standing import reading_of
from thresholds.weighing import Measurement

READ = (  # of every assessment, run and evaluation, what a reading is made of
    *("complete", "reading_state", "readings", "illustrative", "set_after", "facts", "message", "inherited__expires"),
    *("inherited__source__slug", "run__completed", "run__evaluation__slug", "run__evaluation__version", "run__evaluation__validity"),
)


def explained(assessment: Assessment, results: Iterable[EvalResult] | None = None) -> Explanation:
    """Why the level stood where it did once this run was read; a constant number of queries, whatever was read before. `results` are
    those of the run, where they are at hand."""
    return explain(facts_of(assessment, results))


def facts_of(assessment: Assessment, results: Iterable[EvalResult] | None = None) -> Facts:
    """What one assessment rests on, as it was when the run was read."""
    run, level = assessment.run, assessment.level
    statuses = LevelStatus.objects.filter(checkpoint=assessment.checkpoint_id, level=level.pk)
    status = statuses.only("assessment", "readings", "moved_from").first()
    ledger = _ledger_of(assessment, status)
    lines, rule = line_facts(level), rule_of(level)
    summary = summarise(ledger, lines, rule)
    held = assessment.state in {"alert", "critical"}
    return Facts(
        level=level.name,
        framework=str(level.framework),
        checkpoint=assessment.checkpoint.name,
        run=run.ref,
        evaluation=run.evaluation.key,
        measured=_measured(assessment, assessment.run.results.all() if results is None else results),
        readings=assessment.readings,
        state_before=assessment.state_before,
        state=assessment.state,
        reading_state=assessment.reading_state,
        evidence=summary.state if held else assessment.state,
        counted=assessment.facts,
        lines=lines,
        rule=rule,
        others=_others(ledger, run.evaluation.key),
        missing=summary.missing,
        pooled=_pooled(status, assessment),
        complete=assessment.complete,
        binding=assessment.binding,
        set_after=assessment.set_after,
        illustrative=assessment.illustrative,
        inherited=assessment.inherited.source.name if assessment.inherited else "",
        moved=assessment.moved,
        moved_from=status.moved_from if status is not None else "",
    )


def _measured(assessment: Assessment, results: Iterable[EvalResult]) -> Measurement:
    """The measurement with what was known of its evaluation at the time, not with what was found out since."""
    run = assessment.run
    result = next((each for each in results if each.metric == run.evaluation.metric), None)
    flags = {each["flag"] for each in assessment.facts.get("validity", [])}
    measured = measurement_of(run, result)
    return replace(measured, saturated="saturated" in flags, contaminated="contaminated" in flags)


def _others(ledger: Ledger, evaluation: str) -> dict[str, str]:
    """What every other evaluation of the level says now."""
    return {key: found["state"] for key, slots in ledger.items() if key != evaluation and (found := current(slots))}


def _ledger_of(assessment: Assessment, status: LevelStatus | None) -> Ledger:
    """The readings it rests on: those of the maintained row while it is the newest, else gathered anew."""
    newest = status is not None and status.assessment_id == assessment.pk
    return status.readings if status is not None and newest else _ledger_then(assessment)


def _ledger_then(assessment: Assessment) -> Ledger:
    """The readings of the level up to this one, of runs that still count."""
    rows = Assessment.objects.filter(
        checkpoint=assessment.checkpoint_id,
        level=assessment.level_id,
        pk__lte=assessment.pk,
        run__invalidated__isnull=True,
        run__superseded_by__isnull=True,
    )
    ledger: Ledger = {}
    for row in rows.select_related("run__evaluation", "inherited__source").only(*READ).order_by("run__completed", "run_id"):
        ledger = add(ledger, row.run.evaluation.key, reading_of(row, []))
    return ledger


def _pooled(status: LevelStatus | None, assessment: Assessment) -> Mapping[str, Mapping[str, Any]]:
    """What all runs together say, where the newest rules out what an earlier one did not."""
    slots = status.readings.get(assessment.run.evaluation.key, {}) if status is not None else {}
    newest = newest_complete(slots).values()  # a reading that only speaks against clearing may carry what was pooled once
    return next((reading["pooled"] for reading in newest if reading["run"] == assessment.run_id and "pooled" in reading), {})
