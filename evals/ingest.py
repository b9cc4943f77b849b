"""Storing a run as its producer reported it: once per content, append-only, inside the caller's transaction."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import transaction

from accounts.roles import EVERYTHING, Actor, Refused, check_reach, require
from audit import log
from evals.authors import check_end, name_of
from evals.catalogue import UnknownEvaluation, find_evaluation
from evals.fitting import check_fit, outcomes_of
from evals.heartbeats import begin, watch_runs
from evals.models import Checkpoint, EvalResult, EvalRun, Evaluation
from evals.revisions import UNENDED, with_plan
from evals.rows import new_row
from evals.submissions import Fault, InvalidSubmission, Item, Submission, covers, digest, is_complete


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
    the identity (producer, external id) is taken by other content, NotTheAuthor where it would end what another account started,
    NotAllowed where the actor's token does not reach it; a surrounding transaction stays usable after each.
    """
    content, known = digest(submission), _known(submission, actor)
    if (there := stored_already(submission, content, known)) is not None:
        return Recorded(there, created=False)
    supersedes = superseded_by(submission, known)
    checkpoint, evaluation = _named(submission)
    run = build_run(Facts(submission, checkpoint, evaluation, content), actor, now, supersedes)
    run.judged = judged
    results = _store(run, submission.measurements, actor, now)
    watch_runs(runs=[(run, submission.heartbeat_seconds)], now=now)
    return Recorded(run, created=True, results=results)


def _known(submission: Submission, actor: Actor) -> list[EvalRun]:
    """The runs of the submission's identity, the newest first; raises NotAllowed where the actor's token does not reach one."""
    same = EvalRun.objects.filter(producer=submission.producer.name, external_id=submission.external_id)
    runs = same.select_related("heartbeat").order_by("-revision")
    if actor.reach == EVERYTHING:
        return list(runs)
    known = list(runs.select_related("checkpoint__model", "evaluation"))
    check_known(actor, known)
    return known


def check_known(actor: Actor, known: Iterable[EvalRun]) -> None:
    """Raise NotAllowed where the actor's token does not reach one of these runs: nothing is told of it, not even that it is there."""
    for run in known:
        check_reach(actor, model=run.checkpoint.model.slug, evaluation=run.evaluation.slug, what="what stands under this external id")


def stored_already(submission: Submission, content: str, known: Sequence[EvalRun]) -> EvalRun | None:
    """The run of this identity (`known`, the newest first) that holds this very content; where the body names the newest as the one
    it supersedes, even content of an earlier revision is a new correction."""
    for run in known:
        if run.digest == content and (run is known[0] or not _names(submission, known[0])):
            return run
    return None


@transaction.atomic(savepoint=False)
def _store(run: EvalRun, measurements: list[Item], actor: Actor, now: dt.datetime) -> tuple[EvalResult, ...]:
    run.save(force_insert=True)
    results = EvalResult.objects.bulk_create([build_result(run, item) for item in measurements])
    record_entry(run, actor, now)
    return tuple(results)


def record_entry(run: EvalRun, actor: Actor, now: dt.datetime) -> None:
    """The audit entry of one stored run."""
    log.record(
        action="evals.run.record",
        about=f"run:{run.id}",
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
    """Whether the body names this run as the one it supersedes."""
    return str(submission.supersedes).removeprefix("R-") == str(run.pk)


def superseded_by(submission: Submission, known: Sequence[EvalRun]) -> EvalRun | None:
    """The newest run of this identity where the body names it or is its end; raises ContentDiffers or InvalidSubmission."""
    named = submission.supersedes
    if named is None:
        if known and not _ends(submission, known[0]):
            raise ContentDiffers(known[0])
        return known[0] if known else None
    if not known or not _names(submission, known[0]):
        there = f"the newest is {known[0].ref}" if known else "there is none"
        raise InvalidSubmission(
            [Fault("/supersedes", "not_the_newest", f"Only the newest run of this producer and external id can be superseded; {there}.")]
        )
    return known[0]


def _ends(submission: Submission, run: EvalRun) -> bool:
    """Whether the body is the end of a run that had only started, or was given up as lost: that is no correction.

    A run that a person marked invalid is ended by nothing: what is posted in its place must name it.
    """
    return run.status in UNENDED and submission.status != "started" and run.invalidated is None


def _named(submission: Submission) -> tuple[Checkpoint, Evaluation]:
    checkpoint = next(iter(Checkpoint.objects.select_related("model").filter(slug=submission.checkpoint)), None)
    try:
        return named(submission, checkpoint, find_evaluation(submission.evaluation))
    except UnknownEvaluation as unknown:
        return named(submission, checkpoint, unknown)


def named(
    submission: Submission, checkpoint: Checkpoint | None, evaluation: Evaluation | UnknownEvaluation
) -> tuple[Checkpoint, Evaluation]:
    """What the names of a submission stand for; raises InvalidSubmission for all that stand for nothing."""
    if checkpoint is not None and isinstance(evaluation, Evaluation):
        return checkpoint, evaluation
    faults: list[Fault] = []
    if checkpoint is None:
        detail = f"No checkpoint '{submission.checkpoint}' is registered; register it with POST /api/v1/checkpoints/ first."
        faults.append(Fault("/checkpoint", "unknown_checkpoint", detail))
    if isinstance(evaluation, UnknownEvaluation):
        faults.append(Fault("/evaluation", "unknown_evaluation", str(evaluation)))
    raise InvalidSubmission(faults)


class Facts(NamedTuple):
    """A submission with what its names stand for and the digest of its content."""

    submission: Submission
    checkpoint: Checkpoint
    evaluation: Evaluation
    digest: str


def build_run(facts: Facts, actor: Actor, now: dt.datetime, supersedes: EvalRun | None) -> EvalRun:
    """The row of a run as it was reported, not stored yet; raises NotTheAuthor, NotAllowed and InvalidSubmission."""
    submission = facts.submission
    if actor.reach != EVERYTHING:
        check_reach(actor, model=facts.checkpoint.model.slug, checkpoint=facts.checkpoint.slug, evaluation=facts.evaluation.slug)
    check_fit(submission, facts.evaluation, now)
    submission = _as_end(submission, supersedes, actor)
    cover = submission.coverage
    related = {"checkpoint": facts.checkpoint, "evaluation": facts.evaluation, "supersedes": supersedes}
    values = {
        "producer": submission.producer.name,
        "producer_version": submission.producer.version,
        "external_id": submission.external_id,
        "revision": supersedes.revision + 1 if supersedes else 1,
        "digest": facts.digest,
        "status": submission.status,
        "started": submission.started,
        "completed": submission.completed or now,
        "received": now,
        "planned": cover.planned,
        "finished": cover.completed,
        "scored": cover.scored,
        "unscored": cover.unscored,
        "errored": cover.errored,
        "limit_hit": cover.limit_hit,
        "complete": _is_whole(submission, facts.evaluation),
        "elicitation": submission.elicitation,
        "provenance": submission.provenance,
        "relationship": submission.relationship,
        "posted_by": name_of(actor),
    }
    run = new_row(EvalRun, related, values)
    begin(run, actor)
    return run


def plans_of(run: EvalRun) -> tuple[int | None, ...]:
    """Samples planned by what the run said, and by its signs of life since."""
    return run.planned, run.heartbeat.planned if hasattr(run, "heartbeat") else None


def _as_end(submission: Submission, supersedes: EvalRun | None, actor: Actor) -> Submission:
    """The end of a started run, by the account that started it, with at least the plan of its start and signs: fewer samples than that
    are not the whole of it.

    A correction, which names the run that it supersedes, may come from any account and name a smaller plan.
    """
    if supersedes is None or submission.supersedes is not None:
        return submission
    check_end(supersedes, actor)
    return with_plan(submission, plans_of(supersedes))


def _is_whole(submission: Submission, evaluation: Evaluation) -> bool:
    return is_complete(submission) and covers(submission, evaluation.metric, _to_be_run(submission, evaluation))


def _to_be_run(submission: Submission, evaluation: Evaluation) -> int | None:
    """Distinct tasks that a run must cover: those that are set aside beforehand need not be run, and stand in for no other if they are."""
    if not evaluation.n_tasks or not evaluation.exclusions:
        return evaluation.n_tasks or None
    item = submission.measurement(evaluation.metric)
    ran = {task.id for task in (item.tasks if item else None) or ()}
    spared = sum(each["task"] not in ran for each in evaluation.exclusions)
    return max(0, evaluation.n_tasks - spared)


def build_result(run: EvalRun, item: Item) -> EvalResult:
    """The row of one measurement of a run, not stored yet."""
    value = value_of(item, run.evaluation)
    reason = item.reason or ("No task has an outcome that counts." if value is None else "")
    values = {
        "metric": item.metric,
        "value": value,
        "solved": item.solved,
        "total": item.total,
        "n_tasks": item.n_tasks,
        "stderr": item.stderr,
        "ci_low": item.ci_low,
        "ci_high": item.ci_high,
        "ci_level": item.ci_level,
        "tasks": item.plain_tasks if item.tasks else None,
        "reason": reason,
    }
    return new_row(EvalResult, {"run": run}, values)


def value_of(item: Item, evaluation: Evaluation) -> float | None:
    """The value as posted, or the share of tasks passed or samples solved that the counts give; what is unknown is left out of it."""
    if item.value is not None:
        return item.value
    if item.tasks:
        found = outcomes_of(evaluation, item.plain_tasks)
        known = len(found.outcomes) - found.unknown
        return found.passed / known if known else None
    return item.solved / item.total if item.solved is not None and item.total else None
