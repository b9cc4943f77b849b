"""Storing a run as its producer reported it: once per content, append-only, inside the caller's transaction."""

import datetime as dt
from dataclasses import dataclass
from itertools import combinations

import msgspec
from django.db import transaction

from accounts.roles import Actor, Refused, require
from audit import log
from evals.catalogue import UnknownEvaluation, find_evaluation
from evals.models import Checkpoint, EvalResult, EvalRun, Evaluation
from evals.submissions import Fault, InvalidSubmission, Item, Submission, covers, digest, is_complete, missing_samples

CLOCK_SLACK = dt.timedelta(hours=1)
ROUNDING = 0.01  # how far a printed proportion may lie from its counts


class ContentDiffers(Refused):
    """The producer already posted other content under this external id, and the body does not name the run it supersedes."""

    def __init__(self, run: EvalRun) -> None:
        super().__init__(
            f"{run.producer} already posted other content as '{run.external_id}' ({run.ref}). Runs are never changed: "
            f'to correct it, post the new content with "supersedes": {run.pk}.'
        )
        self.run = run


@dataclass(frozen=True, slots=True)
class Recorded:
    """The stored run, and whether this call stored it or found the same content already there."""

    run: EvalRun
    created: bool
    results: tuple[EvalResult, ...] = ()


def record_run(*, submission: Submission, actor: Actor, now: dt.datetime, judged: dt.datetime | None = None) -> Recorded:
    """Store a run with its results and an audit entry; `judged` is for a caller that judges it in the same transaction.

    Raises InvalidSubmission where a name is unknown or the content cannot be of this evaluation, ContentDiffers where
    the identity (producer, external id) is taken by other content; a surrounding transaction stays usable after either.
    """
    content = digest(submission)
    known = list(EvalRun.objects.filter(producer=submission.producer.name, external_id=submission.external_id).order_by("-revision"))
    for run in known:
        if run.digest == content and (run is known[0] or not _names(submission, known[0])):
            return Recorded(run, created=False)
    supersedes = _superseded(submission, known)
    checkpoint, evaluation = _named(submission)
    _fits(submission, evaluation, now)
    run = _build(submission, checkpoint, evaluation, now)
    run.digest, run.posted_by, run.judged = content, f"{actor.kind}:{actor.name}", judged
    run.supersedes, run.revision = supersedes, supersedes.revision + 1 if supersedes else 1
    return Recorded(run, created=True, results=_store(run, submission.measurements, actor, now))


@transaction.atomic(savepoint=False)
def _store(run: EvalRun, measurements: list[Item], actor: Actor, now: dt.datetime) -> tuple[EvalResult, ...]:
    run.save(force_insert=True)
    results = EvalResult.objects.bulk_create([_result(run, item) for item in measurements])
    log.record(
        action="evals.run.record",
        about=f"run:{run.pk}",
        actor=actor,
        now=now,
        data={
            "checkpoint": run.checkpoint.slug,
            "evaluation": run.evaluation.key,
            "producer": run.producer,
            "external_id": run.external_id,
            "digest": run.digest,
            "status": run.status,
            "supersedes": run.supersedes_id,
        },
    )
    return tuple(results)


@transaction.atomic
def invalidate_run(*, run_id: int, reason: str, actor: Actor, now: dt.datetime) -> EvalRun:
    """Mark a run as not to be relied on, with the reason; what it raised stays raised until it is signed down."""
    require(actor, "evals.invalidate")
    if not reason.strip():
        raise Refused("Say why the run is invalid; the reason is kept with it.")
    run = EvalRun.objects.select_for_update().get(pk=run_id)
    if run.invalidated is not None:
        raise Refused(f"{run.ref} was already marked invalid by {run.invalidated_by}.")
    run.invalidated, run.invalidated_by, run.invalidated_reason = now, actor.name, reason.strip()
    run.save(update_fields=["invalidated", "invalidated_by", "invalidated_reason"])
    log.record(action="evals.run.invalidate", about=f"run:{run.pk}", actor=actor, now=now, data={"reason": reason.strip()})
    return run


def _names(submission: Submission, run: EvalRun) -> bool:
    """Whether the body names this run as the one it supersedes; then even content of an earlier revision is a new correction."""
    return str(submission.supersedes).removeprefix("R-") == str(run.pk)


def _superseded(submission: Submission, known: list[EvalRun]) -> EvalRun | None:
    """The newest run of this identity where the body names it; raises ContentDiffers or InvalidSubmission."""
    named = submission.supersedes
    if named is None:
        if known:
            raise ContentDiffers(known[0])
        return None
    if not known or not _names(submission, known[0]):
        there = f"the newest is {known[0].ref}" if known else "there is none"
        raise InvalidSubmission(
            [Fault("/supersedes", "not_the_newest", f"Only the newest run of this producer and external id can be superseded; {there}.")]
        )
    return known[0]


def _named(submission: Submission) -> tuple[Checkpoint, Evaluation]:
    faults: list[Fault] = []
    checkpoint = next(iter(Checkpoint.objects.select_related("model").filter(slug=submission.checkpoint)), None)
    if checkpoint is None:
        detail = f"No checkpoint '{submission.checkpoint}' is registered; register it with POST /api/v1/checkpoints/ first."
        faults.append(Fault("/checkpoint", "unknown_checkpoint", detail))
    try:
        evaluation = find_evaluation(submission.evaluation)
    except UnknownEvaluation as unknown:
        faults.append(Fault("/evaluation", "unknown_evaluation", str(unknown)))
    if faults or checkpoint is None:
        raise InvalidSubmission(faults)
    return checkpoint, evaluation


def _fits(submission: Submission, evaluation: Evaluation, now: dt.datetime) -> None:
    """Refuse what cannot be a run of this evaluation: no measurement of its metric, values out of range, a time to come."""
    faults = _by_now(submission, now)
    item = submission.measurement(evaluation.metric)
    if item is not None:
        index = submission.measurements.index(item)
        faults += _in_range(index, item, evaluation)
        faults += _inside_total(index, item, submission)
        faults += _tasks_fit(index, item, evaluation)
        faults += _counts_fit(index, item, evaluation)
        faults += _agrees(index, item, submission)
    elif submission.measurements:
        names = ", ".join(other.metric for other in submission.measurements)
        detail = f"{evaluation.key} is judged by '{evaluation.metric}'; the body measures only {names}."
        faults.append(Fault("/measurements", "metric_missing", detail))
    if faults:
        raise InvalidSubmission(faults)


def _by_now(submission: Submission, now: dt.datetime) -> list[Fault]:
    return [
        Fault(f"/{name}", "in_the_future", f"The run cannot be {name} in the future; check the producer's clock.")
        for name in ("started", "completed")
        if (moment := getattr(submission, name)) is not None and moment > now + CLOCK_SLACK
    ]


def _in_range(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    """The value within the declared range, a proportion always within 0 and 1, and nothing without a logarithm on a log scale."""
    at = f"/measurements/{index}"
    low, high = (0.0, 1.0) if evaluation.unit == "proportion" else (evaluation.minimum, evaluation.maximum)
    faults = []
    if item.value is not None and not _between(low, item.value, high):
        detail = f"{item.value:g} lies outside the range of {evaluation.key} ({low} to {high})."
        faults.append(Fault(f"{at}/value", "score_outside_bounds", detail))
    for name in ("value", "ci_low", "ci_high") if evaluation.scale == "log" else ():
        if (number := getattr(item, name)) is not None and number <= 0:
            detail = f"{evaluation.key} is read on a log scale; {number:g} is not positive."
            faults.append(Fault(f"{at}/{name}", "log_scale_needs_positive", detail))
    return faults


def _between(low: float | None, value: float, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _inside_total(index: int, item: Item, submission: Submission) -> list[Fault]:
    """Total counts errored samples too, unless the plan says that more samples were meant to run than total counts."""
    planned = submission.coverage.planned or 0
    if item.total is None or item.solved is None or planned > item.total:
        return []
    if item.solved + missing_samples(submission) > item.total:
        detail = f"Solved and the samples without a score exceed total ({item.total}); total counts errored samples too."
        return [Fault(f"/measurements/{index}/total", "solved_plus_errored_exceeds_total", detail)]
    return []


def _tasks_fit(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    name, tasks = ("tasks", len(item.tasks)) if item.tasks else ("n_tasks", item.n_tasks or 0)
    if tasks <= (evaluation.n_tasks or tasks):
        return []
    detail = f"{evaluation.key} has {evaluation.n_tasks} tasks, not {tasks}; another set of tasks is another version."
    return [Fault(f"/measurements/{index}/{name}", "more_tasks_than_declared", detail)]


def _counts_fit(index: int, item: Item, evaluation: Evaluation) -> list[Fault]:
    if evaluation.unit == "proportion" or (item.solved is None and item.tasks is None):
        return []
    detail = f"{evaluation.key} is measured in {evaluation.unit}; post it as value with its stderr or interval, not as counts."
    return [Fault(f"/measurements/{index}", "counts_need_proportion", detail)]


def _agrees(index: int, item: Item, submission: Submission) -> list[Fault]:
    """Refuse a proportion that is told twice and differently: as value, as counts, as tasks; rounding is allowed for."""
    told = [[item.value] if item.value is not None else [], _shares(item, submission), _task_shares(item)]
    given = [shares for shares in told if shares]
    for one, other in combinations(given, 2):
        if min(abs(share - another) for share in one for another in other) > ROUNDING:
            detail = "Value, counts and tasks of one measurement contradict each other; post the one that is meant."
            return [Fault(f"/measurements/{index}", "contradiction", detail)]
    return []


def _shares(item: Item, submission: Submission) -> list[float]:
    """What the counts may be printed as: the samples without a score counted as unsolved, or left out."""
    if item.solved is None or not item.total:
        return []
    return [item.solved / whole for whole in (item.total, item.total - missing_samples(submission)) if whole > 0]


def _task_shares(item: Item) -> list[float]:
    if not item.tasks:
        return []
    solved, attempts = (sum(getattr(task, name) for task in item.tasks) for name in ("solved", "attempts"))
    return [sum(task.solved / task.attempts for task in item.tasks) / len(item.tasks), solved / attempts]


def _build(submission: Submission, checkpoint: Checkpoint, evaluation: Evaluation, now: dt.datetime) -> EvalRun:
    cover = submission.coverage
    return EvalRun(
        producer=submission.producer.name,
        producer_version=submission.producer.version,
        external_id=submission.external_id,
        checkpoint=checkpoint,
        evaluation=evaluation,
        status=submission.status,
        started=submission.started,
        completed=submission.completed or now,
        received=now,
        planned=cover.planned,
        finished=cover.completed,
        scored=cover.scored,
        unscored=cover.unscored,
        errored=cover.errored,
        limit_hit=cover.limit_hit,
        complete=is_complete(submission) and covers(submission, evaluation.metric, evaluation.n_tasks),
        elicitation=submission.elicitation,
        provenance=submission.provenance,
        relationship=submission.relationship,
    )


def _result(run: EvalRun, item: Item) -> EvalResult:
    return EvalResult(
        run=run,
        metric=item.metric,
        value=_value(item),
        solved=item.solved,
        total=item.total,
        n_tasks=item.n_tasks,
        stderr=item.stderr,
        ci_low=item.ci_low,
        ci_high=item.ci_high,
        ci_level=item.ci_level,
        tasks=msgspec.to_builtins(item.tasks) if item.tasks else None,
        reason=item.reason,
    )


def _value(item: Item) -> float | None:
    """The value as posted, or the mean over tasks or samples that the counts give."""
    if item.value is not None:
        return item.value
    if item.tasks:
        return sum(task.solved / task.attempts for task in item.tasks) / len(item.tasks)
    return item.solved / item.total if item.solved is not None and item.total else None
