"""What a measurement says of some lines: decided once and kept in the process, for the same counts come again and again.

Nothing kept can grow stale: it is found by everything that it follows from, the numbers, the declarations of the evaluation
and the content of the lines.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import isfinite
from operator import attrgetter
from typing import Any

from evals.models import EvalResult, EvalRun, Evaluation
from evals.passing import Outcomes
from thresholds.governing import divisors
from thresholds.measured import attested_by, counted_of, measured_by, outcomes_in
from thresholds.models import Threshold
from thresholds.statistics import InvalidMeasurement
from thresholds.verdicts import Decision, Line, Policy, Reading, decide

MOST = 4096  # decisions kept; a level's takes some 3 kB
Drawn = tuple[tuple[Line, bool], ...]  # lines, and whether each is illustrative

of_run = attrgetter("planned", "finished", "scored", "unscored", "errored", "limit_hit")
of_result = attrgetter("value", "solved", "total", "n_tasks", "stderr", "ci_low", "ci_high", "ci_level")
_of_evaluation = attrgetter("unit", "direction", "scale", "minimum", "maximum", "population", "icc_task", "icc_family", "kind", "n_tasks")
_told_as_json = attrgetter("task_rule", "exclusions", "refusals", "validity")
_kept: dict[Hashable, "Said"] = {}


@dataclass(frozen=True, slots=True)
class Said:
    """What a measurement says of the lines of one level, shared by all runs that measured the same: never to be changed."""

    state: str
    critical_ruled_out: bool
    message: str
    illustrative: bool
    lines: list[dict[str, Any]]
    counted: dict[str, Any]


def line_of(threshold: Threshold) -> Line:
    """The stored line as the decision rule takes it, corrected for the evaluations that decide its level together."""
    near, far = divisors(threshold)
    return Line(
        kind=threshold.kind,
        value=threshold.value,
        comparator=threshold.comparator,
        policy=Policy(threshold.policy),
        posterior=threshold.posterior,
        confidence=threshold.confidence,
        rule=threshold.rule,
        margin=threshold.margin,
        near_divisor=near,
        far_divisor=far,
    )


def drawn_of(lines: Sequence[Threshold]) -> Drawn:
    """All that a decision follows from on the side of the lines."""
    return tuple((line_of(line), line.illustrative) for line in lines)


def declared_of(evaluation: Evaluation) -> Hashable:
    """All that a decision follows from on the side of the evaluation."""
    return _of_evaluation(evaluation), str(_told_as_json(evaluation))


def facts_of(run: EvalRun, result: EvalResult | None) -> Hashable:
    """All that a decision follows from on the side of the run; None where it lists its tasks, too many to be told apart cheaply."""
    if result is None:
        return of_run(run), attested_by(run)
    return None if result.tasks else (of_run(run), of_result(result), attested_by(run))


def said(run: EvalRun, result: EvalResult | None, lines: Sequence[Threshold]) -> Said:
    """What a run says of the lines of one level. Raises InvalidMeasurement where its numbers cannot be judged."""
    drawn, facts = drawn_of(lines), facts_of(run, result)
    if facts is None:
        return _said(run, result, drawn)
    return kept(run, result, drawn, (facts, declared_of(run.evaluation), drawn))


def kept(run: EvalRun, result: EvalResult | None, drawn: Drawn, key: Hashable) -> Said:
    """What is kept under this key, decided where nothing is."""
    found = _kept.get(key)
    if found is None:
        if len(_kept) >= MOST:
            _kept.clear()
        found = _kept[key] = _said(run, result, drawn)
    return found


def _said(run: EvalRun, result: EvalResult | None, drawn: Drawn) -> Said:
    judged = outcomes_in(run, result)
    decision = _decide(run, result, judged, [line for line, _ in drawn])
    illustrative = {line.kind: each for line, each in drawn}
    return Said(
        state=decision.state.value,
        critical_ruled_out=decision.critical_ruled_out,
        message=decision.message,
        illustrative=any(illustrative.values()),
        lines=[_facts(reading, illustrative=illustrative[reading.line.kind]) for reading in decision.readings],
        counted=counted_of(run, judged),
    )


def _decide(run: EvalRun, result: EvalResult | None, judged: Outcomes | None, lines: Sequence[Line]) -> Decision:
    by_kind = {line.kind: line for line in lines}
    try:
        return decide(measured_by(run, result, judged), by_kind.get("alert"), by_kind.get("critical"), by_kind.get("rule_out"))
    except ArithmeticError as wrong:
        raise InvalidMeasurement("not_computable", f"The numbers are too large or too small to be judged ({wrong}).") from wrong


def _finite(number: float | None) -> float | None:
    """A bound that overflowed says nothing of its side, and is no JSON."""
    return number if number is not None and isfinite(number) else None


def _facts(reading: Reading, *, illustrative: bool) -> dict[str, Any]:
    line = reading.line
    near, far = line.near_divisor, line.far_divisor
    corrected = {"near_divisor": near, "far_divisor": far} if (near, far) != (1, 1) else {}
    return {
        "threshold": line.kind,
        "value": line.value,
        "comparator": line.comparator,
        "rule": line.rule,
        "margin": line.margin,
        "policy": line.policy.value,
        "confidence": line.confidence,
        "grade": reading.grade.value,
        "reached": reading.reached,
        "able": reading.able,
        "warns_only": reading.warns_only,
        "silent": reading.silent,
        "point": reading.bounds.point,
        "lower": _finite(reading.bounds.lower),
        "upper": _finite(reading.bounds.upper),
        "n_eff": _finite(reading.bounds.n_eff),
        "needed": reading.needed,
        "note": reading.note,
        "illustrative": illustrative,
        **corrected,
    }
