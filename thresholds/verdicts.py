"""The decision rule: what one measurement says about the lines that a framework drew beforehand.

    measurement --bounds--> point, lower, upper
        against one line    --> grade    ruled out | not ruled out | likely | confirmed      a fact, free of any policy
        under its policy    --> reached  yes | no                                            a choice, made beforehand
        over all the lines  --> state    clear | watch | inconclusive | alert | critical     what people are told

A line is ruled out when even the bound nearest to it stays short of it; likely when the point reaches it; confirmed when the
bound farthest from it does. Where the best possible result could not have ruled the line out, the measurement is
inconclusive, which is never clear. A bare value rules nothing out and confirms nothing, except under the policy `point`,
which is the choice to believe it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isclose
from typing import NamedTuple

from thresholds.sequential import min_n_to_rule_out, n_to_rule_out
from thresholds.statistics import check_estimate, check_threshold, refuse
from thresholds.weighing import Bounds, Evidence, Measurement, bounds, described, shown, sources

__all__ = [
    "Bounds",
    "Decision",
    "Grade",
    "Line",
    "Measurement",
    "Policy",
    "Reading",
    "State",
    "aggregate_grades",
    "bounds",
    "decide",
    "read",
]


class Grade(StrEnum):
    """What the evidence says of one line, from the weakest to the strongest."""

    RULED_OUT = "ruled_out"
    NOT_RULED_OUT = "not_ruled_out"
    LIKELY = "likely"
    CONFIRMED = "confirmed"

    def at_least(self, other: "Grade") -> bool:
        """Whether this grade is as strong as the other."""
        return GRADES.index(self) >= GRADES.index(other)


class State(StrEnum):
    """What people are told, from the least to the most serious."""

    NO_RESULT = "no_result"
    CLEAR = "clear"
    WATCH = "watch"
    INCONCLUSIVE = "inconclusive"
    ALERT = "alert"
    CRITICAL = "critical"


class Policy(StrEnum):
    """Which grade counts as reaching a line; posterior(p) asks for the probability p instead."""

    PRECAUTIONARY = "precautionary"
    POINT = "point"
    CONFIRMED = "confirmed"
    POSTERIOR = "posterior"


GRADES, STATES = tuple(Grade), tuple(State)
ENOUGH = {Policy.PRECAUTIONARY: Grade.NOT_RULED_OUT, Policy.POINT: Grade.LIKELY, Policy.CONFIRMED: Grade.CONFIRMED}
USUAL = {"alert": Policy.PRECAUTIONARY, "critical": Policy.POINT, "rule_out": Policy.PRECAUTIONARY}
SLACK = 1e-12


@dataclass(frozen=True, slots=True)
class Line:
    """One threshold; the policy, where none is given, is precautionary, and point for a critical line."""

    kind: str  # alert | critical | rule_out
    value: float
    comparator: str = ">="  # > and < do not count equality
    policy: Policy = None  # type: ignore[assignment]  # filled from the kind below
    posterior: float | None = None  # probability, for the posterior policy
    confidence: float = 0.95  # one-sided

    def __post_init__(self) -> None:
        """Fill the usual policy and refuse, with ValueError, a line that says nothing definite."""
        if self.kind not in USUAL or self.comparator not in {">=", ">", "<=", "<"}:
            raise ValueError(f"No such line: kind {self.kind!r}, comparator {self.comparator!r}.")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}; it lies from 0.5 up to, but not at, 1.")
        object.__setattr__(self, "policy", Policy(self.policy or USUAL[self.kind]))
        if self.policy is Policy.POSTERIOR and not 0 < (self.posterior or 0) < 1:
            raise ValueError("The policy posterior needs its probability, between 0 and 1.")

    @property
    def higher(self) -> bool:
        """Whether more is beyond this line."""
        return self.comparator.startswith(">")

    def met_by(self, value: float | None) -> bool:
        """Whether a value lies beyond this line, equality told apart from rounding by a slack of 1e-12."""
        if value is None:
            return False
        if isclose(value, self.value, rel_tol=SLACK, abs_tol=SLACK):
            return self.comparator.endswith("=")
        return (value > self.value) is self.higher


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement against one line; `able` says whether the best possible result could have ruled the line out."""

    line: Line
    bounds: Bounds
    grade: Grade
    reached: bool
    able: bool
    note: str
    needed: int | None  # tasks needed at least to be able to; proportions only


@dataclass(frozen=True, slots=True)
class Decision:
    """What one measurement says over all the lines; `alert` is the more serious reading of the early-warning lines."""

    state: State
    alert: Reading | None
    critical: Reading | None
    critical_ruled_out: bool
    message: str
    readings: tuple[Reading, ...]  # all of them, in the order alert, rule-out, critical


class Aggregate(NamedTuple):
    """The grade of a level read from several evaluations, and by how much each bound's risk must be divided for it to hold."""

    grade: Grade
    alpha_upper_divisor: int
    alpha_lower_divisor: int


def aggregate_grades(grades: Sequence[Grade], k: int) -> Aggregate:
    """The k-th largest grade: 1 for any of them, all of them for n (partial conjunction, Benjamini and Heller 2008)."""
    if not 1 <= k <= len(grades):
        raise ValueError(f"k is {k}; it lies between 1 and the number of grades, {len(grades)}.")
    ranked = sorted((Grade(grade) for grade in grades), key=GRADES.index, reverse=True)
    return Aggregate(ranked[k - 1], k, len(grades) - k + 1)


def read(measurement: Measurement, line: Line) -> Reading:
    """Grade one measurement against one line and apply the line's policy; raises InvalidMeasurement where it cannot be judged."""
    _check_line(measurement, line)
    found, evidence = bounds(measurement, line.confidence), sources(measurement)
    edge = measurement.limits[line.higher]
    attainable = edge is None or line.met_by(edge)
    believed = not evidence and line.policy is Policy.POINT and found.point is not None and not measurement.errored
    grade = _grade(found, line, attainable=attainable, believed=believed)
    return Reading(
        line=line,
        bounds=found,
        grade=grade,
        reached=found.point is not None and _reached(grade, line, evidence),
        able=attainable and (believed or _able(line, evidence)),
        note=_note(measurement, found, line, attainable=attainable, believed=believed),
        needed=min_n_to_rule_out(_rate(line), 1 - line.confidence) if measurement.unit == "proportion" else None,
    )


def decide(
    measurement: Measurement,
    alert: Line | None,
    critical: Line | None,
    rule_out: Line | None = None,
    *,
    forecast_crosses: bool = False,
) -> Decision:
    """The state that one measurement gives; a rule-out line warns early like an alert line. Raises ValueError without any line."""
    readings = tuple(read(measurement, line) for line in (alert, rule_out, critical) if line is not None)
    if not readings:
        raise ValueError("There is nothing to decide: give at least one of the alert, critical and rule-out lines.")
    standings = [(_standing(reading, alone=len(readings) == 1), reading) for reading in readings]
    ranked = sorted(standings, key=lambda standing: STATES.index(standing[0]), reverse=True)
    state, leading = ranked[0]
    crossing = state is State.CLEAR and forecast_crosses
    gates = [reading for reading in readings if reading.line.kind != "alert"]
    return Decision(
        state=State.WATCH if crossing else state,
        alert=next((reading for _, reading in ranked if reading.line.kind != "critical"), None),
        critical=next((reading for reading in readings if reading.line.kind == "critical"), None),
        critical_ruled_out=bool(gates) and all(reading.grade is Grade.RULED_OUT and not reading.reached for reading in gates),
        message=_message(measurement, state, leading, crossing=crossing),
        readings=readings,
    )


def _standing(reading: Reading, *, alone: bool) -> State:
    """The state that one line gives by itself; inconclusive is for the critical line to say only where it stands alone."""
    early = reading.line.kind != "critical"
    if reading.reached and not early:
        return State.CRITICAL
    if reading.grade is Grade.NOT_RULED_OUT and not reading.able and (early or alone):
        return State.INCONCLUSIVE
    if reading.reached:
        return State.ALERT
    return State.CLEAR if reading.grade is Grade.RULED_OUT else State.WATCH


def _grade(found: Bounds, line: Line, *, attainable: bool, believed: bool) -> Grade:
    """Compare the far bound, the point and the near bound with the line, in this order."""
    weak, strong = (found.lower, found.upper) if line.higher else (found.upper, found.lower)
    if line.met_by(weak) or (believed and line.met_by(found.point)):
        return Grade.CONFIRMED
    if line.met_by(found.point):
        return Grade.LIKELY
    short = believed or (strong is not None and not line.met_by(strong))
    return Grade.RULED_OUT if short and attainable else Grade.NOT_RULED_OUT


def _able(line: Line, evidence: Evidence) -> bool:
    """Whether the best possible result of this size, the errored still counted against it, would have ruled the line out."""
    best = [source.best(1 - line.confidence) for source in evidence]
    nearest = [interval.upper if line.higher else interval.lower for interval in best]
    known = [bound for bound in nearest if bound is not None]
    return bool(known) and not any(map(line.met_by, known))


def _reached(grade: Grade, line: Line, evidence: Evidence) -> bool:
    """Apply the policy; posterior(p), where no probability is known, falls back on the nearest of the others that is no laxer."""
    if line.policy is not Policy.POSTERIOR or line.posterior is None:
        return grade.at_least(ENOUGH[line.policy])
    known = [source.probability(line.value, higher=line.higher) for source in evidence]
    probabilities = [probability for probability in known if probability is not None]
    if probabilities:
        return max(probabilities) >= line.posterior - SLACK
    fallback = Policy.PRECAUTIONARY if line.posterior < 0.5 else Policy.POINT if line.posterior < 0.95 else Policy.CONFIRMED
    return grade.at_least(ENOUGH[fallback])


def _check_line(measurement: Measurement, line: Line) -> None:
    against = line.higher is not (measurement.direction == "higher")
    message = f"the line says {line.comparator}, but its evaluation is more capable when {measurement.direction}."
    refuse((against, "comparator_against_direction", message))
    if measurement.unit == "proportion":
        check_threshold(line.value)
    check_estimate(line.value, None, None, "log" if measurement.log else "linear")


def _rate(line: Line) -> float:
    """A line on a proportion as a rate of what counts towards it: solving, or failing where lower is more capable."""
    return line.value if line.higher else 1 - line.value


def _note(measurement: Measurement, found: Bounds, line: Line, *, attainable: bool, believed: bool) -> str:
    """What a reader must know to weigh the reading; empty where it is the plain rule."""
    errored, bare = f"the errored samples ({measurement.errored})", found.point is not None and not found.uncertainty
    near = found.upper if line.higher else found.lower
    remarks = (
        (not attainable, "the line lies beyond what this evaluation can score, so it cannot rule it out"),
        (believed, "no uncertainty came with the value, which the policy point judges as it stands"),
        (bare and not believed, "no usable uncertainty came with the value, so the line can be likely or not ruled out only"),
        (found.uncertainty and near is None, "nothing is known of the uncertainty on the side of the line"),
        (measurement.errored and found.uncertainty, f"{errored} count as solved in the upper bound and as unsolved in the lower"),
        (measurement.errored and bare, f"what {errored} would have scored is unknown"),
    )
    return "; ".join(words for holds, words in remarks if holds)


def _message(measurement: Measurement, state: State, reading: Reading, *, crossing: bool) -> str:
    """One sentence: the numbers, what they say of the line that decided, and what would settle it."""
    line, grade = reading.line, reading.grade.replace("_", " ")
    name = f"the {line.kind.replace('_', '-')} line ({line.comparator} {shown(line.value, measurement.unit)})"
    policy = line.policy if line.posterior is None else f"posterior({line.posterior:g})"
    verdict = {
        State.INCONCLUSIVE: f"{name} is not ruled out, and the best possible result of this kind could not have ruled it out",
        State.WATCH: f"{name} is not reached under the policy {policy}, but {grade}",
        State.CLEAR: f"{name} is ruled out under the policy {policy}",
    }.get(state, f"{name} is reached under the policy {policy} ({grade})")
    forecast = "the forecast crosses it inside the lead time" if crossing else ""
    needs = _needs(measurement, reading) if state is State.INCONCLUSIVE else ""
    said = "; ".join(filter(None, (verdict, forecast, reading.note, needs)))
    return f"{described(measurement, reading.bounds, line.confidence)}: {said}."


def _needs(measurement: Measurement, reading: Reading) -> str:
    """What would settle an inconclusive reading: the errored samples again, and enough tasks."""
    wanted = ["re-run the errored samples"] if measurement.errored else []
    if reading.needed is not None:
        rate = _rate(reading.line)
        likely, _ = n_to_rule_out(rate, rate / 2, power=0.8, alpha=1 - reading.line.confidence)
        half = "the true rate is half the line" if reading.line.higher else "the true failure rate is half the line's"
        wanted.append(f"with nothing missing it takes at least {reading.needed} tasks, and {likely} for 80 % power if {half}")
    elif not measurement.errored and not reading.bounds.uncertainty:
        wanted.append("post the counts, a standard error or an interval")
    return "; ".join(wanted)
