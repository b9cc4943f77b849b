"""Why a level stands where it does: the verdict told step by step, from plain facts, and in one paragraph. Plain Python.

    counted -> bounded -> each line: grade, policy -> what qualifies it -> how the level adds up -> what would change it

Nothing is decided here: every number is one that the verdict rests on, or follows from it by the planning rules of `sequential`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from thresholds.combining import groups_of
from thresholds.grounds import GRADES, HELD, Facts, Step, bounded, bounds_of, counted, drawn, joined, name_of, on_line, scored, word
from thresholds.sequential import n_to_rule_out

__all__ = ["Explanation", "Facts", "Step", "explain"]

MOST_WORDS = 120
POWER = 0.8
NAMED = 3  # as many evaluations a sentence names
NEXT = "The next result that does not rule a line out."


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole reasoning, and the same in one paragraph of at most 120 words."""

    steps: tuple[Step, ...]
    paragraph: str

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"steps": [asdict(step) for step in self.steps], "paragraph": self.paragraph}


def explain(facts: Facts) -> Explanation:
    """Tell one assessment step by step and in a paragraph; it never changes what was decided."""
    lines = (on_line(facts, line) for line in facts.readings)
    steps = (counted(facts), bounded(facts), *lines, _qualified(facts), _added_up(facts), _change(facts))
    return Explanation(steps, _paragraph(facts))


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (" and others" if len(names) > NAMED else "")


def _qualified(facts: Facts) -> Step:
    whole = "Nothing: the run covers its plan, and the lines were set before it."
    return Step("qualified", "What qualifies it", joined((_attested(facts), *_doubts(facts))) or whole)


def _attested(facts: Facts) -> str:
    name = facts.counted.get("attested_by")
    return f"The elicitation is attested by {name}." if name else ""


def _doubts(facts: Facts) -> Iterator[str]:
    """What a reader must hold against the numbers, a short sentence each."""
    said = (
        (not facts.complete, "The run is incomplete: it may raise the state, never lower it."),
        (not facts.measured.attested, "Nobody attests the elicitation, so it is never clear."),
        (facts.measured.saturated, "The evaluation is saturated: it can rule in only."),
        (facts.measured.contaminated, "The evaluation is contaminated: it can warn, not confirm."),
        (facts.set_after, "The line was set after the result."),
        (facts.moved, f"The definition moved since the version before ({'; '.join(map(_shift, facts.moved))}): no improvement."),
        (facts.moved_from and not facts.moved, f"Carried over from the version before, where it stood at {word(facts.moved_from)}."),
        (facts.inherited, f"Inherited from {facts.inherited} by a signed equivalence."),
        (not facts.binding, "For comparison only: the framework does not govern the model."),
        (facts.illustrative, "An illustrative line: the developer has not published its own."),
    )
    yield from (text for holds, text in said if holds)


def _shift(moved: Mapping[str, Any]) -> str:
    before, after = ("none" if value is None else f"{value:g}" for value in (moved["before"], moved["after"]))
    return f"{word(moved['kind'])} line on {moved['evaluation']} {before} -> {after}"


def _added_up(facts: Facts) -> Step:
    deciding = len(groups_of(facts.lines)) or 1
    k = facts.rule.of(deciding)
    text = joined((_together(k, deciding), _beside(facts), *_standing(facts)))
    return Step("level", "How the level adds up", text, {"k": k, "evaluations": deciding, "missing": len(facts.missing)})


def _together(k: int, deciding: int) -> str:
    if deciding == 1:
        return "One evaluation decides the level."
    if k == 1:
        return f"Any of {deciding} evaluations raises the level; it is clear once every one that is required rules its lines out."
    return f"{k} of {deciding} evaluations must reach a line."


def _beside(facts: Facts) -> str:
    told = [f"{key} reads {word(state)}" for key, state in sorted(facts.others.items())]
    return f"This run reads {word(facts.reading_state)}{'; ' + ', '.join(told) if told else ''}."


def _standing(facts: Facts) -> Iterator[str]:
    if facts.missing:
        yield f"Not yet read by a complete run: {', '.join(facts.missing)}."
    yield from (each["says"] for each in facts.pooled.values())
    if facts.held:
        evidence = word(facts.evidence or facts.reading_state)
        yield f"The evidence says {evidence}; {facts.state} was reached and stands until a named person signs it down."
    if (together := facts.counted.get("together", 1)) > 1:
        yield f"It was read together with {together - 1} other run{'s' if together > 2 else ''}: the states are those before and after all."
    yield f"It stood at {word(facts.state_before)} and stands at {word(facts.state)}."


def _change(facts: Facts) -> Step:
    planned = [plan for line in facts.readings if (plan := _plan(line)) is not None]
    numbers: dict[str, float | int | None] = {"missing": facts.counted.get("missing", 0)}
    if planned:
        numbers |= {"needed": planned[0][1], "for_power": planned[0][2], "power": POWER}
    return Step("change", "What would change it", joined((*_remedies(facts), *(text for text, *_ in planned))) or NEXT, numbers)


def _remedies(facts: Facts) -> Iterator[str]:
    """What somebody can do about it, the most urgent first."""
    measured = facts.measured
    bare = not measured.graded and not any(bounds_of(line).uncertainty for line in facts.readings)
    short = measured.errored or facts.counted.get("missing", 0)
    said = (
        (facts.state in HELD, "The state is lowered by a named person's signature only, once all runs together rule the lines out."),
        (facts.missing, f"A complete run of {_named(facts.missing)} is needed."),
        (short, "Re-run the samples without a score."),
        (not facts.complete and not short, "Post a run that covers its plan."),
        (not measured.attested, "Name who attests the elicitation."),
        (bare, "Post the counts, a standard error or an interval."),
        (measured.saturated or measured.contaminated, "Add a second evaluation that can tell."),
        (any(not each["clears"] for each in facts.pooled.values()), "Declare the number of looks before the next results."),
    )
    yield from (text for holds, text in said if holds)


def _plan(line: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """How many tasks it takes to rule a line out that is not, at least and with 80 % power at half the rate."""
    if line["needed"] is None or line["grade"] == "ruled_out":
        return None
    higher = line["comparator"].startswith(">")
    rate, alpha = line["value"] if higher else 1 - line["value"], (1 - line["confidence"]) / line.get("near_divisor", 1)
    likely, _ = n_to_rule_out(rate, rate / 2, power=POWER, alpha=alpha)
    half = "the true rate is half the line" if higher else "the true failure rate is half the line's"
    text = f"To rule the {name_of(line)} out takes at least {line['needed']} tasks, and {likely} for {100 * POWER:g} % power if {half}."
    return text, line["needed"], likely


def _paragraph(facts: Facts) -> str:
    """The sentences that matter most, in the order of the steps, as many as fit."""
    verdicts = "; ".join(_verdict(facts, line) for line in facts.readings)
    whole = [
        f"{facts.checkpoint} stands at {word(facts.state)} at {facts.level} ({facts.framework}).",
        f"{scored(facts)}{': ' if verdicts else ''}{verdicts}.",
        f"The evidence now says {word(facts.evidence or facts.reading_state)}." if facts.held else "",
        *_doubts(facts),
        f"Not yet read by a complete run: {_named(facts.missing)}." if facts.missing else "",
        next(_remedies(facts), NEXT),
    ]
    return _fitting([sentence for sentence in whole if sentence])


def _fitting(sentences: Sequence[str]) -> str:
    """As many sentences as fit, in order; one that does not is left out and the next is tried."""
    kept: list[str] = []
    for sentence in sentences:
        if len(" ".join([*kept, sentence]).split()) <= MOST_WORDS:
            kept.append(sentence)
    return " ".join(kept)


def _verdict(facts: Facts, line: Mapping[str, Any]) -> str:
    name, grade = f"the {name_of(line)} ({drawn(line, facts.unit)})", line["grade"]
    if grade == "not_ruled_out" and not line["able"] and not (line["reached"] and line["threshold"] == "critical"):
        return f"{name} is not ruled out, and no result of this kind could have ruled it out"
    if line["reached"]:
        return f"{name} is reached under the policy {line['policy']} ({GRADES[grade]})"
    if grade == "ruled_out":
        return f"{name} is ruled out"
    return f"{name} is not reached under the policy {line['policy']}, but {GRADES[grade]}"
