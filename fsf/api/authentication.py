"""Bearer tokens: who asks, from where, and whether the token's scopes allow the method."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.networks import Address, client_address, counted_as
from accounts.roles import Actor, NotAllowed
from accounts.tokens import Bearer, InvalidToken, verify
from fsf.api.rate_limit import count_failure, count_token


class BearerToken(BaseAuthentication):
    """Authorization: Bearer fsf_..."""

    def authenticate(self, request: Request) -> tuple[Actor, Bearer] | None:
        word, _, text = request.headers.get("Authorization", "").partition(" ")
        if word.lower() != "bearer" or not text:
            return None
        now = timezone.now()
        bearer = _proven(text.strip(), address_behind(request.META), now)
        if "fsf.rate" not in request.META:  # or it was counted before it was tried this way
            count_token(request.META, bearer.key, now)
        return bearer.actor, bearer

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="fsf"'


def address_behind(about: Mapping[str, Any]) -> Address | None:
    """Where a request came from, by its environment, as the last trusted proxy saw it."""
    return client_address(peer=about.get("REMOTE_ADDR", ""), forwarded=about.get("HTTP_X_FORWARDED_FOR", ""), hops=settings.TRUSTED_PROXIES)


def _proven(text: str, address: Address | None, now: dt.datetime) -> Bearer:
    """The bearer of a live token; a wrong one, or one that comes from elsewhere, counts against the address."""
    try:
        return verify(text=text, now=now, address=address)
    except (InvalidToken, NotAllowed):
        count_failure(counted_as(address), now)
        raise


class HasScope(BasePermission):
    """The view names its scopes by method: `scopes = {"GET": "read", "POST": "runs:write"}`; None needs a live token only."""

    def has_permission(self, request: Request, view: object) -> bool:
        if not isinstance(request.auth, Bearer):
            return False
        wanted = getattr(view, "scopes", {}).get("GET" if request.method in {"HEAD", "OPTIONS"} else request.method)
        if wanted is not None and wanted not in request.auth.scopes:
            raise PermissionDenied(f"The token {request.auth} has no scope '{wanted}'.")
        return True


def bearer_of(request: Request) -> Bearer:
    """The token that was proven for a request."""
    if not isinstance(request.auth, Bearer):
        raise TypeError("Only a request with a verified token has a bearer.")
    return request.auth


def actor_of(request: Request) -> Actor:
    """The service account or person behind a request, as the token lets them act."""
    return bearer_of(request).actor
