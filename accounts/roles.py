"""Who may do what: one table from role to allowed actions, looked up by one function.

A person acts with a role; a service account acts with the scopes of its token and never acknowledges, signs or approves. A person
who acts by a token is the same person, but at a machine: what a person must do by hand is refused there whatever the role.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a person is here for."""

    SAFETY_LEAD = "safety_lead"
    EVAL_ENGINEER = "eval_engineer"
    AUDITOR = "auditor"
    MEMBER = "member"


class Kind(StrEnum):
    """What kind of actor stands behind a change."""

    PERSON = "person"
    SERVICE = "service"
    SYSTEM = "system"


RESPOND = frozenset({"crises.acknowledge", "crises.start", "crises.update", "mitigations.attach", "mitigations.assign"})
DECIDE = frozenset(
    {"crises.escalate", "crises.ready", "crises.close", "crises.reopen", "mitigations.sign_off", "thresholds.sign_down", "gates.decide"}
)
FRAMEWORK = frozenset({"thresholds.draft", "thresholds.publish", "thresholds.flag"})
ALLOWED: dict[Role, frozenset[str]] = {
    Role.SAFETY_LEAD: RESPOND
    | DECIDE
    | FRAMEWORK
    | {"evals.invalidate", "thresholds.determine", "thresholds.equate", "evals.register", "accounts.tokens", "accounts.revoke"},
    Role.EVAL_ENGINEER: RESPOND
    | {"evals.register", "evals.invalidate", "mitigations.sign_off", "thresholds.flag", "thresholds.draft", "accounts.tokens"},
    Role.AUDITOR: frozenset(),
    Role.MEMBER: frozenset({"crises.update", "mitigations.attach"}),
}
# What a person's token may do for that person beside reading and posting; everything else must be done by hand.
BY_TOKEN = frozenset({"evals.register"})


@dataclass(frozen=True, slots=True)
class Reach:
    """What a token is restricted to: slugs of models and of evaluations; an empty set restricts nothing."""

    models: frozenset[str] = frozenset()
    evaluations: frozenset[str] = frozenset()

    def within(self, other: "Reach") -> bool:
        """Whether it reaches nothing that the other does not reach."""
        pairs = ((self.models, other.models), (self.evaluations, other.evaluations))
        return all(not theirs or (ours and ours <= theirs) for ours, theirs in pairs)


EVERYTHING = Reach()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does an operation; passed to every operation and written to every audit entry.

    `reach` and `token` (its key) are those of the token by which the actor came; a person at a page has none.
    """

    kind: Kind
    name: str
    id: int | None = None
    role: Role | None = None
    reach: Reach = field(default=EVERYTHING)
    token: str = ""


SYSTEM = Actor(Kind.SYSTEM, "system")


class Refused(Exception):
    """An operation that was not done; its text is a sentence for the person who asked."""


class NotAllowed(Refused):
    """The actor's role does not allow the action; carries a sentence for the person refused."""

    def __init__(self, actor: Actor, action: str, why: str = "") -> None:
        super().__init__(why or f"{actor.name} may not do '{action}' with the role {actor.role or actor.kind}.")
        self.action = action


def require(actor: Actor, action: str) -> int:
    """The id of the acting person; raises NotAllowed unless the actor is a person whose role allows the action."""
    person, role = _person(actor, action)
    if actor.token and action not in BY_TOKEN:
        raise NotAllowed(actor, action, f"'{action}' must be done by hand; {actor.name} came with a token, which can never do it.")
    if action not in ALLOWED[role]:
        raise NotAllowed(actor, action)
    return person


def _person(actor: Actor, action: str) -> tuple[int, Role]:
    """Id and role of an active person; raises NotAllowed for anyone else."""
    if actor.kind is Kind.PERSON and actor.role is None:
        raise NotAllowed(actor, action, f"The account of {actor.name} is not active; '{action}' was not done.")
    if actor.kind is not Kind.PERSON or actor.role is None or actor.id is None:
        raise NotAllowed(actor, action, f"'{action}' must be done by a named person; {actor.name} is a {actor.kind} account.")
    return actor.id, actor.role


def check_reach(actor: Actor, *, model: str = "", checkpoint: str = "", evaluation: str = "", what: str = "") -> None:
    """Raise NotAllowed where the actor's token is restricted to other models or evaluations.

    `model` is the slug of the checkpoint's model and `evaluation` a slug with or without its version; empty ones are not checked.
    The sentence names what the actor named: the checkpoint, not its model; or `what`, for a stored row of which nothing may be told.
    """
    slug = evaluation.partition("@")[0]
    if _is_beyond(model, actor.reach.models):
        beyond = f"the checkpoint '{checkpoint}'" if checkpoint else f"the model '{model}'"
    elif _is_beyond(slug, actor.reach.evaluations):
        beyond = f"the evaluation '{slug}'"
    else:
        return
    raise NotAllowed(actor, "reach", f"The token of {actor.name} does not reach {what or beyond}; use one that does.")


def _is_beyond(slug: str, reached: frozenset[str]) -> bool:
    """Whether something is asked for, and a restriction leaves it out."""
    return bool(slug and reached) and slug not in reached
