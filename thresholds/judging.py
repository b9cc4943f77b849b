"""What one stored run says about the lines of one level, as a reading: facts in, nothing stored."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from evals.models import EvalResult, EvalRun
from thresholds.decided import Said, said
from thresholds.models import Equivalence, Threshold


def judge(run: EvalRun, result: EvalResult | None, lines: Sequence[Threshold], by: Equivalence | None = None) -> dict[str, Any]:
    """The reading of a run against the lines of one level; `by` is the equivalence through which another checkpoint inherits it.

    Raises InvalidMeasurement where the numbers cannot be judged.
    """
    return reading_of(run, said(run, result, lines), after=set_after(run, lines), by=by)


def reading_of(run: EvalRun, found: Said, *, after: bool, by: Equivalence | None = None) -> dict[str, Any]:
    """The reading of a run that says what was `found`; its `lines` and `counted` are shared with every run that says the same."""
    evaluation = run.evaluation
    return {
        "run": run.id,
        "completed": run.completed.astimezone(dt.UTC).isoformat(),
        "complete": run.complete,
        "state": found.state,
        "critical_ruled_out": found.critical_ruled_out,
        "evaluation": evaluation.key,
        "evaluation_id": evaluation.id,
        "illustrative": found.illustrative,
        "set_after": after,
        "message": found.message,
        "lines": found.lines,
        "counted": found.counted,
        **({"inherited": by.pk, "until": by.expires.astimezone(dt.UTC).isoformat(), "from": by.source.slug} if by else {}),
    }


def set_after(run: EvalRun, lines: Sequence[Threshold]) -> bool:
    """Whether the run started before its lines were published here: then nobody can tell that they were not drawn around it."""
    return after(run, frozen_at(lines))


def frozen_at(lines: Sequence[Threshold]) -> dt.datetime | None:
    """When the lines of one level were published here."""
    return lines[0].level.framework.published


def after(run: EvalRun, frozen: dt.datetime | None) -> bool:
    """The same of lines that were published at a moment."""
    return frozen is not None and (run.started or run.completed) < frozen
