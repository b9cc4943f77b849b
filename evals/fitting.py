"""Whether a run as posted can be one of its evaluation: its metric, units, range and counts, told once and without contradiction."""

import datetime as dt
from itertools import combinations
from typing import Any

from evals.models import Evaluation
from evals.passing import Outcomes, TaskRule, judge_tasks
from evals.submissions import Fault, InvalidSubmission, Item, Submission, missing_samples

CLOCK_SLACK = dt.timedelta(hours=1)
ROUNDING = 0.01  # how far a printed proportion may lie from its counts


def check_fit(submission: Submission, evaluation: Evaluation, now: dt.datetime) -> None:
    """Raise InvalidSubmission for what cannot be a run of this evaluation: its metric missing, values out of range, a time to come."""
    faults = _by_now(submission, now)
    for index, item in enumerate(submission.measurements):
        if item.metric == evaluation.metric:
            faults += _unfit(index, item, submission, evaluation)
            break
    else:
        faults += _unmeasured(submission, evaluation)
    if faults:
        raise InvalidSubmission(faults)


def _unfit(index: int, item: Item, submission: Submission, evaluation: Evaluation) -> list[Fault]:
    return [
        *_in_range(index, item, evaluation),
        *_inside_total(index, item, submission),
        *_tasks_fit(index, item, evaluation),
        *_counts_fit(index, item, evaluation),
        *_told_by_task(index, item, evaluation),
        *_graded(index, item, evaluation, submission),
        *_directed(index, item, evaluation),
        *_agrees(index, item, submission, evaluation),
    ]


def _unmeasured(submission: Submission, evaluation: Evaluation) -> list[Fault]:
    if not submission.measurements:
        return []
    names = ", ".join(other.metric for other in submission.measurements)
    detail = f"{evaluation.key} is judged by '{evaluation.metric}'; the body measures only {names}."
    return [Fault("/measurements", "metric_missing", detail)]


def _by_now(submission: Submission, now: dt.datetime) -> list[Fault]:
    return [
        Fault(f"/{name}", "in_the_future", f"The run cannot be {name} in the future; check the producer's clock.")
        for name, moment in (("started", submission.started), ("completed", submission.completed))
        if moment is not None and moment > now + CLOCK_SLACK
    ]


def _directed(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    """A producer that calls the other way better measures something else; read in the wrong direction, every line would be missed."""
    if item.direction in (None, evaluation.direction):
        return []
    detail = (
        f"The producer says of '{item.metric}' that {item.direction} is more capable, {evaluation.key} is declared {evaluation.direction}. "
        "Register the evaluation in that direction; where better means safer, post the run without a direction."
    )
    return [Fault(f"/measurements/{index}/direction", "direction_contradicts", detail)]


def _in_range(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    """The value within the declared range, a proportion always within 0 and 1, and nothing without a logarithm on a log scale."""
    low, high = (0.0, 1.0) if evaluation.unit == "proportion" else (evaluation.minimum, evaluation.maximum)
    without_logarithm = _positive(index, item, evaluation) if evaluation.scale == "log" else []
    if item.value is None or _between(low, item.value, high):
        return without_logarithm
    detail = f"{item.value:g} lies outside the range of {evaluation.key} ({low} to {high})."
    return [Fault(f"/measurements/{index}/value", "score_outside_bounds", detail), *without_logarithm]


def _positive(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    told = {name: getattr(item, name) for name in ("value", "ci_low", "ci_high")}
    return [
        Fault(
            f"/measurements/{index}/{name}",
            "log_scale_needs_positive",
            f"{evaluation.key} is read on a log scale; {number:g} is not positive.",
        )
        for name, number in told.items()
        if number is not None and number <= 0
    ]


def _between(low: float | None, value: float, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _inside_total(index: int, item: Item, submission: Submission) -> list[Fault]:
    """Total counts errored samples too, unless the plan says that more samples were meant to run than total counts."""
    if item.total is None or item.solved is None:
        return []
    if (submission.coverage.planned or 0) <= item.total < item.solved + missing_samples(submission):
        detail = f"Solved and the samples without a score exceed total ({item.total}); total counts errored samples too."
        return [Fault(f"/measurements/{index}/total", "solved_plus_errored_exceeds_total", detail)]
    return []


def _tasks_fit(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    name, tasks = ("tasks", len(item.tasks)) if item.tasks else ("n_tasks", item.n_tasks or 0)
    if tasks <= (evaluation.n_tasks or tasks):
        return []
    detail = f"{evaluation.key} has {evaluation.n_tasks} tasks, not {tasks}; another set of tasks is another version."
    return [Fault(f"/measurements/{index}/{name}", "more_tasks_than_declared", detail)]


def _counts_fit(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    if evaluation.unit == "proportion" or (item.solved is None and item.tasks is None):
        return []
    detail = f"{evaluation.key} is measured in {evaluation.unit}; post it as value with its stderr or interval, not as counts."
    return [Fault(f"/measurements/{index}", "counts_need_proportion", detail)]


def _told_by_task(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    """What an evaluation declares of single tasks (some set aside, a rule by which each passes) needs the outcome of each."""
    if item.tasks or not item.measured:
        return []
    why = _why_by_task(item, evaluation)
    detail = f"{evaluation.key} {why}; post the outcome of each task."
    return [Fault(f"/measurements/{index}", "tasks_needed", detail)] if why else []


def _why_by_task(item: Item, evaluation: Evaluation) -> str:
    """What the evaluation does with single tasks that this measurement does not tell; empty where nothing."""
    if evaluation.exclusions:
        if "assumed_solved" in [each["treatment"] for each in evaluation.exclusions]:
            return "counts some tasks as solved without running them"
        if _counts_set_aside(item, evaluation):
            return "sets some of these tasks aside"
    return "judges each task by a rule of its own" if _counts_attempts(item, evaluation) else ""


def _counts_set_aside(item: Item, evaluation: Evaluation) -> bool:
    """Whether more was counted than is left of the tasks without those set aside."""
    total = _counted(item)
    return total > (evaluation.n_tasks or total) - len(evaluation.exclusions)


def _counts_attempts(item: Item, evaluation: Evaluation) -> bool:
    """Whether several attempts at a task were counted, where a rule other than their mean judges each task."""
    tasks = item.n_tasks or evaluation.n_tasks or 0
    return item.solved is not None and _counted(item) > tasks and TaskRule.of(evaluation.task_rule) != TaskRule()


def _counted(item: Item) -> int:
    return item.total or item.n_tasks or 0


def _graded(index: int, item: Item, evaluation: Evaluation, submission: Submission) -> list[Fault]:
    """An expert determination is one of four grades, by named people, with their reasons."""
    if evaluation.kind != "expert":
        return []
    at, faults = f"/measurements/{index}/value", []
    if item.value not in {0, 1, 2, 3}:
        detail = "A grade is 0 (ruled out), 1 (not ruled out), 2 (likely) or 3 (confirmed)."
        faults.append(Fault(at, "not_a_grade", detail))
    unsaid = [name for name in ("experts", "rationale") if not _words(submission.provenance.get(name))]
    return [*faults, *(Fault(f"/provenance/{name}", "required", f"An expert determination names its {name}.") for name in unsaid)]


def _words(said: Any) -> bool:
    """Whether something is said: a text, or a list with one, that is not blank."""
    return any(isinstance(each, str) and each.strip() for each in (said if isinstance(said, list) else [said]))


def _agrees(index: int, item: Item, submission: Submission, evaluation: Evaluation) -> list[Fault]:
    """Refuse a proportion that is told twice and differently: as value, as counts, as tasks; rounding is allowed for."""
    ways = item.value is not None, bool(item.solved is not None and item.total), bool(item.tasks)
    if sum(ways) < 2:
        return []
    told = [[item.value] if item.value is not None else [], _shares(item, submission), _task_shares(item, evaluation)]
    given = [shares for shares in told if shares]
    for one, other in combinations(given, 2):
        if _distance(one, other) > ROUNDING:
            detail = "Value, counts and tasks of one measurement contradict each other; post the one that is meant."
            return [Fault(f"/measurements/{index}", "contradiction", detail)]
    return []


def _distance(some: list[float], others: list[float]) -> float:
    return min(abs(share - other) for share in some for other in others)


def _shares(item: Item, submission: Submission) -> list[float]:
    """What the counts may be printed as: the samples without a score counted as unsolved, or left out."""
    if item.solved is None or not item.total:
        return []
    return [item.solved / whole for whole in (item.total, item.total - missing_samples(submission)) if whole > 0]


def _task_shares(item: Item, evaluation: Evaluation) -> list[float]:
    """What the tasks may be printed as: by the declared rule, the unknown left out or counted as unsolved, or by attempts."""
    if not item.tasks:
        return []
    found = outcomes_of(evaluation, item.plain_tasks)
    solved, attempts = (sum(getattr(task, name) for task in item.tasks) for name in ("solved", "attempts"))
    wholes = {len(found.outcomes), len(found.outcomes) - found.unknown} - {0}
    return [*(found.passed / whole for whole in wholes), solved / attempts]


def outcomes_of(evaluation: Evaluation, tasks: list[dict[str, Any]]) -> Outcomes:
    """Posted tasks judged by what their evaluation declares."""
    return judge_tasks(tasks, TaskRule.of(evaluation.task_rule), evaluation.exclusions, evaluation.refusals)
