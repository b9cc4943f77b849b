"""Where the marks of a bullet lie: a score, its interval and the lines on one small scale."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

WIDTH = 140.0
_MARKS = ("point", "lower", "upper", "alert", "critical")
_PADDING = 1.25
_SMALLEST = 1e-9  # below it a ratio says nothing, and a logarithm soon overflows


@dataclass(frozen=True, slots=True)
class Scale:
    """The stretch of values a bullet shows; `log` spaces them by ratio."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """The x of a value, from 0 to WIDTH; values outside are drawn at the edge."""
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)


@dataclass(frozen=True, slots=True)
class Bullet:
    """The x of every mark, from 0 to WIDTH; None where there is nothing to draw."""

    point: float | None
    start: float | None
    length: float | None
    alert: float | None
    critical: float | None


def scale_for(values: list[float], *, minimum: float | None, maximum: float | None, log: bool) -> Scale:
    """The scale that shows every value: the valid range where both its ends are known, else one that leaves room beyond the values."""
    positive = [value for value in values if value > _SMALLEST]
    if log and positive:
        return Scale(min(positive) / (2 * _PADDING), max(positive) * _PADDING, log=True)
    low = minimum if minimum is not None else min([0.0, *values])
    high = maximum if maximum is not None else max(values) * _PADDING
    return Scale(low, high) if high > low else Scale(low, low + max(1.0, abs(low)))


def _finite(value: float | None) -> float | None:
    """A bound at infinity is no bound."""
    return value if value is not None and math.isfinite(value) else None


def _stretch(at: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Where the interval begins and how long it is; an open end reaches the edge, and without any bound there is none."""
    if not at.keys() & {"lower", "upper"}:
        return None, None
    start, end = at.get("lower", 0.0), at.get("upper", WIDTH)
    return start, round(max(end - start, 1.0), 1)


def draw(
    *,
    point: float | None,
    lower: float | None,
    upper: float | None,
    alert: float | None,
    critical: float | None,
    minimum: float | None = None,
    maximum: float | None = None,
    log: bool = False,
) -> Bullet | None:
    """The marks of one score, or None where there is neither a score nor an interval to draw."""
    marks = {name: _finite(value) for name, value in zip(_MARKS, (point, lower, upper, alert, critical), strict=True)}
    known = {name: value for name, value in marks.items() if value is not None}
    if not known.keys() & {"point", "lower", "upper"}:
        return None
    scale = scale_for(list(known.values()), minimum=minimum, maximum=maximum, log=log)
    at = {name: scale.place(value) for name, value in known.items()}
    start, length = _stretch(at)
    return Bullet(at.get("point"), start, length, at.get("alert"), at.get("critical"))
