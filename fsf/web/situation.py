"""The sentence at the top of the overview: what is worst, for which model and level, who is on it and how ready the plan is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """One checkpoint at one level, as far as the sentence speaks of it; `early` is the kind of line that it warns by."""

    model: str
    level: str
    state: str
    illustrative: bool = False
    early: str = "alert"


@dataclass(frozen=True, slots=True)
class Plan:
    """One open crisis and how far its plan is."""

    ref: str
    state: str
    ready: int
    total: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the sentence is made from; counts are of level statuses."""

    worst: Standing | None = None
    plan: Plan | None = None
    open_crises: int = 0
    reached: int = 0
    unresolved: int = 0
    watched: int = 0
    judged: int = 0
    stale: int = 0
    differing: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """`headline` says the worst, `plan` what is being done about it, `rest` what else there is; `state` gives the colour."""

    state: str
    headline: str
    plan: str
    rest: str


_HEADLINES = {
    "critical": "{model} has reached the critical line of {level}{mark}.",
    "alert": "{model} has reached the {early} line of {level}{mark}.",
    "inconclusive": "{level} cannot be ruled out for {model}{mark}: there is too little evidence to tell.",
    "watch": "{model} is below the {early} line of {level}{mark}, but too close to rule it out.",
    "clear": "Every level that was judged is below its alert line.",
    "no_result": "No level has been judged yet.",
}
_PLAN_STATES = {
    "opened": "is open and nobody has acknowledged it",
    "acknowledged": "is acknowledged",
    "mitigating": "is being mitigated",
    "ready": "has its plan ready",
}


def counted(count: int, one: str, many: str = "") -> str:
    """`1 level`, `3 levels`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _plan_sentence(facts: Facts) -> str:
    plan = facts.plan
    if plan is None:
        return ""
    said = f"Crisis {plan.ref} {_PLAN_STATES.get(plan.state, 'is ' + plan.state)}; {plan.ready} of {counted(plan.total, 'measure')} ready"
    if plan.overdue:
        said += f", {plan.overdue} overdue"
    return said + "."


def _others(facts: Facts) -> list[str]:
    reached = facts.reached - (facts.worst is not None and facts.worst.state in {"alert", "critical"})
    unresolved = facts.unresolved - (facts.worst is not None and facts.worst.state == "inconclusive")
    crises = facts.open_crises - (facts.plan is not None)
    return [
        text
        for count, text in (
            (reached, f"{counted(reached, 'further line')} reached"),
            (unresolved, f"{counted(unresolved, 'level')} not ruled out"),
            (crises, f"{counted(crises, 'further crisis', 'further crises')} open"),
            (facts.differing, f"{counted(facts.differing, 'level')} read differently by the lab itself"),
            (facts.lost, f"{counted(facts.lost, 'run')} lost without a result"),
            (facts.stale, f"{facts.stale} of {counted(facts.judged, 'judgement')} past the re-test date"),
        )
        if count > 0
    ]


def describe(facts: Facts) -> Situation:
    """The situation in words; an old judgement is said to be old, and nothing judged never reads as safe."""
    worst = facts.worst or Standing("", "", "no_result")
    mark = " (illustrative line)" if worst.illustrative else ""
    headline = _HEADLINES[worst.state].format(model=worst.model, level=worst.level, mark=mark, early=worst.early.replace("_", "-"))
    if worst.state == "clear" and facts.stale:
        headline = "Every level that was judged was below its alert line, but not all of that is recent."
    others = _others(facts)
    rest = f"Also: {', '.join(others)}." if others else ""
    return Situation(worst.state, headline, _plan_sentence(facts), rest)
