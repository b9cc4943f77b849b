"""How the readings of one checkpoint at one level add up to a state. Plain Python: facts in, a value out.

For each evaluation that carries a line the ledger keeps the newest complete reading, and of the incomplete readings newer than
it the newest of each kind: an incomplete run may raise what the evidence says, never lower it. The outcome does not depend on
the order in which runs arrive.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STATES = ("no_result", "clear", "watch", "inconclusive", "alert", "critical")
LATCHING = ("alert", "critical")
Reading = dict[str, Any]
Ledger = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LineFact:
    """What must be read for a level: an evaluation's key, whether it is required, and its group of alternatives."""

    evaluation: str
    kind: str
    required: bool
    alternative: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the evidence says now: the state, whose reading leads, what is missing, whether critical is ruled out.

    `taken` is when the oldest reading that the state rests on was completed (ISO 8601): one fresh run does not freshen the others.
    """

    state: str
    leading: Reading | None
    missing: tuple[str, ...]
    critical_ruled_out: bool
    taken: str = ""


def rank(state: str) -> int:
    """Position in the order in which a state may be raised."""
    return STATES.index(state)


def higher(one: str, other: str) -> str:
    """The state that stands higher."""
    return one if rank(one) >= rank(other) else other


def _moment(reading: Reading) -> tuple[str, int]:
    return reading["completed"], reading["run"]


def add(ledger: Mapping[str, Mapping[str, Any]], evaluation: str, reading: Reading, *, superseded: int | None = None) -> Ledger:
    """The ledger with one more reading of an evaluation; readings of the run it supersedes are dropped.

    A reading holds `run` (id), `completed` (ISO 8601 UTC), `complete` and `state` at least.
    """
    slots = {key: value for key, value in ledger.get(evaluation, {}).items() if value["run"] != superseded}
    slot = "complete" if reading["complete"] else _apart(reading)
    slots[slot] = max(slots.get(slot, reading), reading, key=_moment)
    return {**{key: dict(value) for key, value in ledger.items()}, evaluation: _still_counting(slots)}


def _apart(reading: Reading) -> str:
    """Incomplete readings are kept apart by what they say, so that a later one never hides what an earlier one could not rule out."""
    return f"{reading['state']}, critical {'ruled out' if reading.get('critical_ruled_out') else 'not ruled out'}"


def _still_counting(slots: dict[str, Reading]) -> dict[str, Reading]:
    """The newest complete reading, and of the incomplete ones only those after it."""
    whole = slots.get("complete")
    return slots if whole is None else {key: value for key, value in slots.items() if value is whole or _moment(value) > _moment(whole)}


def current(slots: Mapping[str, Reading]) -> Reading | None:
    """The reading that stands for an evaluation: the highest of the newest complete one and the incomplete ones after it."""
    return max(slots.values(), key=lambda reading: (rank(reading["state"]), *_moment(reading)), default=None)


def summarise(ledger: Mapping[str, Mapping[str, Reading]], lines: Sequence[LineFact]) -> Summary:
    """What all readings together say of a level: any evaluation that reaches a line raises it, and it is clear only once every
    required line has been read by a complete run and ruled out. Missing evidence reads as inconclusive, never as clear."""
    readings = {line.evaluation: found for line in lines if (found := current(ledger.get(line.evaluation, {}))) is not None}
    whole = {evaluation for evaluation in readings if "complete" in ledger[evaluation]}
    missing = tuple(_missing(lines, whole))
    if not readings:
        return Summary("no_result", None, missing, critical_ruled_out=False)
    leading = max(readings.values(), key=lambda reading: (rank(reading["state"]), *_moment(reading)))
    state = leading["state"]
    if (missing or not whole) and rank(state) < rank("inconclusive"):
        state = "inconclusive"
    return Summary(state, leading, missing, _critical_ruled_out(ledger, lines, whole), _taken(ledger, lines))


def _taken(ledger: Mapping[str, Mapping[str, Reading]], lines: Sequence[LineFact]) -> str:
    """Of every group of lines the newest complete reading, and of those the oldest; an incomplete run freshens nothing."""
    newest = []
    for group in _groups(lines).values():
        slots = [ledger[line.evaluation] for line in group if ledger.get(line.evaluation)]
        complete = [each["complete"]["completed"] for each in slots if "complete" in each]
        newest += [max(complete or [reading["completed"] for each in slots for reading in each.values()])] if slots else []
    return min(newest, default="")


def _groups(lines: Iterable[LineFact]) -> dict[str, list[LineFact]]:
    """Lines by what they stand for: alternatives together, every other line by itself."""
    groups: dict[str, list[LineFact]] = {}
    for line in lines:
        groups.setdefault(line.alternative or f"={line.evaluation}", []).append(line)
    return groups


def _missing(lines: Iterable[LineFact], whole: Collection[str]) -> Iterable[str]:
    for group in _groups(lines).values():
        if any(line.required for line in group) and not any(line.evaluation in whole for line in group):
            yield " or ".join(sorted({line.evaluation for line in group}))


def _critical_ruled_out(ledger: Mapping[str, Mapping[str, Reading]], lines: Sequence[LineFact], whole: Collection[str]) -> bool:
    """True only if a critical or rule-out line was read by a complete run, each required one was, and every reading rules it out."""
    deciding = [line for line in lines if line.kind in {"critical", "rule_out"}]
    if not any(line.evaluation in whole for line in deciding) or list(_missing(deciding, whole)):
        return False
    return all(reading["critical_ruled_out"] for line in deciding for reading in ledger.get(line.evaluation, {}).values())
