"""What a run that was started goes on as: its start said again, given up as lost, or ended with the rest of what it has to say."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from evals.models import EvalRun, Heartbeat
from evals.submissions import Fault, InvalidSubmission, Submission, parse

SAID_AT_START = ("producer", "external_id", "checkpoint", "evaluation", "relationship", "supersedes", "heartbeat_seconds")
MERGED = ("coverage", "elicitation", "provenance")
COUNTS = ("planned", "finished", "scored", "unscored", "errored", "limit_hit")


def started_again(start: EvalRun, *, lost: EvalRun) -> Submission:
    """The start once more, in place of the word that it was lost."""
    every = start.heartbeat.every
    about = {"status": "started", "coverage": _coverage(start), "supersedes": lost.pk, "heartbeat_seconds": every}
    return parse({**_restated(start), **about})


def lost(start: EvalRun) -> Submission:
    """The start given up: lost since its last sign, with what it had said of how far it was, and no result.

    Times that cannot be (a producer whose clock runs ahead) are left out, for nothing may keep a loss from being told.
    """
    heartbeat = start.heartbeat
    body, counts = _restated(start), _coverage(start)
    for name in ("planned", "completed", "scored", "errored"):
        counts[name] = _most(counts[name], getattr(heartbeat, name))
    if start.started is not None and start.started > heartbeat.seen:
        del body["started"]
    reason = f"Nothing was heard of it after {heartbeat.seen.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}."
    about = {"status": "lost", "completed": heartbeat.seen.isoformat(), "supersedes": start.pk, "coverage": counts}
    return parse({**body, **about, "provenance": {**body["provenance"], "reason": reason}})


def ended(start: EvalRun, heartbeat: Heartbeat, rest: Mapping[str, Any]) -> Submission:
    """The start with the rest of what is to be said of the run; the plan is what start or signs named, unless the rest names a larger one.

    A run that names no time of its own began, at the latest, when its start was received. Raises InvalidSubmission.
    """
    _check_rest(rest)
    body = {"status": "success", **_restated(start), **{name: value for name, value in rest.items() if name not in MERGED}}
    planned = _most(start.planned, heartbeat.planned)
    before = {**body, "coverage": {} if planned is None else {"planned": planned}}
    merged = {name: _merged(before.get(name, {}), rest[name]) if name in rest else before.get(name, {}) for name in MERGED}
    return _begun(parse({**body, **merged}), start.received)


def _begun(submission: Submission, received: dt.datetime) -> Submission:
    told = submission.started is not None or (submission.completed is not None and submission.completed < received)
    return submission if told else msgspec.structs.replace(submission, started=received)


def _check_rest(rest: Mapping[str, Any]) -> None:
    faults = [Fault(f"/{name}", "said_at_start", "The start has said it; leave it out.") for name in SAID_AT_START if name in rest]
    if rest.get("status") == "started":
        faults.append(Fault("/status", "invalid", "A run ends with success, error, cancelled or lost."))
    if faults:
        raise InvalidSubmission(faults)


def _most(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _merged(before: Mapping[str, Any], said: Any) -> Any:
    """Name by name, the later word wins; what is no object is left for the check of the whole."""
    return {**before, **said} if isinstance(said, Mapping) else said


def _restated(start: EvalRun) -> dict[str, Any]:
    """Whose run it is and what was said of it once and for all."""
    began = {"started": start.started.isoformat()} if start.started else {}
    return {
        "producer": {"name": start.producer, "version": start.producer_version},
        "external_id": start.external_id,
        "checkpoint": start.checkpoint.slug,
        "evaluation": start.evaluation.key,
        "elicitation": _narrowed(start.elicitation),
        "provenance": _narrowed(start.provenance),
        "relationship": start.relationship,
        **began,
    }


def _narrowed(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The same with whole numbers beyond 64 bits as doubles again: PostgreSQL gives a stored 1e300 back with all its digits."""
    return {name: [_double(part) for part in value] if isinstance(value, list) else _double(value) for name, value in flat.items()}


def _double(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def _coverage(run: EvalRun) -> dict[str, Any]:
    return {"completed" if name == "finished" else name: getattr(run, name) for name in COUNTS}
