"""How several evaluations decide one level together: k of n must reach a line. Plain Python.

The grade of a line is the k-th largest of its evaluations, what nobody has read counting as not ruled out; the bounds behind the
grades are corrected for it, the nearest at alpha / k and the farthest at alpha / (n - k + 1) (partial conjunction, Benjamini and
Heller 2008).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

GRADES = ("ruled_out", "not_ruled_out", "likely", "confirmed")
GATES = frozenset({"critical", "rule_out"})
UNREAD = {"grade": "not_ruled_out", "reached": False, "able": False, "warns_only": False}


@dataclass(frozen=True, slots=True)
class LineFact:
    """What must be read for a level: an evaluation's key, whether it is required, and its group of alternatives."""

    evaluation: str
    kind: str
    required: bool
    alternative: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """How many evaluations of a level must reach a line: any of them, all, or k."""

    combine: str = "any"
    k: int | None = None

    def of(self, n: int) -> int:
        """How many of n it takes."""
        return {"any": 1, "all": n}.get(self.combine, min(self.k or 1, n))

    def divisors(self, n: int) -> tuple[int, int]:
        """What the risk of the nearest and of the farthest bound is divided by, for n evaluations."""
        return self.of(n), n - self.of(n) + 1


ANY = Rule()


@dataclass(frozen=True, slots=True)
class Together:
    """What all evaluations say of one kind of line."""

    grade: str
    reached: bool
    warns_only: bool
    open: bool  # with what is unread or could not be told, the line could still be reached


def groups_of(lines: Iterable[LineFact]) -> dict[str, list[LineFact]]:
    """Lines by what they stand for: alternatives together, every other evaluation by itself."""
    groups: dict[str, list[LineFact]] = {}
    for line in lines:
        groups.setdefault(line.alternative or f"={line.evaluation}", []).append(line)
    return groups


class Choice(NamedTuple):
    """Evaluations of which a complete run of any will do: their keys, whether one of them is required, and how they are named."""

    evaluations: tuple[str, ...]
    required: bool
    name: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What the lines of a level ask for, worked out once: the evaluations that carry one, what there is to choose from, and the same
    of the critical and rule-out lines."""

    lines: Sequence[LineFact]
    evaluations: tuple[str, ...]
    choices: tuple[Choice, ...]
    gates: tuple[str, ...]
    gate_choices: tuple[Choice, ...]


def needs_of(lines: Sequence[LineFact]) -> Needs:
    """What some lines ask for, in their order."""
    gates = [line for line in lines if line.kind in GATES]
    return Needs(lines, _evaluations(lines), _choices(lines), _evaluations(gates), _choices(gates))


def _evaluations(lines: Iterable[LineFact]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.evaluation for line in lines))


def _choices(lines: Iterable[LineFact]) -> tuple[Choice, ...]:
    named = [(_evaluations(group), any(line.required for line in group)) for group in groups_of(lines).values()]
    return tuple(Choice(evaluations, required, " or ".join(sorted(evaluations))) for evaluations, required in named)


def together(kind: str, lines: Sequence[LineFact], readings: Mapping[str, Mapping[str, Any]], rule: Rule) -> Together:
    """The k-th largest grade of one kind of line over its groups; `readings` by evaluation hold `lines` and `complete`."""
    found = [_best(kind, group, readings) for group in groups_of(line for line in lines if line.kind == kind).values()]
    k = rule.of(len(found))
    ranked = sorted(found, key=lambda each: GRADES.index(each["grade"]), reverse=True)
    reached = [each for each in found if each["reached"]]
    untold = sum(not each["able"] and not each["reached"] for each in found)
    return Together(
        grade=ranked[k - 1]["grade"],
        reached=len(reached) >= k,
        warns_only=sum(not each["warns_only"] for each in reached) < k,
        open=len(reached) + untold >= k,
    )


def state_of(lines: Sequence[LineFact], readings: Mapping[str, Mapping[str, Any]], rule: Rule) -> tuple[str, bool]:
    """The state of a level that k of its evaluations decide, and whether critical is ruled out."""
    kinds = sorted({line.kind for line in lines})
    found = {kind: together(kind, lines, readings, rule) for kind in kinds}
    gates = [found[kind] for kind in kinds if kind != "alert"]
    ruled_out = bool(gates) and all(each.grade == "ruled_out" and not each.reached for each in gates)
    return max((_state(kind, each) for kind, each in found.items()), key=_ORDER.index), ruled_out


_ORDER = ("clear", "watch", "inconclusive", "alert", "critical")


def _state(kind: str, found: Together) -> str:
    if found.reached:
        return "critical" if kind == "critical" and not found.warns_only else "alert"
    if found.grade == "ruled_out":
        return "clear"
    return "inconclusive" if found.open else "watch"


def _best(kind: str, group: Iterable[LineFact], readings: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The highest reading of a group; what an incomplete run rules out, nobody has ruled out."""
    found = [
        _counted(line, reading)
        for each in group
        if (reading := readings.get(each.evaluation))
        for line in reading["lines"]
        if line["threshold"] == kind
    ]
    return max(found, key=_weight, default=UNREAD)


def _weight(line: Mapping[str, Any]) -> tuple[bool, bool, int, bool]:
    return line["reached"], not line["warns_only"], GRADES.index(line["grade"]), not line["able"]


def _counted(line: Mapping[str, Any], reading: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an incomplete run rules out nobody has ruled out, and what could not have been ruled out says nothing of the line."""
    unproven = line["grade"] == "ruled_out" and not reading["complete"]
    untold = line["grade"] == "not_ruled_out" and (not line["able"] or line.get("silent"))
    return UNREAD if unproven or untold else {"warns_only": False, **line}
