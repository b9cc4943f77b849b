"""From an Inspect log, of either kind of file, to a submission: identity, coverage, elicitation, provenance. Plain Python.

Prompts, parameters of solvers, arguments of tasks and paths of files stay behind; where they matter, a digest shows that they differ.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from evals.importers import Options, Unreadable
from evals.importers.addresses import host_of, scrubbed
from evals.importers.inspect_log import Log, Revision, Sample, SampleScore, Spec, Stats, Step
from evals.importers.inspect_metrics import MOST, measurements
from evals.importers.inspect_tasks import coverage, selected

LIMITS = ("message_limit", "token_limit", "turn_limit", "time_limit", "working_limit", "cost_limit")
GENERATION = frozenset({"temperature", "top_p", "top_k", "seed", "num_choices", "best_of", "max_tokens"}) | {
    *("reasoning_effort", "reasoning_tokens", "reasoning_history", "effort", "max_tool_output")
}
PASS_AT_FIXED = (0, 3, 221)  # before, pass_at_k could read 1.0 where fewer than k epochs were scored (inspect_ai's CHANGELOG)
ENDED = ("success", "error", "cancelled")
NO_EVALUATION = "Say which evaluation it is with --evaluation slug@version."


def submission(log: Log, options: Options) -> dict[str, Any]:
    """The submission of one log; raises Unreadable where it has no result to post or names no checkpoint or evaluation."""
    spec, found, status = log.header.eval, measurements(log), _status(log, options)
    if status == "success" and not found:
        raise Unreadable("The run has no score.", place="results", remedy="Score it first (`inspect score`), then import it again.")
    content = {
        "producer": {"name": "inspect_ai", "version": spec.packages.get("inspect_ai", "")[:40]},
        "external_id": _identity(spec),
        **_subject(spec, options),
        "status": status,
        **_times(log),
        "measurements": found[:MOST],
        "coverage": coverage(log),
        "elicitation": _said({"attested_by": _attested(spec), **_elicitation(log)}),
        "provenance": _said({**_provenance(log), "measurements_left_out": len(found[MOST:])}),
    }
    return {name: part for name, part in content.items() if part is not None}


def _status(log: Log, options: Options) -> str:
    if log.finished and log.header.status in ENDED:
        return log.header.status
    return "started" if options.running else "lost"


def _subject(spec: Spec, options: Options) -> dict[str, str]:
    """The checkpoint and the evaluation that were asked for, or else those that the log names."""
    return {"checkpoint": options.checkpoint or spec.model[:200], "evaluation": options.evaluation or evaluation_of(spec)}


def _times(log: Log) -> dict[str, str | None]:
    stats = log.header.stats
    completed = stats.completed_at if log.finished else ""
    return {"started": stats.started_at or log.header.eval.created or None, "completed": completed or None}


def evaluation_of(spec: Spec) -> str:
    """Task name at comparability version: runs of different comparability versions are no runs of one evaluation."""
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", spec.task.rpartition("/")[2]).strip("-")[:100]
    version = str((spec.metadata or {}).get("task_comparability_version", spec.task_version)).partition("-")[0]
    if not slug:
        raise Unreadable("The log names no task.", place="eval.task", remedy=NO_EVALUATION)
    return f"{slug}@{version}"[:200]


def _identity(spec: Spec) -> str:
    """eval_id is made anew for each execution of a task; logs from before it existed are known by what stands for it."""
    if spec.eval_id:
        return spec.eval_id[:200]
    if not (spec.run_id or spec.task_id):
        raise Unreadable(
            "The log names neither eval_id nor run_id and task_id.", place="eval", remedy="Such a log has no identity to import under."
        )
    return hashlib.sha256(f"{spec.run_id}{spec.task_id}{spec.created}".encode()).hexdigest()


def _attested(spec: Spec) -> str | None:
    """Who vouches in the evaluation's metadata that the model was elicited properly."""
    told = (spec.metadata or {}).get("attested_by")
    return told.strip() or None if isinstance(told, str) else None


def _elicitation(log: Log) -> dict[str, Any]:
    spec, plan = log.header.eval, log.header.plan
    config = spec.config
    return {
        **_solving(plan.steps),
        "sandbox": _sandbox(spec.sandbox),
        "epochs": config.epochs or 1,
        "reducers": config.epochs_reducer or [],
        "sample_limit": config.limit,
        "task_args_sha256": _digest(spec.task_args) if spec.task_args else None,
        "model_roles": sorted(_roles(spec.model_roles)),
        **{name: getattr(config, name) for name in LIMITS},
        **_generation({**spec.model_generate_config, **plan.config}),
    }


def _solving(steps: list[Step]) -> dict[str, Any]:
    return {
        "solvers": [step.solver for step in steps],
        "solvers_sha256": _digest([[step.solver, step.params] for step in steps]) if steps else None,
        "tools": sorted(set(_tools([step.params for step in steps]))),
    }


def _generation(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name in GENERATION and isinstance(value, str | int | float)}


def _tools(params: Any) -> list[str]:
    """The names of tools, however deep a solver's parameters hold them."""
    if _is_tool(params):
        return [params["name"]]
    inner = params.values() if isinstance(params, dict) else params
    return [tool for part in inner for tool in _tools(part)] if isinstance(params, dict | list) else []


def _is_tool(params: Any) -> bool:
    return isinstance(params, dict) and params.get("type") == "tool" and isinstance(params.get("name"), str)


def _sandbox(sandbox: Any) -> str | None:
    kind = sandbox.get("type") if isinstance(sandbox, dict) else sandbox[0] if isinstance(sandbox, list) and sandbox else sandbox
    return kind if isinstance(kind, str) else None


def _roles(roles: dict[str, Any] | None) -> list[str]:
    return [f"{role}={each.get('model', '')}" for role, each in (roles or {}).items() if isinstance(each, dict)]


def _provenance(log: Log) -> dict[str, Any]:
    header, spec = log.header, log.header.eval
    return {
        **_identifiers(spec),
        "dataset": spec.dataset.name,
        "dataset_samples": spec.dataset.samples,
        "selected_samples": selected(log),
        "log_status": header.status if log.finished else "no header",
        "log_written": log.written,
        **(_revision(spec.revision) if spec.revision else {}),
        "packages": [f"{name}=={version}" for name, version in sorted(spec.packages.items())],
        **_spent(header.stats),
        "early_stopping": bool(header.results and header.results.early_stopping),
        "invalidated": header.invalidated,
        **_edits(log),
        "warnings": _warnings(spec),
    }


def _identifiers(spec: Spec) -> dict[str, Any]:
    return {
        "model": spec.model,
        "model_base_url_host": host_of(spec.model_base_url or ""),
        "task": spec.task,
        "task_version": str((spec.metadata or {}).get("full_task_version", spec.task_version)),
        "run_id": spec.run_id,
        "task_id": spec.task_id,
        "eval_set_id": spec.eval_set_id,
    }


def _revision(revision: Revision) -> dict[str, Any]:
    return {"revision_origin": scrubbed(revision.origin), "revision_commit": revision.commit, "revision_dirty": revision.dirty}


def _spent(stats: Stats) -> dict[str, Any]:
    usage = stats.model_usage.values()
    return {"total_tokens": sum(each.total_tokens for each in usage), "cost_usd": sum(each.total_cost or 0 for each in usage)}


def _edits(log: Log) -> dict[str, int]:
    """How often the log, its configuration and its scores were changed after the fact."""
    return {
        "log_edits": len(log.header.log_updates or ()),
        "config_updates": len(log.header.config_updates or ()),
        "score_edits": sum(bool(score.history) for sample in log.samples for score in _scores(sample)),
    }


def _scores(sample: Sample) -> Iterable[SampleScore]:
    return sample.scores.values() if sample.scores else ()


def _warnings(spec: Spec) -> list[str]:
    reducers = spec.config.epochs_reducer or []
    if _before_fix(spec.packages.get("inspect_ai", "")) and any(reducer.startswith("pass_at_") for reducer in reducers):
        return ["pass_at_k of inspect_ai before 0.3.221 reads too high where fewer than k epochs were scored"]
    return []


def _before_fix(version: str) -> bool:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    return bool(numbers) and numbers < PASS_AT_FIXED


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _said(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts that say something, each text short enough to keep."""
    return {name: _short(fact) for name, fact in facts.items() if fact not in (None, "", [], 0, False) or name == "temperature"}


def _short(fact: Any) -> Any:
    if isinstance(fact, list):
        return [_short(part) for part in fact[:50]]
    return fact[:200] if isinstance(fact, str) else fact
