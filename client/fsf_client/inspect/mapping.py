"""From the header of an Inspect log and its samples' scores to the body of a run. Plain Python; inspect_ai is not imported.

No input, target, answer or transcript is read. What was planned is what was selected times epochs, whatever the log's status says.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsf_client.inspect.covering import coverage, part, planned, selected
from fsf_client.inspect.measuring import measurements
from fsf_client.inspect.solving import Line

PRODUCER = "inspect_ai"
Content = Mapping[str, Any]
ENDED = ("success", "error", "cancelled")
GENERATION = ("temperature", "top_p", "top_k", "seed", "max_tokens", "reasoning_effort", "reasoning_tokens")
LIMITS = ("message_limit", "token_limit", "turn_limit", "time_limit", "working_limit", "cost_limit")


@dataclass(frozen=True, slots=True)
class Known:
    """What the environment knows better than the log; empty means: as the log says."""

    checkpoint: str = ""
    evaluation: str = ""
    attested_by: str = ""

    @classmethod
    def of(cls, env: Mapping[str, str] = os.environ) -> "Known":
        """From FSF_CHECKPOINT, FSF_EVALUATION and FSF_ATTESTED_BY."""
        return cls(env.get("FSF_CHECKPOINT", ""), env.get("FSF_EVALUATION", ""), env.get("FSF_ATTESTED_BY", ""))


def started(spec: Content, known: Known) -> dict[str, Any]:
    """The body of a run that has begun; its task stands in `spec`."""
    return {
        "producer": {"name": PRODUCER, "version": str(part(spec, "packages").get("inspect_ai", ""))[:40]},
        "external_id": str(spec["eval_id"])[:200],
        "checkpoint": (known.checkpoint or str(spec["model"]))[:200],
        "evaluation": known.evaluation or evaluation_of(spec),
        "status": "started",
        **({"started": spec["created"]} if spec.get("created") else {}),
        "coverage": _present({"planned": planned(spec)}),
    }


def finished(header: Content, lines: list[Line], known: Known) -> dict[str, Any]:
    """The body of a run that has ended; a success without any score is no success.

    Where the header does not say when the run began, nothing is said of it: when its log was created is not the same.
    """
    spec, stats = header["eval"], part(header, "stats")
    found, status = measurements(header, lines), header.get("status")
    unscored = status == "success" and not found
    begun = {name: told for name, told in started(spec, known).items() if name != "started"}
    return {
        **begun,
        "status": status if status in ENDED and not unscored else "error",
        **_present({"started": stats.get("started_at"), "completed": stats.get("completed_at")}),
        "measurements": found,
        "coverage": coverage(header, lines),
        "elicitation": _present(_elicitation(header, known)),
        "provenance": _present({**_provenance(header), "no_score": unscored}),
    }


def evaluation_of(spec: Content) -> str:
    """Task name at comparability version: a task version N-X is comparable with every other N."""
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", str(spec["task"]).rpartition("/")[2]).strip("-")[:100]
    version = part(spec, "metadata").get("task_comparability_version", spec.get("task_version", 0))
    return f"{slug}@{str(version).partition('-')[0]}"[:200]


def _elicitation(header: Content, known: Known) -> dict[str, Any]:
    spec, plan = header["eval"], part(header, "plan")
    config, asked = part(spec, "config"), {**part(spec, "model_generate_config"), **part(plan, "config")}
    return {
        "attested_by": known.attested_by or part(spec, "metadata").get("attested_by"),
        "solvers": [str(step.get("solver"))[:200] for step in plan.get("steps") or ()][:50],
        "epochs": config.get("epochs") or 1,
        "reducers": config.get("epochs_reducer"),
        "sample_limit": config.get("limit"),
        **{name: config.get(name) for name in LIMITS},
        **{name: asked.get(name) for name in GENERATION},
    }


def _provenance(header: Content) -> dict[str, Any]:
    spec = header["eval"]
    revision = part(spec, "revision")
    return {
        "model": str(spec["model"])[:200],
        "task": str(spec["task"])[:200],
        "task_version": str(part(spec, "metadata").get("full_task_version", spec.get("task_version", ""))),
        "run_id": spec.get("run_id"),
        "task_id": spec.get("task_id"),
        "eval_set_id": spec.get("eval_set_id"),
        "dataset_samples": part(spec, "dataset").get("samples"),
        "selected_samples": selected(spec),
        "log_status": header.get("status"),
        "revision_commit": revision.get("commit"),
        "revision_dirty": revision.get("dirty"),
        "total_tokens": _tokens(part(header, "stats")),
        "invalidated": bool(header.get("invalidated")),
        "posted_by_hook": True,
    }


def _tokens(stats: Content) -> int:
    return sum(each.get("total_tokens") or 0 for each in part(stats, "model_usage").values())


def _present(facts: Content) -> dict[str, Any]:
    """Facts that say something; a temperature of 0 does."""
    return {name: fact for name, fact in facts.items() if fact not in (None, "", [], False) or (name, fact) == ("temperature", 0)}
