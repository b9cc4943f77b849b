"""The shape of a framework file. Plain Python; what must hold in it beyond its shape stands in `soundness`."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec

SLUG = "^[a-z0-9][a-z0-9.-]*$"
TASK = "^[A-Za-z0-9][A-Za-z0-9_.-]*$"  # evaluations are named as the harnesses name their tasks
Slug = Annotated[str, msgspec.Meta(pattern=SLUG, max_length=60)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Words = Annotated[str, msgspec.Meta(min_length=1)]
Version = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=20)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Days = Annotated[int, msgspec.Meta(ge=0, le=36500)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Inside = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Confidence = Annotated[float, msgspec.Meta(ge=0.5, lt=1)]


class Fault(NamedTuple):
    """What is wrong: where it stands (`levels[0].thresholds[1].value`), whose it is, and why."""

    path: str
    whose: str
    why: str

    def __str__(self) -> str:
        return f"{self.whose}: {self.why}" if self.whose else self.why


class InvalidFramework(ValueError):
    """A framework file that cannot be loaded; the text names the file, the line and the reason of every fault, one a line.

    `faults` holds each with its line, counted from 1, or None where there is no telling.
    """

    def __init__(self, name: str, faults: Sequence[tuple[int | None, Fault]]) -> None:
        super().__init__("\n".join(f"{name}:{line}: {fault}" if line else f"{name}: {fault}" for line, fault in faults))
        self.name, self.faults = name, list(faults)


class CadenceEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One rule for when the evaluations are due again; `multiple` is a factor of effective compute, no rule is for all levels."""

    trigger: Literal["effective_compute", "post_training", "calendar", "before_external", "before_high_risk_internal", "capability_jump"]
    multiple: Annotated[float, msgspec.Meta(gt=1)] | None = None
    months: Annotated[float, msgspec.Meta(gt=0)] | None = None
    days: Count | None = None
    levels: list[Slug] = []
    illustrative: bool = False
    reason: str = ""
    source: str = ""


class About(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which framework this is, whose models it governs, from when, and why this version was made."""

    slug: Slug
    version: Version
    developer: Name
    title: Title
    effective_from: dt.date
    source: Words
    supersedes: Annotated[str, msgspec.Meta(pattern="^([A-Za-z0-9][A-Za-z0-9._-]*)?$", max_length=20)] = ""
    reason: str = ""
    summary: str = ""
    retest_days: Count = 180
    cadence: list[CadenceEntry] = []
    unpublished: list[Words] = []
    notes: list[str] = []
    plan_note: str = ""


class DomainEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A kind of harm."""

    slug: Slug
    name: Name


class TaskRule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What the attempts at one task make of it; `k` attempts for pass_at_k, a share `above` for success_rate."""

    rule: Literal["mean", "any", "all", "pass_at_k", "success_rate", "above_baseline"] = "mean"
    k: Count | None = None
    above: Annotated[float, msgspec.Meta(ge=0, lt=1)] | None = None


class ExclusionEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A task set aside before any result, with its reason; what is set aside later counts as unknown."""

    task: Words
    treatment: Literal["excluded", "assumed_solved"]
    reason: Words


class RubricEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What one grade of an expert determination means."""

    grade: Literal["ruled_out", "not_ruled_out", "likely", "confirmed"]
    says: Words


class EvaluationEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One version of an evaluation; the fields of evals.models.Evaluation."""

    slug: Annotated[str, msgspec.Meta(pattern=TASK, max_length=100)]
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=30)]
    name: Title
    unit: Literal["proportion", "count", "minutes", "ratio", "points", "grade"]
    direction: Literal["higher", "lower"]
    kind: Literal["tasks", "expert"] = "tasks"
    metric: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] = "solved"
    scale: Literal["linear", "log"] = "linear"
    minimum: float | None = None
    maximum: float | None = None
    n_tasks: Count | None = None
    population: Literal["wider", "suite"] = "wider"
    icc_task: Share = 1.0
    icc_family: Share = 0.0
    task_rule: TaskRule = msgspec.field(default_factory=TaskRule)
    exclusions: list[ExclusionEntry] = []
    refusals: Literal["missing", "failed"] = "missing"
    looks: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    comparability: Annotated[str, msgspec.Meta(max_length=40)] = ""
    rubric: list[RubricEntry] = []
    description: str = ""
    source: str = ""


class LineEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One line; the fields of thresholds.models.Threshold, the evaluation as `slug@version`."""

    kind: Literal["alert", "critical", "rule_out"]
    evaluation: Words
    value: float
    policy: Literal["precautionary", "point", "confirmed", "posterior"]
    comparator: Literal[">=", ">", "<=", "<"] = ">="
    rule: Literal["share", "all"] = "share"
    margin: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    posterior: Inside | None = None
    confidence: Confidence = 0.95
    required: bool = True
    alternative: Annotated[str, msgspec.Meta(max_length=40)] = ""
    illustrative: bool = False
    reason: str = ""
    source: str = ""


class MeasureEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One measure of the checklist agreed for a level."""

    slug: Annotated[str, msgspec.Meta(pattern=SLUG, max_length=80)]
    what: Title
    kind: Literal["security", "deployment", "monitoring", "alignment", "access", "research", "assessment"]
    why: Words
    evidence: Words
    days: Days
    applies_to: Literal["alert", "critical"] = "alert"


class CombineRule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How many of a level's evaluations must reach their line: any, all, or `k` of them."""

    rule: Literal["any", "all", "k_of_n"] = "any"
    k: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None


class LevelEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One capability level with its lines and its checklist."""

    slug: Slug
    domain: Slug
    name: Name
    kind: Literal["tracked", "critical", "high", "tier"]
    definition: Words
    exploratory: bool = False
    security: Annotated[str, msgspec.Meta(max_length=80)] = ""
    source: str = ""
    stages: Annotated[list[Literal["internal", "external"]], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["internal", "external"]
    )
    combine: CombineRule = msgspec.field(default_factory=CombineRule)
    lead_days: Days | None = None
    thresholds: list[LineEntry] = []
    checklist: list[MeasureEntry] = []

    @property
    def lead(self) -> int:
        """Days that the plan needs after a warning: `lead_days`, or its longest measure."""
        return self.lead_days if self.lead_days is not None else max((measure.days for measure in self.checklist), default=0)


class FrameworkFile(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A whole framework version."""

    framework: About
    domains: list[DomainEntry]
    levels: Annotated[list[LevelEntry], msgspec.Meta(min_length=1)]
    evaluations: list[EvaluationEntry] = []


# Looked through here, once: msgspec 0.22 ends the process where two threads are the first to read a shape at the same time.
SHAPES = msgspec.json.Decoder(FrameworkFile)
