"""The life of a crisis as a table.

A crossing opens it. A person acknowledges it, the team starts mitigating, the lead declares the plan ready once every measure is
signed off, and closes it with a reason. Escalating calls more people and moves nothing. A further crossing joins a live crisis and
takes a plan that was ready back to work; so does new evidence, and reopening by hand.
"""

from accounts.roles import Refused

OPENED, ACKNOWLEDGED, MITIGATING, READY, CLOSED = STATES = ("opened", "acknowledged", "mitigating", "ready", "closed")
LIVE = STATES[:-1]

TABLE: dict[str, dict[str, str]] = {
    OPENED: {"acknowledge": ACKNOWLEDGED, "escalate": OPENED, "join": OPENED},
    ACKNOWLEDGED: {"start": MITIGATING, "escalate": ACKNOWLEDGED, "join": ACKNOWLEDGED},
    MITIGATING: {"ready": READY, "escalate": MITIGATING, "join": MITIGATING},
    READY: {"close": CLOSED, "reopen": MITIGATING, "escalate": READY, "join": MITIGATING, "evidence": MITIGATING},
    CLOSED: {"reopen": MITIGATING},
}
DONE = {
    "acknowledge": "acknowledged",
    "start": "started",
    "ready": "declared ready",
    "close": "closed",
    "reopen": "reopened",
    "escalate": "escalated",
}
BY_PEOPLE = ("acknowledge", "start", "ready", "close", "reopen", "escalate")


class NotPossible(Refused):
    """The action is not allowed in the crisis's state."""


def after(state: str, action: str) -> str:
    """The state that an action leads to; raises NotPossible, naming the state, the action and what is possible."""
    if (found := TABLE[state].get(action)) is None:
        possible = ", ".join(allowed_actions(state))
        raise NotPossible(f"A crisis that is {state} cannot be {DONE.get(action, action)}; possible now: {possible}.")
    return found


def allowed_actions(state: str) -> tuple[str, ...]:
    """What people may do in a state, in the order of the life of a crisis."""
    return tuple(action for action in BY_PEOPLE if action in TABLE[state])
