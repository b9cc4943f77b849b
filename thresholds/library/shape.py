"""The shape of a framework file and what must hold in it beyond its shape. Plain Python."""

import datetime as dt
from collections.abc import Iterator
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec

Slug = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9.-]*$", max_length=100)]
Words = Annotated[str, msgspec.Meta(min_length=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Inside = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Confidence = Annotated[float, msgspec.Meta(ge=0.5, lt=1)]


class InvalidFramework(ValueError):
    """A framework file that cannot be loaded; the text names the file, the place and the reason."""


class About(msgspec.Struct, forbid_unknown_fields=True):
    """Which framework this is, whose models it governs and from when."""

    slug: Slug
    version: Words
    developer: Words
    title: Words
    effective_from: dt.date
    source: Words
    summary: str = ""
    retest_days: Annotated[int, msgspec.Meta(ge=1)] = 180
    notes: list[str] = []
    plan_note: str = ""


class DomainEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A kind of harm."""

    slug: Slug
    name: Words


class EvaluationEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One version of an evaluation; the fields of evals.models.Evaluation."""

    slug: Slug
    version: Words
    name: Words
    unit: Literal["proportion", "count", "minutes", "ratio", "points"]
    direction: Literal["higher", "lower"]
    metric: Words = "solved"
    scale: Literal["linear", "log"] = "linear"
    minimum: float | None = None
    maximum: float | None = None
    n_tasks: Annotated[int, msgspec.Meta(ge=1)] | None = None
    population: Literal["wider", "suite"] = "wider"
    icc_task: Share = 1.0
    icc_family: Share = 0.0
    description: str = ""
    source: str = ""


class LineEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One line; the fields of thresholds.models.Threshold, the evaluation as `slug@version`."""

    kind: Literal["alert", "critical", "rule_out"]
    evaluation: Words
    value: float
    policy: Literal["precautionary", "point", "confirmed", "posterior"]
    comparator: Literal[">=", ">", "<=", "<"] = ">="
    posterior: Inside | None = None
    confidence: Confidence = 0.95
    required: bool = True
    alternative: str = ""
    illustrative: bool = False
    reason: str = ""
    source: str = ""


class MeasureEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One measure of the checklist agreed for a level."""

    slug: Slug
    what: Words
    kind: Literal["security", "deployment", "monitoring", "alignment", "access", "research", "assessment"]
    why: Words
    evidence: Words
    days: Annotated[int, msgspec.Meta(ge=0)]
    applies_to: Literal["alert", "critical"] = "alert"


class LevelEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One capability level with its lines and its checklist."""

    slug: Slug
    domain: Slug
    name: Words
    kind: Literal["tracked", "critical", "high", "tier"]
    definition: Words
    exploratory: bool = False
    security: str = ""
    source: str = ""
    stages: Annotated[list[Literal["internal", "external"]], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["internal", "external"]
    )
    thresholds: list[LineEntry] = []
    checklist: list[MeasureEntry] = []


class FrameworkFile(msgspec.Struct, forbid_unknown_fields=True):
    """A whole framework version."""

    framework: About
    domains: list[DomainEntry]
    levels: Annotated[list[LevelEntry], msgspec.Meta(min_length=1)]
    evaluations: list[EvaluationEntry] = []


def check(content: FrameworkFile) -> list[str]:
    """Everything that is wrong beyond the shape, as sentences that name the level and the line."""
    domains = {domain.slug for domain in content.domains}
    evaluations = {f"{entry.slug}@{entry.version}": entry for entry in content.evaluations}
    faults = [*_repeated("level", content.levels), *_repeated("domain", content.domains)]
    faults += [f"evaluation {entry.slug}@{entry.version}: {text}" for entry in content.evaluations for text in _evaluation(entry)]
    if len(evaluations) < len(content.evaluations):
        faults.append("a version of an evaluation stands twice under evaluations")
    for level in content.levels:
        faults += [f"level {level.slug}: {text}" for text in _level(level, domains, evaluations)]
    return faults


def _evaluation(entry: EvaluationEntry) -> Iterator[str]:
    low, high = entry.minimum, entry.maximum
    if not all(isfinite(end) for end in (low, high) if end is not None):
        yield "its range is not finite; leave out an end that has no limit"
    elif low is not None and high is not None and low >= high:
        yield f"its range runs from {low:g} to {high:g}"


def _level(level: LevelEntry, domains: set[str], evaluations: dict[str, EvaluationEntry]) -> Iterator[str]:
    if level.domain not in domains:
        yield f"the domain '{level.domain}' is not listed under domains"
    if level.thresholds and not level.checklist:
        yield "has lines but no checklist; agree the measures before a crossing"
    yield from _repeated("measure", level.checklist)
    yield from _order(level, evaluations)
    if len({(line.evaluation, line.kind) for line in level.thresholds}) < len(level.thresholds):
        yield "has two lines of one kind on one evaluation"
    for line in level.thresholds:
        yield from (f"{line.kind} line: {text}" for text in _line(line, evaluations.get(line.evaluation)))


def _repeated(what: str, entries: list[Any]) -> Iterator[str]:
    seen: set[str] = set()
    for entry in entries:
        if entry.slug in seen:
            yield f"{what} '{entry.slug}' stands twice"
        seen.add(entry.slug)


def _line(line: LineEntry, evaluation: EvaluationEntry | None) -> Iterator[str]:
    if evaluation is None:
        yield f"the evaluation '{line.evaluation}' is not listed under evaluations"
        return
    if line.comparator.startswith(">") != (evaluation.direction == "higher"):
        yield f"'{line.comparator}' contradicts the evaluation's direction ({evaluation.direction} is more capable)"
    yield from _value(line.value, evaluation)
    if (line.policy == "posterior") != (line.posterior is not None):
        yield "the posterior policy, and only it, needs the key posterior (a probability)"
    if line.illustrative and not line.reason:
        yield "an illustrative line needs its reason"
    if not line.illustrative and not line.source:
        yield "a line that is not illustrative needs its source"


def _value(value: float, evaluation: EvaluationEntry) -> Iterator[str]:
    if not isfinite(value):
        yield "a line lies at a finite number"
    if evaluation.unit == "proportion" and not 0 < value < 1:
        yield f"a proportion's line must lie strictly between 0 and 1, not at {value:g}"
    if evaluation.scale == "log" and value <= 0:
        yield f"a line on a log scale must be positive, not {value:g}"


def _order(level: LevelEntry, evaluations: dict[str, EvaluationEntry]) -> Iterator[str]:
    """On one evaluation the critical line may not lie on the harmless side of the alert line."""
    by_kind = {(line.evaluation, line.kind): line.value for line in level.thresholds}
    for (evaluation, kind), value in by_kind.items():
        alert = by_kind.get((evaluation, "alert"))
        if kind != "critical" or alert is None or evaluation not in evaluations:
            continue
        sign = 1 if evaluations[evaluation].direction == "higher" else -1
        if sign * value < sign * alert:
            yield f"the critical line ({value:g}) lies below the alert line ({alert:g}) on {evaluation}"
