"""The rows of runs that are reported alike, made after the first of them, which every check of `evals.ingest` has looked at."""

import datetime as dt
from collections.abc import Hashable
from dataclasses import dataclass, field
from math import copysign
from typing import Any, NamedTuple

from accounts.roles import Actor
from evals.ingest import Facts, build_result, build_run
from evals.models import EvalResult, EvalRun
from evals.rows import like
from evals.submissions import Item, Submission

SELECTIONS = frozenset({"selected_samples", "dataset_samples"})  # by what these say, a run is complete or is not
NOTHING: dict[str, Any] = {}
Rows = tuple[EvalRun, tuple[EvalResult, ...]]


class _Pattern(NamedTuple):
    """The columns of a run and of its result, as they are for all that are reported alike."""

    run: dict[str, Any]
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the rows of what is posted at one time. What was refused is looked at each time anew."""

    now: dt.datetime
    patterns: dict[Hashable, _Pattern] = field(default_factory=dict)

    def rows_of(self, facts: Facts, actor: Actor, supersedes: EvalRun | None) -> Rows:
        """The rows of a run and its results, not stored yet; raises what `build_run` raises."""
        kind = self._kind(facts, actor) if supersedes is None else None
        if (pattern := self.patterns.get(kind)) is not None:
            return _after(pattern, facts)
        run = build_run(facts, actor, self.now, supersedes)
        results = tuple(build_result(run, item) for item in facts.submission.measurements)
        if kind is not None:
            self.patterns[kind] = _Pattern(_columns(run), _columns(results[0]))
        return run, results

    def _kind(self, facts: Facts, actor: Actor) -> Hashable:
        """All that the checks look at, and all that rows follow from that are not columns of their own; None where that is too much."""
        submission, evaluation = facts.submission, facts.evaluation
        if evaluation.kind != "tasks" or not self._is_plain(submission):
            return None
        (item,) = submission.measurements
        counted = item.metric, item.solved, item.total, item.n_tasks, item.ci_level, item.reason, item.direction
        return id(actor), facts.checkpoint.pk, evaluation.pk, submission.coverage, counted

    def _is_plain(self, submission: Submission) -> bool:
        """Whether it is a success that counts, told by one measurement, of a time gone by."""
        if submission.status != "success" or len(submission.measurements) != 1 or not SELECTIONS.isdisjoint(submission.provenance):
            return False
        return _is_count(submission.measurements[0]) and self._is_past(submission.started) and self._is_past(submission.completed)

    def _is_past(self, moment: dt.datetime | None) -> bool:
        return moment is None or moment <= self.now


def _is_count(item: Item) -> bool:
    """Whether a measurement tells how many tasks were solved, and no more."""
    if item.solved is None or copysign(1, item.solved) < 0:
        return False
    return all(each is None for each in (item.tasks, item.value, item.stderr, item.ci_low))


def _after(pattern: _Pattern, facts: Facts) -> Rows:
    submission = facts.submission
    values = {
        "producer": submission.producer.name,
        "producer_version": submission.producer.version,
        "external_id": submission.external_id,
        "digest": facts.digest,
        "started": submission.started,
        "completed": submission.completed or pattern.run["received"],
        "elicitation": submission.elicitation,
        "provenance": submission.provenance,
        "relationship": submission.relationship,
    }
    related = {"checkpoint": facts.checkpoint, "evaluation": facts.evaluation, "supersedes": None}
    run = like(EvalRun, pattern.run, related, values)
    return run, (like(EvalResult, pattern.result, {"run": run}, NOTHING),)


def _columns(row: EvalRun | EvalResult) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "_state"}
