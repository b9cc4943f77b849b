"""What looks at one checkpoint by one evaluation version add up to, as seen from one line, so that one more look costs as much as
the first. Plain Python; `pooling` judges a tally. A look is the measurement of one run."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from math import floor, log
from statistics import NormalDist
from typing import Any, Self

from thresholds.lines import Line
from thresholds.weighing import Measurement, bounds

TaskMeans = Mapping[str, tuple[float, int]]  # by task id: its outcome, the unknown as solved, and its attempts


@dataclass(frozen=True, slots=True)
class Look:
    """One run: its measurement, and where it was posted by task, the outcome of each as seen from the line."""

    measurement: Measurement
    tasks: TaskMeans | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Tally:
    """What some looks add up to."""

    looks: int
    unit: str
    log: bool  # values add up by their logarithm
    related: bool  # tasks of one family were declared to repeat each other
    counted: bool  # every look is made of counted tasks
    attempts: int
    against: float  # what counts towards the line, the missing with it
    tasks: int  # as many independent ones as the largest look is worth
    named: dict[str, tuple[float, int]] | None  # by task the sum of its outcomes and its attempts; None where a look names none
    valued: int  # looks that have a value
    total: float  # of their values
    widest: float | None  # of their deviations on the side of the line; None where one is unknown

    @classmethod
    def of(cls, look: Look, line: Line, times: int = 1) -> Self:
        """What one look adds, or so many that say the same."""
        measured = look.measurement
        attempts, against, tasks = _counts(measured, line)
        return cls(
            looks=times,
            unit=measured.unit,
            log=measured.log,
            related=bool(measured.icc_family),
            counted=measured.counted,
            attempts=times * attempts,
            against=times * against,
            tasks=tasks,
            named=None if look.tasks is None else {name: (times * mean * n, times * n) for name, (mean, n) in look.tasks.items()},
            valued=times if measured.value is not None else 0,
            total=times * _value(measured),
            widest=_deviation(measured, line) if measured.value is not None else None,
        )

    def plus(self, other: Self) -> Self:
        """Both together; the order makes no difference beyond rounding."""
        return replace(
            self,
            looks=self.looks + other.looks,
            related=self.related or other.related,
            counted=self.counted and other.counted,
            attempts=self.attempts + other.attempts,
            against=self.against + other.against,
            tasks=max(self.tasks, other.tasks),
            named=None if self.named is None or other.named is None else _merged(self.named, other.named),
            valued=self.valued + other.valued,
            total=self.total + other.total,
            widest=None if self.widest is None or other.widest is None else max(self.widest, other.widest),
        )


@dataclass(frozen=True, slots=True)
class Looks:
    """Every look; of them those that are complete or reach the line; and of these the complete ones. None where there are none."""

    every: Tally | None = None
    against: Tally | None = None
    whole: Tally | None = None

    def plus(self, look: Look, line: Line, times: int = 1) -> "Looks":
        """One look more, or so many that say the same."""
        one = Tally.of(look, line, times)
        counts = look.complete or line.met_by(bounds(look.measurement).point)
        return Looks(
            _plus(self.every, one), _plus(self.against, one if counts else None), _plus(self.whole, one if look.complete else None)
        )

    def unnamed(self) -> "Looks":
        """The same where it cannot be told which tasks are which."""
        return Looks(*(None if each is None else replace(each, named=None) for each in (self.every, self.against, self.whole)))

    def as_json(self) -> dict[str, Any]:
        """As plain JSON; what is the same as the one before it is left out."""
        told, before = {}, -1
        for name, each in (("every", self.every), ("against", self.against), ("whole", self.whole)):
            looks = 0 if each is None else each.looks
            if looks != before:
                told[name] = None if each is None else asdict(each)
            before = looks
        return told

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "Looks":
        """Read back."""
        every = _tally(told["every"])
        against = _tally(told["against"]) if "against" in told else every
        return cls(every, against, _tally(told["whole"]) if "whole" in told else against)


def _tally(told: Mapping[str, Any] | None) -> Tally | None:
    if told is None:
        return None
    named = told["named"]
    return Tally(**{**told, "named": None if named is None else {name: (each[0], each[1]) for name, each in named.items()}})


def gathered(looks: Iterable[Look], line: Line) -> Looks:
    """All looks together."""
    found = Looks()
    for look in looks:
        found = found.plus(look, line)
    return found


def _plus(one: Tally | None, other: Tally | None) -> Tally | None:
    return other if one is None else one if other is None else one.plus(other)


def _merged(one: Mapping[str, tuple[float, int]], other: Mapping[str, tuple[float, int]]) -> dict[str, tuple[float, int]]:
    found = dict(one)
    for name, (solved, n) in other.items():
        known = found.get(name, (0.0, 0))
        found[name] = known[0] + solved, known[1] + n
    return found


def _counts(measurement: Measurement, line: Line) -> tuple[int, float, int]:
    """Attempts, what counts towards the line, and whole tasks; nothing where no tasks were counted."""
    if not measurement.counted:
        return 0, 0.0, 0
    return measurement.attempts or 0, _against(measurement, line), _independent(measurement)


def _independent(measurement: Measurement) -> int:
    """Whole tasks that a run is worth: the distinct ones, fewer where tasks of one family were declared to repeat each other."""
    distinct = round((measurement.attempts or 0) / measurement.per_task)
    worth = bounds(measurement).n_eff if measurement.icc_family else None
    return max(1, distinct if worth is None else min(distinct, floor(worth)))


def _value(measurement: Measurement) -> float:
    """The value as it adds up; nothing where there is none."""
    if measurement.value is None:
        return 0.0
    return log(measurement.value) if measurement.log else measurement.value


def _against(measurement: Measurement, line: Line) -> float:
    """What counts towards the line, the missing with it: solved, or failed where lower is more capable."""
    tallied = measurement.tallied or 0
    return tallied + measurement.errored if line.higher else (measurement.attempts or 0) - tallied


def _deviation(measurement: Measurement, line: Line) -> float | None:
    """The standard deviation on the side of the line, read back from the bound; None where nothing is known of it."""
    found = bounds(measurement, line.confidence)
    near = line.ends(found)[1]
    if near is None or found.point is None:
        return None
    distance = log(near) - log(found.point) if measurement.log else near - found.point
    return abs(distance) / NormalDist().inv_cdf(line.confidence)
