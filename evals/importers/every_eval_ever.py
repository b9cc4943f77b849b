"""Aggregates of Every Eval Ever, schema 0.2 and 0.3: one run for each evaluation that the file names. Plain Python.

The direction of each metric (`lower_is_better`) is handed on, and an evaluation declared otherwise refuses it; units and ranges go into
the provenance. A score of -1 where the metric has an unknown level is no score. `evaluation_timestamp` is when it ran;
`retrieved_timestamp` is not.
"""

import re
from collections.abc import Iterator
from typing import IO, Any

from evals.importers import UNSCORED, Options, Unreadable
from evals.importers.naming import LONGEST_METRIC, MOST, check_alone, checkpoint_of, clipped, count, interval, moment, number, said, slug
from evals.importers.strict_json import read_object

NAME = "every-eval-ever"
LARGEST = 64 << 20  # bytes
VERSIONS = ("0.2", "0.3")
BEGINS = re.compile(rb'\s*\{\s*"')
MARKS = (re.compile(rb'"schema_version"\s*:\s*"'), re.compile(rb'"evaluation_id"\s*:\s*"'), re.compile(rb'"evaluation_results"\s*:\s*\['))
SIDES = ("first_party", "third_party")
REMEDY = "Check it against the schema of Every Eval Ever."


def recognises(name: str, head: bytes) -> bool:  # noqa: ARG001 - the contract
    """An object with a schema version, an evaluation id and evaluation results."""
    return bool(BEGINS.match(head)) and all(mark.search(head) for mark in MARKS)


def read(name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - the contract
    """A run for each evaluation; raises Unreadable."""
    raw = content.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise Unreadable(f"It is larger than {LARGEST} bytes.", remedy=REMEDY)
    file = read_object(raw)
    version = str(file.get("schema_version"))
    if ".".join(version.split(".")[:2]) not in VERSIONS:
        raise Unreadable(f"Its schema_version is {version[:20]}; {', '.join(VERSIONS)} are read.", remedy="Export it in one of these.")
    if not isinstance(file.get("evaluation_id"), str) or not file["evaluation_id"]:
        raise Unreadable("It has no evaluation_id.", remedy=REMEDY)
    runs = _runs(file)
    check_alone("evaluation", options.evaluation, runs)
    for evaluation, results in runs.items():
        yield _submission(file, evaluation, results, options)


def _runs(file: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The results by the name of their evaluation, in the order of the file."""
    found: dict[str, list[dict[str, Any]]] = {}
    results = file.get("evaluation_results")
    for position, result in enumerate(results if isinstance(results, list) else ()):
        evaluation = result.get("evaluation_name") if isinstance(result, dict) else None
        if not isinstance(evaluation, str) or not evaluation:
            raise Unreadable("It names no evaluation.", place=f"evaluation_results[{position}].evaluation_name", remedy=REMEDY)
        found.setdefault(evaluation, []).append(result)
    if not found:
        raise Unreadable("It holds no result.", place="evaluation_results", remedy=REMEDY)
    return found


def _submission(file: dict[str, Any], evaluation: str, results: list[dict[str, Any]], options: Options) -> dict[str, Any]:
    model, source = _part(file, "model_info"), _part(file, "source_metadata")
    ran = moment(results[0].get("evaluation_timestamp") or file.get("evaluation_timestamp"))
    side = source.get("evaluator_relationship")
    items = _unique([_item(result, evaluation) for result in results])
    return {
        "producer": {"name": "every_eval_ever", "version": str(file["schema_version"])[:40]},
        "external_id": clipped(f"{file['evaluation_id']}/{evaluation}"),
        "checkpoint": checkpoint_of(options, model.get("id"), model.get("name")),
        "evaluation": options.evaluation or slug(evaluation, options.version),
        "status": "success",
        **({"completed": ran} if ran else {}),
        **({"relationship": side} if side in SIDES else {}),
        "measurements": items[:MOST],
        "elicitation": _elicitation(results[0]),
        "provenance": said({**_provenance(file, evaluation, results), "measurements_left_out": len(items[MOST:]) or None}),
    }


def _item(result: dict[str, Any], evaluation: str) -> dict[str, Any]:
    config, details = _part(result, "metric_config"), _part(result, "score_details")
    name, value, direction = _metric(result, evaluation), number(details.get("score")), _direction(config.get("lower_is_better"))
    if value is None or (config.get("has_unknown_level") is True and value == -1):
        return {"metric": name, "value": None, "reason": UNSCORED, **direction}
    return {"metric": name, "value": value, **_uncertainty(value, _part(details, "uncertainty")), **direction}


def _uncertainty(value: float, doubt: dict[str, Any]) -> dict[str, Any]:
    stderr, samples = number(_part(doubt, "standard_error").get("value")), count(doubt.get("num_samples"))
    around = _part(doubt, "confidence_interval")
    return {
        **({"stderr": stderr} if stderr and stderr > 0 else {}),
        **interval(value, around.get("lower"), around.get("upper"), around.get("confidence_level")),
        **({"n_tasks": samples} if samples else {}),
    }


def _direction(lower: Any) -> dict[str, str]:
    """Which way the source calls better, where it says so."""
    return {"direction": "lower" if lower else "higher"} if isinstance(lower, bool) else {}


def _metric(result: dict[str, Any], evaluation: str) -> str:
    """The metric's id, name or kind; older files have none, and one score for each evaluation."""
    config = _part(result, "metric_config")
    names = (config.get("metric_id"), config.get("metric_name"), config.get("metric_kind"))
    found = next((name for name in names if isinstance(name, str) and name), "score")
    return clipped("score" if found == evaluation else found, LONGEST_METRIC)


def _unique(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each name once: the second of two that say the same of themselves is numbered, in the order of the file."""
    seen: dict[str, int] = {}
    found = []
    for item in items:
        seen[item["metric"]] = seen.get(item["metric"], 0) + 1
        again = seen[item["metric"]]
        found.append(item if again == 1 else {**item, "metric": clipped(f"{item['metric']}#{again}", LONGEST_METRIC)})
    return found


def _elicitation(result: dict[str, Any]) -> dict[str, Any]:
    generation = _part(_part(result, "generation_config"), "generation_args")
    return said({name: generation.get(name) for name in ("temperature", "top_p", "top_k", "max_tokens", "reasoning", "max_attempts")})


def _provenance(file: dict[str, Any], evaluation: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    source, library, model = _part(file, "source_metadata"), _part(file, "eval_library"), _part(file, "model_info")
    configs = [(_metric(result, evaluation), _part(result, "metric_config")) for result in results]
    data = _part(results[0], "source_data")
    return {
        "evaluation_name": evaluation,
        "model": model.get("id"),
        "model_developer": model.get("developer"),
        "source": source.get("source_name"),
        "source_organization": source.get("source_organization_name"),
        "source_type": source.get("source_type"),
        "evaluator_relationship": source.get("evaluator_relationship"),
        "library": f"{library.get('name', '')} {library.get('version', '')}".strip(),
        "dataset": data.get("dataset_name"),
        "retrieved": moment(file.get("retrieved_timestamp")),
        "higher_is_better": [name for name, config in configs if config.get("lower_is_better") is False],
        "lower_is_better": [name for name, config in configs if config.get("lower_is_better") is True],
        "units": [f"{name}: {config['metric_unit']}" for name, config in configs if isinstance(config.get("metric_unit"), str)],
        "ranges": [f"{name}: {config.get('min_score')} to {config.get('max_score')}" for name, config in configs if "min_score" in config],
    }


def _part(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}
