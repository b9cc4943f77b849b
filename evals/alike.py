"""The rows of runs that are reported alike, made after the first of them, which every check of `evals.ingest` has looked at."""

import datetime as dt
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from accounts.roles import EVERYTHING, Actor
from evals.authors import name_of
from evals.ingest import Facts, build_result, build_run, value_of
from evals.models import EvalResult, EvalRun
from evals.rows import like
from evals.submissions import Submission, missing_samples

SELECTIONS = frozenset({"selected_samples", "dataset_samples"})  # by what these say, a run is complete or is not
UNTOLD = (None, None, None, None)
Rows = tuple[EvalRun, tuple[EvalResult, ...]]


class _Pattern(NamedTuple):
    """The columns of a run and of its result, as they are for all that are reported alike, and how much may be solved beside what has no
    score."""

    run: dict[str, Any]
    result: dict[str, Any]
    most: float


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the rows of what is posted at one time. What was refused is looked at each time anew."""

    now: dt.datetime
    patterns: dict[Hashable, _Pattern] = field(default_factory=dict)

    def rows_of(self, facts: Facts, actor: Actor, supersedes: EvalRun | None) -> Rows:
        """The rows of a run and its results, not stored yet; raises what `build_run` raises."""
        kind = self._kind(facts, actor) if supersedes is None else None
        pattern = None if kind is None else self.patterns.get(kind)
        if pattern is not None and (facts.submission.measurements[0].solved or 0) <= pattern.most:
            return _after(pattern, facts)
        run = build_run(facts, actor, self.now, supersedes)
        results = tuple([build_result(run, item) for item in facts.submission.measurements])
        if kind is not None:
            self.patterns[kind] = _Pattern(vars(run).copy(), vars(results[0]).copy(), _most(facts.submission))
        return run, results

    def _kind(self, facts: Facts, actor: Actor) -> Hashable:
        """All that the checks look at, and all that rows follow from that are not columns of their own; None where that is too much."""
        submission, evaluation = facts.submission, facts.evaluation
        if evaluation.kind != "tasks" or not self._is_plain(submission):
            return None
        (item,) = submission.measurements
        told = item.metric, item.total, item.n_tasks, item.ci_level, item.reason, item.direction
        reached = actor.reach == EVERYTHING or (id(actor), facts.checkpoint.id)
        return name_of(actor), reached, evaluation.id, submission.coverage, told

    def _is_plain(self, submission: Submission) -> bool:
        """Whether it is a success that counts, told by one measurement that only says how much was solved, of a time gone by."""
        if submission.status != "success" or len(submission.measurements) != 1 or not SELECTIONS.isdisjoint(submission.provenance):
            return False
        (item,) = submission.measurements
        latest = max(submission.started or self.now, submission.completed or self.now)
        return latest <= self.now and item.solved is not None and (item.tasks, item.value, item.stderr, item.ci_low) == UNTOLD


def _most(submission: Submission) -> float:
    (item,) = submission.measurements
    return max(item.solved or 0, (item.total or 0) - missing_samples(submission))


def _after(pattern: _Pattern, facts: Facts) -> Rows:
    submission, checkpoint, evaluation, content = facts
    (item,) = submission.measurements
    values = {
        "producer": submission.producer.name,
        "producer_version": submission.producer.version,
        "external_id": submission.external_id,
        "digest": content,
        "checkpoint_id": checkpoint.id,
        "started": submission.started,
        "completed": submission.completed or pattern.run["received"],
        "elicitation": submission.elicitation,
        "provenance": submission.provenance,
        "relationship": submission.relationship,
    }
    related = {"checkpoint": checkpoint, "evaluation": evaluation, "supersedes": None}
    run = like(EvalRun, pattern.run, related, values)
    counted = {"solved": item.solved, "value": value_of(item, evaluation)}
    return run, (like(EvalResult, pattern.result, {"run": run}, counted),)
