"""What came with one result: checked for contradictions, weighed as evidence, bounded, and said in words.

Counts decide alone, for the units that are made of them. Otherwise everything that came with the value is heard and the
widest bound wins. Where nothing can vouch for what is missing (errored samples beside a published interval), the value is
left bare.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from thresholds.statistics import (
    Estimate,
    Tasks,
    check_attempts,
    check_counts,
    check_estimate,
    check_not_negative,
    check_score,
    check_whole,
    effective_n,
    refuse,
)

Evidence = Sequence[Tasks | Estimate]
SUFFIXES = {"proportion": " %", "count": "", "minutes": " min", "ratio": "x", "points": ""}
NEGLIGIBLE = 1e-9  # a standard error below this share of the range says as little as 0
ROUNDING = 0.01  # how far a printed value may lie from its counts, as a share of the range


@dataclass(frozen=True, slots=True)
class Measurement:
    """One result with the uncertainty it came with, and what its evaluation declared beforehand."""

    unit: str  # proportion | count | minutes | ratio | points
    direction: str = "higher"  # which way is more capable: higher | lower
    scale: str = "linear"  # log for minutes and ratios that are declared so
    value: float | None = None
    solved: float | None = None  # may be an average over runs
    total: int | None = None  # samples, the errored included
    errored: int = 0  # errored, refused, unscored, cut off by a limit: whatever was not measured
    solved_per_task: tuple[int, ...] | None = None  # each of `epochs` attempts
    epochs: int = 1
    stderr: float | None = None
    n_tasks: int | None = None  # distinct tasks
    ci_low: float | None = None
    ci_high: float | None = None
    ci_level: float = 0.95  # two-sided
    icc_task: float = 1.0
    icc_family: float = 0.0
    family_sizes: tuple[int, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def counted(self) -> bool:
        """Whether it came with counts, in a unit that is made of them."""
        known = self.solved_per_task is not None or (self.solved is not None and self.attempts is not None)
        return known and self.unit in {"proportion", "count"}

    @property
    def tallied(self) -> float:
        """Successes among all attempts."""
        return (self.solved or 0) if self.solved_per_task is None else sum(self.solved_per_task)

    @property
    def attempts(self) -> int | None:
        """Samples, the errored included; the number of tasks where no more is known."""
        if self.solved_per_task is not None:
            return len(self.solved_per_task) * self.epochs
        return self.n_tasks if self.total is None else self.total

    @property
    def per_task(self) -> float:
        """Attempts at each distinct task."""
        if self.solved_per_task is None and self.n_tasks:
            return max(1.0, (self.attempts or 0) / self.n_tasks)
        return self.epochs

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """The lowest and the highest score there can be."""
        if self.unit == "proportion":
            return 0.0, 1.0
        if self.unit == "count" and self.attempts is not None and (self.counted or self.maximum is None):
            return 0.0, float(self.attempts if self.solved_per_task is None else len(self.solved_per_task))
        return self.minimum, self.maximum

    @property
    def log(self) -> bool:
        """Whether it is compared by its logarithm."""
        return self.scale == "log" and self.unit in {"minutes", "ratio"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Point and one-sided bounds in the unit of the result, and the tasks they rest on; without uncertainty a bare value."""

    point: float | None
    lower: float | None
    upper: float | None
    n_eff: float | None
    uncertainty: bool


def bounds(measurement: Measurement, confidence: float = 0.95, alpha_divisor: float = 1) -> Bounds:
    """Point and one-sided bounds of a measurement; raises InvalidMeasurement where it contradicts itself."""
    validate(measurement)
    evidence = sources(measurement)
    intervals = [source.interval((1 - confidence) / alpha_divisor) for source in evidence]
    lowers = [found.lower for found in intervals if found.lower is not None]
    uppers = [found.upper for found in intervals if found.upper is not None]
    lowest, highest = measurement.limits
    return Bounds(
        point=evidence[0].point if measurement.counted else measurement.value,
        lower=max(min(lowers), -inf if lowest is None else lowest) if lowers else None,
        upper=min(max(uppers), inf if highest is None else highest) if uppers else None,
        n_eff=min((source.n for source in evidence if isinstance(source, Tasks)), default=None),
        uncertainty=bool(lowers or uppers),
    )


def sources(measurement: Measurement) -> Evidence:
    """Every source of uncertainty that came with a valid measurement, weighed; none for a bare value."""
    if measurement.counted:
        tasks = Tasks.of_attempts(measurement.tallied, measurement.errored, measurement.attempts or 0, _effective(measurement))
        return (replace(tasks, high=measurement.limits[1] or 0.0),)
    if measurement.value is None:
        return ()
    estimate, tasks_ = _estimate(measurement, measurement.value), _summary(measurement, measurement.value)
    if measurement.errored and (estimate is not None or tasks_ is None):
        return ()
    return tuple(source for source in (estimate, tasks_) if source is not None)


def _effective(measurement: Measurement) -> float:
    return effective_n(
        measurement.attempts or 0,
        per_task=measurement.per_task,
        icc_task=measurement.icc_task,
        icc_family=measurement.icc_family,
        family_sizes=measurement.family_sizes or (),
    )


def _summary(measurement: Measurement, value: float) -> Tasks | None:
    """A mean score of bounded tasks, from the number of tasks and the standard error, whichever is known."""
    low, high = measurement.limits
    if low is None or high is None or low >= high or measurement.unit not in {"proportion", "count", "points"}:
        return None
    attempts, span = measurement.attempts, high - low
    stderr = (measurement.stderr or 0) / span
    stderr = stderr if stderr > NEGLIGIBLE else 0.0
    if attempts is None and (measurement.errored or not stderr):
        return None
    n = inf if attempts is None else _effective(measurement)
    missing = min(1.0, measurement.errored / attempts) if attempts else 0.0
    return replace(Tasks.of_summary((value - low) / span, n, stderr, missing=missing), low=low, high=high)


def _estimate(measurement: Measurement, value: float) -> Estimate | None:
    """A published interval, or a standard error where scores have no limits."""
    low, high = measurement.ci_low, measurement.ci_high
    if low is not None or high is not None:
        found = Estimate.of_interval(value, low, high, level=measurement.ci_level, log=measurement.log)
    elif measurement.stderr and _summary(measurement, value) is None:
        found = Estimate.of_stderr(value, measurement.stderr, measurement.n_tasks, log=measurement.log)
    else:
        return None
    return None if found.below is None and found.above is None else found


def validate(measurement: Measurement) -> None:
    """Raise InvalidMeasurement, with a code, for whatever contradicts itself or its evaluation's declarations."""
    _check_declarations(measurement)
    _check_counts(measurement)
    if measurement.stderr is not None:
        check_not_negative(stderr=measurement.stderr)
    if measurement.value is not None:
        low, high = measurement.ci_low, measurement.ci_high
        check_estimate(measurement.value, low, high, "log" if measurement.log else "linear")
        check_score(measurement.value, *measurement.limits)
        _check_agreement(measurement, measurement.value)


def _check_declarations(measurement: Measurement) -> None:
    m = measurement
    correlations = 0 <= m.icc_task <= 1 and 0 <= m.icc_family <= 1
    ranged = m.minimum is None or m.maximum is None or m.minimum < m.maximum
    refuse(
        (m.unit not in SUFFIXES, "unknown_unit", f"the unit {m.unit!r} is none of {', '.join(SUFFIXES)}."),
        (m.direction not in {"higher", "lower"}, "unknown_direction", f"the direction is higher or lower, not {m.direction!r}."),
        (m.scale not in {"linear", "log"}, "unknown_scale", f"the scale is linear or log, not {m.scale!r}."),
        (not correlations, "icc_outside_unit_interval", "icc_task and icc_family lie between 0 and 1."),
        (m.icc_family > 0 and not m.family_sizes, "family_sizes_missing", "icc_family is declared, but no family sizes are known."),
        (not 0 < m.ci_level < 1, "level_outside_open_unit_interval", f"ci_level lies between 0 and 1, not at {m.ci_level}."),
        (not ranged, "range_out_of_order", f"the evaluation's range runs from {m.minimum} to {m.maximum}."),
    )


def _check_counts(measurement: Measurement) -> None:
    m = measurement
    check_whole(
        **{name: given for name, given in (("errored", m.errored), ("n_tasks", m.n_tasks), ("total", m.total)) if given is not None}
    )
    refuse((m.solved is not None and m.attempts is None, "total_missing", "solved came without a total; say of how many."))
    if m.solved_per_task is not None:
        check_attempts(m.solved_per_task, m.epochs)
    if m.attempts is not None:
        check_counts(m.tallied, m.attempts, m.errored)


def _check_agreement(measurement: Measurement, value: float) -> None:
    """A printed value may count the errored as unsolved or leave them out, and may be rounded; no more."""
    if not measurement.counted or not measurement.attempts:
        return
    low, high = measurement.limits
    span, completed = (high or 0.0) - (low or 0.0), measurement.attempts - measurement.errored
    shares = [measurement.tallied / whole for whole in (measurement.attempts, completed) if whole]
    agrees = any(abs(value - share * span) <= ROUNDING * span for share in shares)
    message = f"the value {value:g} is not what {measurement.tallied:g} of {measurement.attempts} solved gives; post the one that is meant."
    refuse((not agrees, "value_disagrees_with_counts", message))


def shown(value: float | None, unit: str) -> str:
    """A number with its unit, four digits."""
    if value is None:
        return "unknown"
    scaled = 100 * value if unit == "proportion" else value
    return f"{scaled:.0f}{SUFFIXES[unit]}" if abs(scaled) >= 10_000 else f"{scaled:.4g}{SUFFIXES[unit]}"


def described(measurement: Measurement, found: Bounds, confidence: float) -> str:
    """What was measured, of how many, and how far it is bounded, in words."""
    unit = measurement.unit
    errored = f", {measurement.errored} errored" if measurement.errored else ""
    point, tasks = shown(found.point, unit), f" on {measurement.attempts} tasks" if measurement.attempts else ""
    span = f"one-sided {100 * confidence:g} % bounds {shown(found.lower, unit)} to {shown(found.upper, unit)}"
    if measurement.counted:
        noun = "tasks" if measurement.per_task <= 1 else f"attempts at {(measurement.attempts or 0) / measurement.per_task:g} tasks"
        return f"{measurement.tallied:g} of {measurement.attempts} {noun} solved{errored} ({point}, {span})"
    if measurement.value is None:
        return f"Nothing was scored{errored}"
    return f"{point}{tasks}{errored} ({span if found.uncertainty else 'no usable uncertainty given'})"
