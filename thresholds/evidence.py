"""How the readings of one checkpoint at one level add up to a state. Plain Python: facts in, a value out.

For each evaluation that carries a line the ledger keeps the newest complete reading, for each kind of line the newest complete one
that did not rule it out, and of the incomplete readings newer than the complete one the newest of each kind: an incomplete run may
raise what the evidence says, never lower it. Readings inherited from another checkpoint stand beside the checkpoint's own and
only ever add to what these say. Looking again is not enough to clear: where an earlier complete run could have ruled a line out
and did not, the newest does so only together with all the others (its `pooled` verdict). The outcome does not depend on the order
in which runs arrive.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thresholds.combining import ANY, GATES, Choice, LineFact, Needs, Rule, needs_of, state_of

__all__ = ["LATCHING", "STATES", "LineFact", "Reading", "Rule", "Summary", "add", "current", "higher", "rank", "slots_of", "summarise"]

STATES = ("no_result", "clear", "watch", "inconclusive", "alert", "critical")
LATCHING = ("alert", "critical")
AGAINST = "against "
INHERITED = "inherited "
Reading = dict[str, Any]
Ledger = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the evidence says now: the state, whose reading leads, what is missing, whether critical is ruled out.

    `taken` is when the oldest reading that the state rests on was completed (ISO 8601): one fresh run does not freshen the others.
    `until` is when the first equivalence that it rests on expires.
    """

    state: str
    leading: Reading | None
    missing: tuple[str, ...]
    critical_ruled_out: bool
    taken: str = ""
    until: str = ""


def rank(state: str) -> int:
    """Position in the order in which a state may be raised."""
    return STATES.index(state)


def higher(one: str, other: str) -> str:
    """The state that stands higher."""
    return one if rank(one) >= rank(other) else other


def _moment(reading: Mapping[str, Any]) -> tuple[str, int]:
    return reading["completed"], reading["run"]


def add(ledger: Ledger, evaluation: str, reading: Reading, *, superseded: int | None = None) -> Ledger:
    """The ledger with one more reading of an evaluation; readings of the run it supersedes are dropped. It shares with the ledger before
    what it says of other evaluations: none is ever changed in place.

    A reading holds `run` (id), `completed` (ISO 8601 UTC), `complete`, `state` and `lines` at least, and `inherited` where it is
    another checkpoint's.
    """
    slots = {key: value for key, value in ledger.get(evaluation, {}).items() if value["run"] != superseded}
    for slot in slots_of(reading):
        if slot not in slots or _moment(reading) > _moment(slots[slot]):
            slots[slot] = reading
    kept = {key: value for key, value in slots.items() if _still_counts(key, value, slots)}
    return {**ledger, evaluation: kept}


def slots_of(reading: Mapping[str, Any]) -> list[str]:
    """Where a reading is kept: incomplete ones apart by what they say, so that a later one never hides an earlier one."""
    chain = f"{INHERITED}{reading['inherited']} " if reading.get("inherited") else ""
    against = [f"{chain}{AGAINST}{line['threshold']}" for line in reading["lines"] if _speaks_against(line, complete=reading["complete"])]
    if reading["complete"]:
        return [f"{chain}complete", *against]
    ruled_out = "ruled out" if reading.get("critical_ruled_out") else "not ruled out"
    says = "".join(f", {line['threshold']} {line['grade']} {line['able']:d}{line['reached']:d}" for line in reading["lines"])
    return [f"{chain}{reading['state']}, critical {ruled_out}{says}", *against]


def _speaks_against(line: Mapping[str, Any], *, complete: bool) -> bool:
    """Whether what was measured reaches the line, or a complete run could have ruled it out and did not; any other run was no look."""
    return line["grade"] in {"likely", "confirmed"} or (complete and line["grade"] != "ruled_out" and bool(line["able"]))


def _still_counts(key: str, reading: Reading, slots: Mapping[str, Reading]) -> bool:
    """Whether it is complete, speaks against clearing, or is newer than the newest complete one of its chain."""
    if reading["complete"] or AGAINST in key:
        return True
    whole = slots.get(f"{_chain(key)}complete")
    return whole is None or _moment(reading) > _moment(whole)


def _chain(key: str) -> str:
    """What the slots of one checkpoint begin with: nothing for its own, for what is inherited the equivalence by which it counts."""
    return f"{INHERITED}{key.removeprefix(INHERITED).partition(' ')[0]} " if key.startswith(INHERITED) else ""


def contested(slots: Mapping[str, Reading]) -> dict[int, list[str]]:
    """By run, the kinds of line that a newest complete reading rules out although an earlier complete run did not."""
    if not _spoken_against(slots):  # nearly always
        return {}
    found = {}
    for chain in sorted({_chain(key) for key in slots}):
        if (newest := slots.get(f"{chain}complete")) is not None:
            ruled_out = [line["threshold"] for line in newest["lines"] if line["grade"] == "ruled_out"]
            found[newest["run"]] = [kind for kind in ruled_out if f"{chain}{AGAINST}{kind}" in slots]
    return {run: kinds for run, kinds in found.items() if kinds}


def _spoken_against(slots: Iterable[str]) -> bool:
    """Whether any reading is kept because it speaks against clearing; the word holds no line break, so all keys are searched at once."""
    return AGAINST in "\n".join(slots)


def newest_complete(slots: Mapping[str, Reading]) -> dict[str, Reading]:
    """By chain (the checkpoint's own, and each that it inherits by) the newest complete reading."""
    found = {_chain(key): slots.get(f"{_chain(key)}complete") for key in slots}
    return {chain: reading for chain, reading in found.items() if reading is not None}


def looked_again(slots: Mapping[str, Reading]) -> bool:
    """Whether a line could have been ruled out here and was not, so that all looks may have to be added up."""
    return adds_up(slots) or _spoken_against(slots)


def adds_up(slots: Mapping[str, Reading]) -> bool:
    """Whether what the looks add up to is kept here."""
    return bool([reading for reading in slots.values() if "looks" in reading])


def remember(ledger: Ledger, evaluation: str, chain: str, looks: Mapping[str, Any]) -> Ledger:
    """The ledger in which the newest complete reading of a chain carries what its looks add up to."""
    slots, slot = ledger[evaluation], f"{chain}complete"
    return {**ledger, evaluation: {**slots, slot: {**slots[slot], "looks": looks}}}


def settle(ledger: Ledger, evaluation: str, run: int, pooled: Mapping[str, Any]) -> Ledger:
    """The ledger in which the complete reading of a run carries what all runs together say: by kind of line, `clears` and `says`."""
    slots = ledger[evaluation]
    told = {key: {**value, "pooled": dict(pooled)} if value["run"] == run and AGAINST not in key else value for key, value in slots.items()}
    return {**ledger, evaluation: told}


def current(slots: Mapping[str, Reading]) -> Reading | None:
    """The reading that stands for an evaluation: the highest of what complete runs, later incomplete ones and inherited ones say."""
    found = standing(slots)
    return _highest(found) if found else None


def _highest(readings: Sequence[Reading]) -> Reading:
    """The reading that stands highest, of several the newest."""
    return readings[0] if len(readings) == 1 else max(readings, key=lambda reading: (rank(reading["state"]), *_moment(reading)))


def standing(slots: Mapping[str, Reading]) -> list[Reading]:
    """Every reading that counts, the newest complete one held to what all complete runs together say."""
    doubted = contested(slots)
    if not doubted:
        return [value for key, value in slots.items() if AGAINST not in key]
    return [_held(value, doubted.get(value["run"], ())) for key, value in slots.items() if AGAINST not in key]


def _held(reading: Reading, kinds: Collection[str]) -> Reading:
    """A reading in which a line that the pooled evidence does not rule out is not ruled out by the newest run alone."""
    pooled = reading.get("pooled", {})
    held = [kind for kind in kinds if not pooled.get(kind, {}).get("clears")]
    if not held:
        return reading
    lines = [{**line, "grade": "not_ruled_out"} if line["threshold"] in held else line for line in reading["lines"]]
    says = dict.fromkeys(pooled[kind]["says"] for kind in held if kind in pooled)
    return {
        **reading,
        "state": higher(reading["state"], "watch"),
        "critical_ruled_out": gates_ruled_out(lines),
        "lines": lines,
        "message": " ".join((reading.get("message", ""), *says)).strip(),
    }


def gates_ruled_out(lines: Iterable[Mapping[str, Any]]) -> bool:
    """Whether there is a critical or rule-out line and every one of them is ruled out and not reached."""
    gates = [line for line in lines if line["threshold"] in GATES]
    return bool(gates) and all(line["grade"] == "ruled_out" and not line["reached"] for line in gates)


def summarise(ledger: Mapping[str, Mapping[str, Reading]], lines: Sequence[LineFact], rule: Rule = ANY) -> Summary:
    """What all readings together say of a level, by its rule. With `any`, every evaluation that reaches a line raises it, and it is
    clear only once every required line has been read by a complete run and ruled out. Missing evidence reads as inconclusive."""
    return summary_of(ledger, needs_of(lines), rule)


def summary_of(ledger: Mapping[str, Mapping[str, Reading]], needs: Needs, rule: Rule) -> Summary:
    """The same where what the lines ask for was worked out before."""
    stands = {evaluation: standing(ledger[evaluation]) for evaluation in needs.evaluations if evaluation in ledger}
    readings = {evaluation: _highest(found) for evaluation, found in stands.items() if found}
    whole = {evaluation for evaluation in readings if _whole(ledger[evaluation])}
    missing = _missing(needs.choices, whole)
    if not readings:
        return Summary("no_result", None, missing, critical_ruled_out=False)
    leading = _highest(list(readings.values()))
    if rule.combine == "any":
        state = _with_missing(leading["state"], missing, whole)
        ruled_out = _critical_ruled_out(stands, needs, whole)
    else:
        state, ruled_out = state_of(needs.lines, {evaluation: _every_line(stands[evaluation]) for evaluation in readings}, rule)
    return Summary(state, leading, missing, ruled_out, _taken(ledger, needs.choices), _until(ledger, readings))


def _until(ledger: Mapping[str, Mapping[str, Reading]], evaluations: Iterable[str]) -> str:
    """When the first equivalence expires by which a reading of these evaluations is inherited."""
    found = [reading["until"] for evaluation in evaluations for reading in ledger[evaluation].values() if reading.get("inherited")]
    return min(found) if found else ""


def _with_missing(state: str, missing: Collection[str], whole: Collection[str]) -> str:
    """The state, at least inconclusive where a required line was not read by a complete run, or none was."""
    return "inconclusive" if (missing or not whole) and rank(state) < rank("inconclusive") else state


def _every_line(stands: Iterable[Reading]) -> Reading:
    """All that the readings of an evaluation say of its lines; an incomplete run tells only what was reached, and rules nothing out."""
    told = [(reading["complete"], line) for reading in stands for line in reading["lines"]]
    lines = [
        line if whole else {**line, "able": line["able"] and line["reached"]}
        for whole, line in told
        if whole or line["grade"] != "ruled_out"
    ]
    return {"complete": True, "lines": lines}


def _whole(slots: Mapping[str, Reading]) -> bool:
    return "complete" in slots or any(key == f"{_chain(key)}complete" for key in slots)


def _taken(ledger: Mapping[str, Mapping[str, Reading]], choices: Iterable[Choice]) -> str:
    """Of every choice of evaluations the newest complete reading, and of those the oldest; an incomplete run freshens nothing."""
    newest = []
    for choice in choices:
        newest += _newest([reading for each in choice.evaluations if each in ledger for reading in ledger[each].values()])
    return min(newest, default="")


def _newest(readings: Sequence[Reading]) -> list[str]:
    """When the newest complete reading was taken, the newest of all where none is complete; nothing without readings."""
    complete = [reading["completed"] for reading in readings if reading["complete"]]
    return [max(complete or [reading["completed"] for reading in readings])] if readings else []


def _missing(choices: Iterable[Choice], whole: set[str]) -> tuple[str, ...]:
    """What is required and was not read by a complete run."""
    return tuple([each.name for each in choices if each.required and whole.isdisjoint(each.evaluations)])


def _critical_ruled_out(stands: Mapping[str, Sequence[Reading]], needs: Needs, whole: set[str]) -> bool:
    """True only if a critical or rule-out line was read by a complete run, each required one was, and every reading rules it out."""
    if whole.isdisjoint(needs.gates) or _missing(needs.gate_choices, whole):
        return False
    return not [reading for gate in needs.gates for reading in stands.get(gate, ()) if not reading["critical_ruled_out"]]
