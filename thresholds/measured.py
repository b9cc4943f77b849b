"""From a stored result to the measurement that the decision rule reads: what was counted, what is missing, what was declared."""

from collections import Counter

from evals.models import EvalResult, EvalRun, Evaluation
from thresholds.verdicts import Measurement


def missing_of(run: EvalRun) -> int:
    """Samples of the plan without a score: errored, unscored, stopped by a limit, or never run."""
    named = run.errored + run.unscored + run.limit_hit
    known = [count for count in (run.finished, run.scored) if count is not None]
    return max(named, (run.planned or 0) - min(known) if known and run.planned else 0)


def measurement_of(run: EvalRun, result: EvalResult | None) -> Measurement:
    """The measurement of a run; without a result nothing was measured and nothing can be ruled out."""
    evaluation = run.evaluation
    if result is None:
        return _declared(evaluation)
    if result.tasks and evaluation.unit == "proportion":
        return _from_tasks(run, result)
    if result.solved is not None and result.total is not None:
        return _from_counts(run, result, result.solved, result.total)
    return _declared(
        evaluation,
        value=result.value,
        stderr=result.stderr,
        n_tasks=result.n_tasks,
        ci_low=result.ci_low,
        ci_high=result.ci_high,
        ci_level=result.ci_level,
    )


def _from_tasks(run: EvalRun, result: EvalResult) -> Measurement:
    """Per-task outcomes: the task is the unit; missing samples and tasks that never ran count as worst case."""
    tasks, evaluation = result.tasks or [], run.evaluation
    attempts = {task["attempts"] for task in tasks}
    total = max(len(tasks), evaluation.n_tasks or 0)
    epochs = max(attempts)
    errored = min(total, total - len(tasks) + -(-missing_of(run) // epochs))
    sizes = _family_sizes([task.get("family", "") for task in tasks])
    if errored or len(attempts) > 1:
        solved = sum(task["solved"] / task["attempts"] for task in tasks)
        return _declared(evaluation, solved=min(solved, total - errored), total=total, errored=errored, family_sizes=sizes)
    return _declared(evaluation, solved_per_task=tuple(task["solved"] for task in tasks), epochs=epochs, family_sizes=sizes)


def _family_sizes(families: list[str]) -> tuple[int, ...] | None:
    """How many tasks each family has, where every task names one."""
    return tuple(Counter(families).values()) if all(families) else None


def _from_counts(run: EvalRun, result: EvalResult, solved: float, total: int) -> Measurement:
    """Counts: `total` holds the errored samples; attempts over fewer distinct tasks are worth as many as there are tasks."""
    planned, missing = max(total, run.planned or 0), missing_of(run)
    n_tasks = min(planned, result.n_tasks or run.evaluation.n_tasks or planned)
    attempts = planned / n_tasks
    errored = min(n_tasks, -(-missing * n_tasks // planned))
    return _declared(run.evaluation, solved=min(solved / attempts, n_tasks - errored), total=n_tasks, errored=errored)


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
    return Measurement(**{**declared, **measured})  # type: ignore[arg-type]
