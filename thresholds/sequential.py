"""Planning and second opinions: how many tasks, how many looks, how many tests, and what else the same results could say.

Nothing here decides a state. Looking at one model again and again clears it by luck sooner or later (at a true rate on the
line, 20 looks at pooled results at 5 % each wrongly clear 18 % of the time); the e-values below hold at every look.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple

from scipy.special import bdtr, bdtrc, betainc, stdtrit

from thresholds.statistics import Estimate, Interval, InvalidMeasurement, Sides, check_attempts, clopper_pearson, interval, tail


def rules_out(solved: int, total: int, threshold: float, alpha: float) -> bool:
    """Whether the Clopper-Pearson upper bound of `solved` of `total` lies below the threshold."""
    return bool(bdtr(solved, total, threshold) < alpha)


@lru_cache(maxsize=1024)
def min_n_to_rule_out(threshold: float, alpha: float = 0.05, solved: int = 0) -> int:
    """The least number of tasks with which `solved` successes still rule the threshold out: 14 for 0 at 20 %."""
    short, enough = solved, solved + 1
    while not rules_out(solved, enough, threshold, alpha):
        short, enough = enough, 2 * enough
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if rules_out(solved, middle, threshold, alpha) else (middle, enough)
    return enough


@lru_cache(maxsize=1024)
def n_to_rule_out(threshold: float, assumed_rate: float, *, power: float = 0.8, alpha: float = 0.05) -> tuple[int, int]:
    """Tasks needed to rule the threshold out with probability `power` at a true rate of `assumed_rate`, and how many may be solved.

    For each number of allowed successes the power is greatest at the least number of tasks that allows it, so only those are
    tried. Raises ValueError where the assumed rate is not below the threshold: no number of tasks would do.
    """
    if not assumed_rate < threshold:
        raise ValueError(f"A true rate of {assumed_rate:g} cannot be shown to lie below {threshold:g}.")
    solved, n = 0, min_n_to_rule_out(threshold, alpha)
    while bdtr(solved, n, assumed_rate) < power:
        solved += 1
        n = min_n_to_rule_out(threshold, alpha, solved)
    return n, solved


class EValue(NamedTuple):
    """Natural logarithm of the evidence against the threshold, and whether it suffices to clear at this alpha (Ville 1939)."""

    log_e: float
    clears: bool


def e_value_below(solved: float, total: float, threshold: float, *, alpha: float = 0.05) -> EValue:
    """Evidence that the rate is below the threshold: a uniform mixture over (0, threshold) against the threshold itself.

    Holds at any number of looks, for independent attempts.
    """
    a, b = solved + 1, total - solved + 1
    share = float(betainc(a, b, threshold))
    if share == 0:
        return EValue(-math.inf, clears=False)
    mixture = math.log(share) + _log_beta(a, b) - math.log(threshold)
    log_e = mixture - solved * math.log(threshold) - (total - solved) * math.log1p(-threshold)
    return EValue(log_e, log_e >= -math.log(alpha))


def betting_e_value(task_means: Sequence[float], threshold: float, *, bets: int = 20, alpha: float = 0.05) -> EValue:
    """Evidence that the mean task score is below the threshold, from `bets` fixed bets (Waudby-Smith and Ramdas 2020).

    Holds at any number of looks, for any scores in [0, 1], whatever happens within a task; the order does not matter.
    """
    stakes, alike = [(bet + 0.5) / bets / (1 - threshold) for bet in range(bets)], Counter(task_means).items()
    wealth = [math.fsum(n * math.log1p(stake * (threshold - mean)) for mean, n in alike) for stake in stakes]
    log_e = _log_sum_exp(wealth) - math.log(bets)
    return EValue(log_e, log_e >= -math.log(alpha))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that testing them all keeps the overall risk of a false claim (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def pass_at_k(attempts: int, correct: int, k: int) -> float:
    """Unbiased probability that at least one of k attempts succeeds, 1 - C(n-c, k) / C(n, k) (Chen et al. 2021)."""
    if not 0 < k <= attempts:
        raise InvalidMeasurement("too_few_attempts", f"pass@{k} needs at least {k} attempts (k at least 1); there are {attempts}.")
    return 1 - math.comb(attempts - correct, k) / math.comb(attempts, k)


def t_interval(values: Sequence[float], *, confidence: float = 0.95, sides: Sides = "one") -> Interval:
    """Student's t bounds on the mean of independent values of any unit; too narrow for few or skewed ones."""
    n = len(values)
    mean = math.fsum(values) / n
    stderr = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / max(1, n - 1) / n)
    return Estimate.of_stderr(mean, stderr, n).interval(tail(confidence, sides))


class ClusteredMean(NamedTuple):
    """A mean with a standard error by clusters; None and the reason where it cannot be estimated."""

    mean: float
    stderr: float | None
    n_clusters: int
    reason: str | None = None


def clustered_stderr(values: Sequence[float], clusters: Sequence[Hashable]) -> ClusteredMean:
    """Standard error of a mean whose values share clusters (Miller 2024), with the factor C / (C - 1) for C clusters."""
    mean = math.fsum(values) / len(values)
    deviations: dict[Hashable, float] = defaultdict(float)
    for value, cluster in zip(values, clusters, strict=True):
        deviations[cluster] += value - mean
    n = len(deviations)
    if n < 2:
        return ClusteredMean(mean, None, n, "one_cluster")
    squares = math.fsum(deviation**2 for deviation in deviations.values())
    return ClusteredMean(mean, math.sqrt(squares * n / (n - 1)) / len(values), n)


class EstimatedBound(NamedTuple):
    """A bound by a design effect estimated from the results themselves."""

    mean: float
    stderr: float | None
    n_eff: float
    lower: float | None
    upper: float | None


def korn_graubard(solved_per_task: Sequence[float], epochs: int, *, confidence: float = 0.95) -> EstimatedBound:
    """Clopper-Pearson one-sided on an effective n estimated from the spread of the tasks (Korn and Graubard 1998).

    For comparison only: one more success can lower its upper bound, so no state is decided by it.
    """
    check_attempts(solved_per_task, epochs)
    tasks, alpha = len(solved_per_task), tail(confidence)
    attempts = tasks * epochs
    mean = math.fsum(solved_per_task) / attempts
    spread = math.fsum((solved / epochs - mean) ** 2 for solved in solved_per_task)
    stderr = math.sqrt(spread / (tasks - 1) / tasks) if tasks > 1 else None
    n_eff = float(tasks)
    if stderr:
        shrink = float(stdtrit(attempts - 1, alpha) / stdtrit(tasks - 1, alpha))
        n_eff = min(attempts, mean * (1 - mean) / stderr**2 * attempts / (attempts - 1) * shrink**2)
    return EstimatedBound(mean, stderr, n_eff, *clopper_pearson(mean * n_eff, n_eff, alpha))


def posterior_betabinomial(solved_per_task: Sequence[int], epochs: int, threshold: float, *, grid: tuple[int, int] = (201, 21)) -> float:
    """Probability that the mean rate is at least the threshold when mean and correlation are both unknown and uniform.

    Beta-binomial likelihood summed over the midpoints of a grid (means, correlations); the cell that the threshold cuts
    counts by its share. Within .001 of the integral for a dozen tasks.
    """
    check_attempts(solved_per_task, epochs)
    means, correlations = grid
    counts = Counter(solved_per_task)
    cells = []
    for column in range(means):
        mean = (column + 0.5) / means
        logs = [_log_likelihood(counts, epochs, mean, (row + 0.5) / correlations) for row in range(correlations)]
        cells.append(_log_sum_exp(logs))
    top = max(cells)
    weights = [math.exp(cell - top) for cell in cells]
    shares = [min(1.0, max(0.0, column + 1 - threshold * means)) for column in range(means)]
    return math.fsum(map(math.prod, zip(weights, shares, strict=True))) / math.fsum(weights)


def fpr_upper(false_positives: int, benign: int, *, confidence: float = 0.95) -> float | None:
    """Upper bound on a monitor's false-positive rate, at a fixed operating point chosen on other data."""
    return interval(false_positives, benign, confidence=confidence).upper


def tpr_lower(caught: int, attacks: int, *, confidence: float = 0.95) -> float | None:
    """Lower bound on the share of attacks that a monitor catches, at a fixed operating point chosen on other data."""
    return interval(caught, attacks, confidence=confidence).lower


def rule_of_three(events: int, n: int) -> float | None:
    """The quick upper bound 3 / n at 95 %, for no events only."""
    return None if events else 3 / n


def np_threshold_rank(benign_scores: int, max_fpr: float, *, risk: float = 0.05) -> int | None:
    """Which benign score, counted from the lowest, to flag above so that the false-positive rate holds but for `risk`.

    Neyman-Pearson umbrella (Tong, Feng and Li 2018): the smallest rank r with P(Binomial(n, 1 - max_fpr) >= r) <= risk;
    None where there are too few scores.
    """
    ranks = range(1, benign_scores + 1)
    return next((rank for rank in ranks if bdtrc(rank - 1, benign_scores, 1 - max_fpr) <= risk), None)


def _log_likelihood(counts: Counter[int], epochs: int, mean: float, correlation: float) -> float:
    size = 1 / correlation - 1
    a, b = mean * size, (1 - mean) * size
    base = _log_beta(a, b)
    return math.fsum(tasks * (_log_beta(solved + a, epochs - solved + b) - base) for solved, tasks in counts.items())


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_sum_exp(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(math.fsum(math.exp(value - top) for value in values))
