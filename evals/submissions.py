"""What a pipeline may post about one run, checked completely before anything is stored. Plain Python.

`parse` takes JSON-like content and returns a `Submission`, or raises `InvalidSubmission` with every error it can name:
a JSON pointer, a stable code and a sentence. Numbers are finite; times are RFC 3339 with an offset.
"""

import datetime as dt
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from evals.canonical import SORTED, canonical, has_plain_numbers, has_plain_signs

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2_000_000_000)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Scalar = str | Whole | float | bool | None
Flat = dict[Annotated[str, msgspec.Meta(max_length=80)], Scalar | list[Scalar]]
YEARS = (1970, 9998)  # so that every zone's time has its place in UTC
LAST, BEAT, WAY = b',"supersedes":null}', b'"heartbeat_seconds":null,', b'"direction":null,'  # as they are written where nothing is said
STATUSES = Literal["started", "success", "error", "cancelled", "lost"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a submission: where (JSON pointer), a stable code, and what to do about it."""

    pointer: str
    code: str
    detail: str


class InvalidSubmission(Exception):
    """The submission cannot be stored; `.errors` lists every fault found."""

    def __init__(self, errors: list[Fault]) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors))
        self.errors = errors


def _said(*counts: int | None) -> list[int]:
    return [count for count in counts if count is not None]


class Producer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pipeline that made the run; with the external id it identifies the run."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    version: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Coverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Counts of samples; `planned` is what was selected times epochs."""

    planned: Count | None = None
    completed: Count | None = None
    scored: Count | None = None
    unscored: Count = 0
    errored: Count = 0
    limit_hit: Count = 0

    @property
    def known(self) -> list[int]:
        """Samples that ran to their end and samples with a score, whichever is said."""
        return _said(self.completed, self.scored)


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The outcome of one task over its attempts; `mark` says, with a reason, why it does not simply count as it scored."""

    id: Text
    solved: Count
    attempts: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    family: Annotated[str, msgspec.Meta(max_length=100)] = ""
    score: float | None = None
    baseline: float | None = None
    mark: Literal["", "excluded", "assumed_solved", "bugged", "refused", "shortcut"] = ""
    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One measurement with the uncertainty it came with, or null with the reason; `direction`: which way its producer calls more."""

    metric: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    value: float | None = None
    solved: float | None = None
    total: Count | None = None
    n_tasks: Annotated[int, msgspec.Meta(ge=1, le=2_000_000_000)] | None = None
    stderr: Annotated[float, msgspec.Meta(ge=0)] | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    ci_level: Annotated[float, msgspec.Meta(ge=0.5, le=0.9999)] = 0.95
    tasks: Annotated[list[Task], msgspec.Meta(min_length=1, max_length=20_000)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""
    direction: Literal["higher", "lower"] | None = None

    @property
    def plain_tasks(self) -> list[dict[str, Any]]:
        """The tasks as they are stored and judged: what does not differ from the default of a mark is left out."""
        return [{"attempts": 1, "family": "", **msgspec.to_builtins(task)} for task in self.tasks or ()]

    @property
    def measured(self) -> bool:
        """Whether it holds a result, and not only the reason why there is none."""
        return self.value is not None or self.solved is not None or self.tasks is not None

    @property
    def samples(self) -> list[int]:
        """Attempts over all tasks, or the total that was given; nothing where neither is said."""
        return [sum(task.attempts for task in self.tasks)] if self.tasks else _said(self.total)

    @property
    def ran(self) -> list[int]:
        """How many tasks it can hold at most, by each count that says something of it."""
        return [len(self.tasks)] if self.tasks else _said(self.n_tasks, self.total)


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run as posted; the evaluation is `slug@version`, or `slug` where it has one version only."""

    producer: Producer
    external_id: Text
    checkpoint: Text
    evaluation: Text
    measurements: Annotated[list[Item], msgspec.Meta(max_length=100)] = []
    status: STATUSES = "success"
    started: dt.datetime | None = None
    completed: dt.datetime | None = None
    coverage: Coverage = Coverage()
    elicitation: Flat = {}
    provenance: Flat = {}
    relationship: Literal["first_party", "third_party"] = "first_party"
    supersedes: int | str | None = None
    heartbeat_seconds: Annotated[int, msgspec.Meta(ge=5, le=86_400)] | None = None  # how often a started run says that it lives

    def measurement(self, metric: str) -> Item | None:
        """The measurement of a metric, where there is one."""
        return next((item for item in self.measurements if item.metric == metric), None)


def parse(content: Mapping[str, Any]) -> Submission:
    """Check the shape, then the meaning; raises InvalidSubmission."""
    try:
        submission = msgspec.convert(content, Submission)
    except msgspec.ValidationError as wrong:
        raise InvalidSubmission([_fault(str(wrong))]) from None
    if errors := [*_times(submission), *_measurements(submission), *_finite(submission)]:
        raise InvalidSubmission(errors)
    return submission


def digest(submission: Submission) -> str:
    """Hex SHA-256 of the content; order of keys and spacing do not matter, nor does naming the superseded run."""
    return hashlib.sha256(_written_at_once(submission) or canonical(_content(submission))).hexdigest()


def _content(submission: Submission) -> dict[str, Any]:
    """What the digest is of."""
    content: dict[str, Any] = msgspec.to_builtins(submission)
    content.pop("supersedes")
    for item in content["measurements"]:
        if item["direction"] is None:
            del item["direction"]
    if submission.heartbeat_seconds is None:
        content.pop("heartbeat_seconds")
    return content


def _written_at_once(submission: Submission) -> bytes | None:
    """The canonical form of the content, where what does not belong to it is null, stands at its own place only and can be cut out."""
    if submission.heartbeat_seconds is not None or not all(map(_is_plain, submission.measurements)):
        return None
    whole = SORTED.encode(submission)
    if not whole.endswith(LAST) or whole.count(BEAT) != 1 or whole.count(WAY) != len(submission.measurements):
        return None
    flat = *submission.elicitation.values(), *submission.provenance.values()
    return (
        whole.removesuffix(LAST).replace(BEAT, b"", 1).replace(WAY, b"") + b"}"
        if has_plain_numbers(flat) and has_plain_signs(whole)
        else None
    )


def _is_plain(item: Item) -> bool:
    numbers = item.value, item.solved, item.stderr, item.ci_low, item.ci_high, item.ci_level
    return item.direction is None and item.tasks is None and has_plain_numbers(numbers)


def is_complete(submission: Submission) -> bool:
    """Whether the run covers its plan and the plan the data: status success, every planned sample completed and scored."""
    cover = submission.coverage
    if submission.status != "success" or cover.errored or cover.unscored or cover.limit_hit or _selects(submission.provenance):
        return False
    return min(cover.known, default=cover.planned or 0) >= (cover.planned or 0)


def _selects(provenance: Mapping[str, Any]) -> bool:
    """Whether the producer says that it chose fewer samples than its dataset has: a part of an evaluation is not the whole."""
    chosen, there = (provenance.get(name) for name in ("selected_samples", "dataset_samples"))
    return isinstance(chosen, int) and isinstance(there, int) and chosen < there


def covers(submission: Submission, metric: str, n_tasks: int | None) -> bool:
    """Whether a metric has a result for every planned sample and each of `n_tasks` tasks, as far as the body says how many."""
    item, cover = submission.measurement(metric), submission.coverage
    if item is None or not item.measured:
        return False
    plan, tasks = max([cover.planned or 0, *item.samples]), n_tasks or 0
    return min(cover.known or item.samples, default=plan) >= plan and min(item.ran, default=tasks) >= tasks


def missing_samples(submission: Submission) -> int:
    """Samples of the plan without a score: read as solved for the upper bound and unsolved for the lower."""
    cover = submission.coverage
    named = cover.errored + cover.unscored + cover.limit_hit
    return max(named, (cover.planned or 0) - min(cover.known, default=cover.planned or 0))


def _fault(message: str) -> Fault:
    """msgspec says `Expected ... - at `$.measurements[0].solved``: turn the path into a JSON pointer."""
    text, _, path = message.partition(" - at `")
    path = path.removeprefix("key` in `").rstrip("`").removeprefix("$")
    pointer = path.replace("[...]", "/*").replace("[", "/").replace("]", "").replace(".", "/")
    if "missing required field" in text or "unknown field" in text:
        pointer += "/" + text.partition("field `")[2].rstrip("`").replace("~", "~0").replace("/", "~1")
    code = "required" if "missing required" in text else "unknown_field" if "unknown field" in text else "invalid"
    return Fault(pointer, code, text.replace("`", "'") + ".")


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


CHECKS: tuple[Callable[[Item], Wrong], ...] = (_numbers, _says_something, _counts, _interval, _tasks)
