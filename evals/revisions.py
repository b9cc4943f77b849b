"""What a file says of a run that is stored already: the same, more, or less than we know. Plain Python.

One log may come several times: posted while it was written, imported when it was done, rescored, edited, recovered after a crash.
`choose` tells these apart. What counts is what the run says: its status, times, coverage and results, who attests how it was elicited,
and how often it was edited. Where the file lay and what it was called says nothing about the run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from evals.submissions import Item, Submission, is_complete

UNENDED = frozenset({"started", "lost"})  # the next word of such a run that is no start is its end
SUBJECT = ("status", "checkpoint", "evaluation", "relationship", "coverage")
TIMES = ("started", "completed")
NUMBERS = ("solved", "total", "n_tasks", "stderr", "ci_low", "ci_high", "ci_level")
EDITS = ("log_edits", "score_edits", "config_updates", "invalidated")  # absent means none
ABOUT_THE_FILE = frozenset({"evidence", "evidence_sha256", "evidence_bytes", "importer", "log_written", "warnings", "posted_by_hook"})


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do: store a new revision, or answer with a stored run (`of`: its position, the newest is 0) because it says
    the `same` or is `newer` than the file."""

    do: Literal["store", "same", "newer"]
    of: int = 0


def choose(told: Submission, stored: Sequence[Submission]) -> Choice:
    """What a file's run is to what is stored under its identity, the newest first.

    It is stored unless it says the same as the newest, or is older than it by its own evidence, or repeats an earlier revision without
    being newer than the newest. Where nothing says which is older, the one that came last supersedes: both are kept.
    """
    if not stored:
        return Choice("store")
    same = [position for position, known in enumerate(stored) if says_the_same(told, known)]
    if same and (same[0] == 0 or not is_newer(told, stored[0])):
        return Choice("same", same[0])
    return Choice("newer") if is_older(told, stored[0]) else Choice("store")


def says_the_same(told: Submission, stored: Submission) -> bool:
    """Whether both say the same of the run; what only one of them tells is no difference, unless it attests the run or shows that it is
    not the whole."""
    return (
        _same_subject(told, stored)
        and _same_results(told.measurements, stored.measurements)
        and _same_facts(told, stored)
        and not (_is_attested(told) and not _is_attested(stored))
        and not (is_complete(stored) and not is_complete(told))
    )


def _same_subject(told: Submission, stored: Submission) -> bool:
    """Whether both are of the same thing, and at the same times as far as both tell."""
    same = all(getattr(told, name) == getattr(stored, name) for name in SUBJECT)
    return same and all(_agree(getattr(told, name), getattr(stored, name)) for name in TIMES)


def _is_attested(told: Submission) -> bool:
    return bool(told.elicitation.get("attested_by"))


def is_older(told: Submission, stored: Submission) -> bool:
    """Whether the file is an earlier state of the run than what is stored, as far as both tell."""
    if stored.status in UNENDED:
        return told.status in UNENDED and _is_behind(told, stored)
    return told.status in UNENDED or _before(told, stored)


def is_newer(told: Submission, stored: Submission) -> bool:
    """Whether the file is a later state of the run than what is stored, as far as both tell."""
    return is_older(stored, told)


def with_plan(told: Submission, planned: Iterable[int | None]) -> Submission:
    """The run with at least the plan that earlier revisions told: a recovered log lists only what it could save."""
    most = max((count for count in planned if count is not None), default=0)
    if most <= (told.coverage.planned or 0):
        return told
    return msgspec.structs.replace(told, coverage=msgspec.structs.replace(told.coverage, planned=most))


def _agree(one: Any, other: Any) -> bool:
    return one is None or other is None or one == other


def _same_facts(told: Submission, stored: Submission) -> bool:
    edits = ((told.provenance.get(name) or 0, stored.provenance.get(name) or 0) for name in EDITS)
    blocks = ((told.elicitation, stored.elicitation), (told.provenance, stored.provenance))
    return all(one == other for one, other in edits) and all(_compatible(*both) for both in blocks)


def _compatible(some: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    return all(others[name] == fact for name, fact in some.items() if name in others and name not in ABOUT_THE_FILE)


def _same_results(some: Sequence[Item], others: Sequence[Item]) -> bool:
    known = {item.metric: item for item in others}
    return len(some) == len(others) and all(item.metric in known and _same_result(item, known[item.metric]) for item in some)


def _same_result(told: Item, stored: Item) -> bool:
    """The same numbers; a value that is not told follows from the counts or tasks, and is stored as what follows."""
    derived = told.value is None and told.measured
    return (
        (derived or told.value == stored.value)
        and all(getattr(told, name) == getattr(stored, name) for name in NUMBERS)
        and _tasks(told) == _tasks(stored)
    )


def _tasks(item: Item) -> dict[str, dict[str, Any]]:
    return {task["id"]: task for task in item.plain_tasks}


def _is_behind(told: Submission, stored: Submission) -> bool:
    """Whether the file is no further than what is stored: a run that was given up lives only where it went on since."""
    least = _progress(stored) + (told.status == "started" and stored.status == "lost")
    return _progress(told) < least


def _progress(told: Submission) -> int:
    return max(told.coverage.known, default=0)


def _before(one: Submission, other: Submission) -> bool:
    """The first kind of evidence that both give and that differs decides: when it ended, how often it was edited, when it was written."""
    for mine, theirs in zip(_evidence(one), _evidence(other), strict=True):
        if mine is not None and theirs is not None and mine != theirs:
            return bool(mine < theirs)
    return False


def _evidence(told: Submission) -> tuple[Any, int, str | None]:
    edits, written = told.provenance.get("log_edits"), told.provenance.get("log_written")
    return told.completed, edits if isinstance(edits, int) else 0, written if isinstance(written, str) else None
