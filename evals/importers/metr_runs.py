"""METR's `runs.jsonl`, one attempt at a task per line: one run for each model in it, with its time horizons. Plain Python.

Measured are `value`, which is the horizon at 50 % in minutes as the framework library's lines read it, the same again as
`p50_horizon_minutes`, `p80_horizon_minutes` (`horizon` says how) and, where every score is 0 or 1, `success_rate` with its tasks. Tasks,
weights and times of the suite are revised from version to version and the file does not name its own, so the caller must; a run is known
by the file's SHA-256 and the model. Attempts of humans are left out.
An attempt without `score_binarized` is unscored; times are milliseconds since 1970.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from evals.importers import UNSCORED, Options, Unreadable
from evals.importers.horizon import LEVEL, REGULARISATION, Attempted, Horizon, horizons
from evals.importers.json_lines import lines
from evals.importers.naming import check_alone, checkpoint_of, clipped, digest_of, moment, number, said

NAME = "metr-runs"
EVALUATION = "metr-time-horizon-p50"
RATES = {"value": 0.5, "p50_horizon_minutes": 0.5, "p80_horizon_minutes": 0.8}
MOST_ATTEMPTS, MOST_MODELS, MOST_TASKS = 50_000, 50, 20_000
BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{[^\n]*")
MARKS = (b'"task_family"', b'"score_binarized"', b'"human_minutes"')
LONGEST_TASK, LONGEST_FAMILY = 200, 100
REMEDY = "Give the runs.jsonl of METR's analysis, or leave the line out."
KEPT = frozenset(
    {"alias", "model", "task_id", "task_family", "task_source", "human_minutes", "score_binarized"}
    | {"started_at", "completed_at", "tokens_count", "generation_cost"}
)


@dataclass(slots=True)
class Task:
    """The attempts at one task by one model."""

    family: str
    minutes: float
    scores: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Model:
    """What the file says of one model, attempt by attempt."""

    tasks: dict[str, Task] = field(default_factory=dict)
    attempts: int = 0
    scored: int = 0
    times: list[float] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    tokens: float = 0
    cost: float = 0


def recognises(name: str, head: bytes) -> bool:  # noqa: ARG001 - the contract
    """Lines of objects, the first of which has a task family, a score and human minutes."""
    first = BEGINS.match(head)
    return first is not None and all(mark in first[0] for mark in MARKS)


def read(name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - the contract
    """A run for each model; raises Unreadable."""
    if not (options.evaluation or options.version):
        raise Unreadable(
            "The file does not say of which version of METR's suite it is, and horizons of different versions are not comparable.",
            remedy=f"Say it with --version, for example 1.1, or with --evaluation {EVALUATION}@1.1.",
        )
    digest, models = digest_of(content), _models(content)
    if not models:
        raise Unreadable("It holds no attempt of a model.", remedy=REMEDY)
    check_alone("checkpoint", options.checkpoint, models)
    for alias, model in models.items():
        yield _submission(alias, model, options, digest)


def _models(content: IO[bytes]) -> dict[str, Model]:
    found: dict[str, Model] = {}
    attempts = 0
    for at, entry in lines(content, _reduced):
        alias, attempts = _text(entry, "alias", at), attempts + 1
        if "human" in (alias.lower(), str(entry.get("model")).lower()):
            continue
        _add(found.setdefault(alias, Model()), entry, at)
        if attempts > MOST_ATTEMPTS or len(found) > MOST_MODELS:
            raise Unreadable(
                f"It holds more than {MOST_ATTEMPTS} attempts or {MOST_MODELS} models.",
                place=f"line {at}",
                remedy="Split the file by model.",
            )
    return found


def _reduced(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name in KEPT}


def _add(model: Model, entry: dict[str, Any], at: int) -> None:
    family, minutes = _text(entry, "task_family", at)[:LONGEST_FAMILY], number(entry.get("human_minutes"))
    if minutes is None or minutes <= 0:
        raise Unreadable("Its human_minutes are no number above 0.", place=f"line {at}", remedy=REMEDY)
    task = model.tasks.setdefault(clipped(_text(entry, "task_id", at), LONGEST_TASK), Task(family, minutes))
    if (task.family, task.minutes) != (family, minutes):
        raise Unreadable("The task has another family or other human_minutes than above.", place=f"line {at}", remedy=REMEDY)
    model.attempts += 1
    if (score := number(entry.get("score_binarized"))) is not None:
        if not 0 <= score <= 1:
            raise Unreadable("Its score_binarized does not lie in 0 to 1.", place=f"line {at}", remedy=REMEDY)
        task.scores.append(score)
        model.scored += 1
    _note(model, entry)


def _note(model: Model, entry: dict[str, Any]) -> None:
    model.times += [time for name in ("started_at", "completed_at") if (time := number(entry.get(name))) and moment(time / 1000)]
    model.tokens += number(entry.get("tokens_count")) or 0
    model.cost += number(entry.get("generation_cost")) or 0
    if isinstance(entry.get("task_source"), str):
        model.sources.add(entry["task_source"])


def _submission(alias: str, model: Model, options: Options, digest: str) -> dict[str, Any]:
    tasks = {name: task for name, task in model.tasks.items() if task.scores}
    items, draws = _measurements(tasks)
    times = {"started": moment(min(model.times) / 1000), "completed": moment(max(model.times) / 1000)} if model.times else {}
    return {
        "producer": {"name": "metr_runs"},
        "external_id": clipped(f"{digest}/{alias}"),
        "checkpoint": checkpoint_of(options, alias),
        "evaluation": options.evaluation or f"{EVALUATION}@{options.version}",
        "status": "success",
        **times,
        "measurements": items,
        "coverage": {
            "planned": model.attempts,
            "completed": model.attempts,
            "scored": model.scored,
            "unscored": model.attempts - model.scored,
        },
        "provenance": said(
            {
                "alias": alias,
                "task_sources": sorted(model.sources),
                "tasks": len(model.tasks),
                "task_families": len({task.family for task in model.tasks.values()}),
                "weights": "1/attempts of the task, 1/sqrt(tasks of the family)",
                "regularisation": REGULARISATION,
                "bootstrap_draws": draws,
                "tokens_count": model.tokens or None,
                "generation_cost": model.cost or None,
            }
        ),
    }


def _measurements(tasks: dict[str, Task]) -> tuple[list[dict[str, Any]], int]:
    if not tasks:
        return [{"metric": metric, "value": None, "reason": UNSCORED} for metric in RATES], 0
    attempted = (Attempted(task.family, task.minutes, tuple(sorted(task.scores))) for task in tasks.values())
    found, draws = horizons(attempted, sorted({*RATES.values()}))
    return [*(_item(metric, found[rate], len(tasks)) for metric, rate in RATES.items()), *_success_rate(tasks)], draws


def _item(metric: str, horizon: Horizon, tasks: int) -> dict[str, Any]:
    if horizon.minutes is None:
        return {"metric": metric, "value": None, "reason": horizon.reason}
    ends = {} if horizon.low is None else {"ci_low": horizon.low, "ci_high": horizon.high, "ci_level": LEVEL}
    return {"metric": metric, "value": horizon.minutes, "n_tasks": tasks, **ends}


def _success_rate(tasks: dict[str, Task]) -> list[dict[str, Any]]:
    """The tasks with their attempts; none where a score is fractional, since a task's attempts are solved or not."""
    if len(tasks) > MOST_TASKS or any(score not in (0, 1) for task in tasks.values() for score in task.scores):
        return []
    told = [
        {"id": name, "family": task.family, "attempts": len(task.scores), "solved": int(sum(task.scores))} for name, task in tasks.items()
    ]
    return [{"metric": "success_rate", "tasks": told}]


def _text(entry: dict[str, Any], name: str, at: int) -> str:
    found = entry.get(name)
    if not isinstance(found, str) or not found:
        raise Unreadable(f"It has no {name}.", place=f"line {at}", remedy=REMEDY)
    return found
