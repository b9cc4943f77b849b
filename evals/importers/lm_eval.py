"""Results of EleutherAI's lm-evaluation-harness (`results_*.json`): one run for each task or group in the file. Plain Python.

A measurement has the format's own name for it, `metric,filter`. The file has no identity of its own, so a run is known by the file's
SHA-256 and its task. Where fewer samples counted than the task has (`effective` below `original`), the run is limited: all of the task's
samples were planned. What the harness calls better is handed on as the direction of more capable, which an evaluation that is declared
otherwise refuses. Arguments of the model may hold keys, so of them only the name of the model is read.
"""

import re
from collections.abc import Iterator
from typing import IO, Any

from evals.importers import UNSCORED, Options, Unreadable
from evals.importers.naming import LONGEST_METRIC, MOST, check_alone, checkpoint_of, clipped, count, digest_of, moment, number, said, slug
from evals.importers.strict_json import read_object

NAME = "lm-eval"
LARGEST = 64 << 20  # bytes
BEGINS = re.compile(rb'\s*\{\s*"')
MARKS = (re.compile(rb'"results"\s*:\s*\{'), re.compile(rb'"(?:n-samples|n-shot|group_subtasks|lm_eval_version|task_hashes)"\s*:'))
PRETRAINED = re.compile(r"(?:^|,)(?:pretrained|model)=([^,]+)")
GENERATION = ("temperature", "do_sample", "max_gen_toks", "top_p", "top_k")
REMEDY = "Give the results_*.json that the harness wrote."


def recognises(name: str, head: bytes) -> bool:  # noqa: ARG001 - the contract
    """An object with results and what only this harness writes beside them."""
    return bool(BEGINS.match(head)) and all(mark.search(head) for mark in MARKS)


def read(name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - the contract
    """A run for each task with results; raises Unreadable."""
    digest, raw = digest_of(content), content.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise Unreadable(f"It is larger than {LARGEST} bytes.", remedy=REMEDY)
    file = read_object(raw)
    tasks = {task: found for task, found in _part(file, "results").items() if isinstance(found, dict) and _metrics(found)}
    if not tasks:
        raise Unreadable("It holds no result of any task.", place="results", remedy=REMEDY)
    check_alone("evaluation", options.evaluation, tasks)
    for task, found in tasks.items():
        yield _submission(file, task, found, options, digest)


def _submission(file: dict[str, Any], task: str, found: dict[str, Any], options: Options, digest: str) -> dict[str, Any]:
    config, (original, effective) = _part(file, "config"), _checked_samples(file, task)
    better = _part(_part(file, "higher_is_better"), task)
    items = [{**_item(found, key, effective), **_direction(better.get(key.partition(",")[0]))} for key in _metrics(found)]
    return {
        "producer": {"name": "lm_eval", "version": str(file.get("lm_eval_version") or "")[:40]},
        "external_id": clipped(f"{digest}/{task}"),
        "checkpoint": checkpoint_of(options, file.get("model_name"), _model(config), config.get("model_name")),
        "evaluation": options.evaluation or slug(task, _version(file, task) or options.version),
        "status": "success",
        **_times(file),
        "measurements": items[:MOST],
        "coverage": {} if original is None else {"planned": original, "completed": effective, "scored": effective},
        "elicitation": _elicitation(file, task),
        "provenance": said({**_provenance(file, task), "measurements_left_out": len(items[MOST:]) or None}),
    }


def _checked_samples(file: dict[str, Any], task: str) -> tuple[int | None, int | None]:
    """Samples that the task has and samples that counted, which a limited run must say."""
    original, effective = _samples(file, task)
    if original is None and _part(file, "config").get("limit") is not None:
        raise Unreadable(
            "The run was limited, but `n-samples` does not say to how many samples of how many.",
            place=f"results.{task}",
            remedy="Run it again with a newer lm_eval, or without --limit.",
        )
    return original, effective


def _version(file: dict[str, Any], task: str) -> str:
    version = _part(file, "versions").get(task, "")
    return str(version) if isinstance(version, str | int | float) else ""


def _times(file: dict[str, Any]) -> dict[str, str]:
    times = {"started": moment(file.get("date")), "completed": moment(_end(file))}
    return {name: time for name, time in times.items() if time}


def _direction(higher: Any) -> dict[str, str]:
    """Which way the harness calls better, where it says so."""
    return {"direction": "higher" if higher else "lower"} if isinstance(higher, bool) else {}


def _metrics(found: dict[str, Any]) -> list[str]:
    """The names of results that are no standard errors: with a filter, or a bare number as older files have."""
    return [
        key
        for key, value in found.items()
        if ("," in key or number(value) is not None)
        and not key.partition(",")[0].endswith("_stderr")
        and key not in ("sample_len", "samples")
    ]


def _item(found: dict[str, Any], key: str, effective: int | None) -> dict[str, Any]:
    """The metric with its standard error; `N/A` and 0 say nothing of it."""
    value, (metric, comma, kind) = number(found[key]), key.partition(",")
    name = clipped(key, LONGEST_METRIC)
    if value is None or effective == 0:
        return {"metric": name, "value": None, "reason": UNSCORED}
    stderr = number(found.get(f"{metric}_stderr{comma}{kind}"))
    return {
        "metric": name,
        "value": value,
        **({"stderr": stderr} if stderr and stderr > 0 else {}),
        **({"n_tasks": effective} if effective else {}),
    }


def _samples(file: dict[str, Any], task: str) -> tuple[int | None, int | None]:
    """Samples that the task has and samples that counted; of a group the sums over its tasks."""
    leaves, found = list(_leaves(_part(file, "group_subtasks"), task, set())), _part(file, "n-samples")
    pairs = [(count(_part(found, leaf).get("original")), count(_part(found, leaf).get("effective"))) for leaf in leaves]
    known = [(original, effective) for original, effective in pairs if original is not None and effective is not None]
    if not known or len(known) < len(pairs):
        return None, None
    return sum(original for original, _ in known), sum(effective for _, effective in known)


def _leaves(groups: dict[str, Any], task: str, seen: set[str]) -> Iterator[str]:
    parts = groups.get(task)
    if task in seen:
        return
    seen.add(task)
    if not (isinstance(parts, list) and parts):
        yield task
        return
    for part in parts:
        yield from _leaves(groups, str(part), seen)


def _elicitation(file: dict[str, Any], task: str) -> dict[str, Any]:
    config = _part(_part(file, "configs"), task)
    generation = _part(config, "generation_kwargs")
    return said(
        {
            "num_fewshot": _part(file, "n-shot").get(task),
            "sample_limit": _part(file, "config").get("limit"),
            "repeats": config.get("repeats"),
            "chat_template_sha256": file.get("chat_template_sha"),
            "system_instruction_sha256": file.get("system_instruction_sha"),
            "fewshot_as_multiturn": file.get("fewshot_as_multiturn"),
            **{name: generation.get(name) for name in GENERATION},
        }
    )


def _provenance(file: dict[str, Any], task: str) -> dict[str, Any]:
    direction = _part(_part(file, "higher_is_better"), task)
    return {
        "task": task,
        "task_hash": _part(file, "task_hashes").get(task),
        "dataset": _part(_part(file, "configs"), task).get("dataset_path"),
        "model_source": file.get("model_source"),
        "model_sha": _part(file, "config").get("model_sha"),
        "harness_commit": file.get("git_hash"),
        "higher_is_better": [metric for metric, higher in direction.items() if higher is True],
        "lower_is_better": [metric for metric, higher in direction.items() if higher is False],
    }


def _end(file: dict[str, Any]) -> float | None:
    """When it ended, in seconds since 1970: the duration is a text, and start_time and end_time are of a clock without a date."""
    start, lasted = number(file.get("date")), file.get("total_evaluation_time_seconds")
    try:
        return None if start is None or lasted is None else start + max(0.0, float(lasted))
    except (TypeError, ValueError):
        return None


def _model(config: dict[str, Any]) -> str:
    arguments = config.get("model_args")
    if isinstance(arguments, dict):
        return str(arguments.get("pretrained") or arguments.get("model") or "")
    found = PRETRAINED.search(arguments) if isinstance(arguments, str) else None
    return found[1] if found else ""


def _part(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}
