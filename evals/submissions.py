"""What a pipeline may post about one run, checked completely before anything is stored. Plain Python.

`parse` takes JSON-like content and returns a `Submission`, or raises `InvalidSubmission` with every error it can name:
a JSON pointer, a stable code and a sentence. Numbers are finite; times are RFC 3339 with an offset.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evals.bodies import STATUSES, Coverage, Fault, InvalidSubmission, Item, Producer, Submission, Task
from evals.canonical import FEWEST, MOST, SORTED, canonical, has_plain_numbers, has_plain_signs
from evals.meaning import faults_of

__all__ = ["STATUSES", "Coverage", "Fault", "InvalidSubmission", "Item", "Producer", "Submission", "Task"]
__all__ += ["covers", "digest", "is_complete", "missing_samples", "parse", "parse_all"]

# The shapes are looked through here, once: msgspec 0.22 ends the process where two threads are the first to read one at the same time.
SHAPES = msgspec.json.Decoder(list[Submission])
LAST, BEAT, WAY = b',"supersedes":null}', b'"heartbeat_seconds":null,', b'"direction":null,'  # as they are written where nothing is said


def parse(content: Mapping[str, Any]) -> Submission:
    """Check the shape, then the meaning; raises InvalidSubmission."""
    try:
        submission = msgspec.convert(content, Submission)
    except msgspec.ValidationError as wrong:
        raise InvalidSubmission([_fault(str(wrong))]) from None
    if faults := faults_of(submission):
        raise InvalidSubmission(faults)
    return submission


def parse_all(contents: Sequence[Mapping[str, Any]]) -> list[Submission | InvalidSubmission]:
    """What `parse` says of each of many: the submission, or the refusal in its place."""
    try:
        read = msgspec.convert(contents, list[Submission])
    except msgspec.ValidationError:
        return [_parsed(content) for content in contents]
    return [InvalidSubmission(faults) if (faults := faults_of(submission)) else submission for submission in read]


def _parsed(content: Mapping[str, Any]) -> Submission | InvalidSubmission:
    try:
        return parse(content)
    except InvalidSubmission as refusal:
        return refusal


def digest(submission: Submission) -> str:
    """Hex SHA-256 of the content; order of keys and spacing do not matter, nor does naming the superseded run."""
    return hashlib.sha256(_written_at_once(submission) or canonical(_content(submission))).hexdigest()


def _content(submission: Submission) -> dict[str, Any]:
    """What the digest is of."""
    content: dict[str, Any] = msgspec.to_builtins(submission)
    content.pop("supersedes")
    for item in content["measurements"]:
        if item["direction"] is None:
            del item["direction"]
    if submission.heartbeat_seconds is None:
        content.pop("heartbeat_seconds")
    return content


def _written_at_once(submission: Submission) -> bytes | None:
    """The canonical form of the content, where what does not belong to it is null, stands at its own place only and can be cut out."""
    items = submission.measurements
    if submission.heartbeat_seconds is not None or not all(map(_is_plain, items)):
        return None
    if not (has_plain_numbers(submission.provenance.values()) and has_plain_numbers(submission.elicitation.values())):
        return None
    whole = SORTED.encode(submission)
    return _cut(whole, len(items)) if has_plain_signs(whole) else None


def _cut(whole: bytes, items: int) -> bytes | None:
    """All but what does not belong to the content; None where the same stands elsewhere too."""
    before, _, after = whole.partition(BEAT)
    parts = (before + after).split(WAY)
    if not after.endswith(LAST) or BEAT in after or len(parts) != items + 1:
        return None
    return b"".join(parts)[: -len(LAST)] + b"}"


def _is_plain(item: Item) -> bool:
    if item.direction is not None or item.tasks is not None:
        return False
    for number in (item.value, item.solved, item.stderr, item.ci_low, item.ci_high, item.ci_level):
        if number and not FEWEST <= abs(number) < MOST:
            return False
    return True


def is_complete(submission: Submission) -> bool:
    """Whether the run covers its plan and the plan the data: status success, every planned sample completed and scored."""
    cover = submission.coverage
    if submission.status != "success" or cover.errored or cover.unscored or cover.limit_hit or _selects(submission.provenance):
        return False
    return min(cover.known, default=cover.planned or 0) >= (cover.planned or 0)


def _selects(provenance: Mapping[str, Any]) -> bool:
    """Whether the producer says that it chose fewer samples than its dataset has: a part of an evaluation is not the whole."""
    chosen, there = (provenance.get(name) for name in ("selected_samples", "dataset_samples"))
    return isinstance(chosen, int) and isinstance(there, int) and chosen < there


def covers(submission: Submission, metric: str, n_tasks: int | None) -> bool:
    """Whether a metric has a result for every planned sample and each of `n_tasks` tasks, as far as the body says how many."""
    item, cover = submission.measurement(metric), submission.coverage
    if item is None or not item.measured:
        return False
    plan, tasks = max([cover.planned or 0, *item.samples]), n_tasks or 0
    return min(cover.known or item.samples, default=plan) >= plan and min(item.ran, default=tasks) >= tasks


def missing_samples(submission: Submission) -> int:
    """Samples of the plan without a score: read as solved for the upper bound and unsolved for the lower."""
    cover = submission.coverage
    named = cover.errored + cover.unscored + cover.limit_hit
    return max(named, (cover.planned or 0) - min(cover.known, default=cover.planned or 0))


def _fault(message: str) -> Fault:
    """msgspec says `Expected ... - at `$.measurements[0].solved``: turn the path into a JSON pointer."""
    text, _, path = message.partition(" - at `")
    path = path.removeprefix("key` in `").rstrip("`").removeprefix("$")
    pointer = path.replace("[...]", "/*").replace("[", "/").replace("]", "").replace(".", "/")
    if "missing required field" in text or "unknown field" in text:
        pointer += "/" + text.partition("field `")[2].rstrip("`").replace("~", "~0").replace("/", "~1")
    code = "required" if "missing required" in text else "unknown_field" if "unknown field" in text else "invalid"
    return Fault(pointer, code, text.replace("`", "'") + ".")
