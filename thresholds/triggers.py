"""What each rule of a framework's cadence asks of a checkpoint and level, and from which day. Plain Python.

A calendar date is known beforehand: due in the fourteen days before it, overdue from it on. An event (more compute, a jump) is
seen when it has happened: due from that day, overdue fourteen days later. The fourteen days are this product's own. Days are whole
days in UTC.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

GRACE = 14  # days
NOTICE = 30  # days before a planned release
MONTH = 365.25 / 12  # days


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a framework's cadence, as its file states it."""

    trigger: str
    source: str = ""
    multiple: float | None = None
    months: float | None = None
    days: int | None = None
    illustrative: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """What is known of a checkpoint; `effective_compute` in FLOP, `released` may lie ahead."""

    name: str
    trained: dt.date | None = None
    released: dt.date | None = None
    effective_compute: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a level was read by: when its oldest counting evidence was `taken`, and when every required line had `first` been read.

    `missing` names what no complete run has read, `inherited` that without another checkpoint's results it is not wholly read,
    `valid_until` when what is inherited ends, `reported` that at a level without lines the lab's own determination stands in,
    `before` under which other version it was read.
    """

    taken: dt.date | None = None
    first: dt.date | None = None
    missing: tuple[str, ...] = ()
    lines: bool = True
    inherited: bool = False
    valid_until: dt.date | None = None
    reported: bool = False
    before: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to another checkpoint of the family: its evaluation, or a score above all before it."""

    by: Weights
    on: dt.date
    evaluation: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the rules look at for one checkpoint and level; `reference` is the family's last evaluated other checkpoint, `lost` the
    newest attempt at an evaluation of the level that was lost and not made up for: the run, the evaluation and the day."""

    checkpoint: Weights
    evidence: Evidence
    framework: str
    in_force: dt.date
    retest_days: int
    rules: tuple[Rule, ...] = ()
    reference: Event | None = None
    jump: Event | None = None
    lost: tuple[str, str, dt.date] | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """What one rule says: from which day it is `due` and from which `overdue`, None where there is no such day or none is known.

    `late` marks a rule that was kept only afterwards.
    """

    trigger: str
    state: str
    detail: str
    due: dt.date | None = None
    overdue: dt.date | None = None
    source: str = ""
    illustrative: bool = False
    late: bool = False


def day(date: dt.date) -> str:
    """A date as people read it: 4 Nov 2026."""
    return f"{date.day} {date:%b %Y}"


def after(trigger: str, event: dt.date, detail: str) -> Reason:
    """Due from the day of an event, overdue once the grace has passed."""
    return Reason(trigger, "", detail, event, event + dt.timedelta(GRACE))


def unreadable(rule: Rule, facts: Facts) -> Reason:
    """A rule that nobody knows how to read makes the level due."""
    return Reason(rule.trigger, "due", f"The rule '{rule.trigger}' of {facts.framework} cannot be read; correct it in a new version.")


def _calendar(rule: Rule, facts: Facts) -> Reason:
    """So many days after the oldest counting evidence was taken."""
    taken = facts.evidence.taken
    if rule.days is None:
        return unreadable(rule, facts)
    if taken is None:
        return Reason(rule.trigger, "never_run", f"Asked for every {rule.days} days.")
    last = taken + dt.timedelta(rule.days)
    what = "The lab's determination is of" if facts.evidence.reported else "Its oldest evidence was taken on"
    detail = f"{what} {day(taken)} and counts for {rule.days} days, until {day(last)}."
    notice = min(GRACE, rule.days // 2)
    return Reason(rule.trigger, "", detail, last - dt.timedelta(notice), last + dt.timedelta(1))


def _own(facts: Facts) -> bool:
    return facts.evidence.taken is not None and not facts.evidence.inherited


def _compute(rule: Rule, facts: Facts) -> Reason:
    """Effective compute has grown by a factor since the last checkpoint that was evaluated."""
    here, last = facts.checkpoint, facts.reference
    if rule.multiple is None:
        return unreadable(rule, facts)
    if _own(facts) or last is None or here.effective_compute is None or last.by.effective_compute is None:
        return _not_compared(rule, facts, "effective_compute", "effective compute")
    ratio = here.effective_compute / last.by.effective_compute
    detail = (
        f"It has {ratio:.3g} times the effective compute of {last.by.name}, evaluated last ({day(last.on)}); "
        f"asked for from {rule.multiple:g} times on."
    )
    if ratio < rule.multiple * (1 - 1e-9):  # what was meant as exactly so many times is not lost to rounding
        return Reason(rule.trigger, "fresh", detail)
    return after(rule.trigger, here.trained, detail) if here.trained else Reason(rule.trigger, "due", detail)


def _post_training(rule: Rule, facts: Facts) -> Reason:
    """Months of calendar time between the ends of training of the last evaluated checkpoint and of this one."""
    here, last = facts.checkpoint, facts.reference
    if rule.months is None:
        return unreadable(rule, facts)
    if _own(facts) or last is None or here.trained is None or last.by.trained is None:
        return _not_compared(rule, facts, "trained", "end of training")
    asked = last.by.trained + dt.timedelta(int(rule.months * MONTH))
    months = (here.trained - last.by.trained).days / MONTH
    detail = f"Its training ended {months:.1f} months after that of {last.by.name}, evaluated last; asked for from {rule.months:g} on."
    return Reason(rule.trigger, "fresh", detail) if here.trained < asked else after(rule.trigger, asked, detail)


def _not_compared(rule: Rule, facts: Facts, field: str, words: str) -> Reason:
    """There is no need to compare a checkpoint with the one evaluated last, or not enough is known to do it."""
    last = facts.reference
    if _own(facts):
        return Reason(rule.trigger, "fresh", "This checkpoint was evaluated itself.")
    if last is None:
        return Reason(rule.trigger, "due", "No other checkpoint of its family was wholly read here: there is nothing to compare it with.")
    unknown = " and of ".join(each.name for each in (facts.checkpoint, last.by) if getattr(each, field) is None)
    return Reason(rule.trigger, "due", f"The {words} of {unknown} is not known: what has changed since the last evaluation cannot be told.")


def _read(evidence: Evidence) -> bool:
    """Whether every required line was read, or the lab's word stands in where there is none."""
    return evidence.reported or evidence.first is not None


def _external(rule: Rule, facts: Facts) -> Reason:
    """Before the first external release; what was released before the version came into force is judged from that day."""
    released, evidence = facts.checkpoint.released, facts.evidence
    if released is None:
        return Reason(rule.trigger, "fresh", "No release is known or planned.")
    if _read(evidence):
        late = facts.in_force <= released and evidence.first is not None and evidence.first > released
        told = f"First wholly read on {day(evidence.first)}" if evidence.first else "Reported by the lab"
        return Reason(rule.trigger, "fresh", f"{told}; {'already ' if late else ''}released on {day(released)}.", late=late)
    if released < facts.in_force:
        return after(rule.trigger, facts.in_force, f"Released on {day(released)}, before this version was in force, and not wholly read.")
    detail = f"Asked for before the external release of {day(released)}, and not wholly read."
    return Reason(rule.trigger, "", detail, released - dt.timedelta(NOTICE), released)


def _internal(rule: Rule, facts: Facts) -> Reason:
    """Before high-risk internal use, which may begin once training has ended."""
    trained = facts.checkpoint.trained
    if _read(facts.evidence):
        return Reason(rule.trigger, "fresh", "It was wholly read, and internal use may rest on that.")
    if trained is None:
        return Reason(rule.trigger, "due", "When its training ended is not known: internal use may have begun, and it is not wholly read.")
    detail = f"Internal use may begin once training has ended ({day(trained)}), and it is not wholly read."
    return after(rule.trigger, max(trained, facts.in_force), detail)


def _jump(rule: Rule, facts: Facts) -> Reason:
    """A checkpoint not known to be older scored above all of its family before it, and this level was not read since."""
    if facts.jump is None and facts.evidence.taken is None:
        return Reason(rule.trigger, "never_run", "Asked for when a newer checkpoint of its family scores above those before it.")
    if facts.jump is None:
        return Reason(rule.trigger, "fresh", "No newer checkpoint of its family has scored above those before it since this was read.")
    jump = facts.jump
    detail = f"{jump.by.name} scored above all before it on {jump.evaluation} on {day(jump.on)}; this level was not read again since."
    return after(rule.trigger, jump.on, detail)


TRIGGERS: dict[str, Callable[[Rule, Facts], Reason]] = {
    "retest_days": _calendar,
    "calendar": _calendar,
    "effective_compute": _compute,
    "post_training": _post_training,
    "before_external": _external,
    "before_high_risk_internal": _internal,
    "capability_jump": _jump,
}
