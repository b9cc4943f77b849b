"""Whether what has the shape of a run also makes sense: its times, numbers, counts and tasks. Plain Python."""

import datetime as dt
import math
from collections.abc import Callable, Iterator

from evals.bodies import Fault, Item, Submission, Task

YEARS = (1970, 9998)  # so that every zone's time has its place in UTC


def faults_of(submission: Submission) -> list[Fault]:
    """Every fault that can be named."""
    return [] if _is_simple(submission) else [*_times(submission), *_measurements(submission), *_finite(submission)]


def _is_simple(submission: Submission) -> bool:
    """Whether it is surely right: a time, one measurement by counts, words and whole numbers beside it; a No says nothing of it."""
    items = submission.measurements
    return len(items) == 1 and _is_counted(items[0]) and _is_timed(submission) and _is_told(submission)


def _is_counted(item: Item) -> bool:
    if item.solved is None or item.total is None or not 0 <= item.solved <= item.total or not item.solved.is_integer():
        return False
    return item.total > 0 and (item.value, item.stderr, item.ci_low, item.ci_high, item.tasks) == NOTHING


def _is_timed(submission: Submission) -> bool:
    moment = submission.completed
    if moment is None or submission.started is not None:
        return False
    return moment.tzinfo is not None and YEARS[0] <= moment.year <= YEARS[1]


def _is_told(submission: Submission) -> bool:
    """Whether no number stands beside the measurements that could be without end."""
    for block in (submission.elicitation, submission.provenance):
        for value in block.values():
            if isinstance(value, float) or (isinstance(value, list) and float in map(type, value)):
                return False
    return True


def _times(submission: Submission) -> Iterator[Fault]:
    given = {name: moment for name in ("started", "completed") if (moment := getattr(submission, name)) is not None}
    faults = [fault for name, moment in given.items() for fault in _time(name, moment)]
    yield from faults
    if len(given) == 2 and not faults and given["completed"] < given["started"]:
        yield Fault("/completed", "before_start", "The run cannot be completed before it started.")


def _time(name: str, moment: dt.datetime) -> Iterator[Fault]:
    if moment.tzinfo is None:
        yield Fault(f"/{name}", "no_time_zone", "A time needs its offset from UTC, for example 2026-11-22T09:00:00Z.")
    elif not YEARS[0] <= moment.year <= YEARS[1]:
        yield Fault(f"/{name}", "out_of_range", f"A run lies in the years {YEARS[0]} to {YEARS[1]}.")


def _finite(submission: Submission) -> Iterator[Fault]:
    for block in ("elicitation", "provenance"):
        for key, value in getattr(submission, block).items():
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, float) and not _storable(part):
                    yield Fault(f"/{block}/{key}", "not_finite", "Only finite numbers can be stored.")


def _storable(number: float | None) -> bool:
    return number is None or math.isfinite(number)


def _measurements(submission: Submission) -> Iterator[Fault]:
    seen: set[str] = set()
    if not submission.measurements and submission.status == "success":
        yield Fault("/measurements", "required", "A run with status success needs at least one measurement.")
    for index, item in enumerate(submission.measurements):
        if item.metric in seen:
            yield Fault(f"/measurements/{index}/metric", "repeated", f"The metric '{item.metric}' stands twice; name each once.")
        seen.add(item.metric)
        for check in CHECKS:
            if (wrong := check(item)) is not None:
                yield Fault(f"/measurements/{index}/{wrong[0]}".rstrip("/"), wrong[1], wrong[2])


Wrong = tuple[str, str, str] | None


def _numbers(item: Item) -> Wrong:
    for name in ("value", "solved", "stderr", "ci_low", "ci_high"):
        if not _storable(getattr(item, name)):
            return name, "not_finite", "Only finite numbers can be stored; post null with a reason where there is no score."
    return None


def _says_something(item: Item) -> Wrong:
    if item.value is None and item.solved is None and item.tasks is None and not item.reason:
        return "", "required", "Give a value, or solved and total, or tasks; or null with the reason there is none."
    return None


def _counts(item: Item) -> Wrong:
    if (item.solved is None) != (item.total is None):
        return ("total" if item.total is None else "solved"), "required", "Counts come as solved and total together."
    return _share(item.solved, item.total) if item.solved is not None and item.total is not None else None


def _share(solved: float, total: int) -> Wrong:
    if total == 0:
        return "total", "out_of_range", "Total counts the samples and must be at least 1."
    if not 0 <= solved <= total:
        return "solved", "out_of_range", f"Solved must lie between 0 and total ({total})."
    if solved != int(solved):
        return "solved", "not_integer", "Solved counts samples; post an average as value with n_tasks."
    return None


def _interval(item: Item) -> Wrong:
    if (item.ci_low is None) != (item.ci_high is None):
        return ("ci_high" if item.ci_high is None else "ci_low"), "required", "An interval has two ends."
    return _ends(item.value, item.ci_low, item.ci_high) if item.ci_low is not None and item.ci_high is not None else None


def _ends(value: float | None, low: float, high: float) -> Wrong:
    if low > high:
        return "ci_low", "interval_out_of_order", "The lower end of the interval lies above the upper end."
    if value is not None and not low <= value <= high:
        return "value", "estimate_outside_interval", "The value lies outside its own interval."
    return None


def _tasks(item: Item) -> Wrong:
    tasks = item.tasks or []
    for position, task in enumerate(tasks):
        if (wrong := _task(f"tasks/{position}", task)) is not None:
            return wrong
    if len({task.id for task in tasks}) < len(tasks):
        return "tasks", "repeated", "Each task id may stand once; give its attempts and how many were solved."
    return None


def _task(at: str, task: Task) -> Wrong:
    if task.solved > task.attempts:
        return f"{at}/solved", "out_of_range", f"Solved cannot exceed attempts ({task.attempts})."
    if bool(task.mark) != bool(task.reason):
        return f"{at}/reason", "required", "A mark comes with its reason, and a reason with its mark."
    if not (_storable(task.score) and _storable(task.baseline)):
        return at, "not_finite", "Only finite numbers can be stored."
    return None


NOTHING = (None,) * 5
CHECKS: tuple[Callable[[Item], Wrong], ...] = (_numbers, _says_something, _counts, _interval, _tasks)
