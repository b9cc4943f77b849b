"""Bearer tokens: who posts, and whether the token's scopes allow the method."""

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import ApiToken, ServiceAccount
from accounts.roles import Actor
from accounts.tokens import verify


class BearerToken(BaseAuthentication):
    """Authorization: Bearer fsf_..."""

    def authenticate(self, request: Request) -> tuple[ServiceAccount, ApiToken] | None:
        word, _, text = request.headers.get("Authorization", "").partition(" ")
        if word.lower() != "bearer" or not text:
            return None
        token = verify(text=text.strip(), now=timezone.now())
        return token.account, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="fsf"'


class HasScope(BasePermission):
    """The view names its scopes by method: `scopes = {"GET": "read", "POST": "runs:write"}`."""

    def has_permission(self, request: Request, view: object) -> bool:
        if not isinstance(request.auth, ApiToken):
            return False
        wanted = getattr(view, "scopes", {}).get("GET" if request.method in {"HEAD", "OPTIONS"} else request.method)
        if wanted is not None and wanted not in request.auth.scopes:
            raise PermissionDenied(f"The token {request.auth} has no scope '{wanted}'.")
        return True


def actor_of(request: Request) -> Actor:
    """The service account behind a request."""
    account = request.user
    if not isinstance(account, ServiceAccount):
        raise TypeError("Only a request with a verified token has an actor.")
    return account.as_actor()
