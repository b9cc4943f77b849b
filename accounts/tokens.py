"""API tokens: made once, shown once, stored as a keyed hash, checked in constant time.

Form: `fsf_<environment>_<key>_<secret><checksum>`. The key finds the row, the secret (256 bits) proves it, and the checksum
(CRC-32) lets secret scanners and typing errors be told apart from guesses without a look into the database.
"""

import base64
import datetime as dt
import hmac
import secrets
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from accounts.models import ApiToken, ServiceAccount, User
from accounts.networks import Address, is_within, network_of
from accounts.roles import EVERYTHING, Actor, Kind, NotAllowed, Reach, Refused, Role
from accounts.scopes import SCOPES as SCOPE_WORDS
from accounts.scopes import held_by

SCOPES = tuple(SCOPE_WORDS)
DEFAULT_DAYS, MOST_DAYS = 90, 365
MOST_ALIKE, MOST_LIVE = 2, 50
MOST_LISTED = 100  # names of models, evaluations or networks in one token
SEEN_GRAIN = dt.timedelta(minutes=1)
MOST_KEPT = 10_000
GENERAL = "general"
LONGEST_PURPOSE = 60
Owner = ServiceAccount | User


class InvalidToken(Refused):
    """The token is unknown, expired, revoked or mistyped; the text says which only as far as it helps no guesser."""


class TooManyTokens(Refused):
    """The owner already has as many live tokens as may live at once; says which to revoke."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is to be good for: scopes, purpose, restrictions, networks it may be used from, and days to live."""

    scopes: frozenset[str]
    purpose: str = GENERAL
    reach: Reach = EVERYTHING
    networks: tuple[str, ...] = ()
    days: int = DEFAULT_DAYS
    expires: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that was proven just now: who acts with it, and what it is good for."""

    id: int
    key: str
    actor: Actor
    scopes: frozenset[str]
    expires: dt.datetime

    def __str__(self) -> str:
        return f"fsf_…_{self.key}"


def _checksum(text: str) -> str:
    return base64.b32encode(zlib.crc32(text.encode()).to_bytes(4)).decode().rstrip("=").lower()


def _hash(secret: str, pepper: int) -> str:
    return hmac.digest(settings.TOKEN_PEPPERS[pepper].encode(), secret.encode(), "sha256").hex()


def checked(grant: Grant) -> Grant:
    """The grant with its networks as they are stored; raises Refused for unknown scopes, too long a life or an odd network."""
    if not grant.scopes or (unknown := grant.scopes - set(SCOPES)):
        said = ", ".join(sorted(unknown)) if grant.scopes else "none"
        raise Refused(f"A token needs scopes out of {', '.join(SCOPES)}; {said} given.")
    if not 0 < grant.days <= MOST_DAYS:
        raise Refused(f"A token lives 1 to {MOST_DAYS} days, not {grant.days}.")
    if max(len(grant.networks), len(grant.reach.models), len(grant.reach.evaluations)) > MOST_LISTED:
        raise Refused(f"A token names at most {MOST_LISTED} models, evaluations or networks each.")
    if not 0 < len(grant.purpose.strip()) <= LONGEST_PURPOSE:
        raise Refused(f"Say in at most {LONGEST_PURPOSE} characters what the token is for.")
    networks = tuple(sorted({str(network_of(text)) for text in grant.networks}))
    return replace(grant, purpose=grant.purpose.strip(), networks=networks)


def tokens_of(owner: Owner) -> QuerySet[ApiToken]:
    """Every token of an owner, ended ones too, newest first."""
    whose = {"account": owner} if isinstance(owner, ServiceAccount) else {"person": owner}
    return ApiToken.objects.filter(**whose).order_by("-pk")


def live(rows: QuerySet[ApiToken], now: dt.datetime) -> QuerySet[ApiToken]:
    """Those that are neither revoked nor expired."""
    return rows.filter(revoked__isnull=True, expires__gt=now)


def _hold(owner: Owner) -> None:
    """Lock the owner's row, so that two who make a token at once see one another."""
    holder = ServiceAccount.objects if isinstance(owner, ServiceAccount) else User.objects
    holder.select_for_update().get(pk=owner.pk)


def _check_room(owner: Owner, purpose: str, now: dt.datetime) -> None:
    """Raise TooManyTokens where another token would be one too many; the caller holds the owner's row."""
    alive = list(live(tokens_of(owner), now))
    alike = [str(row) for row in alive if row.purpose == purpose]
    if len(alike) >= MOST_ALIKE:
        raise TooManyTokens(f"{len(alike)} tokens for '{purpose}' are live already, {' and '.join(alike)}; revoke one of them first.")
    if len(alive) >= MOST_LIVE:
        raise TooManyTokens(f"{len(alive)} tokens of this owner are live already; revoke one that is not needed any more.")


@transaction.atomic
def issue_grant(*, owner: Owner, grant: Grant, now: dt.datetime, parent: ApiToken | None = None) -> tuple[ApiToken, str]:
    """Make a token; returns its row and its text, which is never shown again. Raises Refused, and TooManyTokens for a third alike."""
    wanted = checked(grant)
    _hold(owner)
    _check_room(owner, wanted.purpose, now)
    pepper = max(settings.TOKEN_PEPPERS)
    key, secret = secrets.token_hex(4), secrets.token_urlsafe(32).replace("_", "-")
    row = ApiToken.objects.create(
        account=owner if isinstance(owner, ServiceAccount) else None,
        person=owner if isinstance(owner, User) else None,
        purpose=wanted.purpose,
        key=key,
        secret_hash=_hash(secret, pepper),
        pepper=pepper,
        scopes=sorted(wanted.scopes),
        model_slugs=sorted(wanted.reach.models),
        evaluation_slugs=sorted(wanted.reach.evaluations),
        networks=list(wanted.networks),
        parent=parent,
        created=now,
        expires=wanted.expires or now + dt.timedelta(days=wanted.days),
    )
    body = f"fsf_{'live' if settings.PRODUCTION else 'dev'}_{key}_{secret}"
    return row, body + _checksum(body)


def issue(
    *, account: Owner, scopes: Iterable[str], now: dt.datetime, days: int = DEFAULT_DAYS, purpose: str = GENERAL
) -> tuple[ApiToken, str]:
    """Make a token without restrictions, as issue_grant does."""
    return issue_grant(owner=account, grant=Grant(frozenset(scopes), purpose, days=days), now=now)


TOKEN = ("id", "key", "secret_hash", "pepper", "scopes", "model_slugs", "evaluation_slugs", "networks", "expires", "revoked", "last_used")
ACCOUNT = ("account_id", "name", "active")
PERSON = ("person_id", "first_name", "last_name", "username", "role", "is_active")
FIELDS = (*TOKEN, *ACCOUNT, *PERSON)
JSON, MOMENTS = ("scopes", "model_slugs", "evaluation_slugs", "networks"), ("expires", "revoked", "last_used")
NOBODY: dict[str, Any] = {**dict.fromkeys(FIELDS), "secret_hash": "0" * 64, "pepper": 0}
# On the way of every request: written out, because composing it anew each time costs more than asking it.
ROWS = f"""
SELECT {", ".join(f"token.{name}" for name in (*TOKEN, "account_id"))}, account.name, account.active,
    token.person_id, {", ".join(f"person.{name}" for name in PERSON[1:])}
FROM accounts_apitoken token
LEFT JOIN accounts_serviceaccount account ON account.id = token.account_id
LEFT JOIN accounts_user person ON person.id = token.person_id
"""  # noqa: S608 - names of columns only
QUERY = f"{ROWS} WHERE token.key = %s"


class Seen(NamedTuple):
    """A token as this process proved it last: its row, whom it names, and the keyed hash of its whole text."""

    row: dict[str, Any]
    bearer: Bearer
    mark: str


latest: dict[str, Seen] = {}  # by key


def _stored(key: str) -> dict[str, Any] | None:
    """The token with this key and its owner, by one query; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(QUERY, [key])
        found = cursor.fetchone()
    return None if found is None else row_of(found)


def row_of(found: Sequence[Any]) -> dict[str, Any]:
    """What the query answered, by name."""
    row = dict(zip(FIELDS, found, strict=True))
    row.update({name: orjson.loads(row[name]) for name in JSON})
    row.update({name: _moment(row[name]) for name in MOMENTS})
    return row


def _moment(value: dt.datetime | None) -> dt.datetime | None:
    """A time as PostgreSQL gives it, or as SQLite does, which keeps it in UTC without saying so."""
    return value.replace(tzinfo=dt.UTC) if value is not None and value.tzinfo is None else value


def verify(*, text: str, now: dt.datetime, address: Address | None = None) -> Bearer:
    """Who comes with this text, by one query; raises InvalidToken, and NotAllowed for an address outside the token's networks.

    Its last use is kept to the minute. What a token lacks is told only to whoever proved its secret.
    """
    key, secret = parts_of(text)
    row = _stored(key) or NOBODY
    bearer = check(secret, row, now, address)
    if is_unseen(row, now):
        unseen = Q(last_used__isnull=True) | Q(last_used__lt=now - SEEN_GRAIN)
        ApiToken.objects.filter(unseen, pk=row["id"]).update(last_used=now)
    if len(latest) >= MOST_KEPT:
        latest.clear()
    latest[key] = Seen(row, bearer, _hash(text, row["pepper"]))
    return bearer


def check(secret: str, row: dict[str, Any], now: dt.datetime, address: Address | None) -> Bearer:
    """Who comes with a secret, as the row has it; raises as verify does."""
    if not _proves(secret, row["secret_hash"], row["pepper"]):
        raise InvalidToken("The token is not known.")
    bearer = _bearer(row)
    admit(bearer, row, now, address)
    return bearer


def is_proven(text: str, seen: Seen) -> bool:
    """Whether a text is the very one that was proven; the checksum of another was not looked at."""
    return _proves(text, seen.mark, seen.row["pepper"])


def admit(bearer: Bearer, row: dict[str, Any], now: dt.datetime, address: Address | None) -> None:
    """Raise as verify does where a token has ended, or may not be used from the address."""
    if row["revoked"] is not None or not (row["active"] or row["is_active"]):
        raise InvalidToken("The token was revoked.")
    if row["expires"] <= now:
        raise InvalidToken(f"The token expired on {row['expires']:%d %b %Y}; make a new one.")
    if not is_within(address, row["networks"]):
        raise NotAllowed(
            bearer.actor, "networks", f"The token {bearer} may not be used from {address or 'an address that cannot be told'}."
        )


def _proves(secret: str, stored: str, pepper: int) -> bool:
    """Whether what is stored is the secret's hash, taking as long where there is no row or its pepper was taken out of the settings."""
    known = pepper in settings.TOKEN_PEPPERS
    found = _hash(secret, pepper if known else max(settings.TOKEN_PEPPERS))
    return hmac.compare_digest(found, stored) and known


def _bearer(row: dict[str, Any]) -> Bearer:
    actor, scopes = _actor(row), frozenset(row["scopes"])
    return Bearer(row["id"], row["key"], actor, scopes if actor.kind is Kind.SERVICE else scopes & held_by(actor.role), row["expires"])


def _actor(row: dict[str, Any]) -> Actor:
    reach = Reach(frozenset(row["model_slugs"]), frozenset(row["evaluation_slugs"]))
    if row["person_id"] is None:
        return Actor(Kind.SERVICE, row["name"], row["account_id"], None, reach, row["key"])
    name = f"{row['first_name']} {row['last_name']}".strip() or row["username"]
    return Actor(Kind.PERSON, name, row["person_id"], Role(row["role"]), reach, row["key"])


def parts_of(text: str) -> tuple[str, str]:
    """The key and the secret of a token whose checksum holds."""
    body, checksum = text[:-7], text[-7:]
    parts = body.split("_")
    sound = hmac.compare_digest(_checksum(body).encode(), checksum.encode(errors="replace"))
    if len(parts) != 4 or parts[0] != "fsf" or not parts[2].isalnum() or not sound:
        raise InvalidToken("This is no token of this product, or it was cut or mistyped.")
    return parts[2], parts[3]


def is_unseen(row: dict[str, Any], now: dt.datetime) -> bool:
    """Whether the use of a token must be written down."""
    return row["last_used"] is None or now - row["last_used"] > SEEN_GRAIN


def revoke(*, token: ApiToken, now: dt.datetime) -> None:
    """End a token at once; its row stays."""
    ApiToken.objects.filter(pk=token.pk, revoked__isnull=True).update(revoked=now)


@transaction.atomic
def revoke_family(*, token: ApiToken, now: dt.datetime) -> list[str]:
    """End a token and every token that was made with it or with one of those; returns the keys of those others that lived."""
    revoke(token=token, now=now)
    ended: list[str] = []
    made = [token.pk]
    while made:
        children = list(ApiToken.objects.filter(parent__in=made).values_list("pk", "key", "revoked"))
        made = [pk for pk, _, _ in children]
        ended += [key for _, key, revoked in children if revoked is None]
        ApiToken.objects.filter(pk__in=made, revoked__isnull=True).update(revoked=now)
    return sorted(ended)


def find(*, account: str, key: str) -> ApiToken:
    """An account's token by its key; raises Refused where there is none."""
    row = ApiToken.objects.filter(account__name=account, key=key).first()
    if row is None:
        raise Refused(f"The service account '{account}' has no token with the key '{key}'.")
    return row
