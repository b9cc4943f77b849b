"""The shape of what a pipeline may post about one run, and what may be said to be wrong with it. Plain Python."""

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2_000_000_000)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Scalar = str | Whole | float | bool | None
Flat = dict[Annotated[str, msgspec.Meta(max_length=80)], Scalar | list[Scalar]]
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
