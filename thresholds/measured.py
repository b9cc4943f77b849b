"""From a stored result to the measurement that the decision rule reads: what was counted, what is missing, what was declared."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from math import ceil, floor
from typing import Any

from evals.fitting import outcomes_of
from evals.models import EvalResult, EvalRun, Evaluation
from evals.passing import Outcomes, TaskRule
from thresholds.weighing import Measurement

LIMITED = 0.02  # the share of samples cut off by a limit above which a run counts as under-elicited


def missing_of(run: EvalRun, samples: int = 0) -> int:
    """Samples of the plan without a score: errored, unscored, stopped by a limit, or never run; `samples` came with the result."""
    named = run.errored + run.unscored + run.limit_hit
    known = [count for count in (run.finished, run.scored) if count is not None] or ([samples] if samples else [])
    return max(named, max(run.planned or 0, samples) - min(known) if known else 0)


def outcomes_in(run: EvalRun, result: EvalResult | None) -> Outcomes | None:
    """The outcome of every task that a result lists, by the declared rule; None where it is not judged by its tasks."""
    tasks = result.tasks if result is not None and run.evaluation.unit == "proportion" else None
    return outcomes_of(run.evaluation, tasks) if tasks else None


def measurement_of(run: EvalRun, result: EvalResult | None) -> Measurement:
    """The measurement of a run; without a result nothing was measured and nothing can be ruled out."""
    return measured_by(run, result, outcomes_in(run, result))


def measured_by(run: EvalRun, result: EvalResult | None, found: Outcomes | None) -> Measurement:
    """The measurement of a run whose tasks were judged already (`found`, from `outcomes_in`)."""
    if result is None:
        return _declared(run)
    if found is not None:
        return _from_tasks(run, result, found)
    if result.solved is not None and result.total is not None:
        return _from_counts(run, result, result.solved, result.total)
    return _from_value(run, result)


def _from_value(run: EvalRun, result: EvalResult) -> Measurement:
    """A value: a claimed precision is worth no more than the declared tasks bear, and a bare value claims none."""
    precise = result.stderr is not None or result.ci_low is not None
    n_tasks = result.n_tasks or (run.evaluation.n_tasks if precise else None)
    return _declared(
        run,
        value=result.value,
        errored=_missing_tasks(run, n_tasks),
        stderr=result.stderr,
        n_tasks=n_tasks,
        ci_low=result.ci_low,
        ci_high=result.ci_high,
        ci_level=result.ci_level,
    )


def _from_tasks(run: EvalRun, result: EvalResult, found: Outcomes) -> Measurement:
    """Per-task outcomes by the declared rule: the task is the unit; what never ran or has no score is unknown, what passed stays passed."""
    tasks, evaluation = result.tasks or [], run.evaluation
    attempts = [task["attempts"] for task in tasks]
    if not found.outcomes:
        return _declared(run)
    total, lost = _extent(run, attempts, len(found.outcomes))
    errored = min(found.unknown + lost, floor(total - found.passed))
    sizes = _family_sizes(found.families)
    if errored or not _averaged(evaluation, found, attempts):
        return _declared(run, solved=found.passed, total=total, errored=errored, family_sizes=sizes)
    return _declared(run, solved_per_task=tuple(task["solved"] for task in tasks), epochs=max(attempts), family_sizes=sizes)


def _averaged(evaluation: Evaluation, found: Outcomes, attempts: Sequence[int]) -> bool:
    """Whether the tasks simply average, each with as many attempts as the others."""
    return TaskRule.of(evaluation.task_rule).rule == "mean" and found.plain and min(attempts) == max(attempts)


def _extent(run: EvalRun, attempts: list[int], counted: int) -> tuple[int, int]:
    """How many tasks there are and how many are unknown: first those that are not listed, then as many of the listed as it takes."""
    epochs, samples = max(attempts), sum(attempts)
    missing = missing_of(run, samples)
    unlisted = max(0, min(run.planned or 0, samples + missing) - samples)
    excluded = sum(each["treatment"] == "excluded" for each in run.evaluation.exclusions)
    total = max(counted + ceil(unlisted / epochs), (run.evaluation.n_tasks or 0) - excluded)
    absent = total - counted
    return total, absent + ceil(max(0, missing - absent * epochs) / epochs)


def _family_sizes(families: Sequence[str]) -> tuple[int, ...] | None:
    """How many tasks each family has, where every task names one."""
    return tuple(Counter(families).values()) if all(families) else None


def _from_counts(run: EvalRun, result: EvalResult, solved: float, total: int) -> Measurement:
    """Counts: `total` holds the errored samples; attempts over fewer distinct tasks are worth as many as there are tasks.

    A plan of more samples than `total` adds those that are missing, and never one that nothing is known of.
    """
    missing = missing_of(run, total)
    samples = max(total, min(run.planned or 0, total + missing))
    n_tasks = min(filter(None, (samples, result.n_tasks, run.evaluation.n_tasks)))
    return _declared(run, solved=solved, total=samples, errored=min(missing, floor(samples - solved)), n_tasks=n_tasks)


def _missing_tasks(run: EvalRun, n_tasks: int | None) -> int:
    """How many tasks' worth of samples a value came without."""
    missing = missing_of(run)
    return missing if n_tasks is None else min(n_tasks, ceil(missing * n_tasks / max(n_tasks, run.planned or 0)))


def attested_by(run: EvalRun) -> str:
    """Who vouches that what the model can do was brought out; empty where nobody does, for yes, a number or a list names nobody."""
    named = run.elicitation.get("attested_by")
    return named.strip() if isinstance(named, str) else ""


def flags_of(evaluation: Evaluation) -> list[str]:
    """What was found out about an evaluation since it was registered: saturated, contaminated, not_comparable."""
    return sorted({each["flag"] for each in evaluation.validity})


def counted_of(run: EvalRun, found: Outcomes | None) -> dict[str, Any]:
    """What a reader must know of how a run was counted: tasks set aside, samples missing or cut off by a limit, who attests it.

    `found` are its tasks as judged, from `outcomes_in`.
    """
    facts = {
        "set_aside": _set_aside(run, found),
        "rule": run.evaluation.task_rule,
        "missing": missing_of(run),
        "limit_hit": run.limit_hit,
        "planned": run.planned,
        "under_elicited": _under_elicited(run),
        "attested_by": attested_by(run),
        "validity": [each for each in run.evaluation.validity if each["flag"] != "not_comparable"],
    }
    return {name: fact for name, fact in facts.items() if fact}


def _set_aside(run: EvalRun, found: Outcomes | None) -> list[dict[str, Any]]:
    aside = outcomes_of(run.evaluation, []).set_aside if found is None else found.set_aside
    return [asdict(each) for each in aside]


def _under_elicited(run: EvalRun) -> bool:
    return run.limit_hit > LIMITED * (run.planned or run.finished or run.limit_hit or 1)


def _declared(run: EvalRun, **measured: object) -> Measurement:
    """A measurement with what its evaluation declares about every number from it, and what is known against it."""
    evaluation = run.evaluation
    flags = flags_of(evaluation)
    declared = {
        "unit": evaluation.unit,
        "direction": evaluation.direction,
        "scale": evaluation.scale,
        "minimum": evaluation.minimum,
        "maximum": evaluation.maximum,
        "icc_task": 0.0 if evaluation.population == "suite" else evaluation.icc_task,
        "icc_family": evaluation.icc_family,
        "attested": evaluation.kind == "expert" or bool(attested_by(run)),
        "saturated": "saturated" in flags,
        "contaminated": "contaminated" in flags,
    }
    found = Measurement(**{**declared, **measured})  # type: ignore[arg-type]
    return _of_one_family(found) if found.icc_family and not found.family_sizes else found


def _of_one_family(measured: Measurement) -> Measurement:
    """Where nobody said which tasks belong together: at worst they all do."""
    return replace(measured, family_sizes=(len(measured.solved_per_task or ()) or measured.n_tasks or measured.total or 1,))
