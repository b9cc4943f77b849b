"""What a token may be good for: its scopes, and which of them a person of each role may give away or hold."""

from accounts.roles import Role

SCOPES = {
    "runs:write": "post runs and their results",
    "read": "read runs, levels, crises and everything else that is listed",
    "gate:read": "ask whether a checkpoint may be deployed",
    "export": "fetch whole tables as files",
    "catalogue:write": "register models, checkpoints and evaluations",
    "determinations:write": "record what a lab itself determined",
    "tokens:write": "make, rotate and revoke tokens of the same owner, none of them stronger than this one",
}
LOOKING = frozenset({"read", "gate:read", "export"})
WORKING = LOOKING | {"runs:write", "catalogue:write", "tokens:write"}
GIVES: dict[Role, frozenset[str]] = {
    Role.SAFETY_LEAD: WORKING | {"determinations:write"},
    Role.EVAL_ENGINEER: WORKING,
    Role.AUDITOR: LOOKING,
    Role.MEMBER: LOOKING,
}
BY_HAND = frozenset({"determinations:write"})  # what a person states must be stated by hand


def given_by(role: Role | None) -> frozenset[str]:
    """The scopes that a person of this role may give to a service account."""
    return GIVES[role] if role else frozenset()


def held_by(role: Role | None) -> frozenset[str]:
    """The scopes that a token of a person of this role has at most, also where the role changed after it was made."""
    return given_by(role) - BY_HAND
