"""When the frontier may cross a line: a random walk with drift on the log or logit scale, never a straight line alone.

A forecast only ever raises a state to watch; it clears nothing. Capabilities have sped up, so a straight line through all
history comes late, on the unsafe side; the walk starts from the last level and its spread grows with the horizon. Beyond
twelve months its confidence is low.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import NormalDist, linear_regression
from typing import NamedTuple

from scipy.special import log_ndtr

LEAST_POINTS = 5
PHI = NormalDist().cdf


class TooFewPoints(ValueError):
    """The frontier has too few points for a forecast."""


def frontier(points: Iterable[tuple[float, float]], *, since: float = -math.inf) -> list[tuple[float, float]]:
    """The running best from `since` on of (date, score) points, one a date; raises TooFewPoints below five.

    Dates in years, scores already on the log or logit scale on which they are to be extended.
    """
    best: dict[float, float] = {}
    height = -math.inf
    for x, y in sorted(points):
        if y > height:
            best[x] = height = y
    recent = [(x, y) for x, y in best.items() if x >= since]
    if len(recent) < LEAST_POINTS:
        raise TooFewPoints(f"A forecast needs at least {LEAST_POINTS} frontier points; there are {len(recent)}.")
    return recent


class Walk(NamedTuple):
    """Drift and variance per year of a frontier, in its scale's units, and where it stands now."""

    drift: float
    sigma2: float
    level: float

    def crossing_probability(self, threshold: float, horizon: float) -> float:
        """Probability of reaching the threshold within `horizon` years: first passage of Brownian motion with drift.

        Parameters are taken as known, so the spread is a little too narrow for few points.
        """
        distance = threshold - self.level
        if distance <= 0:
            return 1.0
        if self.sigma2 <= 0 or horizon <= 0:
            return float(self.drift * horizon >= distance)
        spread = math.sqrt(self.sigma2 * horizon)
        reflected = 2 * self.drift * distance / self.sigma2 + float(log_ndtr((-distance - self.drift * horizon) / spread))
        return min(1.0, PHI((self.drift * horizon - distance) / spread) + math.exp(min(0.0, reflected)))


def random_walk(x: Sequence[float], y: Sequence[float]) -> Walk:
    """Drift from the first to the last point, variance from the steps around it, each weighed by its length."""
    drift = (y[-1] - y[0]) / (x[-1] - x[0])
    steps = list(zip((b - a for a, b in pairwise(x)), (b - a for a, b in pairwise(y)), strict=True))
    squares = math.fsum((rise - drift * run) ** 2 / run for run, rise in steps)
    return Walk(drift, squares / max(1, len(steps) - 1), y[-1])


class Trend(NamedTuple):
    """A least-squares line and the date at which it meets the threshold; None where it never does."""

    slope: float
    intercept: float
    crossing: float | None


def trend(x: Sequence[float], y: Sequence[float], threshold: float) -> Trend:
    """Ordinary least squares, shown beside the walk as a disagreement, never planned on."""
    slope, intercept = linear_regression(x, y)
    return Trend(slope, intercept, (threshold - intercept) / slope if slope > 0 else None)
