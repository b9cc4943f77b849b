"""A token's own owner: the tokens there are, and making, rotating and revoking them with one that may."""

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import ListAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import ApiToken, ServiceAccount
from accounts.roles import EVERYTHING, Kind, Reach
from accounts.tokens import DEFAULT_DAYS, LONGEST_PURPOSE, MOST_DAYS, MOST_LISTED, SCOPES, Bearer, Grant
from audit.access import REASONS, make_token, revoke_token, rotate_token
from evals.catalogue import unknown_evaluations, unknown_models
from fsf.api.authentication import actor_of, bearer_of
from fsf.api.paging import NewestFirst
from fsf.api.problems import answers
from fsf.api.shapes import Strict

SCOPE = "tokens:write"
SECRET = {"Cache-Control": "no-store"}


class TokenShape(serializers.ModelSerializer[ApiToken]):
    """A token without its secret."""

    owner = serializers.SerializerMethodField(help_text="service:<name> or person:<user name>")
    models = serializers.ListField(source="model_slugs", child=serializers.CharField(), help_text="empty: not restricted")
    evaluations = serializers.ListField(source="evaluation_slugs", child=serializers.CharField(), help_text="empty: not restricted")
    networks = serializers.ListField(child=serializers.CharField(), help_text="empty: every address")
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES))
    parent = serializers.CharField(source="parent.key", allow_null=True, default=None, help_text="key of the token that made it")  # type: ignore[assignment]

    class Meta:
        model = ApiToken
        fields = (
            *("key", "owner", "purpose", "scopes", "models", "evaluations", "networks", "parent"),
            *("created", "expires", "revoked", "last_used"),
        )

    @extend_schema_field(str)
    def get_owner(self, row: ApiToken) -> str:
        return f"service:{row.owner.name}" if isinstance(row.owner, ServiceAccount) else f"person:{row.owner.username}"


class NewToken(TokenShape):
    token = serializers.CharField(allow_null=True, help_text="the whole token, shown only now; null where an Idempotency-Key is replayed")
    curl = serializers.CharField(allow_null=True, help_text="a command that tries it; null as token is")

    class Meta(TokenShape.Meta):
        fields = (*TokenShape.Meta.fields, "token", "curl")  # type: ignore[assignment]  # two more


class SelfShape(TokenShape):
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES), help_text="as they count now, by the owner's role too")


def _names(help_text: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(max_length=100), max_length=MOST_LISTED, required=False, help_text=help_text)


class TokenBody(Strict):
    purpose = serializers.CharField(max_length=LONGEST_PURPOSE, help_text="at most two alike live at once")
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES), min_length=1, max_length=len(SCOPES))
    models = _names("slugs; left out: those of the token that makes it")
    evaluations = _names("slugs; left out: those of the token that makes it")
    networks = _names("left out: those of the token that makes it")
    days = serializers.IntegerField(
        min_value=1, max_value=MOST_DAYS, required=False, help_text=f"left out: {DEFAULT_DAYS}, or what is left of the token that makes it"
    )

    def validate_models(self, slugs: list[str]) -> list[str]:
        return _known("model", slugs, unknown_models(slugs), self.context["reach"].models)

    def validate_evaluations(self, slugs: list[str]) -> list[str]:
        return _known("evaluation", slugs, unknown_evaluations(slugs), self.context["reach"].evaluations)


class RotateBody(Strict):
    days = serializers.IntegerField(
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
        help_text="left out: as many as this one, or what is left of the token that makes it",
    )


class RevokeBody(Strict):
    reason = serializers.ChoiceField(sorted(REASONS), help_text="leaked ends every token that was made with it too")


class RevokedShape(serializers.Serializer[Any]):
    key = serializers.CharField()
    also = serializers.ListField(child=serializers.CharField(), help_text="keys of the tokens that ended with it")


def _known(kind: str, slugs: list[str], unknown: Sequence[str], reached: AbstractSet[str]) -> list[str]:
    """The slugs, once each of them names something; of what a restricted token does not reach it is not told whether it is there."""
    if missing := [slug for slug in unknown if not reached or slug in reached]:
        raise serializers.ValidationError(f"No {kind} '{missing[0]}' is registered; give its slug without a version.")
    return slugs


def _own(request: Request) -> QuerySet[ApiToken]:
    """The tokens of the owner of the request's token."""
    actor = actor_of(request)
    whose = {"account": actor.id} if actor.kind is Kind.SERVICE else {"person": actor.id}
    return ApiToken.objects.select_related("account", "person", "parent").filter(**whose)


def _told(request: Request) -> QuerySet[ApiToken]:
    """Those that the request's token may be told of: the restrictions of others name models and evaluations that it does not reach."""
    rows, reach = _own(request), actor_of(request).reach
    if reach == EVERYTHING:
        return rows
    limits = rows.values_list("pk", "model_slugs", "evaluation_slugs")
    return rows.filter(pk__in=[pk for pk, *names in limits if Reach(*map(frozenset, names)).within(reach)])


def _answer(request: Request, made: tuple[ApiToken, str]) -> Response:
    row, text = made
    row.token, row.curl = text, curl_line(settings.SITE_URL, text)  # type: ignore[attr-defined]  # shown, not stored
    return Response(NewToken(row).data, status=201, headers=SECRET)


def curl_line(site: str, text: str) -> str:
    """A command that tries a token."""
    return f"curl -sS '{site}/api/v1/tokens/self/' -H 'Authorization: Bearer {text}'"


def _grant(bearer: Bearer, networks: list[str], body: dict[str, Any], now: dt.datetime) -> Grant:
    """What is asked for; what is left out is as the asking token has it, and no longer than that lives."""
    reach = bearer.actor.reach
    wanted = Reach(frozenset(body.get("models", reach.models)), frozenset(body.get("evaluations", reach.evaluations)))
    rest = {"purpose": body["purpose"], "reach": wanted, "networks": tuple(body.get("networks", networks))}
    if "days" in body:
        return Grant(frozenset(body["scopes"]), **rest, days=body["days"])
    return Grant(frozenset(body["scopes"]), **rest, expires=min(bearer.expires, now + dt.timedelta(days=DEFAULT_DAYS)))


class Tokens(ListAPIView[ApiToken]):
    scopes = {"GET": SCOPE, "POST": SCOPE}
    serializer_class = TokenShape
    pagination_class = NewestFirst
    hidden = ("token", "curl")  # of what is kept under an Idempotency-Key

    def get_queryset(self) -> QuerySet[ApiToken]:
        return _told(self.request)

    @extend_schema(tags=["tokens"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Every token of the same owner, ended ones too, newest first; never a secret.

        A restricted token is shown those that reach no further than itself.
        """
        return super().get(request, *args, **kwargs)

    @extend_schema(request=TokenBody, responses={201: NewToken, **answers(400, 403, 422)}, tags=["tokens"])
    def post(self, request: Request) -> Response:
        """Make a token of the same owner, with no more scopes, reach, networks or life than the token that asks."""
        body = TokenBody(data=request.data, context={"reach": actor_of(request).reach})
        body.is_valid(raise_exception=True)
        now, parent = timezone.now(), _own(request).get(key=bearer_of(request).key)
        grant = _grant(bearer_of(request), parent.networks, body.validated_data, now)
        return _answer(request, make_token(owner=parent.owner, grant=grant, actor=actor_of(request), now=now))


class Myself(APIView):
    scopes = {"GET": None}

    @extend_schema(responses=SelfShape, tags=["tokens"])
    def get(self, request: Request) -> Response:
        """The token that asks: whose it is, what it may do and until when. Any live token may ask."""
        bearer = bearer_of(request)
        row = _own(request).get(key=bearer.key)
        row.scopes = sorted(bearer.scopes)
        return Response(SelfShape(row).data)


class Rotate(APIView):
    scopes = {"POST": SCOPE}
    hidden = ("token", "curl")

    @extend_schema(request=RotateBody, responses={201: NewToken, **answers(400, 403, 404, 422)}, tags=["tokens"])
    def post(self, request: Request, key: str) -> Response:
        """Make a token good for the same as this one; this one stays live until it is revoked, and a third is refused."""
        body = RotateBody(data=request.data)
        body.is_valid(raise_exception=True)
        token = get_object_or_404(_own(request), key=key)
        made = rotate_token(token=token, actor=actor_of(request), now=timezone.now(), days=body.validated_data.get("days"))
        return _answer(request, made)


class Revoke(APIView):
    scopes = {"POST": None}

    @extend_schema(request=RevokeBody, responses={200: RevokedShape, **answers(400, 403, 404, 422)}, tags=["tokens"])
    def post(self, request: Request, key: str) -> Response:
        """End a token at once. Every token may end itself; another one of the same owner needs the scope tokens:write."""
        bearer = bearer_of(request)
        if key != bearer.key and SCOPE not in bearer.scopes:
            raise PermissionDenied(f"The token {bearer} has no scope '{SCOPE}', so it can end only itself.")
        body = RevokeBody(data=request.data)
        body.is_valid(raise_exception=True)
        token = get_object_or_404(_own(request), key=key)
        also = revoke_token(token=token, reason=body.validated_data["reason"], actor=actor_of(request), now=timezone.now())
        return Response({"key": token.key, "also": also})
