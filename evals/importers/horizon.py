"""Time horizons from attempts at tasks of known human length, after METR's published analysis. Plain Python.

METR/eval-analysis-public at 52d6b564 (2026-01-20): a logistic regression of success on log2 of the human minutes, regularised on the slope
(C = 1 / REGULARISATION); each attempt weighs 1 / (attempts at its task) / sqrt(tasks in its family), all weights together 1; the horizon is
where the curve crosses the asked success rate; 95 % interval from a bootstrap of families, then tasks, then attempts. Draws in which every
attempt failed count as no horizon at all, as there; draws without a falling curve, which are skipped there, count as one without end,
so that too many of them leave no interval instead of one that is too low.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

REGULARISATION = 1e-5
DRAWS, LEAST_DRAWS, WORK = 1000, 200, 4_000_000  # WORK: attempts that are drawn in all
SEED = 20260120
LEVEL = 0.95
STEPS, CLOSE = 60, 1e-9
LEAST = 2.0**-20  # minutes, for draws without any success: zero has no place on a logarithmic scale
STEEPEST = 700.0  # beyond it exp overflows

Points = list[tuple[float, float, float]]  # log2 minutes, share solved, weight


@dataclass(frozen=True, slots=True)
class Attempted:
    """One task: its family, its human length in minutes (above 0), and the score of each attempt from 0 to 1."""

    family: str
    minutes: float
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Horizon:
    """Minutes at which the success rate is crossed, None where there is none; `low` and `high` None where they have no end."""

    minutes: float | None
    low: float | None
    high: float | None
    reason: str = ""


def horizons(tasks: Iterable[Attempted], rates: Sequence[float]) -> tuple[dict[float, Horizon], int]:
    """The horizon at each success rate (0 < rate < 1) and the number of draws; the same tasks always give the same."""
    families: dict[str, list[Attempted]] = {}
    for task in sorted(tasks, key=lambda task: (task.family, task.minutes, task.scores)):
        families.setdefault(task.family, []).append(task)
    curve = _fit(_points(families.values()))
    attempts = sum(len(task.scores) for family in families.values() for task in family)
    count = max(LEAST_DRAWS, min(DRAWS, WORK // max(1, attempts)))
    curves = _draws(list(families.values()), count, curve) if isinstance(curve, tuple) else []
    return {rate: _horizon(rate, curve, curves) for rate in rates}, len(curves)


Curve = tuple[float, float] | str  # intercept and slope, or which one outcome all attempts had


def _draws(families: list[list[Attempted]], count: int, start: tuple[float, float]) -> list[Curve]:
    chance = random.Random(SEED)  # noqa: S311 - a bootstrap, which must be repeatable
    return [_fit(_points(_drawn(families, chance)), start) for _ in range(count)]


def _drawn(families: list[list[Attempted]], chance: random.Random) -> list[list[Attempted]]:
    return [
        [
            Attempted(task.family, task.minutes, tuple(chance.choices(task.scores, k=len(task.scores))))
            for task in chance.choices(family, k=len(family))
        ]
        for family in chance.choices(families, k=len(families))
    ]


def _points(families: Iterable[Sequence[Attempted]]) -> Points:
    """One point for each length, since attempts at tasks of the same length say the same of the curve."""
    merged: dict[float, list[float]] = {}
    total = 0.0
    for family in families:
        weight = 1 / math.sqrt(len(family))
        for task in family:
            point = merged.setdefault(task.minutes, [0.0, 0.0])
            point[0] += weight * sum(task.scores) / len(task.scores)
            point[1] += weight
            total += weight
    return [(math.log2(minutes), solved / weight, weight / total) for minutes, (solved, weight) in merged.items()]


def _fit(points: Points, start: tuple[float, float] = (0.0, 0.0)) -> Curve:
    """Intercept and slope by Newton's method with halved steps; the word for the outcome where there is only one."""
    outcomes = {share for _, share, _ in points}
    if len(outcomes) < 2 and outcomes <= {0, 1}:
        return "solved" if 1 in outcomes else "failed"
    here, loss = start, _loss(points, *start)
    for _ in range(STEPS):
        there, less = _lower(points, here, loss)
        if loss - less <= CLOSE * 1e-4:
            return here
        here, loss = there, less
    return here


def _lower(points: Points, here: tuple[float, float], loss: float) -> tuple[tuple[float, float], float]:
    """One step of Newton's, halved until the loss is no greater; where no step is small enough, the same place."""
    (down, across), step = _newton(points, *here), 1.0
    while step > CLOSE:
        there = here[0] - step * down, here[1] - step * across
        if (less := _loss(points, *there)) <= loss:
            return there, less
        step /= 2
    return here, loss


def _loss(points: Points, intercept: float, slope: float) -> float:
    """Weighted negative log likelihood plus the penalty; log(1 + e^z) without overflow."""
    total = REGULARISATION * slope * slope / 2
    for x, share, weight in points:
        z = intercept + slope * x
        total += weight * (max(z, 0.0) + math.log1p(math.exp(-abs(z))) - share * z)
    return total


def _newton(points: Points, intercept: float, slope: float) -> tuple[float, float]:
    g0, g1, h00, h01, h11 = 0.0, REGULARISATION * slope, 1e-12, 0.0, REGULARISATION
    for x, share, weight in points:
        p = 1 / (1 + math.exp(-max(-STEEPEST, min(STEEPEST, intercept + slope * x))))
        miss, bend = weight * (p - share), weight * p * (1 - p)
        g0, g1 = g0 + miss, g1 + miss * x
        h00, h01, h11 = h00 + bend, h01 + bend * x, h11 + bend * x * x
    size = h00 * h11 - h01 * h01
    return (h11 * g0 - h01 * g1) / size, (h00 * g1 - h01 * g0) / size


def _horizon(rate: float, curve: Curve, curves: list[Curve]) -> Horizon:
    minutes = _crossing(rate, curve)
    if minutes == 0:
        return Horizon(None, None, None, "no attempt succeeded: no horizon")
    if not LEAST <= minutes < math.inf:
        return Horizon(None, None, None, "success does not fall with the length of the tasks: no horizon")
    ends = sorted(max(LEAST, _crossing(rate, each)) for each in curves)
    low, high = (_quantile(ends, share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    if high == math.inf:
        return Horizon(minutes, None, None)
    return Horizon(minutes, min(low, minutes), max(high, minutes))


def _crossing(rate: float, curve: Curve) -> float:
    """Minutes at which the curve crosses the rate; 0 where nothing was solved, infinite where it never falls to it."""
    if isinstance(curve, str):
        return 0.0 if curve == "failed" else math.inf
    intercept, slope = curve
    doublings = (math.log(rate / (1 - rate)) - intercept) / slope if slope < 0 else math.inf
    return math.inf if doublings > 60 else 2.0 ** max(doublings, -60.0)  # 2^60 minutes: a curve as good as flat


def _quantile(values: list[float], share: float) -> float:
    """Linear between the two nearest, as numpy's default."""
    at = share * (len(values) - 1)
    below, above = values[math.floor(at)], values[math.ceil(at)]
    return below if below == above else below + (at - math.floor(at)) * (above - below)
