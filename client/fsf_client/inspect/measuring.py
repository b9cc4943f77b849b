"""The measurements of an Inspect run, under the same names as the server's importers give them: `scorer/score/reducer/metric`.

Inspect's own keys are neither unique nor stable, so a metric is named from what it says of itself. A standard error goes with its mean,
and the outcomes of tasks go only where they give the very value that Inspect reports. Plain Python; inspect_ai is not imported.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fsf_client.inspect.solving import Line, finite, tasks_of, with_families

ERRORS = {"stderr", "bootstrap_stderr"}
MEANS = {"accuracy", "mean"}
INTERVALS = ("ci_wilson", "ci")  # the better first; their ends are no measurements of their own
LONGEST, MOST = 60, 100  # characters of a name, measurements of a run
Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number: under which key, what it measures, of which group of samples, how that is written, and with which parameters."""

    key: str
    value: float | None
    kind: str
    place: tuple[str, ...]
    label: str
    params: Content
    group: str | None
    end: str

    @property
    def spreads(self) -> bool:
        """Whether it is a standard error that says something; 0 says nothing."""
        return self.kind in ERRORS and self.value is not None and self.value > 0

    @property
    def is_uncertainty(self) -> bool:
        """Whether it is no measurement of its own."""
        return self.kind in ERRORS or self.group in INTERVALS

    @property
    def clustered(self) -> bool:
        """Whether it is a standard error over clusters."""
        return "cluster" in self.params


@dataclass(frozen=True, slots=True)
class View:
    """The metrics of one score of one scorer, under one way of reducing epochs."""

    scorer: str
    name: str
    reducer: str
    counted: int | None
    metrics: tuple[Metric, ...]

    def item(self, metric: Metric, lines: list[Line]) -> dict[str, Any]:
        """One measurement with the uncertainty that belongs to it; over no samples at all nothing was measured."""
        name = _joined(self.scorer, self.name, self.reducer, metric.label)
        if metric.value is None or self.counted == 0:
            return {"metric": name, "value": None, "reason": "unscored"}
        item = {"metric": name, "value": metric.value}
        if metric.kind not in MEANS:
            return item
        item |= self._spread(metric) or self._interval(metric)
        return item | (self._outcomes(metric.value, lines) if metric.label == metric.kind else {})

    def _spread(self, mean: Metric) -> dict[str, Any]:
        """The widest standard error of the same samples; single attempts are no independent samples, so there only clusters count."""
        found = [each.value or 0 for each in self.metrics if each.spreads and each.place == mean.place and self._counts(each)]
        return {"stderr": max(found)} if found else {}

    def _counts(self, error: Metric) -> bool:
        return error.clustered or self.reducer != "unreduced"

    def _interval(self, mean: Metric) -> dict[str, Any]:
        """The first interval that has a width and holds the value."""
        if mean.place or self.reducer == "unreduced":
            return {}
        return next((found for group in INTERVALS if (found := self._ends(group, mean.value))), {})

    def _ends(self, group: str, value: float | None) -> dict[str, Any]:
        """The ends of one interval around the value. Inspect does not write down its default level, 0.95."""
        ends = {each.end: each for each in self.metrics if each.group == group}
        if not {"lower", "upper"} <= ends.keys():
            return {}
        low, high, level = ends["lower"].value, ends["upper"].value, ends["lower"].params.get("level", 0.95)
        return {"ci_low": low, "ci_high": high, "ci_level": level} if isinstance(level, float) and _holds(low, value, high) else {}

    def _outcomes(self, value: float, lines: list[Line]) -> dict[str, Any]:
        key = next((str(each.params["cluster"]) for each in self.metrics if each.params.get("cluster")), None)
        tasks = with_families(tasks_of(lines, self.scorer, self.name, self.reducer), lines, key)
        if _gives(tasks, value):
            return {"tasks": tasks}
        return {"n_tasks": self.counted} if self.counted and self.reducer != "unreduced" else {}


def measurements(header: Content, lines: list[Line]) -> list[dict[str, Any]]:
    """The measurements of a run, the headline first; where it has no results, what its samples' scores give."""
    results = header.get("results") or {}
    if not results.get("scores"):
        return _unique(_partial(header["eval"].get("scorers") or (), lines))
    found = [each for score in results["scores"] for each in _items(score, header, lines)]
    return _unique(_headline_first(found, results.get("headline") or {}))


def _headline_first(found: list[tuple[tuple[Any, ...], dict[str, Any]]], head: Content) -> list[dict[str, Any]]:
    wanted = (head.get("scorer"), head.get("score") or head.get("scorer"), head.get("reducer"), head.get("metric"))
    return [item for _, item in sorted(found, key=lambda each: each[0] != wanted)]


def _items(score: Content, header: Content, lines: list[Line]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    view = _view(score, header)
    for metric in view.metrics:
        if not metric.is_uncertainty:
            yield (view.scorer, view.name, score.get("reducer"), metric.key), view.item(metric, lines)


def _view(score: Content, header: Content) -> View:
    reducer = "unreduced" if _unreduced(score, header) else score.get("reducer") or "mean"
    metrics = tuple(_metric(key, metric) for key, metric in (score.get("metrics") or {}).items())
    return View(score.get("scorer") or score["name"], score["name"], reducer, score.get("scored_samples"), metrics)


def _metric(key: str, metric: Content) -> Metric:
    kind, place, label = _named(metric)
    return Metric(key, finite(metric.get("value")), kind, place, label, metric.get("params") or {}, metric.get("group"), metric["name"])


def _named(metric: Content) -> tuple[str, tuple[str, ...], str]:
    """What a metric measures, of which group of samples, and how that is written."""
    params, group, plain = metric.get("params") or {}, metric.get("group"), _bare(str(metric["name"]))
    inner = params.get("metric")
    if group is None:
        return plain, (), plain + _told(params)
    if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
        return _grouped(metric, inner)
    named = _bare(group) + _told(params)
    return plain, (named,), f"{named}.{plain}"


def _grouped(metric: Content, inner: Content) -> tuple[str, tuple[str, ...], str]:
    """Of a metric that was taken over groups of samples, each named by a value of the group's key."""
    kind, group = _bare(inner["name"]), metric["group"]
    key = str(metric["params"].get("group_key", group))
    return kind, (group, key, metric["name"]), f"{kind}{_told(inner.get('params') or {})}[{key}={metric['name']}]"


def _holds(low: float | None, value: float | None, high: float | None) -> bool:
    return low is not None and value is not None and high is not None and low < high and low <= value <= high


def _gives(tasks: list[dict[str, Any]], value: float) -> bool:
    """Whether the mean over the tasks is the value that Inspect reports."""
    shares = [task["solved"] / task["attempts"] for task in tasks]
    return bool(shares) and abs(sum(shares) / len(shares) - value) < 1e-6


def _partial(scorers: Iterable[Content], lines: list[Line]) -> Iterator[dict[str, Any]]:
    """Of a run that never came to its results: the shares solved of what was scored, where scores are right or wrong."""
    for scorer in scorers:
        for score, listed in _by_score(scorer).items():
            if tasks := tasks_of(lines, scorer["name"], score):
                yield from ({"metric": _joined(scorer["name"], score, "mean", kind), "tasks": tasks} for kind in _means(listed))


def _by_score(scorer: Content) -> Content:
    metrics = scorer.get("metrics")
    return metrics if isinstance(metrics, Mapping) else {scorer["name"]: metrics}


def _means(metrics: Any) -> list[str]:
    """The plain means among the metrics of a scorer."""
    plain = [_bare(str(each.get("name"))) for each in metrics or () if isinstance(each, Mapping) and not each.get("options")]
    return list(dict.fromkeys(filter(MEANS.__contains__, plain)))


def _unreduced(score: Content, header: Content) -> bool:
    """Whether a score without a reducer is over single attempts: it stands beside reduced ones, or its count says so."""
    spec = header["eval"]
    config, chosen = spec.get("config") or {}, (spec.get("dataset") or {}).get("sample_ids")
    if score.get("reducer") is not None or config.get("epochs") in (None, 1):
        return False
    return _beside_reduced(score, header) or config.get("epochs_reducer") == [] or _exceeds(score.get("scored_samples"), chosen)


def _beside_reduced(score: Content, header: Content) -> bool:
    place = (score.get("scorer"), score["name"])
    return any(each.get("reducer") for each in header["results"]["scores"] if (each.get("scorer"), each["name"]) == place)


def _exceeds(counted: int | None, chosen: list[Any] | None) -> bool:
    return bool(chosen) and (counted or 0) > len(chosen or ())


def _unique(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    seen: dict[str, int] = {}
    found = []
    for item in items:
        name = item["metric"]
        seen[name] = seen.get(name, 0) + 1
        found.append(item if seen[name] == 1 else {**item, "metric": _clipped(f"{name}#{seen[name]}")})
    return found[:MOST]


def _bare(name: str) -> str:
    return name.rpartition("/")[2]


def _told(params: Content) -> str:
    plain = [f"{key}={value}" for key, value in sorted(params.items()) if isinstance(value, str | int | float)]
    return f"[{','.join(plain)}]" if plain else ""


def _joined(*parts: str) -> str:
    return _clipped("/".join(part.replace("/", ".") for part in parts))


def _clipped(name: str) -> str:
    """A name that fits; the end of a longer one becomes a digest of the whole."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
