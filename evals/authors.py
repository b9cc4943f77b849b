"""Whose a started run is: only the account that started it speaks for it, and ends it without a word of correction."""

from accounts.roles import Actor, NotAllowed, check_reach
from evals.models import EvalRun
from evals.revisions import UNENDED


class NotTheAuthor(NotAllowed):
    """The run was started by another account; `.run` is the start, `newest` the run that a correction would have to name."""

    def __init__(self, run: EvalRun, actor: Actor, newest: EvalRun | None = None) -> None:
        namesake = ", but another account of that name" if run.posted_by == name_of(actor) else ""
        why = f"Only the account that posted {run.ref} may speak for it; {actor.name} did not{namesake}."
        if newest is not None:
            why += f' To correct the run in place of that account, on record, post with "supersedes": {newest.pk}.'
        super().__init__(actor, "evals.heartbeat", why)
        self.run, self.newest = run, newest or run


def name_of(actor: Actor) -> str:
    """An account as runs show who posted them: its kind and its name, which another may have too."""
    return f"{actor.kind}:{actor.name}"


def owner_of(actor: Actor) -> str:
    """An account by kind and id, whatever it is called; empty for the product itself, which has no id."""
    return "" if actor.id is None else f"{actor.kind}:{actor.id}"


def check_author(run: EvalRun, actor: Actor) -> None:
    """Raise NotTheAuthor unless the actor posted the run, and NotAllowed where its token does not reach it."""
    if not _is_author(run, actor):
        raise NotTheAuthor(run, actor)
    check_reach(actor, model=run.checkpoint.model.slug, evaluation=run.evaluation.slug, what=run.ref)


def check_end(run: EvalRun, actor: Actor) -> None:
    """Raise NotTheAuthor where the actor would end a run, started or given up as lost, that another account started."""
    start = run
    while start.status == "lost" and start.supersedes is not None and start.supersedes.status in UNENDED:
        start = start.supersedes
    if not _is_author(start, actor):
        raise NotTheAuthor(start, actor, run)


def _is_author(run: EvalRun, actor: Actor) -> bool:
    """Whether the actor posted the run: by kind and id, or by name where no id was kept (of what was stored before ids were)."""
    owner = run.heartbeat.owner if hasattr(run, "heartbeat") else ""
    return owner == owner_of(actor) if owner else run.posted_by == name_of(actor)
