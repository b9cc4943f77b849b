"""Who was given access, on record: tokens are made, rotated and revoked here, each with its audit entry.

It lies in this storey because it is the lowest that knows both accounts and the log; both doors and the commands come here.
"""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction

from accounts.models import ApiToken, ServiceAccount, User
from accounts.networks import are_within
from accounts.roles import Actor, Kind, NotAllowed, Refused, Role, require
from accounts.scopes import given_by, held_by
from accounts.tokens import Grant, Owner, checked, issue_grant, live, revoke, revoke_family, tokens_of
from audit import log

REASONS = {
    "replaced": "Another token took its place",
    "unneeded": "It is not needed any more",
    "leaked": "Others may have seen it: end every token that was made with it too",
}


class Stronger(Refused):
    """A token was asked to make one that is good for more than itself."""


@transaction.atomic
def make_account(*, name: str, actor: Actor, now: dt.datetime) -> ServiceAccount:
    """The service account of this name, made and put on record where it is new."""
    if actor.kind is not Kind.SYSTEM:
        require(actor, "accounts.tokens")
    if not name.strip() or len(name.strip()) > 80:
        raise Refused("A service account needs a name of at most 80 characters.")
    account, created = ServiceAccount.objects.get_or_create(name=name.strip(), defaults={"created": now})
    if created:
        log.record(action="accounts.account.make", about=f"account:{account.pk}", actor=actor, now=now, data={"name": account.name})
    return account


@transaction.atomic
def switch_off(*, account: ServiceAccount, actor: Actor, now: dt.datetime) -> list[str]:
    """End every token of a service account, and let it get no other until it is switched on; returns the keys of those that lived."""
    held = _switched(account, actor, active=False)
    alive = live(tokens_of(held), now)
    keys = sorted(alive.values_list("key", flat=True))
    alive.update(revoked=now)
    data = {"name": held.name, "ended": keys}
    log.record(action="accounts.account.switch_off", about=f"account:{held.pk}", actor=actor, now=now, data=data)
    return keys


@transaction.atomic
def switch_on(*, account: ServiceAccount, actor: Actor, now: dt.datetime) -> None:
    """Let a service account get tokens again; those that were ended stay ended."""
    held = _switched(account, actor, active=True)
    log.record(action="accounts.account.switch_on", about=f"account:{held.pk}", actor=actor, now=now, data={"name": held.name})


def _switched(account: ServiceAccount, actor: Actor, *, active: bool) -> ServiceAccount:
    """The account, locked and switched; raises Refused where it is so already."""
    if actor.kind is not Kind.SYSTEM:
        require(actor, "accounts.tokens")
    held = ServiceAccount.objects.select_for_update().get(pk=account.pk)
    if held.active is active:
        raise Refused(f"The service account '{held.name}' is switched {'on' if active else 'off'} already.")
    held.active = active
    held.save(update_fields=["active"])
    return held


@transaction.atomic
def make_token(*, owner: Owner, grant: Grant, actor: Actor, now: dt.datetime) -> tuple[ApiToken, str]:
    """Make a token for oneself or a service account; returns its row and its text, which is shown once.

    Raises Stronger where an actor with a token asks for more than that token has, NotAllowed for scopes that the actor's
    role does not give, TooManyTokens for a third of one owner and purpose, and Refused for what no token can be.
    """
    return _make(owner, grant, actor, now)


@transaction.atomic
def rotate_token(*, token: ApiToken, actor: Actor, now: dt.datetime, days: int | None = None) -> tuple[ApiToken, str]:
    """Make a token good for the same as this one, which stays live until it is revoked; raises as make_token does."""
    if token.revoked is not None:
        raise Refused(f"{token} was revoked, so it cannot be rotated; make a new one.")
    lives = max(1, (token.expires - token.created).days) if days is None else days
    parent = _parent(actor)
    left = parent.expires if parent and days is None and parent.expires < now + dt.timedelta(days=lives) else None
    grant = Grant(frozenset(token.scopes), token.purpose, token.reach, tuple(token.networks), lives, left)
    return _make(token.owner, grant, actor, now, rotates=token.key)


@transaction.atomic
def revoke_token(*, token: ApiToken, reason: str, actor: Actor, now: dt.datetime) -> list[str]:
    """End a token at once, and where it leaked every token made with it; returns the keys of those others."""
    _check_may_revoke(actor, token)
    if reason not in REASONS:
        raise Refused(f"Say why it is revoked: {', '.join(REASONS)}.")
    if token.revoked is not None and reason != "leaked":
        raise Refused(f"{token} was revoked already, on {token.revoked:%d %b %Y}.")
    ended = revoke_family(token=token, now=now) if reason == "leaked" else []
    revoke(token=token, now=now)
    data = {"owner": _name(token.owner), "purpose": token.purpose, "reason": reason, "with": ended, **_by(actor)}
    log.record(action="accounts.token.revoke", about=f"token:{token.key}", actor=actor, now=now, data=data)
    return ended


def _make(owner: Owner, grant: Grant, actor: Actor, now: dt.datetime, **more: str) -> tuple[ApiToken, str]:
    wanted = checked(grant)
    parent = _parent(actor)
    if parent:
        _check_weaker(parent, actor, owner, wanted, now)
    else:
        _check_may_make(actor, owner, wanted.scopes)
    if isinstance(owner, ServiceAccount) and not ServiceAccount.objects.select_for_update().get(pk=owner.pk).active:
        raise Refused(f"The service account '{owner.name}' is switched off; it gets no token until it is switched on.")
    row, text = issue_grant(owner=owner, grant=wanted, now=now, parent=parent)
    data = {
        "owner": _name(owner),
        "purpose": row.purpose,
        "scopes": row.scopes,
        "models": row.model_slugs,
        "evaluations": row.evaluation_slugs,
        "networks": row.networks,
        "expires": row.expires.isoformat(),
        **_by(actor),
        **more,
    }
    log.record(action="accounts.token.make", about=f"token:{row.key}", actor=actor, now=now, data=data)
    return row, text


def _name(owner: Owner) -> str:
    return f"service:{owner.name}" if isinstance(owner, ServiceAccount) else f"person:{owner.username}"


def _by(actor: Actor) -> dict[str, str]:
    return {"by_token": actor.token} if actor.token else {}


def _parent(actor: Actor) -> ApiToken | None:
    """The token by which the actor came, read anew under lock: one that was revoked meanwhile makes nothing."""
    if not actor.token:
        return None
    found = ApiToken.objects.select_for_update(of=("self",)).select_related("account", "person").get(key=actor.token)
    if found.revoked is not None:
        raise NotAllowed(actor, "accounts.tokens", f"The token {found} was revoked.")
    return found


def _check_weaker(parent: ApiToken, actor: Actor, owner: Owner, wanted: Grant, now: dt.datetime) -> None:
    """Raise Stronger where the grant is for another owner or for more than the parent is good for."""
    expires = wanted.expires or now + dt.timedelta(days=wanted.days)
    has = frozenset(parent.scopes) if isinstance(parent.owner, ServiceAccount) else frozenset(parent.scopes) & held_by(actor.role)
    if parent.owner != owner:
        raise Stronger("A token makes tokens of its own owner only.")
    if more := wanted.scopes - has:
        raise Stronger(f"{parent} has no scope {_listed(more)}, so it can make no token that has.")
    if not wanted.reach.within(parent.reach):
        raise Stronger(f"{parent} is restricted to certain models or evaluations; name some of those.")
    if not are_within(wanted.networks, parent.networks):
        raise Stronger(f"{parent} may be used from {', '.join(parent.networks)} only; name networks within those.")
    if expires > parent.expires:
        raise Stronger(f"{parent} ends on {parent.expires:%d %b %Y}; no token that it makes lives longer. Ask for fewer days.")


def _check_may_make(actor: Actor, owner: Owner, scopes: frozenset[str]) -> None:
    """Raise NotAllowed where a person, or the command line, may not give these scopes to this owner."""
    if isinstance(owner, User):
        if actor.kind is not Kind.SYSTEM and (actor.kind, actor.id, actor.role) != (Kind.PERSON, owner.pk, owner.role):
            raise NotAllowed(actor, "accounts.tokens", "A person's token is made by that person only.")
        _check_scopes(actor, owner.role, scopes - held_by(Role(owner.role)))
    elif actor.kind is not Kind.SYSTEM:
        require(actor, "accounts.tokens")
        _check_scopes(actor, actor.role, scopes - given_by(actor.role))


def _check_scopes(actor: Actor, role: str | None, more: frozenset[str]) -> None:
    if more:
        raise NotAllowed(actor, "accounts.tokens", f"The role {role} does not give the scope {_listed(more)} to this token; leave it out.")


def _check_may_revoke(actor: Actor, token: ApiToken) -> None:
    """Raise NotAllowed unless the token is the actor's own, or a service account's or a person's that the role may end."""
    if actor.kind is not Kind.SYSTEM and not _is_own(actor, token):
        require(actor, "accounts.tokens" if token.account_id else "accounts.revoke")


def _is_own(actor: Actor, token: ApiToken) -> bool:
    """Whether the token has the owner of the one that the actor came with, or is the active person's who is here by hand."""
    if (parent := _parent(actor)) is not None:
        return parent.owner == token.owner
    return actor.kind is Kind.PERSON and actor.role is not None and token.person_id == actor.id


def _listed(scopes: Iterable[str]) -> str:
    return ", ".join(f"'{scope}'" for scope in sorted(scopes))
