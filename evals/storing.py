"""Storing many posted runs in few statements: every rule of `evals.ingest` holds for each as if they had come one after the other."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import attrgetter
from typing import Any, NamedTuple

from accounts.proven import PROOFS, Proof, TokenChanged, held
from accounts.roles import EVERYTHING, Actor, Refused
from audit import log
from database.asking import ask_all, is_quick
from database.wire import Question
from evals.alike import Maker
from evals.catalogue import UnknownEvaluation, choose_evaluation
from evals.heartbeats import watch_runs
from evals.ingest import Facts, Recorded, check_known, named, record_entry, stored_already, superseded_by
from evals.models import Checkpoint, EvalRun, Evaluation, FrontierModel
from evals.prepared import made, quoted
from evals.rows import reserve_ids, store_rows
from evals.submissions import InvalidSubmission, Submission, digest

Identity = tuple[str, str]
Known = dict[Identity, list[EvalRun]]  # of each identity, the newest first
CHECKPOINTS = f"""SELECT {quoted(Checkpoint, of="c")}, {quoted(FrontierModel, of="m")} FROM evals_checkpoint c
    JOIN evals_frontiermodel m ON m.id = c.model_id WHERE c.slug = ANY(%s::text[])"""  # noqa: S608 - names of columns only
EVALUATIONS = f"SELECT {quoted(Evaluation)} FROM evals_evaluation WHERE slug = ANY(%s::text[])"  # noqa: S608 - as above
UNDER = """SELECT r.id FROM unnest(%s::text[], %s::text[]) AS u (p, e), LATERAL (
    SELECT id FROM evals_evalrun WHERE producer = u.p AND external_id = u.e OFFSET 0) AS r"""  # each by the index, however many are asked
TOLD = ("id", "id"), ("digest", "digest"), ("supersedes", "supersedes_id")  # of each run of a batch, in its entry of the log
Refusal = Refused | InvalidSubmission
_New = tuple["Posted", Recorded]
_Found = tuple[list[int], Iterable[Checkpoint], Iterable[Evaluation], set[int]]  # ids of runs, rows that are named, proofs that hold


class Posted(NamedTuple):
    """One run as it was posted, and by whom; with the proof of the token that must still hold when it is stored, if that is open."""

    submission: Submission
    actor: Actor
    proof: Proof | None = None

    @property
    def identity(self) -> Identity:
        """What tells a producer's runs apart."""
        return self.submission.producer.name, self.submission.external_id


class _Names(NamedTuple):
    """The checkpoints by slug, the evaluations by the name they are posted under, and the proofs that hold, by `id`."""

    checkpoints: Mapping[str, Checkpoint]
    evaluations: Mapping[str, Evaluation | UnknownEvaluation]
    proofs: AbstractSet[int]


def record_runs(
    *, posts: Sequence[Posted], now: dt.datetime, judged: dt.datetime | None = None, as_one: bool = False
) -> list[Recorded | Refusal]:
    """Store what was posted, as `record_run` would one after the other, in the caller's transaction; what each came to, in their order.

    With `as_one` all new runs of an actor share one audit entry, which names the id and the digest of each. After a database error
    nothing of it may be kept.
    """
    digests = [digest(post.submission) for post in posts]
    identities = [post.identity for post in posts]
    known, names = _looked_up(posts, identities)
    ids = reserve_ids(EvalRun, _most_new(posts, digests, known))
    maker = Maker(now)
    done: list[Recorded | Refusal] = []
    new: list[_New] = []
    for post, content, identity in zip(posts, digests, identities, strict=True):
        there = known[identity]
        found = _prepare(post, content, there, names, maker)
        if isinstance(found, Recorded) and found.created:
            _name(found, next(ids), judged)
            there.insert(0, found.run)
            new.append((post, found))
        done.append(found)
    _store(new, now, as_one=as_one)
    return done


def _most_new(posts: Sequence[Posted], digests: Sequence[str], known: Known) -> int:
    """How many ids may be needed: what holds no new content takes none."""
    if not any(known.values()):
        return len(posts)
    held = {identity: {run.digest for run in runs} for identity, runs in known.items()}
    return sum(
        post.submission.supersedes is not None or content not in held[post.identity] for post, content in zip(posts, digests, strict=True)
    )


def _name(found: Recorded, number: int, judged: dt.datetime | None) -> None:
    held = found.run.__dict__
    held["id"], held["judged"] = number, judged
    for result in found.results:
        result.__dict__["run_id"] = number


def _prepare(post: Posted, content: str, known: Sequence[EvalRun], names: _Names, maker: Maker) -> Recorded | Refusal:
    """The rows of one post, not stored yet; the run that holds its content already; or why it is refused."""
    submission, actor, proof = post
    try:
        if proof is not None and id(proof) not in names.proofs:
            raise TokenChanged
        same, supersedes = _earlier(post, content, known) if known or submission.supersedes is not None else (None, None)
        if same is not None:
            return Recorded(same, created=False)
        checkpoint, evaluation = named(submission, names.checkpoints.get(submission.checkpoint), names.evaluations[submission.evaluation])
        run, results = maker.rows_of(Facts(submission, checkpoint, evaluation, content), actor, supersedes)
    except (Refused, InvalidSubmission) as refusal:
        return refusal
    return Recorded(run, created=True, results=results)


def _earlier(post: Posted, content: str, known: Sequence[EvalRun]) -> tuple[EvalRun | None, EvalRun | None]:
    """The run that holds this content already, or the one that a post supersedes."""
    submission, actor, _ = post
    if actor.reach != EVERYTHING:
        check_known(actor, known)
    same = stored_already(submission, content, known)
    return same, superseded_by(submission, known) if same is None else None


def _store(new: Sequence[_New], now: dt.datetime, *, as_one: bool) -> None:
    """All rows, the runs in the order of their identities, so that two who store the same ones do not wait for each other in a ring."""
    runs = [found.run for _, found in new]
    runs.sort(key=attrgetter("producer", "external_id", "revision"))
    store_rows(runs)
    store_rows([result for _, found in new for result in found.results], nameless=True)
    watch_runs(runs=[(found.run, post.submission.heartbeat_seconds) for post, found in new], now=now)
    if as_one:
        _record_by_actor(new, now)
    else:
        for post, found in new:
            record_entry(found.run, post.actor, now)


def _record_by_actor(new: Sequence[_New], now: dt.datetime) -> None:
    actors = {id(post.actor): post.actor for post, _ in new}  # nearly always one
    for actor in actors.values():
        _record_together([found.run for post, found in new if post.actor is actor], actor, now)


def _record_together(runs: Sequence[EvalRun], actor: Actor, now: dt.datetime) -> None:
    """One audit entry for all runs of a batch: with the digest of each the chain proves them all."""
    held = [run.__dict__ for run in runs]
    told = [{name: run[column] for name, column in TOLD if run[column]} for run in held]
    about = f"runs:{runs[0].pk}-{runs[-1].pk}"
    log.record(action="evals.runs.record", about=about, actor=actor, now=now, data={"count": len(runs), "runs": told})


def questions(posts: Sequence[Posted]) -> list[Question]:
    """What is asked of PostgreSQL about the names in these posts, and about the tokens whose proofs are open."""
    identities = {post.identity: None for post in posts}  # each once, in their order
    checkpoints = sorted({post.submission.checkpoint for post in posts})
    evaluations = sorted({post.submission.evaluation.partition("@")[0] for post in posts})
    asked: list[Question] = [
        (UNDER, list(map(list, zip(*identities, strict=True)))),
        (CHECKPOINTS, [checkpoints]),
        (EVALUATIONS, [evaluations]),
    ]
    keys = sorted({proof.bearer.key for proof in _open(posts)})
    return [*asked, (PROOFS, [keys])] if keys else asked


def _open(posts: Sequence[Posted]) -> list[Proof]:
    return [post.proof for post in posts if post.proof is not None]


def _looked_up(posts: Sequence[Posted], identities: Sequence[Identity]) -> tuple[Known, _Names]:
    """Every stored run under the identities of these posts, and whatever they name."""
    ids, rows, versions, proofs = (_asked_at_once if is_quick() else _asked_by_the_orm)(posts)
    return _known(posts, identities, ids), _names({post.submission.evaluation for post in posts}, rows, versions, proofs)


def _asked_at_once(posts: Sequence[Posted]) -> _Found:
    runs, named, versions, *proven = ask_all(*questions(posts))
    holding = held(_open(posts), proven[0]) if proven else set()
    return [pk for (pk,) in runs], _checkpoints(named), made(Evaluation, versions), holding


def _asked_by_the_orm(posts: Sequence[Posted]) -> _Found:
    slugs = {post.submission.evaluation.partition("@")[0] for post in posts}
    rows = Checkpoint.objects.select_related("model").filter(slug__in={post.submission.checkpoint for post in posts})
    return _ids_under(list({post.identity for post in posts})), rows, Evaluation.objects.filter(slug__in=slugs), set()


def _known(posts: Sequence[Posted], identities: Sequence[Identity], found: Sequence[int]) -> Known:
    """The runs of these ids, nearly always none, by the identities of the posts."""
    known: Known = defaultdict(list, {identity: [] for identity in identities})
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


def _names(wanted: Iterable[str], checkpoints: Iterable[Checkpoint], evaluations: Iterable[Evaluation], proofs: set[int]) -> _Names:
    """The checkpoints by slug, and by each name that is wanted the evaluation that it chooses."""
    versions: dict[str, list[Evaluation]] = defaultdict(list)
    for row in evaluations:
        versions[row.slug].append(row)
    chosen = {name: _chosen(name, versions[name.partition("@")[0]]) for name in wanted}
    return _Names({row.slug: row for row in checkpoints}, chosen, proofs)


def _checkpoints(found: Sequence[tuple[Any, ...]]) -> list[Checkpoint]:
    """The checkpoints, each with its model, which several of them may share."""
    width = len(Checkpoint._meta.concrete_fields)  # noqa: SLF001 - Django's documented way
    models = {row[width]: row[width:] for row in found}  # a model's columns begin with its id
    known = dict(zip(models, made(FrontierModel, models.values()), strict=True))
    rows = made(Checkpoint, [row[:width] for row in found])
    for row, columns in zip(rows, found, strict=True):
        row._state.fields_cache["model"] = known[columns[width]]  # noqa: SLF001 - as the ORM leaves it
    return rows


def _chosen(name: str, versions: Sequence[Evaluation]) -> Evaluation | UnknownEvaluation:
    version = name.partition("@")[2]
    try:
        return choose_evaluation(name, [row for row in versions if version in {"", row.version}][:5])
    except UnknownEvaluation as unknown:
        return unknown
