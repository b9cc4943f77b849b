"""Does the evidence about a checkpoint at a level still hold: fresh, due, overdue or never run, and why. Plain Python.

A framework says when evaluations are repeated (its cadence) and how old evidence may be (`retest_days`, a calendar rule of
every framework). Each rule gives a reason of its own, and the worst of them is the answer. Unknown is never fresh: what a rule
needs and nobody has recorded makes the level due. What each rule asks is in `thresholds.triggers`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from thresholds.triggers import GRACE, TRIGGERS, Evidence, Facts, Reason, Rule, after, day, unreadable

STATES = ("fresh", "due", "overdue", "never_run")


@dataclass(frozen=True, slots=True)
class Coverage:
    """The answer for one checkpoint and level, with its reasons, the worst first.

    `due` and `overdue` are the days from which it is or will be so; None where there is none or it is not known.
    """

    state: str
    reasons: tuple[Reason, ...]
    taken: dt.date | None
    due: dt.date | None
    overdue: dt.date | None
    late: bool


def rules_for(cadence: Iterable[Mapping[str, Any]], level: str) -> tuple[Rule, ...]:
    """The rules of a framework's cadence that apply to a level (a slug); a rule that names no level applies to all."""
    names = Rule.__dataclass_fields__
    wanted = (entry for entry in cadence if not entry.get("levels") or level in entry["levels"])
    return tuple(Rule(**{name: value for name, value in entry.items() if name in names}) for entry in wanted)


def cover(facts: Facts, now: dt.datetime) -> Coverage:
    """Whether the level is fresh, due, overdue or was never run, by the worst of what its rules say at `now`."""
    today = now.astimezone(dt.UTC).date()
    rules = (*facts.rules, Rule("retest_days", f"{facts.framework}, retest_days", days=facts.retest_days))
    found = [*_evidence(facts, today), *(_by_rule(rule, facts, today) for rule in rules)]
    reasons = sorted(found, key=lambda reason: STATES.index(reason.state), reverse=True)
    asking = [reason for reason in reasons if reason.state != "fresh"] or reasons
    return Coverage(
        state=reasons[0].state,
        reasons=tuple(reasons),
        taken=facts.evidence.taken,
        due=min((reason.due for reason in asking if reason.due), default=None),
        overdue=min((reason.overdue for reason in reasons if reason.overdue), default=None),
        late=any(reason.late for reason in reasons),
    )


def _evidence(facts: Facts, today: dt.date) -> Iterable[Reason]:
    """What holds under every framework: all was read, no newer attempt was lost, and what was inherited still counts."""
    evidence = facts.evidence
    if evidence.taken is None:
        yield Reason("never_run", "never_run", _nothing(evidence))
    elif evidence.missing:
        yield Reason("required_line", "due", f"Not yet read by a complete run: {', '.join(evidence.missing)}.")
    if facts.lost is not None:
        run, evaluation, on = facts.lost
        detail = f"The newest attempt at {evaluation}, {run}, was lost on {day(on)}, and nothing has made up for it."
        yield _dated(after("lost_run", on, detail), today)
    if (end := evidence.valid_until) is not None:
        detail = f"It rests also on another checkpoint's results, by an equivalence that holds until {day(end)}."
        yield _dated(Reason("equivalence", "", detail, end - dt.timedelta(GRACE), end), today)


def _nothing(evidence: Evidence) -> str:
    nothing = "Nothing that counts was read here." if evidence.lines else "No line is drawn here, and the lab has reported nothing."
    return f"{nothing} It was read under version {evidence.before}, which is not in force." if evidence.before else nothing


def _by_rule(rule: Rule, facts: Facts, today: dt.date) -> Reason:
    """A rule's reason with its source; a rule that cannot be read makes the level due."""
    look = TRIGGERS.get(rule.trigger, unreadable)
    return _dated(look(rule, facts), today, rule)


def _dated(reason: Reason, today: dt.date, rule: Rule | None = None) -> Reason:
    """A reason whose state follows from its days, where it has none yet."""
    state = reason.state or "fresh"
    if not reason.state and reason.due and today >= reason.due:
        state = "overdue" if reason.overdue and today >= reason.overdue else "due"
    source, illustrative = (rule.source, rule.illustrative) if rule else ("", False)
    return Reason(reason.trigger, state, reason.detail, reason.due, reason.overdue, source, illustrative, reason.late)
