"""What all complete runs of one checkpoint on one evaluation version say together, when one look was not enough. Plain Python.

Running again until one run is lucky clears anything sooner or later, so a line that one run did not rule out is ruled out only by
all of them together, and the looks are paid for: by an e-process, which holds at any number of looks (Ville 1939; Waudby-Smith and
Ramdas 2020), or at alpha / K where K looks were declared beforehand. Runs of one evaluation version repeat the same tasks: the task
stays the unit, and every task counts with the mean of its attempts. The e-value is linear in each of these means, so that looks at
running means of exchangeable attempts form a reverse martingale, and Doob's inequality bounds the risk at any number of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, floor, fsum
from statistics import NormalDist

from thresholds.lines import Line, Policy
from thresholds.sequential import betting_e_value
from thresholds.statistics import clopper_pearson
from thresholds.tallies import Look, Looks, Tally, gathered
from thresholds.weighing import shown

__all__ = ["Look", "Looks", "Pooled", "gathered", "judge_looks", "pool"]

MOST = 27.0  # natural logarithm; an e-value above 5e11 is told as that, and is the same number in every database
GRADE = "grade"


@dataclass(frozen=True, slots=True)
class Pooled:
    """Whether all runs together rule a line out with the looks paid for, by which means, and in words."""

    clears: bool
    looks: int
    paid_by: str  # e-process | alpha/K | policy point | experts | nothing
    says: str
    value: float | None = None  # the e-value, or the pooled bound nearest the line


def pool(looks: Sequence[Look], line: Line, declared: int | None) -> Pooled:
    """Judge some looks together: see `judge_looks`."""
    return judge_looks(gathered(looks, line), line, declared)


def judge_looks(looks: Looks, line: Line, declared: int | None) -> Pooled:
    """Judge all looks together; `declared` is the number K of looks that the evaluation declared before results, if any.

    What an incomplete run measured counts where it reaches the line, and may speak against clearing only: without it the
    others must clear too.
    """
    if looks.every is None:
        return Pooled(clears=False, looks=0, paid_by="nothing", says=f"No run that counts rules the {_name(line)} line out.")
    found = _together(looks.against or looks.every, line, declared)
    if not found.clears or (looks.whole is not None and looks.against is not None and looks.whole.looks == looks.against.looks):
        return found
    return replace(found, clears=looks.whole is not None and _together(looks.whole, line, declared).clears)


def _together(looks: Tally, line: Line, declared: int | None) -> Pooled:
    n = looks.looks
    if looks.unit == GRADE:
        return Pooled(clears=True, looks=n, paid_by="experts", says="The experts graded it anew, knowing what was measured before.")
    if line.rule == "all":
        says = "A suite that was passed in full once is not ruled out by running it again."
        return Pooled(clears=False, looks=n, paid_by="nothing", says=says)
    within = declared if declared is not None and n <= declared else None
    if looks.counted and looks.unit == "proportion":
        return _by_tasks(looks, line, within)
    return _by_values(looks, line, within)


def _by_tasks(looks: Tally, line: Line, declared: int | None) -> Pooled:
    """Counted tasks: at alpha / K where the looks keep to the declared number, else by an e-process."""
    means = _task_means(looks, line)
    if declared is None:
        return _by_e_process(means, line, looks.looks)
    return _by_declared_looks(means, line, looks.looks, declared)


def _task_means(looks: Tally, line: Line) -> list[float]:
    """One mean a task, in the direction of the line: by task where every run says which, else spread as badly as the totals allow."""
    if looks.named is not None and not looks.related:
        return [_toward(_steady(solved / n), line) for solved, n in looks.named.values()]
    return _worst_spread(looks)


def _steady(number: float) -> float:
    """A mean without what the order of adding up left in its last digits."""
    return float(f"{number:.12g}")


def _toward(mean: float, line: Line) -> float:
    return mean if line.higher else 1 - mean


def _worst_spread(looks: Tally) -> list[float]:
    """The totals of all runs as whole tasks: the means of equal sum that give the least evidence are those at 0 and 1."""
    tasks = looks.tasks
    solved = _steady(tasks * looks.against / looks.attempts) if looks.attempts else float(tasks)
    whole = floor(solved)
    rest = [solved - whole] if whole < tasks else []
    return [1.0] * whole + rest + [0.0] * (tasks - whole - len(rest))


def _by_e_process(means: Sequence[float], line: Line, looks: int) -> Pooled:
    rate, needed = (line.value if line.higher else 1 - line.value) - line.margin, 1 / line.risk
    if not 0 < rate < 1:
        says = f"{_all(looks)} together cannot rule the {_name(line)} line out: nothing lies below it."
        return Pooled(clears=False, looks=looks, paid_by="nothing", says=says)
    found = betting_e_value(means, rate, alpha=line.risk)
    value = float(f"{exp(min(found.log_e, MOST)):.6g}")
    clears = found.clears and clopper_pearson(fsum(means), len(means), line.risk)[1] < rate
    verb = "rules" if clears else "does not rule"
    says = (
        f"{_all(looks)} together: {fsum(means):.4g} of {len(means)} tasks, e-value {value:.3g} where {needed:g} clears, "
        f"which {verb} the {_name(line)} line out at any number of looks."
    )
    return Pooled(clears, looks, "e-process", says, value)


def _by_declared_looks(means: Sequence[float], line: Line, looks: int, declared: int) -> Pooled:
    """Pooled tasks at alpha / K."""
    alpha = line.risk / declared
    rate, bound = (line.value if line.higher else 1 - line.value), _bound(means, line, alpha)
    clears = bound < rate
    at = shown(bound if line.higher else 1 - bound, "proportion")
    says = (
        f"{_all(looks)} of {declared} declared together: bounded at {at} by {100 * (1 - alpha):.4g} %, "
        f"which {'rules' if clears else 'does not rule'} the {_name(line)} line out."
    )
    return Pooled(clears, looks, "alpha/K", says, bound)


def _bound(means: Sequence[float], line: Line, alpha: float) -> float:
    """Upper bound on the rate that counts towards the line, with its elicitation margin."""
    return clopper_pearson(fsum(means), len(means), alpha)[1] + line.margin


def _by_values(looks: Tally, line: Line, declared: int | None) -> Pooled:
    """Values with intervals: their mean with the widest of their deviations, for runs repeat the same tasks; bare ones by the point."""
    if looks.valued < looks.looks:
        return Pooled(
            clears=False,
            looks=looks.looks,
            paid_by="nothing",
            says=f"Not every run has a value, so together they do not rule the {_name(line)} line out.",
        )
    mean = looks.total / looks.valued
    return _by_mean(looks, line, declared, _steady(exp(mean) if looks.log else mean))


def _by_mean(looks: Tally, line: Line, declared: int | None, mean: float) -> Pooled:
    if looks.widest is None and line.policy is Policy.POINT:
        return _by_point(looks, line, mean)
    if declared is None or looks.widest is None:
        says = (
            f"{_all(looks.looks)} do not rule the {_name(line)} line out together: "
            "for values the number of looks must be declared before results."
        )
        return Pooled(clears=False, looks=looks.looks, paid_by="nothing", says=says, value=mean)
    return _by_deviation(looks, line, declared, mean, looks.widest)


def _by_point(looks: Tally, line: Line, mean: float) -> Pooled:
    clears = not line.met_by(line.with_margin(mean, log=looks.log))
    at = "below" if clears else "at"
    says = f"{_all(looks.looks)} have a mean of {shown(mean, looks.unit)}, {at} the {_name(line)} line by the policy point."
    return Pooled(clears, looks.looks, "policy point", says, mean)


def _by_deviation(looks: Tally, line: Line, declared: int, mean: float, widest: float) -> Pooled:
    """The mean, with the widest deviation as far as alpha / K reaches."""
    reach = -NormalDist().inv_cdf(line.risk / declared) * widest * (1 if line.higher else -1)
    near = line.with_margin(mean * exp(reach) if looks.log else mean + reach, log=looks.log)
    clears = not line.met_by(near)
    told = f"which {'rules' if clears else 'does not rule'} the {_name(line)} line out."
    says = f"{_all(looks.looks)} of {declared} declared together reach {shown(near, looks.unit)}, {told}"
    return Pooled(clears, looks.looks, "alpha/K", says, near)


def _name(line: Line) -> str:
    return line.kind.replace("_", "-")


def _all(looks: int) -> str:
    return f"{looks} looks" if looks != 1 else "1 look"
