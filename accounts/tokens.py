"""API tokens: made once, shown once, stored as a keyed hash, checked in constant time.

Form: `fsf_<environment>_<key>_<secret><checksum>`. The key finds the row, the secret (256 bits) proves it, and the checksum
(CRC-32) lets secret scanners and typing errors be told apart from guesses without a look into the database.
"""

import base64
import datetime as dt
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.models import ApiToken, ServiceAccount
from accounts.roles import Refused

SCOPES = ("runs:write", "read", "gate:read", "catalogue:write", "determinations:write")
DEFAULT_DAYS, MOST_DAYS = 90, 365
SEEN_GRAIN = dt.timedelta(minutes=1)


class InvalidToken(Refused):
    """The token is unknown, expired, revoked or mistyped; the text says which only as far as it helps no guesser."""


def _checksum(text: str) -> str:
    return base64.b32encode(zlib.crc32(text.encode()).to_bytes(4)).decode().rstrip("=").lower()


def _hash(secret: str, pepper: int) -> str:
    return hmac.new(settings.TOKEN_PEPPERS[pepper].encode(), secret.encode(), hashlib.sha256).hexdigest()


def _proves(secret: str, row: ApiToken) -> bool:
    """Whether the secret is the row's; a pepper that was taken out of the settings verifies nothing."""
    return row.pepper in settings.TOKEN_PEPPERS and hmac.compare_digest(_hash(secret, row.pepper), row.secret_hash)


@transaction.atomic
def issue(*, account: ServiceAccount, scopes: Iterable[str], now: dt.datetime, days: int = DEFAULT_DAYS) -> tuple[ApiToken, str]:
    """Make a token; returns its row and its text, which is never shown again. Raises Refused for unknown scopes or too long a life."""
    wanted = sorted(set(scopes))
    if not wanted or (unknown := set(wanted) - set(SCOPES)):
        raise Refused(f"A token needs scopes out of {', '.join(SCOPES)}; {', '.join(sorted(unknown)) if wanted else 'none'} given.")
    if not 0 < days <= MOST_DAYS:
        raise Refused(f"A token lives 1 to {MOST_DAYS} days, not {days}.")
    pepper = max(settings.TOKEN_PEPPERS)
    key, secret = secrets.token_hex(4), secrets.token_urlsafe(32).replace("_", "-")
    row = ApiToken.objects.create(
        account=account,
        key=key,
        secret_hash=_hash(secret, pepper),
        pepper=pepper,
        scopes=wanted,
        created=now,
        expires=now + dt.timedelta(days=days),
    )
    body = f"fsf_{'live' if settings.PRODUCTION else 'dev'}_{key}_{secret}"
    return row, body + _checksum(body)


def verify(*, text: str, now: dt.datetime) -> ApiToken:
    """The live token with this text; raises InvalidToken. Its last use is kept to the minute."""
    key, secret = _parts(text)
    row = next(iter(ApiToken.objects.select_related("account").filter(key=key)), None)
    if row is None or not _proves(secret, row):
        raise InvalidToken("The token is not known.")
    if row.revoked is not None or not row.account.active:
        raise InvalidToken("The token was revoked.")
    if row.expires <= now:
        raise InvalidToken(f"The token expired on {row.expires:%d %b %Y}; make a new one.")
    _seen(row, now)
    return row


def _parts(text: str) -> tuple[str, str]:
    """The key and the secret of a token whose checksum holds."""
    body, checksum = text[:-7], text[-7:]
    parts = body.split("_")
    sound = hmac.compare_digest(_checksum(body).encode(), checksum.encode(errors="replace"))
    if len(parts) != 4 or parts[0] != "fsf" or not parts[2].isalnum() or not sound:
        raise InvalidToken("This is no token of this product, or it was cut or mistyped.")
    return parts[2], parts[3]


def _seen(row: ApiToken, now: dt.datetime) -> None:
    if row.last_used is None or now - row.last_used > SEEN_GRAIN:
        stale = Q(last_used__isnull=True) | Q(last_used__lt=now - SEEN_GRAIN)
        ApiToken.objects.filter(stale, pk=row.pk).update(last_used=now)


def revoke(*, token: ApiToken, now: dt.datetime) -> None:
    """End a token at once; its row stays."""
    ApiToken.objects.filter(pk=token.pk, revoked__isnull=True).update(revoked=now)


def find(*, account: str, key: str) -> ApiToken:
    """An account's token by its key; raises Refused where there is none."""
    row = ApiToken.objects.filter(account__name=account, key=key).first()
    if row is None:
        raise Refused(f"The service account '{account}' has no token with the key '{key}'.")
    return row
