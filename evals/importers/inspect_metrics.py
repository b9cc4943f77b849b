"""The measurements of an Inspect log: unique, stable names, each number with the uncertainty that belongs to it. Plain Python.

A measurement is named `scorer/score/reducer/metric`. Inspect's own keys are neither unique nor stable (`stderr2` is the second of that
name, `apprentice` a standard error when the metric that was grouped is one), so the metric's part is built from its name, group and
parameters: `accuracy`, `accuracy[family=f0]`, `best_per_challenge.accuracy`. Standard errors and intervals are no measurements of their
own: the widest standard error above 0, or else the interval, goes with the mean it was computed for. Task vectors go only where they
give the very value that the log reports.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from evals.importers import UNSCORED
from evals.importers.inspect_log import Headline, Log, Metric, Score, Scorer
from evals.importers.inspect_tasks import tasks_of, unreduced

ERRORS = frozenset({"stderr", "bootstrap_stderr"})
INTERVALS = ("ci_wilson", "ci")  # the better first
MEANS = frozenset({"accuracy", "mean"})
LONGEST = 60  # characters of a measurement's name
MOST = 100  # measurements of one run
Place = tuple[str, ...]
Error = tuple["Named", Metric]  # a standard error under its name
View = tuple[tuple[str, str, str | None, str], dict[str, Any]]  # where the log has a measurement, and the measurement


@dataclass(frozen=True, slots=True)
class Named:
    """What a metric measures (`kind`), of which group of samples (`place`), and how that is written (`label`)."""

    kind: str
    place: Place
    label: str


@dataclass(frozen=True, slots=True)
class _Score:
    """A score with the way its epochs were reduced and its standard errors."""

    score: Score
    reducer: str
    errors: list[Error]


def name_of(metric: Metric) -> Named:
    """The name of a metric from what it says of itself, never from its key."""
    plain, inner = _unqualified(metric.name), metric.params.get("metric")
    if metric.group is None:
        return Named(plain, (), plain + _parameters(metric.params))
    if isinstance(inner, dict) and isinstance(inner.get("name"), str):
        kind, key = _unqualified(inner["name"]), str(metric.params.get("group_key", metric.group))
        more = _parameters(inner["params"]) if isinstance(inner.get("params"), dict) else ""
        return Named(kind, (metric.group, key, metric.name), f"{kind}{more}[{key}={metric.name}]")
    group = _unqualified(metric.group) + _parameters(metric.params)
    return Named(plain, (group,), f"{group}.{plain}")


def measurements(log: Log) -> list[dict[str, Any]]:
    """Every measurement of the log, its headline first; where it has no results, what its samples' scores give."""
    results = log.header.results
    if results is None or not results.scores:
        return _unique(_partial(log))
    views = [each for score in results.scores for each in _of(score, log)]
    return _unique(item for _, item in _headline_first(views, results.headline))


def _headline_first(views: list[View], line: Headline | None) -> list[View]:
    if line is None:
        return views
    head = (line.scorer, line.score or line.scorer, line.reducer, line.metric)
    return sorted(views, key=lambda view: view[0] != head)


def _of(score: Score, log: Log) -> Iterator[View]:
    reducer = "unreduced" if unreduced(score, log) else score.reducer or "mean"
    named = [(key, metric, name_of(metric)) for key, metric in score.metrics.items()]
    within = _Score(score, reducer, [(name, metric) for _, metric, name in named if name.kind in ERRORS])
    for key, metric, name in named:
        if name.kind not in ERRORS and metric.group not in INTERVALS:
            yield (score.scorer, score.name, score.reducer, key), _item(metric, name, within, log)


def _item(metric: Metric, name: Named, within: "_Score", log: Log) -> dict[str, Any]:
    score, reducer = within.score, within.reducer
    item = {"metric": _joined(score.scorer or score.name, score.name, reducer, name.label), **_value(metric, score)}
    if item["value"] is not None and name.kind in MEANS:
        item |= _uncertainty(item["value"], name, within) | _tasks(item["value"], name, score, reducer, log)
    return item


def _value(metric: Metric, score: Score) -> dict[str, Any]:
    """The value; over no samples at all Inspect writes 0 or NaN, and neither was measured."""
    if metric.value is None or score.scored_samples == 0:
        return {"value": None, "reason": UNSCORED}
    return {"value": metric.value}


def _uncertainty(value: float, mean: Named, within: "_Score") -> dict[str, Any]:
    """The widest standard error of the same samples, or else an interval; single attempts are no independent samples unless clustered."""
    found = _errors(mean, within)
    if found:
        return {"stderr": max(found)}
    return _interval(value, within.score) if mean.place == () and within.reducer != "unreduced" else {}


def _errors(mean: Named, within: "_Score") -> list[float]:
    errors = [metric.value for name, metric in within.errors if name.place == mean.place and _is_usable(metric, within.reducer)]
    return [float(error) for error in errors if error is not None and error > 0]


def _is_usable(metric: Metric, reducer: str) -> bool:
    return reducer != "unreduced" or "cluster" in metric.params


def _interval(value: float, score: Score) -> dict[str, Any]:
    """The first kind of interval that is one: of some width, and around the value. Inspect does not write down its default level, 0.95."""
    for group in INTERVALS:
        ends = {metric.name: metric for metric in score.metrics.values() if metric.group == group}
        if "lower" in ends and "upper" in ends and (found := _around(value, ends["lower"], ends["upper"])):
            return found
    return {}


def _around(value: float, lower: Metric, upper: Metric) -> dict[str, Any]:
    low, high, level = lower.value, upper.value, lower.params.get("level", 0.95)
    if low is None or high is None or not isinstance(level, float):
        return {}
    return {"ci_low": low, "ci_high": high, "ci_level": level} if low <= value <= high and low < high else {}


def _tasks(value: float, name: Named, score: Score, reducer: str, log: Log) -> dict[str, Any]:
    if name.place or name.label != name.kind:
        return {}
    tasks = tasks_of(log, score, reducer)
    if _gives(tasks, value):
        return {"tasks": tasks}
    return {"n_tasks": score.scored_samples} if score.scored_samples and reducer != "unreduced" else {}


def _gives(tasks: list[dict[str, Any]] | None, value: float) -> bool:
    """Whether the mean over the tasks is the value that the log reports."""
    shares: list[float] = [task["solved"] / task["attempts"] for task in tasks or ()]
    return bool(shares) and abs(sum(shares) / len(shares) - value) < 1e-6


def _partial(log: Log) -> Iterator[dict[str, Any]]:
    """Of a run that never came to its results: the shares solved of what was scored, where scores are right or wrong."""
    for scorer in log.header.eval.scorers or ():
        for key, metrics in _by_key(scorer).items():
            tasks = tasks_of(log, Score(name=key, scorer=scorer.name), "mean")
            for kind in dict.fromkeys(_kinds(metrics) if tasks else ()):
                yield {"metric": _joined(scorer.name, key, "mean", kind), "tasks": tasks}


def _by_key(scorer: Scorer) -> dict[str, Any]:
    return scorer.metrics if isinstance(scorer.metrics, dict) else {scorer.name: scorer.metrics or []}


def _kinds(metrics: Any) -> Iterator[str]:
    for metric in metrics if isinstance(metrics, list) else ():
        if isinstance(metric, dict) and not metric.get("options") and (kind := _unqualified(str(metric.get("name", "")))) in MEANS:
            yield kind


def _unique(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each name once: the second of two that say the same of themselves is numbered, in the order of the log."""
    seen: dict[str, int] = {}
    found = []
    for item in items:
        name = item["metric"]
        seen[name] = seen.get(name, 0) + 1
        found.append(item if seen[name] == 1 else {**item, "metric": _clipped(f"{name}#{seen[name]}")})
    return found


def _unqualified(name: str) -> str:
    return name.rpartition("/")[2]


def _parameters(params: dict[str, Any]) -> str:
    """Parameters that are set, in order of name; only plain ones, for others have no stable text."""
    told = [f"{key}={value}" for key, value in sorted(params.items()) if isinstance(value, str | int | float)]
    return f"[{','.join(told)}]" if told else ""


def _joined(*parts: str) -> str:
    return _clipped("/".join(part.replace("/", ".") for part in parts))


def _clipped(name: str) -> str:
    """A name that fits; of a longer one the end becomes a digest of the whole, so that it stays the same and its own."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
