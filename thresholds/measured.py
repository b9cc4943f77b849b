"""From a stored result to the measurement that the decision rule reads: what was counted, what is missing, what was declared."""

from collections import Counter
from dataclasses import replace
from math import ceil, floor

from evals.models import EvalResult, EvalRun, Evaluation
from thresholds.verdicts import Measurement


def missing_of(run: EvalRun, samples: int = 0) -> int:
    """Samples of the plan without a score: errored, unscored, stopped by a limit, or never run; `samples` came with the result."""
    named = run.errored + run.unscored + run.limit_hit
    known = [count for count in (run.finished, run.scored) if count is not None] or ([samples] if samples else [])
    return max(named, max(run.planned or 0, samples) - min(known) if known else 0)


def measurement_of(run: EvalRun, result: EvalResult | None) -> Measurement:
    """The measurement of a run; without a result nothing was measured and nothing can be ruled out."""
    evaluation = run.evaluation
    if result is None:
        return _declared(evaluation)
    if result.tasks and evaluation.unit == "proportion":
        return _from_tasks(run, result)
    if result.solved is not None and result.total is not None:
        return _from_counts(run, result, result.solved, result.total)
    return _from_value(run, result)


def _from_value(run: EvalRun, result: EvalResult) -> Measurement:
    """A value: a claimed precision is worth no more than the declared tasks bear, and a bare value claims none."""
    precise = result.stderr is not None or result.ci_low is not None
    n_tasks = result.n_tasks or (run.evaluation.n_tasks if precise else None)
    return _declared(
        run.evaluation,
        value=result.value,
        errored=_missing_tasks(run, n_tasks),
        stderr=result.stderr,
        n_tasks=n_tasks,
        ci_low=result.ci_low,
        ci_high=result.ci_high,
        ci_level=result.ci_level,
    )


def _from_tasks(run: EvalRun, result: EvalResult) -> Measurement:
    """Per-task outcomes: the task is the unit; what never ran or has no score is unknown, and what was solved stays solved."""
    tasks, evaluation = result.tasks or [], run.evaluation
    attempts = [task["attempts"] for task in tasks]
    epochs, (total, unknown) = max(attempts), _extent(run, attempts)
    solved = sum(task["solved"] / task["attempts"] for task in tasks)
    errored = min(unknown, floor(total - solved))
    sizes = _family_sizes([task.get("family", "") for task in tasks])
    if errored or min(attempts) < epochs:
        return _declared(evaluation, solved=solved, total=total, errored=errored, family_sizes=sizes)
    return _declared(evaluation, solved_per_task=tuple(task["solved"] for task in tasks), epochs=epochs, family_sizes=sizes)


def _extent(run: EvalRun, attempts: list[int]) -> tuple[int, int]:
    """How many tasks there are and how many are unknown: first those that are not listed, then as many of the listed as it takes."""
    epochs, samples = max(attempts), sum(attempts)
    missing = missing_of(run, samples)
    unlisted = max(0, min(run.planned or 0, samples + missing) - samples)
    total = max(len(attempts) + ceil(unlisted / epochs), run.evaluation.n_tasks or 0)
    absent = total - len(attempts)
    return total, absent + ceil(max(0, missing - absent * epochs) / epochs)


def _family_sizes(families: list[str]) -> tuple[int, ...] | None:
    """How many tasks each family has, where every task names one."""
    return tuple(Counter(families).values()) if all(families) else None


def _from_counts(run: EvalRun, result: EvalResult, solved: float, total: int) -> Measurement:
    """Counts: `total` holds the errored samples; attempts over fewer distinct tasks are worth as many as there are tasks.

    A plan of more samples than `total` adds those that are missing, and never one that nothing is known of.
    """
    missing = missing_of(run, total)
    samples = max(total, min(run.planned or 0, total + missing))
    n_tasks = min(filter(None, (samples, result.n_tasks, run.evaluation.n_tasks)))
    return _declared(run.evaluation, solved=solved, total=samples, errored=min(missing, floor(samples - solved)), n_tasks=n_tasks)


def _missing_tasks(run: EvalRun, n_tasks: int | None) -> int:
    """How many tasks' worth of samples a value came without."""
    missing = missing_of(run)
    return missing if n_tasks is None else min(n_tasks, ceil(missing * n_tasks / max(n_tasks, run.planned or 0)))


def _declared(evaluation: Evaluation, **measured: object) -> Measurement:
    """A measurement with what the evaluation declares about every number from it."""
    declared = {
        "unit": evaluation.unit,
        "direction": evaluation.direction,
        "scale": evaluation.scale,
        "minimum": evaluation.minimum,
        "maximum": evaluation.maximum,
        "icc_task": 0.0 if evaluation.population == "suite" else evaluation.icc_task,
        "icc_family": evaluation.icc_family,
    }
    found = Measurement(**{**declared, **measured})  # type: ignore[arg-type]
    if found.icc_family and not found.family_sizes:  # nobody said which tasks belong together: at worst they all do
        return replace(found, family_sizes=(len(found.solved_per_task or ()) or found.n_tasks or found.total or 1,))
    return found
