"""Storing many posted runs in few statements: every rule of `evals.ingest` holds for each as if they had come one after the other."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from accounts.roles import EVERYTHING, Actor, Refused
from audit import log
from evals.catalogue import UnknownEvaluation, choose_evaluation
from evals.heartbeats import watch_runs
from evals.ingest import Facts, Recorded, build_result, build_run, check_known, named, record_entry, stored_already, superseded_by
from evals.models import Checkpoint, EvalRun, Evaluation, FrontierModel
from evals.prepared import ask_all, is_quick, made, quoted
from evals.rows import reserve_ids, store_rows
from evals.submissions import InvalidSubmission, Submission, digest

Identity = tuple[str, str]
Known = dict[Identity, list[EvalRun]]  # of each identity, the newest first
CHECKPOINTS = f"""SELECT {quoted(Checkpoint, of="c")}, {quoted(FrontierModel, of="m")} FROM evals_checkpoint c
    JOIN evals_frontiermodel m ON m.id = c.model_id WHERE c.slug = ANY(%s::text[])"""  # noqa: S608 - names of columns only
EVALUATIONS = f"SELECT {quoted(Evaluation)} FROM evals_evaluation WHERE slug = ANY(%s::text[])"  # noqa: S608 - as above
UNDER = "SELECT r.id FROM unnest(%s::text[], %s::text[]) AS u (p, e) JOIN evals_evalrun r ON r.producer = u.p AND r.external_id = u.e"
Refusal = Refused | InvalidSubmission
_Found = tuple[list[int], Iterable[Checkpoint], Iterable[Evaluation]]  # ids of runs, and the rows that are named


class Posted(NamedTuple):
    """One run as it was posted, and by whom."""

    submission: Submission
    actor: Actor

    @property
    def identity(self) -> Identity:
        """What tells a producer's runs apart."""
        return self.submission.producer.name, self.submission.external_id


class _Names(NamedTuple):
    """The checkpoints by slug, and the evaluations by the name they are posted under."""

    checkpoints: Mapping[str, Checkpoint]
    evaluations: Mapping[str, Evaluation | UnknownEvaluation]


def record_runs(
    *, posts: Sequence[Posted], now: dt.datetime, judged: dt.datetime | None = None, as_one: bool = False
) -> list[Recorded | Refusal]:
    """Store what was posted, as `record_run` would one after the other, in the caller's transaction; what each came to, in their order.

    With `as_one` all new runs of an actor share one audit entry, which names the id and the digest of each. After a database error
    nothing of it may be kept.
    """
    digests = [digest(post.submission) for post in posts]
    known, names = _looked_up(posts)
    ids = reserve_ids(EvalRun, _most_new(posts, digests, known))
    done: list[Recorded | Refusal] = []
    for post, content in zip(posts, digests, strict=True):
        found = _prepare(post, content, known[post.identity], names, now)
        if isinstance(found, Recorded) and found.created:
            _name(found, next(ids), judged)
            known[post.identity].insert(0, found.run)
        done.append(found)
    new = [(post, found) for post, found in zip(posts, done, strict=True) if isinstance(found, Recorded) and found.created]
    _store(new, now, as_one=as_one)
    return done


def _most_new(posts: Sequence[Posted], digests: Sequence[str], known: Known) -> int:
    """How many ids may be needed: what holds no new content takes none."""
    held = {identity: {run.digest for run in runs} for identity, runs in known.items()}
    return sum(
        post.submission.supersedes is not None or content not in held[post.identity] for post, content in zip(posts, digests, strict=True)
    )


def _name(found: Recorded, number: int, judged: dt.datetime | None) -> None:
    found.run.pk, found.run.judged = number, judged
    for result in found.results:
        result.run_id = number


def _prepare(post: Posted, content: str, known: Sequence[EvalRun], names: _Names, now: dt.datetime) -> Recorded | Refusal:
    """The rows of one post, not stored yet; the run that holds its content already; or why it is refused."""
    submission, actor = post
    try:
        if actor.reach != EVERYTHING:
            check_known(actor, known)
        if (there := stored_already(submission, content, known)) is not None:
            return Recorded(there, created=False)
        supersedes = superseded_by(submission, known)
        checkpoint, evaluation = named(submission, names.checkpoints.get(submission.checkpoint), names.evaluations[submission.evaluation])
        run = build_run(Facts(submission, checkpoint, evaluation, content), actor, now, supersedes)
    except (Refused, InvalidSubmission) as refusal:
        return refusal
    return Recorded(run, created=True, results=tuple(build_result(run, item) for item in submission.measurements))


def _store(new: Sequence[tuple[Posted, Recorded]], now: dt.datetime, *, as_one: bool) -> None:
    """All rows, the runs in the order of their identities, so that two who store the same ones do not wait for each other in a ring."""
    runs = [found.run for _, found in new]
    runs.sort(key=lambda run: (run.producer, run.external_id, run.revision))
    store_rows(runs)
    store_rows([result for _, found in new for result in found.results], nameless=True)
    watch_runs(runs=[(found.run, post.submission.heartbeat_seconds) for post, found in new], now=now)
    if as_one:
        _record_by_actor(new, now)
    else:
        for post, found in new:
            record_entry(found.run, post.actor, now)


def _record_by_actor(new: Iterable[tuple[Posted, Recorded]], now: dt.datetime) -> None:
    by_actor: dict[Actor, list[EvalRun]] = defaultdict(list)
    for post, found in new:
        by_actor[post.actor].append(found.run)
    for actor, runs in by_actor.items():
        _record_together(runs, actor, now)


def _record_together(runs: Sequence[EvalRun], actor: Actor, now: dt.datetime) -> None:
    """One audit entry for all runs of a batch: with the digest of each the chain proves them all."""
    told = [{"id": run.pk, "digest": run.digest, **({"supersedes": run.supersedes_id} if run.supersedes_id else {})} for run in runs]
    log.record(
        action="evals.runs.record", about=f"runs:{runs[0].pk}-{runs[-1].pk}", actor=actor, now=now, data={"count": len(runs), "runs": told}
    )


def _looked_up(posts: Sequence[Posted]) -> tuple[Known, _Names]:
    """Every stored run under the identities of these posts, and whatever they name."""
    identities = list(dict.fromkeys(post.identity for post in posts))
    checkpoints = list({post.submission.checkpoint for post in posts})
    wanted = {post.submission.evaluation for post in posts}
    evaluations = list({name.partition("@")[0] for name in wanted})
    look = _asked_at_once if is_quick() else _asked_by_the_orm
    ids, rows, versions = look(identities, checkpoints, evaluations)
    return _known(posts, ids), _names(wanted, rows, versions)


def _asked_at_once(identities: Sequence[Identity], checkpoints: Sequence[str], evaluations: Sequence[str]) -> _Found:
    under = UNDER, list(map(list, zip(*identities, strict=True)))
    runs, named, versions = ask_all(under, (CHECKPOINTS, [checkpoints]), (EVALUATIONS, [evaluations]))
    return [pk for (pk,) in runs], _checkpoints(named), made(Evaluation, versions)


def _asked_by_the_orm(identities: Sequence[Identity], checkpoints: Sequence[str], evaluations: Sequence[str]) -> _Found:
    rows = Checkpoint.objects.select_related("model").filter(slug__in=checkpoints)
    return _ids_under(identities), rows, Evaluation.objects.filter(slug__in=evaluations)


def _known(posts: Sequence[Posted], found: Sequence[int]) -> Known:
    """The runs of these ids, nearly always none, by the identities of the posts."""
    known: Known = defaultdict(list, {post.identity: [] for post in posts})
    if not found:
        return known
    runs = EvalRun.objects.filter(pk__in=found).select_related("heartbeat").order_by("-revision")
    if any(post.actor.reach != EVERYTHING for post in posts):
        runs = runs.select_related("checkpoint__model", "evaluation")
    for run in runs:
        known[run.producer, run.external_id].append(run)
    return known


def _ids_under(pairs: Sequence[Identity]) -> list[int]:
    """The ids of the runs under some identities."""
    rows = EvalRun.objects.filter(producer__in={each for each, _ in pairs}, external_id__in=[each for _, each in pairs])
    wanted = set(pairs)
    return [pk for pk, *identity in rows.values_list("pk", "producer", "external_id") if tuple(identity) in wanted]


def _names(wanted: Iterable[str], checkpoints: Iterable[Checkpoint], evaluations: Iterable[Evaluation]) -> _Names:
    """The checkpoints by slug, and by each name that is wanted the evaluation that it chooses."""
    versions: dict[str, list[Evaluation]] = defaultdict(list)
    for row in evaluations:
        versions[row.slug].append(row)
    return _Names({row.slug: row for row in checkpoints}, {name: _chosen(name, versions[name.partition("@")[0]]) for name in wanted})


def _checkpoints(found: Sequence[tuple[object, ...]]) -> list[Checkpoint]:
    """The checkpoints, each with its model."""
    width = len(found[0]) - len(FrontierModel._meta.concrete_fields) if found else 0  # noqa: SLF001 - Django's documented way
    rows = made(Checkpoint, (row[:width] for row in found))
    for row, of in zip(rows, made(FrontierModel, (row[width:] for row in found)), strict=True):
        row.model = of
    return rows


def _chosen(name: str, versions: Sequence[Evaluation]) -> Evaluation | UnknownEvaluation:
    version = name.partition("@")[2]
    try:
        return choose_evaluation(name, [row for row in versions if version in {"", row.version}][:5])
    except UnknownEvaluation as unknown:
        return unknown
