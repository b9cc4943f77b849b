"""The runs of an imported file: stored, known already, corrected, or refused, each by what is stored under its identity."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from accounts.roles import Actor, Refused
from crises.models import Receipt
from crises.receiving import FAULTS, Outcome, receive_runs
from crises.response import Answer
from evals.authors import NotTheAuthor
from evals.ingest import ContentDiffers, check_known, plans_of
from evals.models import EvalResult, EvalRun
from evals.revisions import Choice, choose, with_plan
from evals.storing import Posted
from evals.submissions import Coverage, InvalidSubmission, Item, Producer, Submission, Task, digest

AT_ONCE = 1_000  # runs that are looked up and stored together
TRIES = 3  # for runs that other posts overtake
Identity = tuple[str, str]
Result = Literal["created", "replayed", "superseded", "refused"]


class OlderThanStored(Refused):
    """The file is an earlier state of a run of which a later one is stored."""

    def __init__(self, run: EvalRun) -> None:
        super().__init__(
            f"{run.ref} is a later state of this run than the file, by when it ended, was edited or was written. It stands and nothing is "
            f"lost. If the file is the correction, import it with supersedes={run.ref}."
        )
        self.run = run


class MarkedInvalid(Refused):
    """The file says other than a run that a person marked invalid; nothing takes its place by itself."""

    def __init__(self, run: EvalRun) -> None:
        super().__init__(
            f"{run.ref} was marked invalid by {run.invalidated_by}, and the file says other than it. If what made it invalid is mended, "
            f"import the file with supersedes={run.ref}."
        )
        self.run = run


class SeveralRuns(Refused):
    """One run to supersede was named for a file of several."""

    def __init__(self, count: int) -> None:
        super().__init__(f"The file holds {count} runs; 'supersedes' names the one that a file of one run corrects. Leave it out.")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one run of a file: the reply as its post would get it, or why it was refused; `reason` says why it was not new."""

    submission: Submission
    result: Result
    reply: dict[str, Any]
    supersedes: int | None = None
    reason: str = ""
    refusal: Exception | None = None
    ring: bool = False


@dataclass(slots=True)
class _Item:
    """One run on its way: what is to be stored, over which runs, or what became of it."""

    told: Submission
    known: Sequence[EvalRun] = ()
    done: Imported | None = None


def import_runs(
    *, submissions: Sequence[Submission], actor: Actor, now: dt.datetime, supersedes: int | str | None = None, dry_run: bool = False
) -> list[Imported]:
    """Store and judge the runs of one file, in their order; what became of each. With `dry_run` nothing is kept.

    A run that says other than the newest stored one supersedes it, unless it is older (`evals.revisions`); `supersedes` names the newest
    run of the file's only one, which it corrects although it seems older. Raises SeveralRuns, and DatabaseError where the database takes
    nothing.
    """
    if supersedes is not None and len(submissions) > 1:
        raise SeveralRuns(len(submissions))
    return [
        done
        for told in _batches(submissions)
        for done in _import([_Item(msgspec.structs.replace(each, supersedes=supersedes)) for each in told], actor, now, dry_run=dry_run)
    ]


def _batches(submissions: Sequence[Submission]) -> Iterator[list[Submission]]:
    """In order, no identity twice in one: the second one corrects the first and must find it stored."""
    batch: dict[Identity, Submission] = {}
    for told in submissions:
        if _identity(told) in batch or len(batch) >= AT_ONCE:
            yield [*batch.values()]
            batch = {}
        batch[_identity(told)] = told
    if batch:
        yield [*batch.values()]


def _import(items: Sequence[_Item], actor: Actor, now: dt.datetime, *, dry_run: bool) -> list[Imported]:
    for _ in range(TRIES):
        waiting = [item for item in items if item.done is None or _was_overtaken(item)]
        if not waiting:
            break
        _decide(waiting, actor)
        _store([item for item in waiting if item.done is None], actor, now, dry_run=dry_run)
    return [item.done for item in items if item.done is not None]


def _was_overtaken(item: _Item) -> bool:
    """Whether another post came between looking and storing: then what is stored is looked at again."""
    refusal = item.done.refusal if item.done else None
    if isinstance(refusal, InvalidSubmission):
        return bool(item.known) and [error.code for error in refusal.errors] == ["not_the_newest"]
    return isinstance(refusal, ContentDiffers | NotTheAuthor)


def _decide(items: Sequence[_Item], actor: Actor) -> None:
    """What each is to what is stored: it gets the run that it supersedes, or it is done."""
    known = _known([item.told for item in items])
    for item in items:
        item.known, item.done = known.get(_identity(item.told), ()), None
        try:
            check_known(actor, item.known)
        except Refused as refusal:
            item.done = Imported(item.told, "refused", {}, refusal=refusal)
            continue
        if item.known and item.told.supersedes is None:
            _compare(item)


def _compare(item: _Item) -> None:
    """Hold what the file says against the stored runs: it is done, or it names the newest one, which anyone may correct."""
    known = item.known
    item.told = told = with_plan(item.told, (count for run in known for count in plans_of(run)))
    if digest(told) in {run.digest for run in known}:
        return
    item.done = _answered(told, known, choose(_named_whole(told, known[0]), [_as_told(run) for run in known]))
    if item.done is None:
        item.told = msgspec.structs.replace(told, supersedes=known[0].pk)


def _answered(told: Submission, known: Sequence[EvalRun], choice: Choice) -> Imported | None:
    """What becomes of a run that is not to be stored."""
    if choice.do == "same":
        return _repeated(told, known, choice)
    if choice.do == "newer":
        return Imported(told, "refused", {}, refusal=OlderThanStored(known[0]))
    if known[0].invalidated is not None:
        return Imported(told, "refused", {}, refusal=MarkedInvalid(known[0]))
    return None


def _repeated(told: Submission, known: Sequence[EvalRun], choice: Choice) -> Imported:
    run = known[choice.of]
    since = f" {known[0].ref} has superseded it since." if choice.of else ""
    return Imported(told, "replayed", _kept(run), reason=f"It says the same of the run as {run.ref}, which is stored already.{since}")


def _kept(run: EvalRun) -> dict[str, Any]:
    """What was answered when a run was stored; where nothing was yet, what it is."""
    receipt = Receipt.objects.filter(run=run).select_related("said").first()
    return {
        **(receipt.reply if receipt else {"id": run.pk, "ref": run.ref, "status": run.status, "complete": run.complete}),
        "replayed": True,
    }


def _store(items: Sequence[_Item], actor: Actor, now: dt.datetime, *, dry_run: bool) -> None:
    if not items:
        return
    posts = [Posted(item.told, actor) for item in items]
    outcomes = receive_runs(posts=posts, now=now, as_one=len(posts) > 1, dry_run=dry_run)
    for item, outcome in zip(items, outcomes, strict=True):
        item.done = _imported(item, outcome)


def _imported(item: _Item, outcome: Outcome) -> Imported:
    if not isinstance(outcome, Answer):
        return _refused(item, outcome)
    if outcome.reply["replayed"]:
        return Imported(item.told, "replayed", outcome.reply, reason="The same content is stored already.")
    if not item.known:
        return Imported(item.told, "created", outcome.reply, ring=outcome.ring)
    before = item.known[0]
    return Imported(item.told, "superseded", outcome.reply, before.pk, f"It supersedes {before.ref}; both are kept.", ring=outcome.ring)


def _refused(item: _Item, refusal: Exception) -> Imported:
    """What is wrong with one run is its own; anything else is raised."""
    if not isinstance(refusal, FAULTS):
        raise refusal
    return Imported(item.told, "refused", {}, refusal=refusal)


def _identity(told: Submission) -> Identity:
    return told.producer.name, told.external_id


def _known(submissions: Sequence[Submission]) -> dict[Identity, list[EvalRun]]:
    """The stored runs of each identity with their results, the newest first."""
    runs = EvalRun.objects.filter(
        producer__in={told.producer.name for told in submissions}, external_id__in=[told.external_id for told in submissions]
    )
    found: dict[Identity, list[EvalRun]] = {}
    for run in runs.select_related("heartbeat", "checkpoint__model", "evaluation").prefetch_related("results").order_by("-revision"):
        found.setdefault((run.producer, run.external_id), []).append(run)
    return found


def _named_whole(told: Submission, run: EvalRun) -> Submission:
    """With the version of the evaluation that a bare slug stands for, where it is the one of the stored run."""
    same = told.evaluation == run.evaluation.slug
    return msgspec.structs.replace(told, evaluation=run.evaluation.key) if same else told


def _as_told(run: EvalRun) -> Submission:
    """A stored run as its producer told it; a time of completion that nobody told is left out."""
    return Submission(
        producer=Producer(run.producer, run.producer_version),
        external_id=run.external_id,
        checkpoint=run.checkpoint.slug,
        evaluation=run.evaluation.key,
        measurements=[_as_item(result) for result in run.results.all()],
        status=run.status,  # type: ignore[arg-type]  # the database holds it to the same set
        started=run.started,
        completed=run.completed if run.completed != run.received else None,
        coverage=Coverage(run.planned, run.finished, run.scored, run.unscored, run.errored, run.limit_hit),
        elicitation=run.elicitation,
        provenance=run.provenance,
        relationship=run.relationship,  # type: ignore[arg-type]
    )


def _as_item(result: EvalResult) -> Item:
    numbers = {name: getattr(result, name) for name in ("value", "solved", "total", "n_tasks", "stderr", "ci_low", "ci_high", "ci_level")}
    tasks = msgspec.convert(result.tasks, list[Task]) if result.tasks else None
    return Item(metric=result.metric, tasks=tasks, reason=result.reason, **numbers)
